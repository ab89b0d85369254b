/* SPDX-License-Identifier: Apache-2.0 */
/* http_sd_configs: a list of targets from a web server, asked for every refresh_interval. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/discovery/discovery_inner.h"

struct http_source {
    struct leat_sd_source base;
    const struct leat_http_sd_conf *conf;
    struct leat_fetcher *fetcher;
    struct leat_fetch_site *site;
    struct leat_fetch fetch;
    struct leat_timer timer;
    struct leat_header headers[2];
    char seconds[24];
    uint32_t round;
    bool under_way;
};

static leat_rc each_group(void *ctx, struct leat_sd_group *group)
{
    struct http_source *source = ctx;
    group->round = source->round;
    return leat_sd__groups_put(&source->base.groups, group);
}

static leat_rc look_at_group(void *ctx, struct leat_sd_group *group)
{
    (void)ctx;
    bool failed = group->arena.failed;
    leat_sd__group_free(group);
    return failed ? LEAT_ENOMEM : LEAT_OK;
}

/* application/json, alone or with charset=utf-8. */
static bool is_json(struct leat_slice type)
{
    static const char *const good[] = {"application/json", "application/json;charset=utf-8",
                                       "application/json; charset=utf-8", "application/json;charset=\"utf-8\"",
                                       "application/json; charset=\"utf-8\"", NULL};
    for (uint32_t i = 0; good[i]; i++)
        if (leat_slice_ieq(type, leat_slice_str(good[i])))
            return true;
    return false;
}

static leat_rc take(struct http_source *source, struct leat_fetch_reply *reply, struct leat_err *reterr)
{
    struct leat_slice flat, type = leat_headers_get(reply->headers, "content-type");
    if (reply->status != 200)
        return LEAT_RAISE(reterr, LEAT_ENET, reply->status, "server returned HTTP status %d", reply->status);
    if (!is_json(type))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "unsupported content type \"%.*s\"",
                          (int)(type.len < 100 ? type.len : 100), type.len ? (const char *)type.at : "");
    if (leat_chain_flat(&reply->body, &flat) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    struct leat_sd_read read = {leat_slice_str(source->conf->url), "__meta_url", look_at_group, source};
    leat_rc rc = leat_sd__read_json(&read, flat.at, flat.len, reterr); /* all of it or nothing */
    source->round++;
    read.each = each_group;
    if (rc == LEAT_OK)
        rc = leat_sd__read_json(&read, flat.at, flat.len, reterr);
    leat_mem_unref(flat.mem);
    if (rc == LEAT_OK)
        (void)leat_sd__groups_sweep(&source->base.groups, source->round);
    return rc;
}

static void came(struct leat_fetch *fetch, struct leat_fetch_reply *reply, const struct leat_err *err)
{
    struct http_source *source = fetch->ctx;
    struct leat_err why = {0};
    source->under_way = false;
    source->base.refreshes++;
    if (err && err->code == LEAT_ECANCELED)
        return;
    if (err)
        why = *err;
    else if (take(source, reply, &why) == LEAT_OK)
        leat_sd__changed(&source->base);
    if (why.code != LEAT_OK)
        leat_sd__failed(&source->base, "%s: %s", source->conf->url, why.text);
}

static void refresh(struct leat_timer *timer)
{
    struct http_source *source = timer->ctx;
    leat_timer_start(leat_sd__loop(&source->base), timer, (uint64_t)source->conf->refresh_interval_ns);
    if (source->under_way)
        return;
    source->under_way = true;
    source->fetch = (struct leat_fetch){.headers = {source->headers, 2},
                                        .timeout_ns = (uint64_t)source->conf->refresh_interval_ns,
                                        .done = came,
                                        .ctx = source};
    leat_fetch_send(source->site, &source->fetch);
}

static void close_http(struct leat_sd_source *base)
{
    struct http_source *source = LEAT_CONTAINER(base, struct http_source, base);
    leat_timer_stop(leat_sd__loop(base), &source->timer);
    leat_fetch_site_close(source->site);
    leat_fetcher_close(source->fetcher);
    leat_sd__done(base);
}

leat_rc leat_sd__http_open(struct leat_sd_job *job, const struct leat_http_sd_conf *conf,
                           struct leat_sd_source **ret_source, struct leat_err *reterr)
{
    struct http_source *source = leat_zalloc(1, sizeof *source);
    if (!source)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_sd__init(&source->base, job, "http_sd");
    source->base.close = close_http;
    source->conf = conf;
    source->timer = (struct leat_timer){.fire = refresh, .ctx = source};
    (void)snprintf(source->seconds, sizeof source->seconds, "%g", (double)conf->refresh_interval_ns / 1e9);
    source->headers[0] = (struct leat_header){LEAT_SLICE("Accept"), LEAT_SLICE("application/json")};
    source->headers[1] =
        (struct leat_header){LEAT_SLICE("X-Prometheus-Refresh-Interval-Seconds"), leat_slice_str(source->seconds)};
    struct leat_fetcher_opts opts = {.loop = leat_sd__loop(&source->base),
                                     .conf = &conf->fetch,
                                     .user_agent = "leat/" LEAT_VERSION,
                                     .enable_compression = true,
                                     .body_bytes_max = LEAT_SD_ANSWER_BYTES_MAX};
    leat_rc rc = leat_fetcher_open(&opts, &source->fetcher, reterr);
    if (rc == LEAT_OK)
        rc = leat_fetch_site_open(source->fetcher, leat_slice_str(conf->url), &source->site, reterr);
    if (rc != LEAT_OK) {
        close_http(&source->base);
        return rc;
    }
    *ret_source = &source->base;
    leat_timer_start(opts.loop, &source->timer, 0);
    return LEAT_OK;
}
