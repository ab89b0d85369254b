/* SPDX-License-Identifier: Apache-2.0 */
#include "receivers/prometheus/prometheus.h"

static const char *state_of(const struct prometheus_target *target)
{
    if (target->gone)
        return "leaving";
    return target->up < 0 ? "unknown" : target->up ? "up" : "down";
}

/* A line a target: job, URL, labels, state, and what went wrong last. */
void prometheus__dump(const void *ctx, struct leat_strbuf *out)
{
    const struct prometheus_state *state = ctx;
    if (!state->targets.next)
        return;
    leat_strbuf_printf(out, "%u targets, %lu series, %u batches under way\n", state->target_count, (unsigned long)state->series,
                       state->in_flight);
    LEAT_LIST_EACH(link, &state->targets) {
        const struct prometheus_target *target = LEAT_CONTAINER(link, struct prometheus_target, link);
        leat_strbuf_printf(out, "target job=%s url=%.*s labels=", target->job->conf->job_name, LEAT_SLICE_ARGS(target->at->url));
        leat_labels_dump(target->shown, out);
        leat_strbuf_printf(out, " state=%s scrapes=%u failures=%u samples=%lu series=%u duration=%.3fs error=\"%s\"\n", state_of(target),
                           target->scrapes, target->failures, (unsigned long)target->samples, target->cache.by_raw.count,
                           (double)target->took_ns / 1e9, target->up == 0 ? target->last.text : "");
    }
    if (state->discovery)
        leat_discovery_dump(state->discovery, out);
}
