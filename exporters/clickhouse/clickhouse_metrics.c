/* SPDX-License-Identifier: Apache-2.0 */
/* Data points as rows of the five metric tables. */
#include "exporters/clickhouse/clickhouse.h"

static enum clickhouse_table table_of(enum otlp_metric_kind kind)
{
    switch (kind) {
    case OTLP_SUM:
        return CLICKHOUSE_SUM;
    case OTLP_HISTOGRAM:
        return CLICKHOUSE_HISTOGRAM;
    case OTLP_EXPONENTIAL_HISTOGRAM:
        return CLICKHOUSE_EXPONENTIAL_HISTOGRAM;
    case OTLP_SUMMARY:
        return CLICKHOUSE_SUMMARY;
    default:
        return CLICKHOUSE_GAUGE;
    }
}

/* Resource and scope, then the metric: the columns up to MetricUnit. */
static void shared(struct clickhouse_state *clickhouse, const struct otlp_walk *walk, const struct otlp_metric *metric)
{
    struct clickhouse_cursor to;
    if (walk->new_resource || walk->new_scope) {
        struct pb_field dropped;
        to = clickhouse__shared_begin(clickhouse);
        clickhouse__map(clickhouse, &to, walk->resource, 1);
        row_binary_string(clickhouse__next(&to), walk->resource_schema_url);
        row_binary_string(clickhouse__next(&to), walk->scope.name);
        row_binary_string(clickhouse__next(&to), walk->scope.version);
        clickhouse__map(clickhouse, &to, walk->scope.attributes, 3);
        row_binary_u32(clickhouse__next(&to), otlp_get(walk->scope.attributes, 4, &dropped) ? (uint32_t)dropped.value : 0);
        row_binary_string(clickhouse__next(&to), walk->scope.schema_url);
        clickhouse__resource_text(clickhouse, clickhouse__next(&to), walk->resource, "service.name");
        clickhouse__shared_middle(clickhouse, &to);
    }
    to = clickhouse__shared_second(clickhouse);
    row_binary_string(clickhouse__next(&to), metric->name);
    row_binary_string(clickhouse__next(&to), metric->description);
    row_binary_string(clickhouse__next(&to), metric->unit);
    clickhouse__shared_end(clickhouse, &to);
}

/* ---- arrays ---- */

static void put_numbers(struct clickhouse_cursor *to, struct leat_slice message, uint32_t number, bool fixed)
{
    struct otlp_numbers numbers = otlp_numbers_of(message, number, fixed);
    uint64_t n = 0, value;
    while (otlp_numbers_next(&numbers, &value))
        n++;
    clickhouse__count(to, n);
    struct row_binary *items = clickhouse__next(to);
    numbers = otlp_numbers_of(message, number, fixed);
    while (otlp_numbers_next(&numbers, &value))
        row_binary_u64(items, value);
}

/* FilteredAttributes, TimeUnix, Value, SpanId, TraceId: an array each. */
static void put_exemplars(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, const struct otlp_point *point,
                          uint32_t number, bool seconds)
{
    struct leat_slice rest = point->exemplars, message;
    struct otlp_exemplar exemplar;
    uint32_t n = 0;
    while (rest.len && otlp_message_next(&rest, number, &message))
        n++;
    for (int column = 0; column < 5; column++) {
        clickhouse__count(to, n);
        struct clickhouse_cursor items = *to;
        to->at += (column == 0 ? 3 : 1) * to->step;
        for (rest = point->exemplars; n && otlp_message_next(&rest, number, &message);) {
            struct clickhouse_cursor item = items;
            (void)otlp_exemplar_of(message, &exemplar);
            if (column == 0)
                clickhouse__map(clickhouse, &item, message, 7);
            else if (column == 1)
                row_binary_time(clickhouse__next(&item), exemplar.time_unix_nano, seconds);
            else if (column == 2)
                row_binary_f64(clickhouse__next(&item), exemplar.value);
            else
                row_binary_hex(clickhouse__next(&item), column == 3 ? exemplar.span_id : exemplar.trace_id);
        }
    }
}

static void put_quantiles(struct clickhouse_cursor *to, struct leat_slice message)
{
    struct leat_slice rest = message, quantile;
    uint32_t n = 0;
    while (otlp_message_next(&rest, 6, &quantile))
        n++;
    clickhouse__count(to, n);
    struct row_binary *items = clickhouse__next(to);
    for (rest = message; otlp_message_next(&rest, 6, &quantile);)
        row_binary_f64(items, otlp_quantile_of(quantile).quantile);
    clickhouse__count(to, n);
    items = clickhouse__next(to);
    for (rest = message; otlp_message_next(&rest, 6, &quantile);)
        row_binary_f64(items, otlp_quantile_of(quantile).value);
}

/* ---- a point; the order is that of the schemas ---- */

struct data {
    enum otlp_metric_kind kind;
    uint32_t temporality;
    bool monotonic;
};

static void put_histogram(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, const struct data *data,
                          const struct otlp_point *point, bool seconds)
{
    row_binary_u64(clickhouse__next(to), point->count);
    row_binary_f64(clickhouse__next(to), point->sum);
    if (data->kind == OTLP_HISTOGRAM) {
        put_numbers(to, point->message, 6, true);
        put_numbers(to, point->message, 7, true);
    } else {
        row_binary_u32(clickhouse__next(to), (uint32_t)point->scale);
        row_binary_u64(clickhouse__next(to), point->zero_count);
        row_binary_u32(clickhouse__next(to), (uint32_t)point->positive_offset);
        put_numbers(to, point->positive, 2, false);
        row_binary_u32(clickhouse__next(to), (uint32_t)point->negative_offset);
        put_numbers(to, point->negative, 2, false);
    }
    put_exemplars(clickhouse, to, point, otlp_point_exemplars(data->kind), seconds);
    row_binary_u32(clickhouse__next(to), point->flags);
    row_binary_f64(clickhouse__next(to), point->min);
    row_binary_f64(clickhouse__next(to), point->max);
    row_binary_u32(clickhouse__next(to), data->temporality);
}

static void put_number(struct clickhouse_state *clickhouse, struct clickhouse_cursor *to, const struct data *data,
                       const struct otlp_point *point, bool seconds)
{
    row_binary_f64(clickhouse__next(to), point->value);
    row_binary_u32(clickhouse__next(to), point->flags);
    put_exemplars(clickhouse, to, point, otlp_point_exemplars(data->kind), seconds);
    if (data->kind != OTLP_SUM)
        return;
    row_binary_u32(clickhouse__next(to), data->temporality);
    row_binary_u8(clickhouse__next(to), data->monotonic);
}

static bool put_point(struct clickhouse_state *clickhouse, const struct data *data, struct leat_slice message)
{
    enum clickhouse_table table = table_of(data->kind);
    const struct clickhouse_there *there = &clickhouse->there[table];
    struct otlp_point point;
    if (!otlp_point_of(data->kind, message, &point))
        return false;
    struct clickhouse_cursor to = clickhouse__row(clickhouse, table);
    clickhouse__put_shared(clickhouse, table, &to, 0);
    clickhouse__put_shared(clickhouse, table, &to, 1);
    clickhouse__map(clickhouse, &to, point.attributes, otlp_point_attributes(data->kind));
    row_binary_time(clickhouse__next(&to), point.start_unix_nano, there->start_seconds);
    row_binary_time(clickhouse__next(&to), point.time_unix_nano, there->seconds);
    if (table == CLICKHOUSE_HISTOGRAM || table == CLICKHOUSE_EXPONENTIAL_HISTOGRAM) {
        put_histogram(clickhouse, &to, data, &point, there->inner_seconds);
    } else if (table == CLICKHOUSE_SUMMARY) {
        row_binary_u64(clickhouse__next(&to), point.count);
        row_binary_f64(clickhouse__next(&to), point.sum);
        put_quantiles(&to, point.message);
        row_binary_u32(clickhouse__next(&to), point.flags);
    } else {
        put_number(clickhouse, &to, data, &point, there->inner_seconds);
    }
    return true;
}

static leat_rc put_points(struct clickhouse_state *clickhouse, const struct data *data, struct leat_slice rest,
                          const struct leat_batch *batch, uint32_t *io_item, struct leat_requests *out)
{
    enum clickhouse_table table = table_of(data->kind);
    struct clickhouse_rows *open = &clickhouse->open[table];
    struct leat_slice message;
    while (*io_item < batch->item_count && otlp_message_next(&rest, 1, &message)) {
        if (!put_point(clickhouse, data, message))
            return LEAT_EPARSE;
        if (open->streams->failed || !clickhouse__covers(open, (*io_item)++, batch))
            return LEAT_ENOMEM;
        if (clickhouse__is_full(clickhouse, open, message.len) && clickhouse__request(clickhouse, table, out) != LEAT_OK)
            return LEAT_ENOMEM;
    }
    return LEAT_OK;
}

static bool is_data(uint32_t number)
{
    return number == OTLP_GAUGE || number == OTLP_SUM || number == OTLP_HISTOGRAM ||
           number == OTLP_EXPONENTIAL_HISTOGRAM || number == OTLP_SUMMARY;
}

/* A metric that lies and has data twice counts all its points as items: all are written. */
leat_rc clickhouse__metric_rows(struct clickhouse_state *clickhouse, const struct otlp_walk *walk,
                                const struct leat_batch *batch, uint32_t *io_item, struct leat_requests *out)
{
    struct otlp_metric metric;
    struct pb_flat in = pb_flat_of(walk->item.at, walk->item.len);
    struct pb_field f, inner;
    if (!otlp_metric_of(walk->item, &metric))
        return LEAT_EPARSE;
    shared(clickhouse, walk, &metric);
    if (clickhouse->shared->failed)
        return LEAT_ENOMEM;
    while (pb_next(&in, &f) == 1) {
        if (!is_data(f.number) || f.wire != PB_LEN)
            continue;
        struct leat_slice points = leat_slice_of(f.at, f.len);
        struct data data = {.kind = (enum otlp_metric_kind)f.number};
        data.temporality = otlp_get(points, 2, &inner) && inner.wire == PB_VARINT ? (uint32_t)inner.value : 0;
        data.monotonic = otlp_get(points, 3, &inner) && inner.wire == PB_VARINT && inner.value != 0;
        leat_rc rc = put_points(clickhouse, &data, points, batch, io_item, out);
        if (rc != LEAT_OK)
            return rc;
    }
    return LEAT_OK;
}
