/* SPDX-License-Identifier: Apache-2.0 */
/* One kind of profile of one target, again and again. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "proto/pprof/pprof_push.h"
#include "receivers/pprof/pprof.h"

static uint64_t now_ns(const struct pprof_loop *loop) { return leat_loop_now_ns(loop->receiver->host->loop); }

void pprof__complain(struct pprof_loop *loop, const char *text)
{
    uint32_t missed, hushed;
    if (!leat_log_may_among(&loop->receiver->log, &loop->complain, now_ns(loop), &missed, &hushed))
        return;
    leat_log(LEAT_LOG_WARN, loop->receiver->host->id, "job %s: %s of %s: %s (%u more, %u of others)", loop->job->conf->job_name,
             loop->kind->name, loop->url ? loop->url : "a target", text, missed, hushed);
}

/* ---- an answer ---- */

static enum pprof_row row_of(leat_rc rc)
{
    return rc == LEAT_ETIMEOUT   ? PPROF_FAIL_TIMEOUT
           : rc == LEAT_ELIMIT   ? PPROF_FAIL_BODY_SIZE
           : rc == LEAT_EREFUSED ? PPROF_FAIL_STATUS
           : rc == LEAT_ENOMEM   ? PPROF_FAIL_MEMORY
                                 : PPROF_FAIL_CONNECT;
}

static void on_done(struct leat_fetch *fetch, struct leat_fetch_reply *reply, const struct leat_err *err)
{
    struct pprof_loop *loop = fetch->ctx;
    char text[64];
    loop->fetching = false;
    if (err) {
        if (err->code == LEAT_ECANCELED)
            return;
        pprof__count(loop->receiver, row_of(err->code), 1);
        pprof__complain(loop, err->text);
        return;
    }
    if (reply->status != 200) {
        (void)snprintf(text, sizeof text, "status %d", reply->status);
        pprof__count(loop->receiver, PPROF_FAIL_STATUS, 1);
        pprof__complain(loop, text);
        return;
    }
    pprof__count(loop->receiver, PPROF_BYTES, reply->body.bytes);
    pprof__take(loop, &reply->body);
}

/* ---- the clock ---- */

static bool has_room(const struct pprof_receiver *receiver)
{
    return !receiver->paused && leat_list_empty(&receiver->waiting) &&
           receiver->inflight_bytes < (uint64_t)receiver->conf->max_inflight_bytes;
}

static void on_tick(struct leat_timer *timer)
{
    struct pprof_loop *loop = timer->ctx;
    struct pprof_receiver *receiver = loop->receiver;
    struct leat_world *world = receiver->host->world;
    (void)leat_ticks_now(&loop->ticks, world->unix_ns(world), now_ns(loop));
    leat_timer_start(receiver->host->loop, timer, leat_ticks_wait_ns(&loop->ticks, now_ns(loop)));
    if (loop->fetching) {
        pprof__count(receiver, PPROF_SKIPPED_SLOW, 1);
    } else if (!has_room(receiver)) {
        pprof__count(receiver, PPROF_SKIPPED_ROOM, 1);
    } else {
        pprof__count(receiver, PPROF_SCRAPES, 1);
        loop->fetching = true;
        loop->fetch = (struct leat_fetch){.timeout_ns = loop->timeout_ns, .done = on_done, .ctx = loop};
        leat_fetch_send(loop->site, &loop->fetch);
    }
}

/* ---- life ---- */

static bool is_hidden(struct leat_slice name) { return name.len >= 2 && memcmp(name.at, "__", 2) == 0; }

/* The target's labels, its service, and what kind of profile it is. */
static void put_labels(struct pprof_loop *loop, struct leat_labels labels)
{
    struct leat_slice service = leat_labels_get(labels, LEAT_SLICE("service_name"));
    pprof_push_label(&loop->labels, LEAT_SLICE("__name__"), leat_slice_str(loop->kind->name));
    if (loop->kind->delta) /* else Pyroscope would subtract again */
        pprof_push_label(&loop->labels, LEAT_SLICE("__delta__"), LEAT_SLICE("false"));
    for (uint32_t i = 0; i < labels.count; i++)
        if (!is_hidden(labels.at[i].name))
            pprof_push_label(&loop->labels, labels.at[i].name, labels.at[i].value);
    if (service.len == 0)
        service = leat_labels_get(labels, LEAT_SLICE("job"));
    if (leat_labels_get(labels, LEAT_SLICE("service_name")).len == 0)
        pprof_push_label(&loop->labels, LEAT_SLICE("service_name"), service.len ? service : LEAT_SLICE("unspecified"));
}

/* scheme://address/prefix/path?params, the target's own __profile_path__ before the job's. */
static bool make_url(struct pprof_loop *loop, struct leat_labels labels)
{
    struct leat_slice own = leat_labels_get(labels, LEAT_SLICE("__profile_path__"));
    const char *prefix = loop->job->conf->profiling.path_prefix;
    struct leat_strbuf path = {0}, url = {0};
    leat_strbuf_puts(&path, prefix ? prefix : "");
    if (own.len)
        leat_strbuf_put(&path, own.at, own.len);
    else
        leat_strbuf_puts(&path, loop->kind->path);
    if (!path.failed)
        leat_target_url_put(labels, path.at, loop->kind->seconds ? loop->job->params_seconds : loop->job->params, &url);
    loop->url = path.failed ? NULL : leat_strbuf_steal(&url);
    leat_strbuf_done(&path);
    leat_strbuf_done(&url);
    return loop->url != NULL;
}

leat_rc pprof__loop_open(struct pprof_loop *loop, const struct leat_target *target, struct leat_err *reterr)
{
    struct leat_host *host = loop->receiver->host;
    const struct pprof_job_conf *conf = loop->job->conf;
    uint64_t number = (uint64_t)(loop->kind - loop->job->kinds);
    put_labels(loop, target->labels);
    if (!make_url(loop, target->labels) || loop->labels.failed)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a target");
    loop->interval_ns = (uint64_t)(target->interval_ns ? target->interval_ns : conf->scrape_interval_ns);
    loop->timeout_ns = (uint64_t)(target->timeout_ns ? target->timeout_ns : pprof__timeout(conf));
    if (loop->kind->seconds)
        loop->timeout_ns += (uint64_t)pprof__seconds(conf) * 1000000000u;
    leat_rc rc = leat_fetch_site_open(loop->job->fetcher, leat_slice_str(loop->url), &loop->site, reterr);
    if (rc != LEAT_OK)
        return rc;
    loop->timer = (struct leat_timer){.fire = on_tick, .ctx = loop};
    leat_ticks_start(&loop->ticks, loop->interval_ns, target->hash + number * 0x9e3779b97f4a7c15u, 0,
                     host->world->unix_ns(host->world), now_ns(loop));
    leat_timer_start(host->loop, &loop->timer, leat_ticks_wait_ns(&loop->ticks, now_ns(loop)));
    return LEAT_OK;
}

void pprof__loop_close(struct pprof_loop *loop)
{
    struct leat_host *host = loop->receiver->host;
    leat_timer_stop(host->loop, &loop->timer);
    if (loop->site)
        loop->site = leat_fetch_site_close(loop->site);
    leat_budget_discharge(leat_pool_budget(leat_pool_here()), loop->charged_bytes);
    loop->charged_bytes = 0;
    pprof_delta_done(&loop->delta);
    pb_buf_done(&loop->labels);
    leat_free(loop->url);
    loop->url = NULL;
}
