/* SPDX-License-Identifier: Apache-2.0 */
/* A new list of targets: both lists are ordered, so that what stays, comes and goes is found in one walk. */
#include "agent/base/alloc.h"
#include "receivers/pprof/pprof.h"

static int compare(const struct leat_target *a, const struct leat_target *b)
{
    int by_labels = leat_labels_compare(a->labels, b->labels);
    uint32_t len = a->url.len < b->url.len ? a->url.len : b->url.len;
    int by_url = len ? memcmp(a->url.at, b->url.at, len) : 0;
    return by_labels ? by_labels : by_url ? by_url : (a->url.len > b->url.len) - (a->url.len < b->url.len);
}

static void target_close(struct pprof_target *target)
{
    for (uint32_t i = 0; i < target->loop_count; i++)
        pprof__loop_close(&target->loops[i]);
    target->list = leat_targets_unref(target->list);
    leat_free(target);
}

static struct pprof_target *target_open(struct pprof_receiver *receiver, const struct pprof_job *job,
                                        struct leat_targets *list, const struct leat_target *target)
{
    struct pprof_target *made = leat_zalloc(1, sizeof *made + job->kind_count * sizeof made->loops[0]);
    struct leat_err err = {0};
    if (!made)
        return NULL;
    made->list = leat_targets_ref(list);
    made->target = target;
    for (uint32_t i = 0; i < job->kind_count; i++) {
        struct pprof_loop *loop = &made->loops[i];
        made->loop_count = i + 1;
        loop->receiver = receiver;
        loop->job = job;
        loop->kind = &job->kinds[i];
        if (pprof__loop_open(loop, target, &err) != LEAT_OK) {
            pprof__complain(loop, err.text);
            target_close(made);
            return NULL;
        }
    }
    pprof__count(receiver, PPROF_TARGETS_ADDED, 1);
    return made;
}

static void keep(struct pprof_target *target, struct leat_targets *list, const struct leat_target *now)
{
    struct leat_targets *before = target->list;
    target->list = leat_targets_ref(list);
    target->target = now;
    (void)leat_targets_unref(before);
}

static bool over_limit(struct pprof_receiver *receiver, struct pprof_job *job, const struct leat_targets *targets)
{
    uint32_t missed;
    if (!job->conf->target_limit || targets->count <= (uint64_t)job->conf->target_limit)
        return false;
    if (receiver->host->shard == 0 && leat_log_may(&job->complain, leat_loop_now_ns(receiver->host->loop), &missed))
        leat_log(LEAT_LOG_WARN, receiver->host->id, "job %s: %u targets are over target_limit %lld: none is scraped",
                 job->conf->job_name, targets->count, (long long)job->conf->target_limit);
    return true;
}

void pprof__targets_changed(void *ctx, uint32_t number, struct leat_targets *targets)
{
    struct pprof_receiver *receiver = ctx;
    struct pprof_job *job = &receiver->jobs[number];
    uint32_t count = over_limit(receiver, job, targets) ? 0 : targets->count, n = 0, old = 0;
    struct pprof_target **now = leat_zalloc(count + 1, sizeof *now);
    if (!now || receiver->stopping) { /* without memory the old list goes on */
        leat_free(now);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct leat_target *target = &targets->at[i];
        if (leat_target_shard(target, receiver->host->shard_count) != receiver->host->shard)
            continue;
        int order = -1;
        while (old < job->target_count && (order = compare(job->targets[old]->target, target)) < 0) {
            target_close(job->targets[old++]);
            pprof__count(receiver, PPROF_TARGETS_REMOVED, 1);
        }
        if (old < job->target_count && order == 0) {
            now[n] = job->targets[old++];
            keep(now[n++], targets, target);
        } else if ((now[n] = target_open(receiver, job, targets, target)) != NULL) {
            n++;
        }
    }
    for (; old < job->target_count; old++) {
        target_close(job->targets[old]);
        pprof__count(receiver, PPROF_TARGETS_REMOVED, 1);
    }
    leat_free(job->targets);
    job->targets = now;
    job->target_count = n;
}

void pprof__targets_close(struct pprof_job *job)
{
    for (uint32_t i = 0; i < job->target_count; i++)
        target_close(job->targets[i]);
    leat_free(job->targets);
    job->targets = NULL;
    job->target_count = 0;
}
