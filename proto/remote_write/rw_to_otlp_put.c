/* SPDX-License-Identifier: Apache-2.0 */
/* A scrape that is put together, as an OTLP request. */
#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "proto/remote_write/rw_name.h"
#include "proto/remote_write/rw_to_otlp_inner.h"

#define SCOPE_NAME "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/prometheusreceiver"
#define CUMULATIVE 2u
#define NO_RECORDED_VALUE 1u
#define BUCKETS_MAX 65536u /* of one native histogram, the empty ones with them */

static void put_text(struct pb_buf *out, uint32_t number, struct leat_slice text)
{
    if (text.len)
        pb_buf_bytes(out, PB_TAG(number, PB_LEN), text.at, text.len);
}

static void put_double(struct pb_buf *out, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    pb_buf_fixed64(out, PB_TAG(number, PB_FIXED64), bits);
}

static void put_attribute(struct pb_buf *out, uint32_t number, struct leat_slice key, struct leat_slice value)
{
    size_t pair = pb_buf_open(out, PB_TAG(number, PB_LEN));
    put_text(out, 1, key);
    size_t any = pb_buf_open(out, PB_TAG(2, PB_LEN));
    pb_buf_bytes(out, PB_TAG(1, PB_LEN), value.at, value.len);
    pb_buf_close(out, any);
    pb_buf_close(out, pair);
}

static void put_attributes(struct pb_buf *out, uint32_t number, const struct rw_group *group, enum otlp_metric_kind kind)
{
    struct leat_slice name, value;
    uint32_t at = 0;
    if (kind == OTLP_EXPONENTIAL_HISTOGRAM)
        kind = OTLP_HISTOGRAM; /* le is no attribute there either */
    while (leat_prom_label_next(group->series, &at, &name, &value))
        if (value.len && !rw_label__is_left_out(name, kind) && !rw_label__is_scope(name))
            put_attribute(out, number, name, value);
}

/* OTLP counts from 1970 and ends in 2554; before that it has no time. */
static uint64_t ns_of(int64_t ms)
{
    if (ms <= 0)
        return 0;
    return (uint64_t)ms < UINT64_MAX / 1000000u ? (uint64_t)ms * 1000000u : UINT64_MAX;
}

static void put_times(struct pb_buf *out, const struct rw_group *group, bool start)
{
    if (start && group->start_ms > 0)
        pb_buf_fixed64(out, PB_TAG(2, PB_FIXED64), ns_of(group->start_ms));
    pb_buf_fixed64(out, PB_TAG(3, PB_FIXED64), ns_of(group->time_ms));
}

/* ---- exemplars ---- */

static int digit(uint8_t c) { return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1; }

/* Digits as the lower bytes of an id of `len` bytes; more than it holds are cut. False: no digits. */
static bool id_of(struct leat_slice text, uint8_t *id, uint32_t len)
{
    uint32_t bytes = text.len / 2 < len ? text.len / 2 : len;
    memset(id, 0, len);
    if (text.len % 2 && text.len / 2 < len)
        return false;
    for (uint32_t i = 0; i < bytes; i++) {
        int high = digit(text.at[2 * i]), low = digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        id[len - bytes + i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static struct leat_slice label_part(struct pb_flat *label, struct leat_slice *ret_value)
{
    struct leat_slice name = {0};
    struct pb_field part;
    while (pb_next(label, &part) == 1)
        *(part.number == 1 ? &name : ret_value) = leat_slice_of(part.at, part.len);
    return name;
}

static void put_exemplar(struct pb_buf *out, uint32_t number, const struct rw_exemplar_ref *ref)
{
    const struct leat_prom_exemplar *exemplar = ref->exemplar;
    struct pb_flat reader = pb_flat_of(exemplar->labels, exemplar->label_bytes);
    struct pb_field field;
    size_t at = pb_buf_open(out, PB_TAG(number, PB_LEN));
    while (pb_next(&reader, &field) == 1) {
        struct leat_slice value = {0};
        struct pb_flat label = pb_sub(&field);
        struct leat_slice name = label_part(&label, &value);
        uint8_t id[16];
        if (leat_slice_ieq(name, LEAT_SLICE("trace_id")) && id_of(value, id, 16))
            pb_buf_bytes(out, PB_TAG(5, PB_LEN), id, 16);
        else if (leat_slice_ieq(name, LEAT_SLICE("span_id")) && id_of(value, id, 8))
            pb_buf_bytes(out, PB_TAG(4, PB_LEN), id, 8);
        else
            put_attribute(out, 7, name, value);
    }
    int64_t time_ms = exemplar->has_time ? exemplar->time_ms : ref->sample_ms;
    pb_buf_fixed64(out, PB_TAG(2, PB_FIXED64), ns_of(time_ms));
    put_double(out, 3, exemplar->value);
    pb_buf_close(out, at);
}

static void put_exemplars(struct pb_buf *out, uint32_t number, const struct rw_group *group)
{
    for (const struct rw_exemplar_ref *ref = group->exemplars; ref; ref = ref->next)
        put_exemplar(out, number, ref);
}

/* ---- points of classic kinds ---- */

static bool put_number(struct pb_buf *out, const struct rw_group *group, enum otlp_metric_kind kind)
{
    if (!group->has_value)
        return false;
    size_t at = pb_buf_open(out, PB_TAG(1, PB_LEN));
    put_attributes(out, 7, group, kind);
    put_times(out, group, kind == OTLP_SUM);
    if (leat_prom_is_stale(group->value))
        pb_buf_varint(out, PB_TAG(8, PB_VARINT), NO_RECORDED_VALUE);
    else
        put_double(out, 4, group->value);
    put_exemplars(out, 5, group);
    pb_buf_close(out, at);
    return true;
}

/* What is no number comes first: an order for any page. */
static int by_bound(const void *a, const void *b)
{
    const struct rw_sum_value *x = a, *y = b;
    if (isnan(x->bound) != isnan(y->bound))
        return isnan(x->bound) ? -1 : 1;
    if (x->bound < y->bound || x->bound > y->bound)
        return x->bound < y->bound ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static uint64_t whole(double value) { return value >= 0 && value < 18446744073709551616.0 ? (uint64_t)value : 0; }

static bool is_stale(const struct rw_group *group)
{
    return (group->has_sum && leat_prom_is_stale(group->sum)) || leat_prom_is_stale(group->count);
}

static void put_bounds(struct pb_buf *out, const struct rw_group *group, bool stale)
{
    uint32_t count = group->value_count;
    double before = 0;
    if (count && isinf(group->values[count - 1].bound) && group->values[count - 1].bound > 0)
        count--; /* the last bucket is what is left of the count */
    size_t at = pb_buf_open(out, PB_TAG(6, PB_LEN));
    for (uint32_t i = 0; i <= count; i++) {
        double upto = i < count ? group->values[i].value : group->count;
        uint8_t bytes[8];
        (void)pb_put_fixed64(bytes, stale ? 0 : whole(upto - before));
        pb_buf_raw(out, bytes, sizeof bytes);
        before = upto > before ? upto : before; /* a page that counts backwards does not count twice */
    }
    pb_buf_close(out, at);
    if (count == 0)
        return;
    at = pb_buf_open(out, PB_TAG(7, PB_LEN));
    for (uint32_t i = 0; i < count; i++)
        pb_buf_raw(out, &group->values[i].bound, sizeof(double));
    pb_buf_close(out, at);
}

static void put_count_and_sum(struct pb_buf *out, const struct rw_group *group)
{
    pb_buf_fixed64(out, PB_TAG(4, PB_FIXED64), whole(group->count));
    if (group->has_sum)
        put_double(out, 5, group->sum);
}

static bool put_histogram(struct pb_buf *out, const struct rw_group *group)
{
    bool stale = is_stale(group);
    if (!group->has_count)
        return false;
    if (group->value_count)
        qsort(group->values, group->value_count, sizeof *group->values, by_bound);
    size_t at = pb_buf_open(out, PB_TAG(1, PB_LEN));
    put_attributes(out, 9, group, OTLP_HISTOGRAM);
    put_times(out, group, true);
    if (stale)
        pb_buf_varint(out, PB_TAG(10, PB_VARINT), NO_RECORDED_VALUE);
    else
        put_count_and_sum(out, group);
    put_bounds(out, group, stale);
    put_exemplars(out, 8, group);
    pb_buf_close(out, at);
    return true;
}

static bool put_summary(struct pb_buf *out, const struct rw_group *group)
{
    bool stale = is_stale(group);
    if (!group->has_count)
        return false;
    if (group->value_count)
        qsort(group->values, group->value_count, sizeof *group->values, by_bound);
    size_t at = pb_buf_open(out, PB_TAG(1, PB_LEN));
    put_attributes(out, 7, group, OTLP_SUMMARY);
    put_times(out, group, true);
    if (stale)
        pb_buf_varint(out, PB_TAG(8, PB_VARINT), NO_RECORDED_VALUE);
    else
        put_count_and_sum(out, group);
    for (uint32_t i = 0; i < group->value_count; i++) {
        size_t quantile = pb_buf_open(out, PB_TAG(6, PB_LEN));
        put_double(out, 1, group->values[i].bound);
        if (!stale)
            put_double(out, 2, group->values[i].value);
        pb_buf_close(out, quantile);
    }
    pb_buf_close(out, at);
    return true;
}

/* ---- native histograms ---- */

struct native {
    uint64_t count, zero_count;
    double sum, zero_threshold;
    int32_t schema;
    struct leat_slice message;
};

static uint64_t whole_of(const struct pb_field *field)
{
    return field->wire == PB_FIXED64 ? whole(pb_double(field->value)) : field->value;
}

static struct native native_of(struct leat_slice message)
{
    struct native native = {.message = message};
    struct pb_flat reader = pb_flat_of(message.at, message.len);
    struct pb_field field;
    while (pb_next(&reader, &field) == 1) {
        if (field.number == 1 || field.number == 2)
            native.count = whole_of(&field);
        else if (field.number == 3)
            native.sum = pb_double(field.value);
        else if (field.number == 4)
            native.schema = (int32_t)pb_zigzag(field.value);
        else if (field.number == 5)
            native.zero_threshold = pb_double(field.value);
        else if (field.number == 6 || field.number == 7)
            native.zero_count = whole_of(&field);
    }
    return native;
}

/* The counts of one side, in order: differences of whole numbers, or numbers as they are. */
struct counts {
    struct pb_flat reader;
    uint32_t deltas, floats; /* field numbers */
    const uint8_t *at, *end;
    bool is_float;
    int64_t last;
};

static bool counts_part(struct counts *counts)
{
    struct pb_field field;
    while (pb_next(&counts->reader, &field) == 1)
        if ((field.number == counts->deltas || field.number == counts->floats) && field.wire == PB_LEN && field.len) {
            counts->at = field.at;
            counts->end = field.at + field.len;
            counts->is_float = field.number == counts->floats;
            return true;
        }
    return false;
}

static uint64_t counts_next(struct counts *counts)
{
    uint64_t value;
    if ((!counts->at || counts->at >= counts->end) && !counts_part(counts))
        return 0;
    if (counts->is_float) {
        if (counts->end - counts->at < 8) {
            counts->at = counts->end;
            return 0;
        }
        value = pb_load64(counts->at);
        counts->at += 8;
        return whole(pb_double(value));
    }
    counts->at = pb_varint(counts->at, counts->end, &value);
    if (!counts->at)
        return 0;
    counts->last += pb_zigzag(value);
    return (uint64_t)counts->last;
}

static void put_varint(struct pb_buf *out, uint64_t value)
{
    uint8_t bytes[10];
    pb_buf_raw(out, bytes, (size_t)(pb_put_varint(bytes, value) - bytes));
}

struct side {
    struct leat_slice rest; /* of the message, behind the spans that were read */
    uint32_t number;        /* of its spans; its counts are behind it */
    int64_t next;           /* index of the next bucket */
    uint64_t left;          /* buckets of the span */
};

static struct side side_of(const struct native *native, uint32_t number)
{
    return (struct side){.rest = native->message, .number = number};
}

/* The index of the next bucket, as Prometheus counts them; false: no more. */
static bool bucket_next(struct side *side, int64_t *ret_index)
{
    struct leat_slice span;
    struct pb_field field;
    while (side->left == 0) {
        if (!otlp_message_next(&side->rest, side->number, &span))
            return false;
        side->next += otlp_get(span, 1, &field) ? (int32_t)pb_zigzag(field.value) : 0;
        side->left = otlp_get(span, 2, &field) ? (uint32_t)field.value : 0;
    }
    *ret_index = side->next++;
    side->left--;
    return true;
}

/* How often the resolution is to be halved for a side to have at most BUCKETS_MAX buckets, the empty ones between others with it. */
static uint32_t halvings(const struct native *native, uint32_t number)
{
    struct side side = side_of(native, number);
    int64_t first, last, index;
    uint32_t shift = 0;
    if (!bucket_next(&side, &first))
        return 0;
    for (last = first; bucket_next(&side, &index);)
        last = index;
    while (((last - 1) >> shift) - ((first - 1) >> shift) >= BUCKETS_MAX)
        shift++;
    return shift;
}

/* One side as dense buckets: what lies between spans is empty. OTLP counts one less than Prometheus. */
static void put_side(struct pb_buf *out, uint32_t number, const struct native *native, uint32_t spans_number, uint32_t shift)
{
    struct counts counts = {.reader = pb_flat_of(native->message.at, native->message.len), .deltas = spans_number + 1,
                            .floats = spans_number + 2};
    struct side spans = side_of(native, spans_number);
    size_t side = pb_buf_open(out, PB_TAG(number, PB_LEN));
    int64_t index, at;
    if (bucket_next(&spans, &index)) {
        uint64_t count = counts_next(&counts);
        at = (index - 1) >> shift;
        pb_buf_varint(out, PB_TAG(1, PB_VARINT), (uint64_t)at << 1 ^ (uint64_t)(at >> 63));
        size_t buckets = pb_buf_open(out, PB_TAG(2, PB_LEN));
        while (bucket_next(&spans, &index)) {
            for (; at < (index - 1) >> shift; at++, count = 0)
                put_varint(out, count);
            count += counts_next(&counts);
        }
        put_varint(out, count);
        pb_buf_close(out, buckets);
    }
    pb_buf_close(out, side);
}

static bool put_exponential(struct pb_buf *out, const struct rw_group *group)
{
    if (!group->has_count)
        return false;
    struct native native = native_of(group->native);
    bool stale = leat_prom_is_stale(group->sum) || leat_prom_is_stale(native.sum);
    size_t at = pb_buf_open(out, PB_TAG(1, PB_LEN));
    put_attributes(out, 1, group, OTLP_EXPONENTIAL_HISTOGRAM);
    put_times(out, group, true);
    if (stale) {
        pb_buf_varint(out, PB_TAG(10, PB_VARINT), NO_RECORDED_VALUE);
    } else {
        uint32_t positive = halvings(&native, 11), negative = halvings(&native, 8), shift = positive > negative ? positive : negative;
        int32_t scale = native.schema - (int32_t)shift;
        pb_buf_fixed64(out, PB_TAG(4, PB_FIXED64), native.count);
        put_double(out, 5, native.sum);
        pb_buf_varint(out, PB_TAG(6, PB_VARINT), (uint32_t)scale << 1 ^ (uint32_t)(scale >> 31));
        pb_buf_fixed64(out, PB_TAG(7, PB_FIXED64), native.zero_count);
        put_side(out, 8, &native, 11, shift);
        put_side(out, 9, &native, 8, shift);
        if (native.zero_threshold > 0)
            put_double(out, 14, native.zero_threshold);
    }
    put_exemplars(out, 11, group);
    pb_buf_close(out, at);
    return true;
}

/* Custom buckets are explicit bounds: counts by the place of each bound. */
static void put_custom_buckets(struct pb_buf *out, const struct native *native)
{
    struct counts counts = {.reader = pb_flat_of(native->message.at, native->message.len), .deltas = 12, .floats = 13};
    struct leat_slice rest = native->message, span;
    struct pb_field bounds = {0}, field;
    uint64_t count = otlp_get(native->message, 16, &bounds) && bounds.wire == PB_LEN ? bounds.len / 8 : 0, place = 0;
    size_t at = pb_buf_open(out, PB_TAG(6, PB_LEN));
    uint8_t bytes[8];
    while (otlp_message_next(&rest, 11, &span)) {
        int32_t offset = otlp_get(span, 1, &field) ? (int32_t)pb_zigzag(field.value) : 0;
        uint64_t length = otlp_get(span, 2, &field) ? field.value : 0;
        for (int32_t i = 0; i < offset && place <= count; i++, place++)
            pb_buf_raw(out, (const uint8_t[8]){0}, 8);
        for (uint64_t i = 0; i < length && place <= count; i++, place++) {
            (void)pb_put_fixed64(bytes, counts_next(&counts));
            pb_buf_raw(out, bytes, sizeof bytes);
        }
    }
    for (; place <= count; place++)
        pb_buf_raw(out, (const uint8_t[8]){0}, 8);
    pb_buf_close(out, at);
    if (count)
        pb_buf_bytes(out, PB_TAG(7, PB_LEN), bounds.at, (uint32_t)count * 8);
}

static bool put_custom(struct pb_buf *out, const struct rw_group *group)
{
    struct native native = native_of(group->native);
    bool stale = leat_prom_is_stale(native.sum);
    if (!stale && native.count == 0 && (native.sum > 0 || native.sum < 0))
        return false;
    size_t at = pb_buf_open(out, PB_TAG(1, PB_LEN));
    put_attributes(out, 9, group, OTLP_HISTOGRAM);
    put_times(out, group, true);
    if (stale) {
        pb_buf_varint(out, PB_TAG(10, PB_VARINT), NO_RECORDED_VALUE);
    } else {
        pb_buf_fixed64(out, PB_TAG(4, PB_FIXED64), native.count);
        put_double(out, 5, native.sum);
    }
    put_custom_buckets(out, &native);
    put_exemplars(out, 8, group);
    pb_buf_close(out, at);
    return true;
}

/* ---- metrics, scopes, resources ---- */

static bool put_point(struct pb_buf *out, const struct rw_metric *metric, const struct rw_group *group)
{
    switch (metric->kind) {
    case OTLP_HISTOGRAM:
        return group->custom ? put_custom(out, group) : put_histogram(out, group);
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return put_exponential(out, group);
    case OTLP_SUMMARY:
        return put_summary(out, group);
    default:
        return put_number(out, group, metric->kind);
    }
}

static const char *type_name(enum leat_prom_type type)
{
    static const char *const names[] = {"unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"};
    return names[type];
}

static uint32_t put_metric(struct pb_buf *out, const struct rw_metric *metric)
{
    struct leat_strbuf unit = {0};
    uint32_t points = 0;
    size_t at = pb_buf_open(out, PB_TAG(2, PB_LEN));
    rw_unit_symbol(&unit, metric->unit);
    put_text(out, 1, metric->name);
    put_text(out, 2, metric->help);
    put_text(out, 3, leat_slice_of(unit.at, (uint32_t)unit.len));
    out->failed |= unit.failed;
    leat_strbuf_done(&unit);
    size_t data = pb_buf_open(out, PB_TAG((uint32_t)metric->kind, PB_LEN));
    for (const struct rw_group *group = metric->groups; group; group = group->next)
        points += put_point(out, metric, group);
    if (metric->kind != OTLP_GAUGE && metric->kind != OTLP_SUMMARY)
        pb_buf_varint(out, PB_TAG(2, PB_VARINT), CUMULATIVE);
    if (metric->kind == OTLP_SUM && metric->type == LEAT_PROM_COUNTER)
        pb_buf_varint(out, PB_TAG(3, PB_VARINT), 1);
    pb_buf_close(out, data);
    put_attribute(out, 12, LEAT_SLICE("prometheus.type"), leat_slice_str(type_name(metric->type)));
    pb_buf_close(out, at);
    return points;
}

static uint32_t put_scope(struct pb_buf *out, const struct rw_scope *scope)
{
    uint32_t points = 0;
    size_t at = pb_buf_open(out, PB_TAG(2, PB_LEN)), head = pb_buf_open(out, PB_TAG(1, PB_LEN));
    bool own = scope->name.len + scope->version.len + scope->schema_url.len + scope->attributes.len != 0;
    put_text(out, 1, own ? scope->name : LEAT_SLICE(SCOPE_NAME));
    put_text(out, 2, own ? scope->version : LEAT_SLICE(LEAT_VERSION));
    pb_buf_raw(out, scope->attributes.at, scope->attributes.len);
    pb_buf_close(out, head);
    for (const struct rw_metric *metric = scope->metrics; metric; metric = metric->next) {
        size_t before = out->len;
        uint32_t added = put_metric(out, metric);
        if (added == 0 && !out->failed)
            out->len = before; /* all its samples were of no use */
        points += added;
    }
    put_text(out, 3, scope->schema_url);
    pb_buf_close(out, at);
    return points;
}

/* A host that says nothing to anybody else is left out. */
static bool is_telling(struct leat_slice host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr four;
    struct in6_addr six;
    if (host.len == 0 || host.len >= sizeof text)
        return host.len != 0;
    memcpy(text, host.at, host.len);
    text[host.len] = 0;
    if (inet_pton(AF_INET, text, &four) == 1)
        return ntohl(four.s_addr) >> 24 != 127 && four.s_addr != 0;
    if (inet_pton(AF_INET6, text, &six) == 1)
        return !IN6_IS_ADDR_LOOPBACK(&six) && !IN6_IS_ADDR_UNSPECIFIED(&six);
    return strcmp(text, "localhost") != 0;
}

/* "host:port", "[v6]:port"; without a port all of it is the host. */
static void split_address(struct leat_slice instance, struct leat_slice *ret_host, struct leat_slice *ret_port)
{
    const uint8_t *colon = instance.len ? memrchr(instance.at, ':', instance.len) : NULL;
    uint32_t len = colon ? (uint32_t)(colon - instance.at) : 0;
    bool bracket = len >= 2 && instance.at[0] == '[' && instance.at[len - 1] == ']';
    *ret_host = instance;
    *ret_port = (struct leat_slice){0};
    if (!colon || (!bracket && memchr(instance.at, ':', len)))
        return;
    *ret_host = bracket ? leat_slice_sub(instance, 1, len - 2) : leat_slice_sub(instance, 0, len);
    *ret_port = leat_slice_sub(instance, len + 1, instance.len - len - 1);
}

static bool is_told(const struct rw_resource *resource, struct leat_slice key)
{
    for (const struct rw_info *info = resource->infos; info; info = info->next)
        if (leat_slice_eq(info->key, key))
            return true;
    return false;
}

static void put_own(struct pb_buf *out, const struct rw_resource *resource, const char *key, struct leat_slice value)
{
    if (!is_told(resource, leat_slice_str(key)))
        put_attribute(out, 1, leat_slice_str(key), value);
}

/* The attributes that come from the address, which labels may have changed; the rest is the target's own. */
static void put_resource(struct pb_buf *out, const struct rw_resource *resource)
{
    static const char *const own[] = {"service.name", "server.address", "service.instance.id", "server.port"};
    const struct leat_prom_target *target = resource->target;
    struct leat_slice host, port, rest = target ? target->resource : (struct leat_slice){0};
    struct otlp_attribute attribute;
    split_address(resource->instance, &host, &port);
    size_t at = pb_buf_open(out, PB_TAG(1, PB_LEN));
    put_own(out, resource, own[0], resource->job);
    if (is_telling(host))
        put_own(out, resource, own[1], host);
    put_own(out, resource, own[2], resource->instance);
    put_own(out, resource, own[3], port);
    while (otlp_attribute_next(&rest, 1, &attribute)) {
        bool mine = false;
        for (int i = 0; i < 4; i++)
            mine |= leat_slice_is(attribute.key, own[i]);
        if (!mine && !is_told(resource, attribute.key) && attribute.value.kind == OTLP_TEXT)
            put_attribute(out, 1, attribute.key, attribute.value.text);
    }
    for (const struct rw_info *info = resource->infos; info; info = info->next)
        put_attribute(out, 1, info->key, info->value);
    pb_buf_close(out, at);
}

uint32_t rw_scrape__put(struct rw_scrape *scrape, struct pb_buf *out)
{
    uint32_t points = 0;
    for (const struct rw_resource *resource = scrape->resources; resource; resource = resource->next) {
        size_t before = out->len, at = pb_buf_open(out, PB_TAG(1, PB_LEN));
        uint32_t added = 0;
        put_resource(out, resource);
        for (const struct rw_scope *scope = resource->scopes; scope; scope = scope->next) {
            size_t scope_at = out->len;
            uint32_t in_scope = put_scope(out, scope);
            if (in_scope == 0 && !out->failed)
                out->len = scope_at;
            added += in_scope;
        }
        pb_buf_close(out, at);
        if (added == 0 && !out->failed)
            out->len = before;
        points += added;
    }
    return points;
}
