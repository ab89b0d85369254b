/* SPDX-License-Identifier: Apache-2.0 */
/* loki -- logs to Grafana Loki's push API: protobuf and snappy, written straight from the records as they are held.
 *
 * Why      the hottest of the exporters: one pass, no allocation a line, labels made once a resource.
 * Threads  as every exporter: one state per shard.
 * Owns     the buffers of its state are kept from batch to batch.
 * Limits   max_request_size before compression ends a request; label values are cut at LOKI_LABEL_VALUE_MAX.
 * Fails    LEAT_ENOMEM: the batch is encoded again later. */
#pragma once
#include "exporters/exporter.h"
#include "proto/loki_push/loki_push_put.h"
#include "proto/otlp/otlp_view.h"
#include "proto/snappy/snappy_put.h"

#define LOKI_LABELS_MAX 15u        /* Loki's own default limit */
#define LOKI_LABEL_VALUE_MAX 2048u /* Loki's own default limit */

struct loki_conf {
    struct leat_map labels; /* label name <- resource attribute */
    const char *tenant_id, *tenant_attribute, *tenant_metadata;
    int64_t request_bytes_max;
};

struct loki_label {
    const char *name;
    struct leat_slice attribute;
    struct leat_slice value; /* of the current resource; at == NULL: absent */
};

/* The metadata of the last entry, where it stands in the push: resource and scope, attributes, other fields. The next
 * entry takes from its beginning what is the same. */
struct loki_last {
    bool valid, fields_valid; /* false: the next entry makes all of it, its fields */
    size_t at;
    uint32_t shared_len, attributes_len, len; /* of it from `at`: of resource and scope, with attributes, all */
    struct leat_strbuf attributes;            /* the record's own bytes */
    uint64_t observed_time_unix_nano;
    uint32_t severity_number, flags, dropped_attributes;
};

/* push[at, at + len) is what stands `distance` bytes before it. */
struct loki_repeat {
    uint32_t at, len, distance;
};

struct loki_state {
    char *url;
    const struct loki_conf *conf;
    struct leat_world *world;
    uint32_t label_count;
    struct loki_label labels[LOKI_LABELS_MAX];
    /* Of the current resource and scope. */
    struct leat_strbuf label_text;  /* {a="b", c="d"} */
    struct leat_strbuf opened_text; /* that of the open stream */
    struct loki_push resource_metadata, scope_metadata;
    struct leat_strbuf tenant, next_tenant;
    /* Scratch. */
    struct loki_push push;
    struct loki_last last;
    struct loki_repeat *repeats; /* of push, rising: hints, left out when there is no memory for them */
    uint32_t repeat_count, repeat_room;
    struct leat_strbuf name, text;
    struct snappy_put snappy;
};

extern const struct leat_field loki_fields[];

leat_rc loki_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc loki_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                  struct leat_err *reterr);
leat_rc loki_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
leat_rc loki_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void loki_close(void *state);

/* Labels and shared metadata of a resource: fills label_text and resource_metadata. False: out of memory. */
bool loki__resource(struct loki_state *loki, struct leat_slice resource);
bool loki__scope(struct loki_state *loki, const struct otlp_scope *scope);
/* The push as one snappy block, behind what `out` holds. False: out of memory. */
bool loki__pack(struct loki_state *loki, struct leat_chain *out);
/* A record as an entry of the open stream. False: malformed. */
bool loki__record(struct loki_state *loki, struct leat_slice record);
/* An attribute as metadata: maps become one entry a leaf, named a_b_c. */
void loki__metadata(struct loki_state *loki, struct loki_push *push, struct leat_slice key,
                    const struct otlp_value *value);
/* A value as text, borrowed from the value or from loki->text (until the next call). */
struct leat_slice loki__text(struct loki_state *loki, const struct otlp_value *value);
