/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks, room and the end of a target, on a clock of ours. Pages are put in by hand; a target over its limit needs no network. */
#include "tests/unit/receivers/prometheus/rig.h"

#define S 1000000000ull

struct out {
    struct leat_stage stage;
    struct rig *rig;
    bool full;
    uint32_t reserved;
    struct leat_strbuf told;
};

static leat_rc reserve(struct leat_stage *stage, const struct leat_batch *batch)
{
    (void)batch;
    return LEAT_CONTAINER(stage, struct out, stage)->full ? LEAT_AGAIN : LEAT_OK;
}
static void cancel(struct leat_stage *stage, const struct leat_batch *batch)
{
    (void)stage;
    (void)batch;
}
static void put(struct leat_stage *stage, struct leat_batch *batch)
{
    struct out *out = LEAT_CONTAINER(stage, struct out, stage);
    for (uint32_t s = 0, n; s < batch->payload.count; s++) {
        const struct leat_prom_sample *samples = leat_prom_samples(&batch->payload.vec[s], &n);
        for (uint32_t i = 0; i < n; i++) {
            leat_strbuf_clear(&out->rig->out);
            leat_strbuf_puts(&out->rig->out, "");
            rig_tell_sample(out->rig, &samples[i]);
            leat_strbuf_puts(&out->told, out->rig->out.at);
        }
    }
    leat_batch_end(batch, LEAT_DELIVERED, LEAT_DROP_REFUSED);
}
static const struct leat_stage_ops stage_ops = {.reserve = reserve, .cancel = cancel, .put = put};

static void wake(struct leat_waiter *waiter) { prometheus__resume(waiter->ctx); }

static struct rig *begin(struct out *out)
{
    struct rig *rig = rig_open();
    *out = (struct out){.stage = {&stage_ops}, .rig = rig};
    rig->host.out[LEAT_METRICS] = &out->stage;
    rig->host.gate = leat_zalloc(1, sizeof *rig->host.gate);
    leat_gate_init(rig->host.gate, rig->loop);
    rig->host.waiter = (struct leat_waiter){.wake = wake, .ctx = &rig->state};
    leat_list_init(&rig->host.waiter.link);
    rig_ready(rig);
    rig->job.settings.interval_ns = 10 * (int64_t)S;
    return rig;
}

static void run(struct rig *rig, uint64_t ns)
{
    uint64_t end = rig->world->mono_ns(rig->world) + ns, due;
    while ((due = leat_loop_next_due_ns(rig->loop)) <= end) {
        sim_world_advance_to(rig->world, due);
        while (leat_loop_run_once(rig->loop, false) && leat_loop_next_due_ns(rig->loop) <= due)
            continue;
    }
    sim_world_advance_to(rig->world, end);
    (void)leat_loop_run_once(rig->loop, false);
}

static void end(struct rig *rig, struct out *out)
{
    EXPECT_EQ(rig->state.in_flight, 0);
    leat_strbuf_done(&out->told);
    leat_gate_done(rig->host.gate);
    leat_free(rig->host.gate);
    rig->host.gate = NULL;
    rig_close(rig);
}

static uint32_t count(const char *text, const char *what)
{
    uint32_t n = 0;
    for (const char *at = text; at && (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

/* Scenario:   a job with more targets than it may have, for a minute; half of it with no room behind.
 * Guarantees: up 0 at every tick, all at one distance; a tick without room is left out and counted; what was read is sent later. */
LEAT_TEST(ticks_come_at_one_distance_and_wait_for_room)
{
    struct out out;
    struct rig *rig = begin(&out);
    rig->reports = true;
    rig->job.targets = leat_targets_ref(&rig->list);
    rig->job.over_target_limit = true;
    prometheus__target_begin(rig->target);
    run(rig, 60 * S);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 6);
    EXPECT_EQ(rig->counts[PROMETHEUS_FAIL_TARGET_LIMIT], 6);
    long long first, second;
    EXPECT_EQ(sscanf(out.told.at, "up 0 @%lld", &first), 1);
    EXPECT_EQ(sscanf(strstr(out.told.at + 1, "\nup 0 @") + 1, "up 0 @%lld", &second), 1);
    EXPECT_EQ(second - first, 10000);
    out.full = true;
    run(rig, 30 * S);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 6);
    EXPECT_EQ(rig->counts[PROMETHEUS_SKIPPED_ROOM], 2); /* one was read and waits */
    out.full = false;
    prometheus__resume(&rig->state);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 7);
    run(rig, 10 * S);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 8);
    leat_targets_unref(rig->job.targets);
    end(rig, &out);
}

/* A page of now, as if it had been fetched. */
static void scraped(struct rig *rig)
{
    int64_t now_ms = (int64_t)(rig->world->unix_ns(rig->world) / 1000000);
    EXPECT_OK(rig_page(rig, now_ms, PROMETHEUS_CLASSIC, "a 1\nb 2\n"));
    rig->target->scrapes++;
    rig->target->last_tick_ms = now_ms;
}

/* Scenario:   a target leaves the list for good.
 * Guarantees: after two ticks and a tenth all its series and reports are marked with the time of the first tick; then it is gone. */
LEAT_TEST(a_target_that_went_is_marked)
{
    struct out out;
    struct rig *rig = begin(&out);
    rig->reports = true;
    prometheus__target_begin(rig->target);
    leat_timer_stop(rig->loop, &rig->target->timer);
    scraped(rig);
    uint64_t due = rig->target->ticks.next_mono_ns, now = rig->world->mono_ns(rig->world);
    leat_timer_start(rig->loop, &rig->target->timer, due - now);
    prometheus__target_leave(rig->target);
    rig->target = NULL; /* its own from here */
    run(rig, due - now + 10 * S + S / 2);
    EXPECT(!out.told.at);
    run(rig, S);
    EXPECT_EQ(count(out.told.at, "stale @"), 7);
    EXPECT_EQ(count(out.told.at, "a stale @"), 1);
    EXPECT_EQ(count(out.told.at, "up stale @"), 1);
    EXPECT_EQ(rig->state.target_count, 0);
    end(rig, &out);
}

/* Scenario:   a target leaves and is back before it was marked; another never was scraped.
 * Guarantees: no markers. */
LEAT_TEST(a_target_that_comes_back_goes_on)
{
    struct out out;
    struct rig *rig = begin(&out);
    struct leat_targets none = {.refs = 2, .count = 0};
    rig->list.at = &rig->at;
    prometheus__target_begin(rig->target);
    leat_timer_stop(rig->loop, &rig->target->timer);
    scraped(rig);
    prometheus__targets_changed(&rig->state, 0, &none);
    EXPECT(rig->target->gone);
    prometheus__targets_changed(&rig->state, 0, &rig->list);
    EXPECT(!rig->target->gone);
    EXPECT_EQ(rig->state.target_count, 1);
    rig->target->scrapes = 0;
    prometheus__targets_changed(&rig->state, 0, &none);
    EXPECT_EQ(rig->state.target_count, 0);
    rig->target = NULL;
    run(rig, 60 * S);
    EXPECT(!out.told.at);
    rig->job.targets = leat_targets_unref(rig->job.targets);
    end(rig, &out);
}

/* Scenario:   a target leaves and comes back while its markers wait for their tenth of an interval.
 * Guarantees: its ticks stay where they were, and none is left out. */
LEAT_TEST(a_target_that_comes_back_late_keeps_its_ticks)
{
    struct out out;
    struct rig *rig = begin(&out);
    struct leat_targets none = {.refs = 2, .count = 0};
    rig->reports = true;
    rig->job.targets = leat_targets_ref(&rig->list);
    rig->job.over_target_limit = true;
    prometheus__target_begin(rig->target);
    run(rig, 30 * S);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 3);
    uint64_t due = rig->target->ticks.next_mono_ns, now = rig->world->mono_ns(rig->world);
    prometheus__targets_changed(&rig->state, 0, &none);
    run(rig, due - now + 10 * S + S / 2);
    rig->list.refs++;
    prometheus__targets_changed(&rig->state, 0, &rig->list);
    rig->job.over_target_limit = true;
    leat_strbuf_clear(&out.told);
    run(rig, 30 * S);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 3);
    long long first;
    EXPECT_EQ(sscanf(strstr(out.told.at, "up 0 @"), "up 0 @%lld", &first), 1);
    EXPECT_EQ(first, (long long)((due + rig->world->unix_ns(rig->world) - rig->world->mono_ns(rig->world)) / 1000000 + 20000));
    rig->job.targets = leat_targets_unref(rig->job.targets);
    end(rig, &out);
}

/* Scenario:   a target leaves, another one shows the same labels and has one of its two series.
 * Guarantees: the other series is marked; what goes on is not, nor is what the scrapes say about themselves. */
LEAT_TEST(an_heir_keeps_only_what_it_has)
{
    struct out out;
    struct rig *rig = begin(&out);
    struct leat_target other = rig->at;
    struct leat_targets list = {.refs = 3, .count = 1, .at = &other};
    rig->reports = true;
    other.url = LEAT_SLICE("http://h:2/metrics");
    other.hash = 2;
    prometheus__target_begin(rig->target);
    leat_timer_stop(rig->loop, &rig->target->timer);
    scraped(rig);
    uint64_t due = rig->target->ticks.next_mono_ns, now = rig->world->mono_ns(rig->world);
    leat_timer_start(rig->loop, &rig->target->timer, due - now);
    prometheus__targets_changed(&rig->state, 0, &list);
    EXPECT_EQ(rig->state.target_count, 2);
    rig->target = LEAT_CONTAINER(rig->state.targets.prev, struct prometheus_target, link);
    EXPECT_EQ(rig->target->at->hash, 2);
    leat_timer_stop(rig->loop, &rig->target->timer);
    run(rig, due - now + S);
    int64_t now_ms = (int64_t)(rig->world->unix_ns(rig->world) / 1000000);
    EXPECT_OK(rig_page(rig, now_ms, PROMETHEUS_CLASSIC, "a 1\n"));
    rig->target->last_tick_ms = now_ms;
    run(rig, 11 * S);
    EXPECT_EQ(count(out.told.at, "stale @"), 1);
    EXPECT_EQ(count(out.told.at, "b stale @"), 1);
    EXPECT_EQ(rig->state.target_count, 1);
    rig->job.targets = leat_targets_unref(rig->job.targets);
    end(rig, &out);
}

/* Scenario:   a series ends, and each allocation on the way to say so fails once; likewise for a target that went.
 * Guarantees: what was lost for lack of memory is said with the next scrape, or the next try. */
LEAT_TEST(markers_outlive_a_lack_of_memory)
{
    struct leat_slice text = LEAT_SLICE("a 1\n");
    const struct leat_chain body = {.vec = &text, .count = 1, .bytes = text.len};
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct out out;
        struct rig *rig = begin(&out);
        scraped(rig);
        leat_alloc_fail_at(n);
        struct prometheus_scrape *scrape = &rig->state.scrape;
        prometheus__scrape_begin(scrape, rig->target, 2000000000000, 2000000000000);
        leat_rc rc = prometheus__page(scrape, PROMETHEUS_CLASSIC, &body, &rig->err);
        rc = prometheus__scrape_end(scrape, rc == LEAT_OK, true, 4, 0.25);
        failed = leat_alloc_failed();
        leat_alloc_fail_at(0);
        rig_tell(rig);
        prometheus__scrape_clear(scrape);
        bool said = strstr(rig->out.at, "b stale @") != NULL;
        EXPECT(said == (rc == LEAT_OK));
        EXPECT_OK(rig_page(rig, 2000000001000, PROMETHEUS_CLASSIC, "a 1\n"));
        EXPECT(said != (strstr(rig->out.at, "b stale @") != NULL));
        end(rig, &out);
    }
    failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct out out;
        struct rig *rig = begin(&out);
        prometheus__target_begin(rig->target);
        leat_timer_stop(rig->loop, &rig->target->timer);
        scraped(rig);
        leat_timer_start(rig->loop, &rig->target->timer, S);
        prometheus__target_leave(rig->target);
        rig->target = NULL;
        run(rig, 10 * S);
        leat_alloc_fail_at(n);
        run(rig, 3 * S / 2);
        failed = leat_alloc_failed();
        leat_alloc_fail_at(0);
        run(rig, 10 * S);
        EXPECT_EQ(count(out.told.at, "a stale @"), 1);
        EXPECT_EQ(count(out.told.at, "b stale @"), 1);
        EXPECT_EQ(rig->state.target_count, 0);
        end(rig, &out);
    }
}

/* Scenario:   relabelling made an address that is none.
 * Guarantees: the target is there and down, at every tick, and says why. */
LEAT_TEST(a_target_without_an_address_is_down)
{
    struct out out;
    struct rig *rig = begin(&out);
    struct leat_fetcher_opts opts = {.loop = rig->loop, .conf = &rig->job_conf.fetch};
    rig->reports = true;
    rig->at.url = LEAT_SLICE("gopher://h:1/metrics");
    EXPECT_OK_ERR(leat_fetcher_open(&opts, &rig->job.fetcher, &rig->err), &rig->err);
    prometheus__target_begin(rig->target);
    run(rig, 30 * S);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 3);
    EXPECT_EQ(rig->counts[PROMETHEUS_FAIL_CONNECT], 3);
    EXPECT(rig->target->last.text[0]);
    struct leat_fetcher *fetcher = rig->job.fetcher;
    end(rig, &out);
    leat_fetcher_close(fetcher);
}

/* Guarantees: a list that finds no memory is taken later, whole. */
LEAT_TEST(a_list_outlives_a_lack_of_memory)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct out out;
        struct rig *rig = begin(&out);
        struct leat_target other = rig->at;
        struct leat_targets list = {.refs = 3, .count = 1, .at = &other};
        other.url = LEAT_SLICE("http://h:2/metrics");
        other.hash = 2;
        prometheus__target_begin(rig->target);
        leat_alloc_fail_at(n);
        prometheus__targets_changed(&rig->state, 0, &list);
        failed = leat_alloc_failed();
        leat_alloc_fail_at(0);
        EXPECT_EQ(rig->job.again.due_ns != 0, failed);
        prometheus__targets_changed(&rig->state, 0, &list);
        EXPECT_EQ(rig->state.target_count, 1);
        EXPECT(rig->job.again.due_ns == 0);
        rig->target = LEAT_CONTAINER(rig->state.targets.next, struct prometheus_target, link);
        EXPECT_EQ(rig->target->at->hash, 2);
        rig->job.targets = leat_targets_unref(rig->job.targets);
        end(rig, &out);
    }
}

static uint64_t set_back_ns, (*true_unix_ns)(struct leat_world *world);
static uint64_t unix_set_back(struct leat_world *world) { return true_unix_ns(world) - set_back_ns; }

/* Scenario:   the clock is set back by a little, later by a year.
 * Guarantees: ticks that would go back in time are left out and counted, for ten minutes at most; then a new row of times begins. */
LEAT_TEST(a_clock_that_was_wrong_does_not_stop_scrapes)
{
    struct out out;
    struct rig *rig = begin(&out);
    rig->reports = true;
    rig->job.targets = leat_targets_ref(&rig->list);
    rig->job.over_target_limit = true;
    prometheus__target_begin(rig->target);
    run(rig, 30 * S);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 3);
    true_unix_ns = rig->world->unix_ns;
    rig->world->unix_ns = unix_set_back;
    set_back_ns = 15 * S;
    run(rig, 30 * S);
    EXPECT_EQ(rig->counts[PROMETHEUS_SKIPPED_CLOCK], 1);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 5);
    set_back_ns = 365 * 86400 * S;
    run(rig, 30 * S);
    EXPECT_EQ(rig->counts[PROMETHEUS_SKIPPED_CLOCK], 1);
    EXPECT_EQ(count(out.told.at, "up 0 @"), 8);
    rig->job.targets = leat_targets_unref(rig->job.targets);
    end(rig, &out);
}
