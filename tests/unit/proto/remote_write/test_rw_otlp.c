/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP to samples and back: the same points, through both translations. */
#include <math.h>

#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/remote_write/rw_to_otlp.h"
#include "tests/unit/proto/remote_write/rw_kit.h"
#include "proto/remote_write/rw_otlp.h"

#define NOW_NS 1700000000000000000ull

static void put_attribute(struct pb_buf *buf, uint32_t number, const char *key, const char *value)
{
    size_t pair = pb_buf_open(buf, PB_TAG(number, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), key, (uint32_t)strlen(key));
    size_t any = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), value, (uint32_t)strlen(value));
    pb_buf_close(buf, any);
    pb_buf_close(buf, pair);
}

struct made {
    struct pb_buf buf;
    size_t resource, scope, metric, data;
};
static void begin(struct made *made)
{
    made->resource = pb_buf_open(&made->buf, PB_TAG(1, PB_LEN));
    size_t at = pb_buf_open(&made->buf, PB_TAG(1, PB_LEN));
    put_attribute(&made->buf, 1, "service.name", "shop");
    put_attribute(&made->buf, 1, "service.instance.id", "i1");
    put_attribute(&made->buf, 1, "host.name", "h1");
    pb_buf_close(&made->buf, at);
    made->scope = pb_buf_open(&made->buf, PB_TAG(2, PB_LEN));
}
static void end(struct made *made)
{
    pb_buf_close(&made->buf, made->scope);
    pb_buf_close(&made->buf, made->resource);
}
static void metric(struct made *made, const char *name, enum otlp_metric_kind kind)
{
    made->metric = pb_buf_open(&made->buf, PB_TAG(2, PB_LEN));
    pb_buf_bytes(&made->buf, PB_TAG(1, PB_LEN), name, (uint32_t)strlen(name));
    made->data = pb_buf_open(&made->buf, PB_TAG((uint32_t)kind, PB_LEN));
}
static void metric_end(struct made *made, uint32_t temporality, bool monotonic)
{
    if (temporality)
        pb_buf_varint(&made->buf, PB_TAG(2, PB_VARINT), temporality);
    if (monotonic)
        pb_buf_varint(&made->buf, PB_TAG(3, PB_VARINT), 1);
    pb_buf_close(&made->buf, made->data);
    pb_buf_close(&made->buf, made->metric);
}
static void number(struct made *made, const char *label, uint64_t time_ns, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    size_t at = pb_buf_open(&made->buf, PB_TAG(1, PB_LEN));
    if (label)
        put_attribute(&made->buf, 7, label, "v");
    pb_buf_fixed64(&made->buf, PB_TAG(3, PB_FIXED64), time_ns);
    pb_buf_fixed64(&made->buf, PB_TAG(4, PB_FIXED64), bits);
    pb_buf_close(&made->buf, at);
}

static const struct rw_otlp_conf usual = {.namer = {.suffixes = true}, .target_info = true, .scope_labels = true, .series_max = 1000};

static leat_rc read_all(struct rw_otlp *otlp, struct made *made)
{
    if (made->buf.failed)
        return LEAT_ENOMEM;
    struct leat_chain chain = {0};
    leat_rc rc = leat_chain_copy(&chain, made->buf.at, (uint32_t)made->buf.len);
    if (rc == LEAT_OK)
        rc = rw_otlp_read(otlp, &chain, NULL);
    leat_chain_done(&chain);
    return rc;
}

static bool has(const struct leat_prom_sample *sample, const char *name, const char *value)
{
    struct leat_slice n, v;
    for (uint32_t at = 0; leat_prom_label_next(sample->series, &at, &n, &v);)
        if (leat_slice_is(n, name))
            return leat_slice_is(v, value);
    return false;
}

/* Guarantees: every data point is a row or a reject; what was seen before makes no new series. */
LEAT_TEST(points_become_rows_or_rejects)
{
    struct rw_otlp *otlp = calloc(1, sizeof *otlp);
    struct made made = {0};
    begin(&made);
    metric(&made, "up.time", OTLP_SUM);
    number(&made, "a.b", NOW_NS, 1);
    number(&made, "____", NOW_NS, 1); /* no name at all */
    metric_end(&made, 2, true);
    metric(&made, "delta", OTLP_SUM);
    number(&made, NULL, NOW_NS, 1);
    number(&made, NULL, NOW_NS, 1);
    metric_end(&made, 1, true);
    metric(&made, "load", OTLP_GAUGE);
    number(&made, NULL, NOW_NS - 5000000000, 0.5);
    number(&made, NULL, NOW_NS - 9000000000, 0.25); /* out of order: Prometheus takes it by time only */
    metric_end(&made, 0, false);
    end(&made);
    rw_otlp_init(otlp, &usual);
    const struct leat_prom_series *first = NULL;
    for (int round = 0; round < 2; round++) {
        EXPECT_OK(read_all(otlp, &made));
        const struct rw_rows *rows = &otlp->rows;
        EXPECT_EQ(rows->item_count, 6);
        EXPECT_EQ(rows->count, 4);
        EXPECT_EQ(rows->reject_count, 2);
        EXPECT_EQ(rows->rejects[1].item, 2);
        EXPECT_EQ(rows->rejects[1].count, 2);
        EXPECT_EQ(rows->items[0], 5); /* the oldest first */
        EXPECT_EQ(rows->items[1], 4);
        EXPECT(has(&rows->at[2], "__name__", "up_time_total") && has(&rows->at[2], "a_b", "v") && has(&rows->at[2], "job", "shop"));
        EXPECT(has(&rows->at[3], "__name__", "target_info") && has(&rows->at[3], "host_name", "h1"));
        EXPECT_EQ(rows->items[3], RW_NO_ITEM);
        EXPECT(first == NULL || first == rows->at[2].series);
        first = rows->at[2].series;
    }
    rw_otlp_done(otlp);
    pb_buf_done(&made.buf);
    free(otlp);
}

/* Guarantees: more series than are remembered come and go, none is lost. */
LEAT_TEST(the_cache_of_series_is_bounded)
{
    struct rw_otlp *otlp = calloc(1, sizeof *otlp);
    struct rw_otlp_conf small = usual;
    small.series_max = 64;
    rw_otlp_init(otlp, &small);
    for (int round = 0; round < 20; round++) {
        struct made made = {0};
        begin(&made);
        metric(&made, "load", OTLP_GAUGE);
        for (int i = 0; i < 50; i++) {
            char label[16];
            (void)snprintf(label, sizeof label, "l%d", round % 3 * 25 + i);
            number(&made, label, NOW_NS, i);
        }
        metric_end(&made, 0, false);
        end(&made);
        EXPECT_OK(read_all(otlp, &made));
        EXPECT_EQ(otlp->rows.count, 51);
        EXPECT(otlp->series.young.used + otlp->series.old.used <= 64);
        pb_buf_done(&made.buf);
    }
    rw_otlp_done(otlp);
    free(otlp);
}

LEAT_TEST_OOM(translation_survives_any_failed_allocation)
{
    struct rw_otlp *otlp = calloc(1, sizeof *otlp);
    struct made made = {0};
    begin(&made);
    metric(&made, "load", OTLP_GAUGE);
    number(&made, "a.b", NOW_NS, 1);
    number(&made, "c", NOW_NS - 3000000000, 1);
    metric_end(&made, 0, false);
    end(&made);
    rw_otlp_init(otlp, &usual);
    leat_rc rc = read_all(otlp, &made);
    if (rc == LEAT_OK)
        EXPECT_EQ(otlp->rows.count, 3);
    rw_otlp_done(otlp);
    pb_buf_done(&made.buf);
    free(otlp);
    return rc;
}

/* ---- samples to OTLP ---- */

#define NOW_MS 1700000000000

struct scraped {
    struct leat_prom_builder builder;
    struct leat_prom_target *target;
    struct leat_prom_family *family;
    bool failed;
};

static void family(struct scraped *scraped, enum leat_prom_type type, const char *name)
{
    leat_prom_family_unref(scraped->family);
    scraped->family = leat_prom_family_new(type, leat_slice_str(name), LEAT_SLICE("help"), LEAT_SLICE("seconds"));
    scraped->failed |= !scraped->family;
}

static void sample(struct scraped *scraped, const char *line, double value, const struct leat_prom_extra *extra)
{
    struct leat_prom_series *bare = scraped->failed ? NULL : rw_kit_series(line, scraped->family), *series = NULL;
    if (bare)
        series = leat_prom_series_new(leat_slice_of(bare->labels, bare->label_bytes), bare->label_count, scraped->target, scraped->family);
    scraped->failed |= !series || leat_prom_builder_add(&scraped->builder, series, NOW_MS, value, extra) != LEAT_OK;
    leat_prom_series_unref(bare);
    leat_prom_series_unref(series);
}

static leat_rc convert(struct scraped *scraped, struct leat_chain *ret_otlp, uint32_t *ret_items)
{
    struct leat_chain payload = {0};
    uint32_t items;
    leat_rc rc = scraped->failed ? LEAT_ENOMEM : leat_prom_builder_take(&scraped->builder, &payload, &items);
    if (rc == LEAT_OK)
        rc = leat_prom_to_otlp(LEAT_METRICS, &payload, ret_otlp, ret_items, NULL);
    leat_chain_done(&payload);
    leat_prom_builder_done(&scraped->builder);
    leat_prom_family_unref(scraped->family);
    leat_prom_target_unref(scraped->target);
    return rc;
}

static struct scraped page(void)
{
    struct scraped scraped = {.target = leat_prom_target_new(LEAT_SLICE("node"), LEAT_SLICE("10.1.1.1:9100"), (struct leat_slice){0})};
    uint8_t native[] = {PB_TAG(1, PB_VARINT), 7, PB_TAG(4, PB_VARINT), 6, PB_TAG(11, PB_LEN), 4, PB_TAG(1, PB_VARINT), 4, PB_TAG(2, PB_VARINT), 2,
                        PB_TAG(12, PB_LEN), 2, 6, 2};
    struct leat_prom_extra with_native = {.histogram = native, .histogram_bytes = sizeof native};
    scraped.failed = !scraped.target;
    family(&scraped, LEAT_PROM_COUNTER, "c_total");
    sample(&scraped, "__name__=c_total,code=200,instance=10.1.1.1:9100,job=node", 5, NULL);
    family(&scraped, LEAT_PROM_HISTOGRAM, "h");
    sample(&scraped, "__name__=h_bucket,job=node,instance=10.1.1.1:9100,le=0.5", 2, NULL);
    sample(&scraped, "__name__=h_bucket,job=node,instance=10.1.1.1:9100,le=+Inf", 6, NULL);
    sample(&scraped, "__name__=h_sum,job=node,instance=10.1.1.1:9100", 9.5, NULL);
    sample(&scraped, "__name__=h_count,job=node,instance=10.1.1.1:9100", 6, NULL);
    sample(&scraped, "__name__=h,job=node,instance=10.1.1.1:9100", 9.5, &with_native);
    family(&scraped, LEAT_PROM_SUMMARY, "s");
    sample(&scraped, "__name__=s,quantile=0.5", leat_prom_stale(), NULL);
    sample(&scraped, "__name__=s_sum", leat_prom_stale(), NULL);
    sample(&scraped, "__name__=s_count", leat_prom_stale(), NULL);
    family(&scraped, LEAT_PROM_GAUGE, "target_info");
    sample(&scraped, "__name__=target_info,region=eu", 1, NULL);
    leat_prom_family_unref(scraped.family);
    scraped.family = NULL;
    sample(&scraped, "__name__=untyped,otel_scope_name=lib,x=y", 3, NULL);
    return scraped;
}

typedef Opentelemetry__Proto__Metrics__V1__Metric metric_pb;
static const metric_pb *find(const Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest *data, const char *name, int kind)
{
    for (size_t s = 0; s < data->resource_metrics[0]->n_scope_metrics; s++) {
        const Opentelemetry__Proto__Metrics__V1__ScopeMetrics *scope = data->resource_metrics[0]->scope_metrics[s];
        for (size_t m = 0; m < scope->n_metrics; m++)
            if (strcmp(scope->metrics[m]->name, name) == 0 && (int)scope->metrics[m]->data_case == kind)
                return scope->metrics[m];
    }
    return NULL;
}

/* Guarantees: series of one histogram are one point, target_info is the resource's, the stale marker a flag; and the door
 * lets the payload in. */
LEAT_TEST(samples_become_points)
{
    struct scraped scraped = page();
    struct leat_chain otlp = {0};
    struct otlp_counts counts = {0};
    struct leat_slice flat;
    uint32_t items;
    EXPECT_OK(convert(&scraped, &otlp, &items));
    EXPECT_EQ(items, 5);
    EXPECT_OK(otlp_validate(LEAT_METRICS, &otlp, &counts, NULL));
    EXPECT_EQ(counts.items, items);
    EXPECT_OK(leat_chain_flat(&otlp, &flat));
    Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest *data =
        opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(NULL, flat.len, flat.at);
    assert_non_null(data);
    EXPECT_EQ(data->n_resource_metrics, 1);
    EXPECT_EQ(data->resource_metrics[0]->n_scope_metrics, 2);
    EXPECT_EQ(data->resource_metrics[0]->resource->n_attributes, 5);
    const metric_pb *histogram = find(data, "h", OTLP_HISTOGRAM), *native = find(data, "h", OTLP_EXPONENTIAL_HISTOGRAM),
                    *summary = find(data, "s", OTLP_SUMMARY), *counter = find(data, "c_total", OTLP_SUM);
    assert_true(histogram && native && summary && counter);
    assert_non_null(find(data, "untyped", OTLP_GAUGE));
    EXPECT_STR(counter->unit, "s");
    EXPECT(counter->sum->is_monotonic);
    EXPECT_EQ(counter->sum->data_points[0]->n_attributes, 1);
    EXPECT_EQ(histogram->histogram->data_points[0]->count, 6);
    EXPECT_EQ(histogram->histogram->data_points[0]->n_bucket_counts, 2);
    EXPECT_EQ(histogram->histogram->data_points[0]->bucket_counts[1], 4);
    EXPECT_EQ(native->exponential_histogram->data_points[0]->positive->offset, 1);
    EXPECT_EQ(native->exponential_histogram->data_points[0]->positive->bucket_counts[1], 4);
    EXPECT_EQ(summary->summary->data_points[0]->flags, 1);
    opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(data, NULL);
    leat_mem_unref(flat.mem);
    leat_chain_done(&otlp);
}

/* A page's samples, converted and unpacked. */
struct told {
    struct leat_chain otlp;
    struct leat_slice flat;
    Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest *data;
};
static struct told tell(struct scraped *scraped)
{
    struct told told = {{0}};
    struct otlp_counts counts = {0};
    uint32_t items;
    EXPECT_OK(convert(scraped, &told.otlp, &items));
    EXPECT_OK(otlp_validate(LEAT_METRICS, &told.otlp, &counts, NULL));
    EXPECT_EQ(counts.items, items);
    EXPECT_OK(leat_chain_flat(&told.otlp, &told.flat));
    told.data = opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(NULL, told.flat.len, told.flat.at);
    assert_non_null(told.data);
    return told;
}
static void told_done(struct told *told)
{
    opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(told->data, NULL);
    leat_mem_unref(told->flat.mem);
    leat_chain_done(&told->otlp);
}

/* Scenario:   pages that lie: bounds of both kinds, one that is no number, counts that fall, absurd created times.
 * Guarantees: the kind says which label is the bound; there is one order for any bounds; what a bucket counts is not counted twice. */
LEAT_TEST(odd_pages_become_points)
{
    struct scraped scraped = {.target = leat_prom_target_new(LEAT_SLICE("node"), LEAT_SLICE("h:1"), (struct leat_slice){0})};
    family(&scraped, LEAT_PROM_HISTOGRAM, "h");
    sample(&scraped, "__name__=h_bucket,le=4,quantile=0.5", 3, NULL);
    sample(&scraped, "__name__=h_bucket,le=NaN,quantile=0.5", 1, NULL);
    sample(&scraped, "__name__=h_bucket,le=1,quantile=0.5", 5, NULL);
    sample(&scraped, "__name__=h_bucket,le=+Inf,quantile=0.5", 9, NULL);
    sample(&scraped, "__name__=h_count,quantile=0.5", 9, NULL);
    sample(&scraped, "__name__=h_created,quantile=0.5", 1e300, NULL);
    family(&scraped, LEAT_PROM_SUMMARY, "s");
    sample(&scraped, "__name__=s,le=7,quantile=0.5", 3, NULL);
    sample(&scraped, "__name__=s_count,le=7", 4, NULL);
    sample(&scraped, "__name__=s_created,le=7", 1.5, NULL);
    struct told told = tell(&scraped);
    const metric_pb *h = find(told.data, "h", OTLP_HISTOGRAM), *s = find(told.data, "s", OTLP_SUMMARY);
    assert_true(h && s);
    EXPECT_EQ(h->histogram->n_data_points, 1);
    const Opentelemetry__Proto__Metrics__V1__HistogramDataPoint *point = h->histogram->data_points[0];
    EXPECT_EQ(point->n_explicit_bounds, 3);
    EXPECT(isnan(point->explicit_bounds[0]) && point->explicit_bounds[1] == 1 && point->explicit_bounds[2] == 4);
    static const uint64_t counts[] = {1, 4, 0, 4};
    EXPECT_EQ(point->n_bucket_counts, 4);
    for (size_t i = 0; i < 4; i++)
        EXPECT_EQ(point->bucket_counts[i], counts[i]);
    EXPECT_EQ(point->start_time_unix_nano, 0);
    EXPECT_EQ(s->summary->data_points[0]->n_quantile_values, 1);
    EXPECT(s->summary->data_points[0]->quantile_values[0]->quantile == 0.5);
    EXPECT_EQ(s->summary->data_points[0]->start_time_unix_nano, 1500000000);
    told_done(&told);
}

/* Scenario:   a native histogram of schema 8 with one value near zero and one very large, and a count of all 64 bits.
 * Guarantees: dense buckets stay few: the resolution is halved, and nothing of the counts is lost. */
LEAT_TEST(a_wide_native_histogram_is_made_coarser)
{
    struct pb_buf native = {0};
    pb_buf_varint(&native, PB_TAG(1, PB_VARINT), UINT64_MAX);
    pb_buf_varint(&native, PB_TAG(4, PB_VARINT), 16); /* schema 8 */
    pb_buf_varint(&native, PB_TAG(6, PB_VARINT), UINT64_MAX - 7);
    static const uint8_t span[] = {0x08, 0xff, 0xfe, 0x0f, 0x10, 2}; /* from -131008 on, 2 */
    static const uint8_t far[] = {0x08, 0x80, 0x80, 0x20, 0x10, 1};  /* 262144 further, 1 */
    pb_buf_bytes(&native, PB_TAG(11, PB_LEN), span, sizeof span);
    pb_buf_bytes(&native, PB_TAG(11, PB_LEN), far, sizeof far);
    pb_buf_bytes(&native, PB_TAG(12, PB_LEN), "\x02\x04\x00", 3); /* 1, 3, 3 */
    struct leat_prom_extra extra = {.histogram = native.at, .histogram_bytes = (uint32_t)native.len};
    struct scraped scraped = {.target = leat_prom_target_new(LEAT_SLICE("node"), LEAT_SLICE("h:1"), (struct leat_slice){0})};
    family(&scraped, LEAT_PROM_HISTOGRAM, "h");
    sample(&scraped, "__name__=h", 1, &extra);
    struct told told = tell(&scraped);
    const metric_pb *h = find(told.data, "h", OTLP_EXPONENTIAL_HISTOGRAM);
    assert_non_null(h);
    const Opentelemetry__Proto__Metrics__V1__ExponentialHistogramDataPoint *point = h->exponential_histogram->data_points[0];
    EXPECT(point->count == UINT64_MAX && point->zero_count == UINT64_MAX - 7);
    EXPECT_EQ(point->scale, 8 - 3);
    uint64_t total = 0;
    for (size_t i = 0; i < point->positive->n_bucket_counts; i++)
        total += point->positive->bucket_counts[i];
    EXPECT_EQ(total, 7);
    EXPECT_EQ(point->positive->offset, (-131008 - 1) >> 3);
    EXPECT_EQ(point->positive->n_bucket_counts, 32770);
    EXPECT_EQ(point->positive->bucket_counts[1], 3);
    EXPECT_EQ(point->positive->bucket_counts[32769], 3);
    told_done(&told);
    pb_buf_done(&native);
}

/* Guarantees: OTLP knows no time before 1970: what a page says to have begun, or seen, before that has no such time. */
LEAT_TEST(times_before_1970_are_left_out)
{
    struct scraped scraped = {.target = leat_prom_target_new(LEAT_SLICE("node"), LEAT_SLICE("i"), (struct leat_slice){0})};
    struct leat_prom_exemplar exemplar = {.value = 1, .time_ms = -5, .has_time = true};
    struct leat_prom_extra extra = {.start_ms = -100000, .exemplar_count = 1, .exemplars = &exemplar};
    struct leat_chain otlp = {0};
    struct leat_slice flat;
    uint32_t items;
    family(&scraped, LEAT_PROM_COUNTER, "c_total");
    sample(&scraped, "__name__=c_total,instance=i,job=node", 5, &extra);
    EXPECT_OK(convert(&scraped, &otlp, &items));
    EXPECT_OK(leat_chain_flat(&otlp, &flat));
    Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest *data =
        opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack(NULL, flat.len, flat.at);
    assert_non_null(data);
    const metric_pb *counter = find(data, "c_total", OTLP_SUM);
    assert_non_null(counter);
    EXPECT_EQ(counter->sum->data_points[0]->start_time_unix_nano, 0);
    EXPECT_EQ(counter->sum->data_points[0]->time_unix_nano, NOW_MS * 1000000ull);
    EXPECT_EQ(counter->sum->data_points[0]->n_exemplars, 1);
    EXPECT_EQ(counter->sum->data_points[0]->exemplars[0]->time_unix_nano, 0);
    opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__free_unpacked(data, NULL);
    leat_mem_unref(flat.mem);
    leat_chain_done(&otlp);
}

LEAT_TEST_OOM(samples_to_points_survives_any_failed_allocation)
{
    struct scraped scraped = page();
    struct leat_chain otlp = {0};
    uint32_t items;
    leat_rc rc = convert(&scraped, &otlp, &items);
    leat_chain_done(&otlp);
    return rc;
}
