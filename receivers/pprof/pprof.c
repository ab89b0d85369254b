/* SPDX-License-Identifier: Apache-2.0 */
#include "receivers/pprof/pprof.h"

#include "agent/base/alloc.h"
#include "receivers/receiver.h"

const struct leat_counter_def pprof__counters[] = {
    [PPROF_SCRAPES] = {"pprof_scrapes_total", "", "Profiles asked for."},
    [PPROF_FAIL_CONNECT] = {"pprof_scrapes_failed_total", "reason=\"connection\"", "Scrapes that gave no profile."},
    [PPROF_FAIL_TIMEOUT] = {"pprof_scrapes_failed_total", "reason=\"timeout\"", "Scrapes that gave no profile."},
    [PPROF_FAIL_STATUS] = {"pprof_scrapes_failed_total", "reason=\"status\"", "Scrapes that gave no profile."},
    [PPROF_FAIL_BODY_SIZE] = {"pprof_scrapes_failed_total", "reason=\"body_size_limit\"", "Scrapes that gave no profile."},
    [PPROF_FAIL_ENCODING] = {"pprof_scrapes_failed_total", "reason=\"gzip\"", "Scrapes that gave no profile."},
    [PPROF_FAIL_PROFILE] = {"pprof_scrapes_failed_total", "reason=\"malformed\"", "Scrapes that gave no profile."},
    [PPROF_FAIL_MEMORY] = {"pprof_scrapes_failed_total", "reason=\"memory\"", "Scrapes that gave no profile."},
    [PPROF_SKIPPED_ROOM] = {"pprof_scrapes_skipped_total", "reason=\"no_room\"",
                            "Scrapes not begun: max_inflight_bytes or a full queue; the one before still ran."},
    [PPROF_SKIPPED_SLOW] = {"pprof_scrapes_skipped_total", "reason=\"slow\"",
                            "Scrapes not begun: max_inflight_bytes or a full queue; the one before still ran."},
    [PPROF_REFUSED] = {"pprof_refused_total", "", "Profiles refused for good by what stands behind."},
    [PPROF_EMPTY] = {"pprof_empty_total", "", "Profiles without a sample, or in which nothing grew: not sent."},
    [PPROF_BASELINES] = {"pprof_baselines_total", "", "First profiles of their kind and target: counts begin there."},
    [PPROF_RESETS] = {"pprof_resets_total", "", "Profiles whose counts went back: the program was started again."},
    [PPROF_BYTES] = {"pprof_body_bytes_total", "", "Bytes of profiles as served."},
    [PPROF_TARGETS_ADDED] = {"pprof_targets_added_total", "", "Targets that came; minus removed: now."},
    [PPROF_TARGETS_REMOVED] = {"pprof_targets_removed_total", "", "Targets that went."},
    {0}};

/* ---- life ---- */

static leat_rc publish(void *ctx, uint32_t job, struct leat_targets *targets)
{
    struct pprof_receiver *receiver = ctx;
    return leat_feed_publish(receiver->host->shared, job, targets);
}

static leat_rc pprof__start(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct pprof_receiver *receiver = state;
    receiver->conf = conf;
    receiver->host = host;
    receiver->open = true;
    leat_list_init(&receiver->waiting);
    leat_list_init(&receiver->inflight);
    leat_rc rc = pprof__jobs_open(receiver, reterr);
    if (rc != LEAT_OK)
        return rc;
    receiver->member = (struct leat_feed_member){.loop = host->loop, .changed = pprof__targets_changed, .ctx = receiver};
    rc = leat_feed_join(host->shared, &receiver->member);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "pprof: cannot follow the targets");
    if (host->shard != 0)
        return LEAT_OK;
    struct leat_discovery_opts opts = {.loop = host->loop, .who = host->id, .jobs = receiver->discovery_jobs,
                                       .job_count = receiver->job_count, .changed = publish, .ctx = receiver};
    return leat_discovery_open(&opts, &receiver->discovery, reterr);
}

static void pprof__pause(void *state)
{
    struct pprof_receiver *receiver = state;
    receiver->paused = true;
}

static void pprof__resume(void *state)
{
    struct pprof_receiver *receiver = state;
    receiver->paused = false;
    pprof__emit_waiting(receiver);
}

static void close_all(struct pprof_receiver *receiver)
{
    leat_discovery_close(receiver->discovery);
    receiver->discovery = NULL;
    leat_feed_leave(receiver->host->shared, &receiver->member);
    for (uint32_t i = 0; i < receiver->job_count; i++)
        pprof__targets_close(&receiver->jobs[i]);
}

/* What waits is offered a last time: it cannot be fetched again. */
static void pprof__stop(void *state, void (*stopped)(void *ctx), void *ctx)
{
    struct pprof_receiver *receiver = state;
    receiver->stopped = stopped;
    receiver->stopped_ctx = ctx;
    receiver->stopping = true;
    close_all(receiver);
    pprof__emit_waiting(receiver);
    pprof__finish(receiver);
}

static void pprof__dump(const void *state, struct leat_strbuf *out)
{
    const struct pprof_receiver *receiver = state;
    leat_strbuf_printf(out, "inflight_bytes %llu waiting %d\n", (unsigned long long)receiver->inflight_bytes,
                       !leat_list_empty(&receiver->waiting));
    for (uint32_t i = 0; i < receiver->job_count; i++)
        leat_strbuf_printf(out, "job %s targets %u\n", receiver->jobs[i].conf->job_name, receiver->jobs[i].target_count);
    if (receiver->discovery)
        leat_discovery_dump(receiver->discovery, out);
}

static void pprof__close(void *state)
{
    struct pprof_receiver *receiver = state;
    if (!receiver->open)
        return;
    receiver->open = false;
    close_all(receiver);
    while (!leat_list_empty(&receiver->waiting)) {
        struct pprof_pending *pending = LEAT_CONTAINER(leat_list_pop(&receiver->waiting), struct pprof_pending, link);
        leat_batch_free(pending->batch);
        leat_free(pending);
    }
    pprof__jobs_close(receiver);
    if (receiver->host->shard == 0)
        leat_feed_done(receiver->host->shared);
}

LEAT_RECEIVER(pprof, .summary = "profiles fetched from programs that serve pprof over HTTP", .signals = LEAT_SIGNAL_BIT(LEAT_PROFILES),
              .forms = LEAT_FORM_PPROF, .conf_size = sizeof(struct pprof_conf), .state_size = sizeof(struct pprof_receiver),
              .shared_size = sizeof(struct leat_target_feed), .fields = pprof__fields, .counters = pprof__counters,
              .check = pprof__check, .start = pprof__start, .pause = pprof__pause, .resume = pprof__resume, .stop = pprof__stop,
              .dump = pprof__dump, .close = pprof__close);
