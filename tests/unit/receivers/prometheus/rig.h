/* SPDX-License-Identifier: Apache-2.0 */
/* rig -- one target without a network: pages go in, what would be sent comes out as text, a sample a line.
 *
 * Use      rig_open, change rig->job_conf, rig_ready, rig_page(...); rig->out is what the last page came to. */
#pragma once
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/arena.h"
#include "receivers/prometheus/prometheus.h"
#include "tests/kit/kit.h"
#include "tests/kit/sim_world.h"

struct rig {
    struct leat_world *world;
    struct leat_loop *loop;
    struct leat_host host;
    uint64_t counts[PROMETHEUS_ROWS];
    struct prometheus_shared shared;
    struct prometheus_conf conf;
    struct prometheus_job_conf job_conf;
    struct prometheus_job job;
    struct prometheus_state state;
    struct leat_label labels[3];
    struct leat_targets list;
    struct leat_target at;
    struct prometheus_target *target;
    struct leat_strbuf out;
    struct leat_err err;
    bool reports; /* tell them, too */
    uint32_t batches, batch_items_max;
};

static inline struct rig *rig_open(void)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->world = sim_world_new(1);
    EXPECT_OK(leat_loop_open_simulated(rig->world, &rig->loop));
    rig->host = (struct leat_host){.id = "prometheus", .loop = rig->loop, .world = rig->world, .shard_count = 1, .counts = rig->counts,
                                   .shared = &rig->shared};
    rig->conf.max_series = 1000000;
    rig->conf.max_series_per_target = 200000;
    rig->conf.max_line_bytes = 1 << 20;
    rig->conf.max_batch_samples = 2000;
    rig->job_conf = (struct prometheus_job_conf){.job_name = "j", .scheme = "http", .metrics_path = "/metrics", .honor_timestamps = true,
                                                 .fallback_scrape_protocol = "PrometheusText0.0.4"};
    rig->labels[0] = (struct leat_label){LEAT_SLICE("__address__"), LEAT_SLICE("h:1")};
    rig->labels[1] = (struct leat_label){LEAT_SLICE("instance"), LEAT_SLICE("h:1")};
    rig->labels[2] = (struct leat_label){LEAT_SLICE("job"), LEAT_SLICE("j")};
    rig->at = (struct leat_target){.labels = {rig->labels, 3}, .url = LEAT_SLICE("http://h:1/metrics"), .hash = 1};
    rig->list = (struct leat_targets){.refs = 2, .count = 1, .at = &rig->at};
    rig->state.conf = &rig->conf;
    rig->state.host = &rig->host;
    rig->state.shared = &rig->shared;
    rig->state.jobs = &rig->job;
    rig->state.job_count = 1;
    leat_list_init(&rig->state.targets);
    return rig;
}

static inline leat_rc rig_start(struct rig *rig)
{
    rig->job.state = &rig->state;
    rig->job.conf = &rig->job_conf;
    leat_rc rc = prometheus__settings(&rig->conf, &rig->job_conf, &rig->job.settings, &rig->err);
    if (rc == LEAT_OK)
        rc = leat_relabel_open(&rig->job_conf.metric_relabel_configs, rig->job.settings.names, "metric_relabel_configs",
                               &rig->job.metric_relabel, &rig->err);
    if (rc == LEAT_OK && !(rig->target = prometheus__target_new(&rig->job, &rig->list, &rig->at)))
        rc = LEAT_ENOMEM;
    return rc;
}
static inline void rig_ready(struct rig *rig) { EXPECT_OK_ERR(rig_start(rig), &rig->err); }

static inline void rig_tell_extra(struct rig *rig, const struct leat_prom_extra *extra)
{
    if (extra->start_ms)
        leat_strbuf_printf(&rig->out, " start=%lld", (long long)extra->start_ms);
    for (uint32_t i = 0; i < extra->exemplar_count; i++)
        leat_strbuf_printf(&rig->out, " exemplar=%.17g@%lld/%u", extra->exemplars[i].value, (long long)extra->exemplars[i].time_ms,
                           extra->exemplars[i].label_bytes);
    if (extra->histogram_bytes)
        leat_strbuf_printf(&rig->out, " histogram=%u", extra->histogram_bytes);
}

static inline void rig_tell_sample(struct rig *rig, const struct leat_prom_sample *sample)
{
    struct leat_strbuf *out = &rig->out;
    struct leat_slice name, value, metric = {0};
    struct leat_strbuf labels = {0};
    for (uint32_t at = 0; leat_prom_label_next(sample->series, &at, &name, &value);)
        if (leat_slice_is(name, "__name__"))
            metric = value;
        else if (!leat_slice_is(name, "job") && !leat_slice_is(name, "instance"))
            leat_strbuf_printf(&labels, "%s%.*s=%.*s", labels.len ? "," : "", LEAT_SLICE_ARGS(name), LEAT_SLICE_ARGS(value));
    bool report = leat_slice_is(metric, "up") || (metric.len > 7 && memcmp(metric.at, "scrape_", 7) == 0);
    if (!report || rig->reports) {
        leat_strbuf_printf(out, "%.*s", LEAT_SLICE_ARGS(metric));
        if (labels.len)
            leat_strbuf_printf(out, "{%s}", labels.at);
        if (leat_prom_is_stale(sample->value))
            leat_strbuf_printf(out, " stale");
        else
            leat_strbuf_printf(out, " %.17g", sample->value);
        leat_strbuf_printf(out, " @%lld", (long long)sample->time_ms);
        if (sample->extra)
            rig_tell_extra(rig, sample->extra);
        leat_strbuf_putc(out, '\n');
    }
    leat_strbuf_done(&labels);
}

static inline void rig_tell(struct rig *rig)
{
    leat_strbuf_clear(&rig->out);
    leat_strbuf_puts(&rig->out, "");
    rig->batches = rig->batch_items_max = 0;
    LEAT_LIST_EACH(link, &rig->state.scrape.done) {
        const struct leat_batch *batch = LEAT_CONTAINER(link, struct prometheus_parcel, link)->batch;
        rig->batches++;
        rig->batch_items_max = batch->item_count > rig->batch_items_max ? batch->item_count : rig->batch_items_max;
        for (uint32_t s = 0, n; s < batch->payload.count; s++) {
            const struct leat_prom_sample *samples = leat_prom_samples(&batch->payload.vec[s], &n);
            for (uint32_t i = 0; i < n; i++)
                rig_tell_sample(rig, &samples[i]);
        }
    }
}

/* The answer is the page's; the scrape goes on as it does in the receiver. */
static inline leat_rc rig_body(struct rig *rig, int64_t tick_ms, enum prometheus_format format, const struct leat_chain *body)
{
    struct prometheus_scrape *scrape = &rig->state.scrape;
    rig->err = (struct leat_err){0};
    prometheus__scrape_begin(scrape, rig->target, tick_ms, tick_ms);
    leat_rc rc = body->bytes ? prometheus__page(scrape, format, body, &rig->err) : LEAT_OK;
    leat_rc end = prometheus__scrape_end(scrape, rc == LEAT_OK, body->bytes > 0, (int64_t)body->bytes, 0.25);
    rig_tell(rig);
    prometheus__scrape_clear(scrape);
    return rc == LEAT_OK ? end : rc;
}

static inline leat_rc rig_page(struct rig *rig, int64_t tick_ms, enum prometheus_format format, const char *page)
{
    struct leat_chain body = kit_chain_cut(page, strlen(page), strlen(page) / 2);
    leat_rc rc = rig_body(rig, tick_ms, format, &body);
    leat_chain_done(&body);
    return rc;
}

static inline void rig_close(struct rig *rig)
{
    prometheus__scrape_done(&rig->state.scrape);
    prometheus__target_free(rig->target);
    EXPECT_EQ(rig->state.series, 0);
    leat_relabel_close(rig->job.metric_relabel);
    leat_strbuf_done(&rig->out);
    leat_loop_close(rig->loop);
    sim_world_free(rig->world);
    free(rig);
}
