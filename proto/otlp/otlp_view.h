/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_view -- a validated request read in place: its resources and scopes, its items, their fields.
 *
 * Why      exporters want fields; nobody wants a tree of objects. A view is a handful of borrowed pointers.
 * Threads  as the chain.
 * Owns     the walk owns a scratch, in which what crosses a cut is laid flat (counted: border copies). Views are good
 *          until the next otlp_walk_next: items; until the next of their kind: resource and scope.
 * Fails    LEAT_EPARSE when the payload is not what the door let in, LEAT_ENOMEM.
 *
 *   struct otlp_walk walk;
 *   otlp_walk_open(&walk, LEAT_LOGS, &payload);
 *   while (otlp_walk_next(&walk)) { struct otlp_log log; otlp_log_of(&walk, &log) ... walk.new_scope, walk.resource ...
 * } rc = otlp_walk_close(&walk, &err); */
#pragma once
#include "agent/base/form.h"
#include "proto/otlp/otlp_schema.h"
#include "proto/protobuf/pb_read.h"

/* ---- attributes and values ---- */

enum otlp_value_kind {
    OTLP_EMPTY,
    OTLP_TEXT,
    OTLP_TRUTH,
    OTLP_INTEGER,
    OTLP_REAL,
    OTLP_ARRAY,
    OTLP_MAP,
    OTLP_BLOB,
    OTLP_TEXT_INDEX
};

struct otlp_value {
    enum otlp_value_kind kind;
    union {
        struct leat_slice text; /* TEXT, BLOB; ARRAY, MAP: their message, for otlp_value_next, otlp_attribute_next */
        int64_t integer;        /* INTEGER, TRUTH, TEXT_INDEX */
        double real;
    };
};
bool otlp_value_of(struct leat_slice any_value, struct otlp_value *ret_value); /* false: malformed */
bool otlp_value_is_true(const struct otlp_value *value);

struct otlp_attribute {
    struct leat_slice key;
    struct otlp_value value;
};
/* The next attribute: `fields` is what is left of a message, `number` the attributes' field in it (6 in a log record,
 * 1 in a resource or a map, 3 in a scope). False: no more. */
bool otlp_attribute_next(struct leat_slice *fields, uint32_t number, struct otlp_attribute *ret_attribute);
bool otlp_attribute_get(struct leat_slice fields, uint32_t number, const char *key, struct otlp_value *ret_value);
bool otlp_value_next(struct leat_slice *array, struct otlp_value *ret_value);

/* Any field of a message, by number: the last one wins. False: absent. */
bool otlp_get(struct leat_slice message, uint32_t number, struct pb_field *ret_field);

/* ---- the walk ---- */

struct otlp_scope {
    struct leat_slice name, version, attributes; /* attributes: the scope's message, number 3 */
    struct leat_slice schema_url;
};

struct otlp_flat {
    uint8_t *at;
    uint32_t room;
};

#define OTLP_WALK_LEVELS 3

struct otlp_walk {
    /* Read these. */
    struct leat_slice item;     /* the message of a log record, span, metric or profile */
    struct leat_slice resource; /* its message; attributes are number 1 */
    struct leat_slice resource_schema_url;
    struct otlp_scope scope;
    bool new_resource, new_scope;                     /* the item is the first of its resource, its scope */
    uint32_t resource_index, scope_index, item_index; /* item_index counts through the whole request */
    /* Private. */
    enum leat_signal signal;
    struct pb_cursor cursor;
    uint64_t end[OTLP_WALK_LEVELS];
    unsigned level;
    struct otlp_flat scratch[3]; /* item, resource, scope */
    leat_rc rc;
    uint64_t bad;
};

void otlp_walk_open(struct otlp_walk *walk, enum leat_signal signal, const struct leat_chain *payload);
bool otlp_walk_next(struct otlp_walk *walk); /* items of metrics are metrics: see otlp_metric_points */
leat_rc otlp_walk_close(struct otlp_walk *walk, struct leat_err *reterr);

/* ---- items ---- */

struct otlp_log {
    uint64_t time_unix_nano, observed_time_unix_nano;
    uint32_t severity_number, flags, dropped_attributes;
    struct leat_slice severity_text, event_name;
    struct otlp_value body;
    struct leat_slice attributes;        /* from the first attribute to the last: number 6 */
    struct leat_slice trace_id, span_id; /* 0, 16 or 8 bytes */
};
bool otlp_log_of(struct leat_slice record, struct otlp_log *ret_log);

struct otlp_span {
    struct leat_slice trace_id, span_id, parent_span_id, trace_state, name;
    uint32_t kind, flags;
    uint64_t start_unix_nano, end_unix_nano;
    uint32_t dropped_attributes, dropped_events, dropped_links;
    uint32_t status_code;
    struct leat_slice status_message;
    struct leat_slice attributes, events, links; /* each from the first to the last: numbers 9, 11, 13 */
    struct leat_slice message;                   /* the whole span */
};
bool otlp_span_of(struct leat_slice span, struct otlp_span *ret_span);

enum otlp_metric_kind {
    OTLP_NO_DATA,
    OTLP_GAUGE = 5,
    OTLP_SUM = 7,
    OTLP_HISTOGRAM = 9,
    OTLP_EXPONENTIAL_HISTOGRAM = 10,
    OTLP_SUMMARY = 11
};
struct otlp_metric {
    struct leat_slice name, description, unit;
    enum otlp_metric_kind kind; /* the field's number */
    struct leat_slice data;     /* Gauge, Sum ...: data points are its field 1 */
    uint32_t temporality;       /* 0 unspecified, 1 delta, 2 cumulative */
    bool monotonic;
};
bool otlp_metric_of(struct leat_slice metric, struct otlp_metric *ret_metric);
/* The next message that is field `number` of what is left: data points (1), events (11), links (13) ... */
bool otlp_message_next(struct leat_slice *fields, uint32_t number, struct leat_slice *ret_message);
