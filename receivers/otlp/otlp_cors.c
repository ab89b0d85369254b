/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "receivers/otlp/otlp.h"

static char *join(const struct leat_strings *strings)
{
    struct leat_strbuf text = {0};
    leat_strbuf_puts(&text, "");
    for (uint32_t i = 0; i < strings->count; i++)
        leat_strbuf_printf(&text, "%s%s", i ? ", " : "", strings->at[i]);
    return leat_strbuf_steal(&text);
}

leat_rc otlp_cors_open(struct otlp_cors *cors, const struct leat_http_server_conf *conf)
{
    cors->origins = &conf->cors.allowed_origins;
    if (conf->cors.max_age_s > 0)
        (void)snprintf(cors->max_age, sizeof cors->max_age, "%lld", (long long)conf->cors.max_age_s);
    cors->allowed_headers = join(&conf->cors.allowed_headers);
    cors->exposed_headers = join(&conf->cors.exposed_headers);
    return cors->allowed_headers && cors->exposed_headers ? LEAT_OK : LEAT_ENOMEM;
}

void otlp_cors_close(struct otlp_cors *cors)
{
    leat_free(cors->allowed_headers);
    leat_free(cors->exposed_headers);
}

// A pattern such as "https://*.example.com": one star stands for any text.
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

static bool allowed(const struct otlp_cors *cors, struct leat_slice origin)
{
    for (uint32_t i = 0; origin.at && i < cors->origins->count; i++)
        if (origin_matches(cors->origins->at[i], origin))
            return true;
    return false;
}

void otlp_cors_answer(const struct otlp_cors *cors, const struct leat_http1_request *request, struct otlp_head *head)
{
    if (cors->origins->count == 0)
        return;
    otlp_head_add(head, "Vary", "Origin");
    struct leat_slice origin = leat_headers_get(request->headers, "origin");
    if (!allowed(cors, origin) || head->count == OTLP_HEADERS_MAX)
        return;
    head->at[head->count++] = (struct leat_header){LEAT_SLICE("Access-Control-Allow-Origin"), origin};
    if (cors->exposed_headers[0])
        otlp_head_add(head, "Access-Control-Expose-Headers", cors->exposed_headers);
}

bool otlp_cors_preflight(const struct otlp_cors *cors, const struct leat_http1_request *request, struct otlp_head *head)
{
    struct leat_slice asked = leat_headers_get(request->headers, "access-control-request-method");
    struct leat_slice origin = leat_headers_get(request->headers, "origin");
    if (!asked.at || !origin.at || !leat_slice_is(request->method, "OPTIONS") || cors->origins->count == 0)
        return false;
    if (!allowed(cors, origin))
        return true;
    otlp_head_add(head, "Access-Control-Allow-Methods", "POST");
    otlp_head_add(head, "Access-Control-Allow-Headers",
                  cors->allowed_headers[0] ? cors->allowed_headers : "Content-Type, Content-Encoding");
    if (cors->max_age[0])
        otlp_head_add(head, "Access-Control-Max-Age", cors->max_age);
    return true;
}
