/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "prometheus/write1.pb-c.h"
#include "prometheus/write2.pb-c.h"
#include "tests/unit/proto/remote_write/rw_kit.h"

#define SERIES_MAX 3000u

static struct leat_prom_series *series[SERIES_MAX];
static struct rw_outgoing plain_outgoing;

/* Label sets as pages have them: families of like names, counters, hosts, now and then a long value. */
static struct leat_prom_series *random_series(uint64_t *seed, uint32_t i)
{
    char line[4096];
    uint32_t family = i / 12;
    int n = snprintf(line, sizeof line, "__name__=metric_%u_%s,code=%u,instance=10.0.0.%u:9100,job=node", family,
                     family % 3 ? "total" : "seconds_bucket", rw_kit_next(seed) % 600, i / 1000);
    if (rw_kit_next(seed) % 4 == 0)
        n += snprintf(line + n, sizeof line - (size_t)n, ",le=%u", i % 12);
    if (rw_kit_next(seed) % 7 == 0)
        n += snprintf(line + n, sizeof line - (size_t)n, ",uid=%08x-%08x-%08x-%08x", rw_kit_next(seed), rw_kit_next(seed),
                      rw_kit_next(seed), rw_kit_next(seed));
    if (rw_kit_next(seed) % 97 == 0) {
        n += snprintf(line + n, sizeof line - (size_t)n, ",x=");
        for (uint32_t k = rw_kit_next(seed) % 3000; k && n < (int)sizeof line - 1; k--)
            line[n++] = (char)('a' + rw_kit_next(seed) % 26);
        line[n] = 0;
    }
    return rw_kit_series(line, NULL);
}

static double random_value(uint64_t *seed)
{
    switch (rw_kit_next(seed) % 6) {
    case 0:
        return 0;
    case 1:
        return leat_prom_stale();
    case 2:
        return NAN;
    default:
        return (double)rw_kit_next(seed) / 3;
    }
}

/* One body of the series [from, to) in order; it must read back as the plain entries do. Answers its packed length. */
static uint64_t check_body(struct rw1 *rw, uint32_t from, uint32_t to, int64_t time_ms, uint64_t *seed, bool odd)
{
    struct pb_buf plain = {0};
    struct leat_chain body = {0};
    uint8_t label[] = {PB_TAG(1, PB_LEN), 6, PB_TAG(1, PB_LEN), 1, 'a', PB_TAG(2, PB_LEN), 1, 'b'};
    struct leat_prom_exemplar exemplar = {.value = 3, .label_bytes = sizeof label, .labels = label};
    struct leat_prom_extra extra = {.exemplar_count = 1, .exemplars = &exemplar};
    EXPECT(rw1_open(rw, &body));
    for (uint32_t i = from; i < to; i++) {
        struct leat_prom_sample sample = {.series = series[i], .time_ms = time_ms, .value = random_value(seed)};
        if (odd && rw_kit_next(seed) % 9 == 0)
            sample.extra = &extra;
        if (odd && rw_kit_next(seed) % 11 == 0)
            sample.time_ms = (int64_t)(rw_kit_next(seed) % 4) - 2;
        rw1_entry(&plain, leat_slice_of(series[i]->labels, series[i]->label_bytes), &sample);
        EXPECT(rw1_put(rw, &sample));
    }
    EXPECT(rw1_close(rw));
    size_t len;
    uint8_t *back = rw_kit_unpack(&body, &len);
    EXPECT_EQ(len, plain.len);
    EXPECT_BYTES(back, plain.at, len);
    free(back);
    pb_buf_done(&plain);
    uint64_t bytes = body.bytes;
    leat_chain_done(&body);
    return bytes;
}

static void with_series(void (*test)(uint64_t *seed))
{
    uint64_t seed = 42;
    for (uint32_t i = 0; i < SERIES_MAX; i++)
        assert_non_null(series[i] = random_series(&seed, i));
    test(&seed);
    for (uint32_t i = 0; i < SERIES_MAX; i++)
        series[i] = leat_prom_series_unref(series[i]);
}

static void kept_words(uint64_t *seed)
{
    struct rw1 *rw = calloc(1, sizeof *rw);
    rw1_init(rw, &plain_outgoing, 1u << 16);
    uint64_t first = check_body(rw, 0, SERIES_MAX, 1700000000000, seed, false), matched = rw->matched;
    EXPECT_EQ(matched, SERIES_MAX);
    uint64_t second = check_body(rw, 0, SERIES_MAX, 1700000001000, seed, false);
    EXPECT(second <= first + 64 && second >= first - SERIES_MAX);
    EXPECT(rw->matched - matched < 60); /* those with very long labels */
    for (int round = 0; round < 30; round++) { /* any part, any time: what is known is used where it holds */
        uint32_t from = rw_kit_next(seed) % SERIES_MAX, to = from + 1 + rw_kit_next(seed) % (SERIES_MAX - from);
        (void)check_body(rw, from, to, 1700000002000 + round, seed, round % 2);
    }
    rw1_done(rw);
    free(rw);
}

/* Guarantees: what another's snappy makes of a body is the plain message, whether words were kept or made. */
LEAT_TEST(rw1_bodies_read_back_as_plain_entries) { with_series(kept_words); }

static void few_slots(uint64_t *seed)
{
    struct rw1 *rw = calloc(1, sizeof *rw);
    rw1_init(rw, &plain_outgoing, 1024);
    for (int round = 0; round < 4; round++)
        (void)check_body(rw, 0, SERIES_MAX, 1700000000000 + round, seed, false);
    rw1_done(rw);
    rw1_init(rw, &plain_outgoing, 0); /* none at all */
    (void)check_body(rw, 0, 50, 1700000000000, seed, true);
    rw1_done(rw);
    free(rw);
}

/* Guarantees: more series than may be remembered push each other out and are right all the same. */
LEAT_TEST(rw1_forgets_within_its_limit) { with_series(few_slots); }

/* Guarantees: external labels go in where they sort, the series' own win, the name gets its prefix. */
LEAT_TEST(rw1_adds_external_labels_and_a_prefix)
{
    static const struct rw_label external[] = {{LEAT_SLICE("A"), LEAT_SLICE("first")}, {LEAT_SLICE("job"), LEAT_SLICE("not me")},
                                               {LEAT_SLICE("zone"), LEAT_SLICE("eu")}};
    struct rw_outgoing outgoing = {external, 3, LEAT_SLICE("ns")};
    struct leat_prom_series *one = rw_kit_series("__name__=up,job=node", NULL);
    struct leat_prom_sample sample = {.series = one, .time_ms = 1700000000000, .value = 1};
    struct rw1 *rw = calloc(1, sizeof *rw);
    struct leat_chain body = {0};
    size_t len;
    rw1_init(rw, &outgoing, 1024);
    EXPECT(rw1_open(rw, &body) && rw1_put(rw, &sample) && rw1_close(rw));
    uint8_t *plain = rw_kit_unpack(&body, &len);
    Prometheus__WriteRequest *message = prometheus__write_request__unpack(NULL, len, plain);
    assert_non_null(message);
    EXPECT_EQ(message->n_timeseries, 1);
    Prometheus__TimeSeries *entry = message->timeseries[0];
    EXPECT_EQ(entry->n_labels, 4);
    const char *want[] = {"A", "first", "__name__", "ns_up", "job", "node", "zone", "eu"};
    for (size_t i = 0; i < 4; i++) {
        EXPECT_STR(entry->labels[i]->name, want[2 * i]);
        EXPECT_STR(entry->labels[i]->value, want[2 * i + 1]);
    }
    EXPECT_EQ(entry->samples[0]->timestamp, 1700000000000);
    prometheus__write_request__free_unpacked(message, NULL);
    free(plain);
    leat_chain_done(&body);
    rw1_done(rw);
    free(rw);
    leat_prom_series_unref(one);
}

/* ---- 2.0 ---- */

static void check_labels(const Io__Prometheus__Write__V2__Request *message, const Io__Prometheus__Write__V2__TimeSeries *entry,
                         const struct leat_prom_series *wanted)
{
    struct leat_slice name, value;
    uint32_t at = 0;
    EXPECT_EQ(entry->n_labels_refs, 2 * wanted->label_count);
    for (size_t i = 0; leat_prom_label_next(wanted, &at, &name, &value); i += 2) {
        EXPECT(entry->labels_refs[i] < message->n_symbols && entry->labels_refs[i + 1] < message->n_symbols);
        EXPECT(leat_slice_is(name, message->symbols[entry->labels_refs[i]]));
        EXPECT(leat_slice_is(value, message->symbols[entry->labels_refs[i + 1]]));
    }
}

static Io__Prometheus__Write__V2__Request *body2(struct rw2 *rw, const struct leat_prom_sample *samples, uint32_t count)
{
    struct leat_chain body = {0};
    size_t len;
    rw2_open(rw);
    for (uint32_t i = 0; i < count; i++)
        EXPECT(rw2_put(rw, &samples[i]));
    EXPECT(rw2_close(rw, &body));
    uint8_t *plain = rw_kit_unpack(&body, &len);
    Io__Prometheus__Write__V2__Request *message = io__prometheus__write__v2__request__unpack(NULL, len, plain);
    assert_non_null(message);
    EXPECT_STR(message->symbols[0], "");
    free(plain);
    leat_chain_done(&body);
    return message;
}

static void all_series2(uint64_t *seed)
{
    struct rw2 *rw = calloc(1, sizeof *rw);
    struct leat_prom_sample *samples = calloc(SERIES_MAX, sizeof *samples);
    rw2_init(rw, &plain_outgoing, 1u << 16);
    for (int round = 0; round < 6; round++) {
        uint32_t from = round < 2 ? 0 : rw_kit_next(seed) % SERIES_MAX, count = SERIES_MAX - from;
        for (uint32_t i = 0; i < count; i++)
            samples[i] = (struct leat_prom_sample){.series = series[from + i], .time_ms = round - 1, .value = random_value(seed)};
        Io__Prometheus__Write__V2__Request *message = body2(rw, samples, count);
        EXPECT_EQ(message->n_timeseries, count);
        for (uint32_t i = 0; i < count; i++) {
            double value = rw_clean(samples[i].value), *got = &message->timeseries[i]->samples[0]->value;
            check_labels(message, message->timeseries[i], series[from + i]);
            EXPECT_BYTES(got, &value, sizeof value);
            EXPECT_EQ(message->timeseries[i]->samples[0]->timestamp, round - 1);
        }
        io__prometheus__write__v2__request__free_unpacked(message, NULL);
    }
    EXPECT_EQ(rw->looked_up, SERIES_MAX);
    rw2_done(rw);
    rw2_init(rw, &plain_outgoing, 1024); /* fewer than there are; texts beyond the limit are forgotten */
    for (int round = 0; round < 3; round++) {
        Io__Prometheus__Write__V2__Request *message = body2(rw, samples, 500);
        check_labels(message, message->timeseries[499], samples[499].series);
        io__prometheus__write__v2__request__free_unpacked(message, NULL);
    }
    rw2_done(rw);
    free(samples);
    free(rw);
}

/* Guarantees: numbers lead to the texts, in each body anew, and a known series' texts are not looked up again. */
LEAT_TEST(rw2_bodies_name_every_label) { with_series(all_series2); }

/* Guarantees: start times, exemplars, histograms and metadata stand in their fields. */
LEAT_TEST(rw2_writes_what_few_samples_have)
{
    uint8_t label[] = {PB_TAG(1, PB_LEN), 6, PB_TAG(1, PB_LEN), 1, 'a', PB_TAG(2, PB_LEN), 1, 'b'};
    uint8_t histogram[] = {PB_TAG(1, PB_VARINT), 7, PB_TAG(4, PB_VARINT), 6};
    struct leat_prom_exemplar exemplar = {.value = 3, .label_bytes = sizeof label, .labels = label, .has_time = true, .time_ms = 5};
    struct leat_prom_extra counted = {.start_ms = 10, .exemplar_count = 1, .exemplars = &exemplar},
                           native = {.histogram = histogram, .histogram_bytes = sizeof histogram};
    struct leat_prom_family *family = leat_prom_family_new(LEAT_PROM_COUNTER, LEAT_SLICE("c"), LEAT_SLICE("helps"), LEAT_SLICE("s"));
    struct leat_prom_series *one = rw_kit_series("__name__=c_total", family), *two = rw_kit_series("__name__=h", NULL);
    struct leat_prom_sample samples[] = {{one, 20, 1, &counted}, {two, 20, 0, &native}};
    struct rw2 *rw = calloc(1, sizeof *rw);
    rw2_init(rw, &plain_outgoing, 1024);
    Io__Prometheus__Write__V2__Request *message = body2(rw, samples, 2);
    Io__Prometheus__Write__V2__TimeSeries *counter = message->timeseries[0], *other = message->timeseries[1];
    EXPECT_EQ(counter->samples[0]->start_timestamp, 10);
    EXPECT_EQ(counter->metadata->type, LEAT_PROM_COUNTER);
    EXPECT_STR(message->symbols[counter->metadata->help_ref], "helps");
    EXPECT_STR(message->symbols[counter->metadata->unit_ref], "s");
    EXPECT_EQ(counter->n_exemplars, 1);
    EXPECT_EQ(counter->exemplars[0]->timestamp, 5);
    EXPECT_STR(message->symbols[counter->exemplars[0]->labels_refs[1]], "b");
    EXPECT_EQ(other->n_samples, 0);
    EXPECT_EQ(other->histograms[0]->count_int, 7);
    EXPECT_EQ(other->histograms[0]->schema, 3);
    EXPECT_EQ(other->histograms[0]->timestamp, 20);
    EXPECT(other->metadata == NULL);
    io__prometheus__write__v2__request__free_unpacked(message, NULL);
    rw2_done(rw);
    free(rw);
    leat_prom_series_unref(one);
    leat_prom_series_unref(two);
    leat_prom_family_unref(family);
}

LEAT_TEST_OOM(bodies_survive_any_failed_allocation)
{
    leat_rc rc = LEAT_ENOMEM;
    struct leat_prom_series *one = rw_kit_series("__name__=c_total,job=a", NULL), *two = rw_kit_series("__name__=d_total,job=a", NULL);
    struct rw1 *rw = calloc(1, sizeof *rw);
    struct rw2 *rw_2 = calloc(1, sizeof *rw_2);
    struct leat_chain body = {0}, body_2 = {0};
    rw1_init(rw, &plain_outgoing, 1024);
    rw2_init(rw_2, &plain_outgoing, 1024);
    if (one && two) {
        struct leat_prom_sample samples[] = {{one, 1700000000000, 1, NULL}, {two, 1700000000000, 2, NULL}};
        rw2_open(rw_2);
        bool fine = rw1_open(rw, &body) && rw1_put(rw, &samples[0]) && rw1_put(rw, &samples[1]) && rw1_close(rw) &&
                    rw2_put(rw_2, &samples[0]) && rw2_put(rw_2, &samples[1]) && rw2_close(rw_2, &body_2);
        rc = fine ? LEAT_OK : LEAT_ENOMEM;
    }
    leat_chain_done(&body);
    leat_chain_done(&body_2);
    rw1_done(rw);
    rw2_done(rw_2);
    free(rw);
    free(rw_2);
    leat_prom_series_unref(one);
    leat_prom_series_unref(two);
    return rc;
}
