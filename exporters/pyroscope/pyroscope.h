/* SPDX-License-Identifier: Apache-2.0 */
/* pyroscope -- profiles to Grafana Pyroscope's push API (push.v1.PusherService/Push, Connect over HTTP/1.1).
 *
 * Why      scraped profiles leave as they came: labels beside gzip bytes that nobody opens; OTLP profiles become pprof with
 *          equal totals, named as Pyroscope's own OTLP door names them.
 * One      request carries one profile, as Pyroscope stores part of a request it refuses and does not say which part: so a
 *          refusal concerns that profile alone, and nothing is stored twice by sending the rest again.
 * Threads  as every exporter: one state per shard.
 * Owns     the buffers of its state are kept from batch to batch.
 * Limits   labels a series, bytes of a name and of a value: Pyroscope's defaults, by key; over them values are cut, labels
 *          left out, both counted.
 * Fails    LEAT_ENOMEM: the batch is encoded again later. A profile that cannot be converted is dropped{cannot_encode}. */
#pragma once
#include "exporters/exporter.h"
#include "proto/pprof/pprof_from_otlp.h"
#include "proto/pprof/pprof_push.h"

#define PYROSCOPE_LABELS_MAX 256u

struct pyroscope_conf {
    struct leat_map external_labels;
    int64_t label_names_max, label_name_bytes_max, label_value_bytes_max;
};

/* A label of the series in hand; name as it will be sent. */
struct pyroscope_label {
    struct leat_slice name, value;
};

struct pyroscope_state {
    char *url;
    const struct pyroscope_conf *conf;
    struct leat_world *world;
    /* The series in hand. */
    struct pyroscope_label labels[PYROSCOPE_LABELS_MAX];
    uint32_t label_count;
    char *names;             /* of each, label_name_bytes_max: names that had to change */
    struct pb_buf encoded;
    uint64_t *counts;        /* NULL: nobody looks */
};

enum pyroscope_counter { PYROSCOPE_LABELS_LEFT_OUT, PYROSCOPE_VALUES_CUT };

extern const struct leat_field pyroscope_fields[];
extern const struct leat_counter_def pyroscope_counters[];

leat_rc pyroscope_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc pyroscope_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                       struct leat_world *world, struct leat_err *reterr);
leat_rc pyroscope_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
leat_rc pyroscope_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void pyroscope_close(void *state);

/* ---- labels: begin, add what the series has, end; then `encoded` holds them ---- */
void pyroscope__labels_begin(struct pyroscope_state *pyroscope);
void pyroscope__label(struct pyroscope_state *pyroscope, struct leat_slice name, struct leat_slice value);
/* External labels, service_name, limits, order. False: out of memory. */
bool pyroscope__labels_end(struct pyroscope_state *pyroscope);
