/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom_proto/prom_proto.h"

#include <math.h>

#include "proto/utf8/utf8.h"

enum { COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM }; /* MetricType */

struct reading {
    const struct prom_proto_opts *opts;
    const struct prom_proto_calls *calls;
    void *ctx;
    struct leat_err *reterr;
    struct prom_proto_family family;
    uint64_t type;
    struct prom_proto_metric metric;
    struct prom_proto_label labels[PROM_PROTO_LABELS_MAX];
};

static leat_rc bad(struct reading *r, const char *what)
{
    struct leat_slice name = r->family.name;
    return LEAT_RAISE(r->reterr, LEAT_EPARSE, 0, "%s (metric family %.*s)", what, (int)(name.len < 80 ? name.len : 80),
                      (const char *)name.at);
}

static struct leat_slice bytes(const struct pb_field *field) { return leat_slice_of(field->at, field->len); }

static bool read_time(struct leat_slice message, int64_t *ret_ms)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    int64_t seconds = 0, nanos = 0;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.wire != PB_VARINT)
            continue;
        if (field.number == 1)
            seconds = (int64_t)field.value;
        if (field.number == 2)
            nanos = (int32_t)field.value;
    }
    *ret_ms = seconds > INT64_MAX / 2000 || seconds < INT64_MIN / 2000 ? 0 : seconds * 1000 + nanos / 1000000;
    return more == 0;
}

enum label { MALFORMED, UNFIT, FIT };

static enum label read_label(struct leat_slice message, struct prom_proto_label *label)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    int more;
    *label = (struct prom_proto_label){0};
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.wire == PB_LEN && field.number == 1)
            label->name = bytes(&field);
        if (field.wire == PB_LEN && field.number == 2)
            label->value = bytes(&field);
    }
    if (more != 0)
        return MALFORMED;
    return label->name.len && utf8_ok(label->name.at, label->name.len) && utf8_ok(label->value.at, label->value.len) ? FIT : UNFIT;
}

static bool exemplar_label(struct leat_slice message, struct prom_proto_exemplar *exemplar)
{
    struct prom_proto_label label;
    enum label is = read_label(message, &label);
    exemplar->unfit |= is == UNFIT || exemplar->label_count == sizeof exemplar->labels / sizeof exemplar->labels[0];
    if (!exemplar->unfit)
        exemplar->labels[exemplar->label_count++] = label;
    return is != MALFORMED;
}

bool prom_proto_exemplar_read(struct leat_slice message, struct prom_proto_exemplar *exemplar)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    int more;
    exemplar->value = 0;
    exemplar->time_ms = 0;
    exemplar->has_time = exemplar->unfit = false;
    exemplar->label_count = 0;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_LEN && !exemplar_label(bytes(&field), exemplar))
            return false;
        if (field.number == 2 && field.wire == PB_FIXED64)
            exemplar->value = pb_double(field.value);
        if (field.number == 3 && field.wire == PB_LEN) {
            exemplar->has_time = true;
            if (!read_time(bytes(&field), &exemplar->time_ms))
                return false;
        }
    }
    return more == 0;
}

static leat_rc tell(struct reading *r, const struct prom_proto_sample *sample)
{
    return r->calls->sample(r->ctx, &r->family, &r->metric, sample, r->reterr);
}

/* Counter, Gauge and Untyped: value=1; a Counter also exemplar=2, start_timestamp=3. */
static leat_rc read_simple(struct reading *r, struct leat_slice message)
{
    struct prom_proto_sample sample = {.suffix = ""};
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_FIXED64)
            sample.value = pb_double(field.value);
        if (r->type != COUNTER || field.wire != PB_LEN)
            continue;
        if (field.number == 2)
            sample.exemplar = bytes(&field);
        if (field.number == 3 && !read_time(bytes(&field), &sample.start_ms))
            return bad(r, "malformed start time");
    }
    return more == 0 ? tell(r, &sample) : bad(r, "malformed value");
}

/* ---- summaries ---- */

static leat_rc tell_quantile(struct reading *r, struct leat_slice message, int64_t start_ms)
{
    struct prom_proto_sample sample = {.suffix = "", .bound_name = "quantile", .start_ms = start_ms};
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_FIXED64)
            sample.bound = pb_double(field.value);
        if (field.number == 2 && field.wire == PB_FIXED64)
            sample.value = pb_double(field.value);
    }
    return more == 0 ? tell(r, &sample) : bad(r, "malformed quantile");
}

static leat_rc tell_count_and_sum(struct reading *r, double count, double sum, int64_t start_ms)
{
    struct prom_proto_sample sample = {.suffix = "_count", .value = count, .start_ms = start_ms};
    leat_rc rc = tell(r, &sample);
    sample.suffix = "_sum";
    sample.value = sum;
    return rc == LEAT_OK ? tell(r, &sample) : rc;
}

/* sample_count=1, sample_sum=2, quantile=3, start_timestamp=4 */
static leat_rc read_summary(struct reading *r, struct leat_slice message)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    double count = 0, sum = 0;
    int64_t start_ms = 0;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_VARINT)
            count = (double)field.value;
        if (field.number == 2 && field.wire == PB_FIXED64)
            sum = pb_double(field.value);
        if (field.number == 4 && field.wire == PB_LEN && !read_time(bytes(&field), &start_ms))
            return bad(r, "malformed start time");
    }
    leat_rc rc = more == 0 ? tell_count_and_sum(r, count, sum, start_ms) : bad(r, "malformed summary");
    reader = pb_flat_of(message.at, message.len);
    while (rc == LEAT_OK && pb_next(&reader, &field) > 0)
        if (field.number == 3 && field.wire == PB_LEN)
            rc = tell_quantile(r, bytes(&field), start_ms);
    return rc;
}

/* ---- histograms ---- */

struct classic {
    double count, count_float, sum, zero_threshold;
    uint64_t zero_count;
    int64_t start_ms;
    bool spans;
    uint32_t buckets;
};

static bool read_classic(struct leat_slice message, struct classic *h)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    int more;
    *h = (struct classic){0};
    while ((more = pb_next(&reader, &field)) > 0) {
        bool fixed = field.wire == PB_FIXED64, len = field.wire == PB_LEN, varint = field.wire == PB_VARINT;
        if (field.number == 1 && varint)
            h->count = (double)field.value;
        else if (field.number == 2 && fixed)
            h->sum = pb_double(field.value);
        else if (field.number == 3 && len)
            h->buckets++;
        else if (field.number == 4 && fixed)
            h->count_float = pb_double(field.value);
        else if (field.number == 6 && fixed)
            h->zero_threshold = pb_double(field.value);
        else if (field.number == 7 && varint)
            h->zero_count = field.value;
        else if ((field.number == 9 || field.number == 12) && len)
            h->spans = true;
        else if (field.number == 15 && len && !read_time(bytes(&field), &h->start_ms))
            return false;
    }
    return more == 0;
}

static bool read_bucket(struct leat_slice message, struct prom_proto_sample *sample)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    double whole = 0, real = 0;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_VARINT)
            whole = (double)field.value;
        if (field.number == 2 && field.wire == PB_FIXED64)
            sample->bound = pb_double(field.value);
        if (field.number == 3 && field.wire == PB_LEN)
            sample->exemplar = bytes(&field);
        if (field.number == 4 && field.wire == PB_FIXED64)
            real = pb_double(field.value);
    }
    sample->value = real != 0 ? real : whole;
    return more == 0;
}

static leat_rc tell_classic(struct reading *r, struct leat_slice message, const struct classic *h)
{
    double count = h->count_float != 0 ? h->count_float : h->count;
    leat_rc rc = tell_count_and_sum(r, count, h->sum, h->start_ms);
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    bool infinite = false;
    while (rc == LEAT_OK && !infinite && pb_next(&reader, &field) > 0) {
        struct prom_proto_sample sample = {.suffix = "_bucket", .bound_name = "le", .start_ms = h->start_ms};
        if (field.number != 3 || field.wire != PB_LEN)
            continue;
        if (!read_bucket(bytes(&field), &sample))
            return bad(r, "malformed bucket");
        infinite = isinf(sample.bound) && sample.bound > 0;
        rc = tell(r, &sample);
    }
    struct prom_proto_sample last = {.suffix = "_bucket", .bound_name = "le", .bound = HUGE_VAL, .value = count,
                                     .start_ms = h->start_ms};
    return rc == LEAT_OK && !infinite ? tell(r, &last) : rc;
}

static leat_rc read_histogram(struct reading *r, struct leat_slice message)
{
    struct classic h;
    if (!read_classic(message, &h))
        return bad(r, "malformed histogram");
    bool native = r->opts->native && (h.spans || h.zero_threshold > 0 || h.zero_count > 0);
    struct prom_proto_sample sample = {.suffix = "", .native = true, .message = message, .value = h.sum,
                                       .start_ms = h.start_ms};
    leat_rc rc = native ? tell(r, &sample) : LEAT_OK;
    if (rc == LEAT_OK && (!native || (r->opts->classic_too && h.buckets)))
        rc = tell_classic(r, message, &h);
    return rc;
}

/* ---- metrics and families ---- */

/* label=1 gauge=2 counter=3 summary=4 untyped=5 timestamp_ms=6 histogram=7 */
static leat_rc read_metric(struct reading *r, struct leat_slice message)
{
    static const uint32_t wanted[] = {[COUNTER] = 3, [GAUGE] = 2, [SUMMARY] = 4, [UNTYPED] = 5, [HISTOGRAM] = 7,
                                      [GAUGE_HISTOGRAM] = 7};
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    struct leat_slice value = leat_slice_of(message.at, 0);
    int more;
    r->metric = (struct prom_proto_metric){.labels = r->labels};
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_LEN) {
            if (r->metric.label_count == PROM_PROTO_LABELS_MAX)
                return LEAT_RAISE(r->reterr, LEAT_ELIMIT, 0, "more than %u labels", PROM_PROTO_LABELS_MAX);
            if (read_label(bytes(&field), &r->labels[r->metric.label_count++]) != FIT)
                return bad(r, "invalid label");
        } else if (field.number == 6 && field.wire == PB_VARINT)
            r->metric.time_ms = (int64_t)field.value;
        else if (field.number == wanted[r->type] && field.wire == PB_LEN)
            value = bytes(&field);
    }
    if (more != 0)
        return bad(r, "malformed metric");
    if (r->type == SUMMARY)
        return read_summary(r, value);
    return r->type == HISTOGRAM || r->type == GAUGE_HISTOGRAM ? read_histogram(r, value) : read_simple(r, value);
}

static leat_rc check_family(struct reading *r)
{
    static const enum leat_prom_type types[] = {[COUNTER] = LEAT_PROM_COUNTER, [GAUGE] = LEAT_PROM_GAUGE,
        [SUMMARY] = LEAT_PROM_SUMMARY, [UNTYPED] = LEAT_PROM_UNKNOWN, [HISTOGRAM] = LEAT_PROM_HISTOGRAM,
        [GAUGE_HISTOGRAM] = LEAT_PROM_GAUGE_HISTOGRAM};
    struct leat_slice name = r->family.name;
    if (name.len == 0 || !utf8_ok(name.at, name.len))
        return bad(r, "invalid metric name");
    if (!utf8_ok(r->family.help.at, r->family.help.len))
        return bad(r, "help is no UTF-8");
    if (r->type >= sizeof types / sizeof types[0])
        return bad(r, "unknown metric type");
    r->family.type = types[r->type];
    if (!utf8_ok(r->family.unit.at, r->family.unit.len))
        r->family.unit.len = 0; /* Prometheus does not look at it: it voids no page, but no receiver can take it either */
    return LEAT_OK;
}

/* name=1 help=2 type=3 metric=4 unit=5 */
static leat_rc read_family(struct reading *r, struct leat_slice message)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    uint32_t metrics = 0;
    int more;
    r->family = (struct prom_proto_family){0};
    r->type = COUNTER;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_LEN)
            r->family.name = bytes(&field);
        else if (field.number == 2 && field.wire == PB_LEN)
            r->family.help = bytes(&field);
        else if (field.number == 3 && field.wire == PB_VARINT)
            r->type = field.value;
        else if (field.number == 4 && field.wire == PB_LEN)
            metrics++;
        else if (field.number == 5 && field.wire == PB_LEN)
            r->family.unit = bytes(&field);
    }
    if (more != 0)
        return bad(r, "malformed metric family");
    leat_rc rc = metrics ? check_family(r) : LEAT_OK;
    rc = rc == LEAT_OK && metrics ? r->calls->family(r->ctx, &r->family, r->reterr) : rc;
    reader = pb_flat_of(message.at, message.len);
    while (rc == LEAT_OK && metrics && pb_next(&reader, &field) > 0)
        if (field.number == 4 && field.wire == PB_LEN)
            rc = read_metric(r, bytes(&field));
    return rc;
}

leat_rc prom_proto_read(struct leat_slice body, const struct prom_proto_opts *opts, const struct prom_proto_calls *calls,
                        void *ctx, struct leat_err *reterr)
{
    struct reading r = {.opts = opts, .calls = calls, .ctx = ctx, .reterr = reterr};
    const uint8_t *at = body.at, *end = body.at + body.len;
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && at < end) {
        uint64_t len;
        if (!(at = pb_length(at, end, &len)))
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "a metric family is cut short");
        rc = read_family(&r, leat_slice_of(at, (uint32_t)len));
        at += len;
    }
    return rc;
}

static leat_rc exemplars_of(struct leat_slice message, bool own, uint32_t *count, leat_rc (*each)(void *, struct leat_slice),
                            void *ctx)
{
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && pb_next(&reader, &field) > 0) {
        struct prom_proto_sample bucket = {0};
        if (field.wire != PB_LEN || field.number != (own ? 16u : 3u))
            continue;
        *count += own;
        if (own)
            bucket.exemplar = bytes(&field);
        else if (!read_bucket(bytes(&field), &bucket))
            return LEAT_EPARSE;
        if (bucket.exemplar.len)
            rc = each(ctx, bucket.exemplar);
    }
    return rc;
}

leat_rc prom_native_exemplars(struct leat_slice histogram, leat_rc (*each)(void *ctx, struct leat_slice exemplar), void *ctx)
{
    uint32_t count = 0;
    leat_rc rc = exemplars_of(histogram, true, &count, each, ctx);
    return rc == LEAT_OK && count == 0 ? exemplars_of(histogram, false, &count, each, ctx) : rc;
}
