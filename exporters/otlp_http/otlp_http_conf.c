/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/deliver/url.h"
#include "exporters/otlp_http/otlp_http.h"

#define AT(signal) LEAT_AT(struct otlp_http_conf, signal_endpoint[signal])

static const char *const encodings[] = {"proto", "json", NULL};

const struct leat_field otlp_http_fields[] = {
    {.key = "encoding",
     .type = LEAT_ENUM,
     .offset = LEAT_AT(struct otlp_http_conf, encoding),
     .deflt = "proto",
     .choices = encodings,
     .doc = "proto: bytes as they are held; json: OTLP/JSON"},
    {.key = "logs_endpoint",
     .type = LEAT_STRING,
     .offset = AT(LEAT_LOGS),
     .doc = "whole address for logs, instead of endpoint + /v1/logs"},
    {.key = "metrics_endpoint",
     .type = LEAT_STRING,
     .offset = AT(LEAT_METRICS),
     .doc = "whole address for metrics, instead of endpoint + /v1/metrics"},
    {.key = "traces_endpoint",
     .type = LEAT_STRING,
     .offset = AT(LEAT_TRACES),
     .doc = "whole address for traces, instead of endpoint + /v1/traces"},
    {.key = "profiles_endpoint",
     .type = LEAT_STRING,
     .offset = AT(LEAT_PROFILES),
     .doc = "whole address for profiles, instead of endpoint + /v1development/profiles"},
    {0}};

static const char *const paths[] = {"v1/logs", "v1/metrics", "v1/traces", "v1development/profiles"};

static const char *endpoint_of(const struct leat_exporter_conf *conf)
{
    const struct leat_http_client_conf *http = conf->carrier;
    return http->endpoint && *http->endpoint ? http->endpoint : NULL;
}

leat_rc otlp_http_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct otlp_http_conf *own = conf->own;
    struct leat_url url;
    const char *endpoint = endpoint_of(conf);
    bool any = endpoint != NULL;
    if (endpoint && leat_url_parse(endpoint, &url, reterr) != LEAT_OK)
        return reterr ? leat_err_wrap(reterr, "endpoint") : LEAT_ECONFIG;
    for (int i = 0; i < LEAT_SIGNAL_COUNT; i++) {
        const char *text = own->signal_endpoint[i];
        if (!text || !*text)
            continue;
        any = true;
        if (leat_url_parse(text, &url, reterr) != LEAT_OK)
            return reterr ? leat_err_wrap(reterr, "%s_endpoint", leat_signal_name((enum leat_signal)i)) : LEAT_ECONFIG;
    }
    return any ? LEAT_OK
               : LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                            "at least one endpoint must be specified: endpoint or "
                            "{logs,metrics,traces,profiles}_endpoint");
}

static char *url_below(const char *base, const char *path)
{
    size_t len = strlen(base), room = len + strlen(path) + 2;
    char *url = leat_alloc(room);
    if (url)
        (void)snprintf(url, room, "%s%s%s", base, base[len - 1] == '/' ? "" : "/", path);
    return url;
}

leat_rc otlp_http_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                       struct leat_world *world, struct leat_err *reterr)
{
    (void)world;
    struct otlp_http_state *otlp = state;
    const struct otlp_http_conf *own = conf->own;
    const char *whole = own->signal_endpoint[signal], *base = endpoint_of(conf);
    otlp->encoding = (enum otlp_http_encoding)own->encoding;
    bool is_whole = whole && *whole;
    if (!is_whole && !base)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "either endpoint or %s_endpoint must be specified",
                          leat_signal_name(signal));
    otlp->url = is_whole ? leat_strdup(whole) : url_below(base, paths[signal]);
    return otlp->url ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for an address");
}

void otlp_http_close(void *state)
{
    struct otlp_http_state *otlp = state;
    leat_free(otlp->url);
    leat_strbuf_done(&otlp->text);
    otlp->url = NULL;
}
