/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "receivers/otlp/otlp.h"

static char *join(const char *first, const struct leat_strings *strings)
{
    struct leat_strbuf text = {0};
    leat_strbuf_puts(&text, first);
    for (uint32_t i = 0; i < strings->count; i++)
        leat_strbuf_printf(&text, "%s%s", text.len ? ", " : "", strings->at[i]);
    return leat_strbuf_steal(&text);
}

leat_rc otlp_cors_open(struct otlp_cors *cors, const struct leat_http_server_conf *conf)
{
    cors->origins = &conf->cors.allowed_origins;
    if (conf->cors.max_age_s > 0)
        (void)snprintf(cors->max_age, sizeof cors->max_age, "%lld", (long long)conf->cors.max_age_s);
    for (uint32_t i = 0; i < conf->cors.allowed_headers.count; i++)
        cors->any_header |= strcmp(conf->cors.allowed_headers.at[i], "*") == 0;
    cors->allowed_headers =
        join("Accept, Content-Type, Content-Encoding, X-Requested-With", &conf->cors.allowed_headers);
    cors->exposed_headers = join("", &conf->cors.exposed_headers);
    return cors->allowed_headers && cors->exposed_headers ? LEAT_OK : LEAT_ENOMEM;
}

void otlp_cors_close(struct otlp_cors *cors)
{
    leat_free(cors->allowed_headers);
    leat_free(cors->exposed_headers);
}

/* A pattern may have one star, which stands for any text. */
static bool origin_matches(const char *pattern, struct leat_slice origin)
{
    const char *star = strchr(pattern, '*');
    if (!star)
        return leat_slice_ieq(origin, leat_slice_str(pattern));
    uint32_t before = (uint32_t)(star - pattern), after = (uint32_t)strlen(star + 1);
    return origin.len >= before + after &&
           leat_slice_ieq(leat_slice_sub(origin, 0, before), leat_slice_of(pattern, before)) &&
           leat_slice_ieq(leat_slice_sub(origin, origin.len - after, after), leat_slice_of(star + 1, after));
}

/* The pattern that lets this origin in; NULL: none. A named one goes before "*", which means anybody. */
static const char *allowed(const struct otlp_cors *cors, struct leat_slice origin)
{
    const char *found = NULL;
    for (uint32_t i = 0; origin.at && i < cors->origins->count; i++)
        if (origin_matches(cors->origins->at[i], origin) && (!found || strcmp(found, "*") == 0))
            found = cors->origins->at[i];
    return found;
}

static void add(struct otlp_head *head, const char *name, struct leat_slice value)
{
    if (head->count < OTLP_HEADERS_MAX)
        head->at[head->count++] = (struct leat_header){leat_slice_str(name), value};
}

/* Beacons of browsers carry credentials, so a named origin is told that it may; anybody is not. */
void otlp_cors_answer(const struct otlp_cors *cors, const struct leat_http1_request *request, struct otlp_head *head)
{
    if (cors->origins->count == 0)
        return;
    struct leat_slice origin = leat_headers_get(request->headers, "origin");
    const char *pattern = allowed(cors, origin);
    bool anybody = pattern && strcmp(pattern, "*") == 0;
    otlp_head_add(head, "Vary", "Origin");
    if (!pattern)
        return;
    add(head, "Access-Control-Allow-Origin", anybody ? LEAT_SLICE("*") : origin);
    if (!anybody)
        otlp_head_add(head, "Access-Control-Allow-Credentials", "true");
    if (cors->exposed_headers[0])
        otlp_head_add(head, "Access-Control-Expose-Headers", cors->exposed_headers);
}

bool otlp_cors_preflight(const struct otlp_cors *cors, const struct leat_http1_request *request, struct otlp_head *head)
{
    struct leat_slice method = leat_headers_get(request->headers, "access-control-request-method");
    struct leat_slice asked = leat_headers_get(request->headers, "access-control-request-headers");
    struct leat_slice origin = leat_headers_get(request->headers, "origin");
    if (!method.at || !origin.at || !leat_slice_is(request->method, "OPTIONS") || cors->origins->count == 0)
        return false;
    if (!allowed(cors, origin))
        return true;
    otlp_head_add(head, "Access-Control-Allow-Methods", "POST");
    if (cors->any_header && asked.len)
        add(head, "Access-Control-Allow-Headers", asked);
    else
        otlp_head_add(head, "Access-Control-Allow-Headers", cors->allowed_headers);
    if (cors->max_age[0])
        otlp_head_add(head, "Access-Control-Max-Age", cors->max_age);
    return true;
}
