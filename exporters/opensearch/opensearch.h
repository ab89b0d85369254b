/* SPDX-License-Identifier: Apache-2.0 */
/* opensearch -- logs and traces to OpenSearch; its keys, names and defaults are the Collector's.
 *
 * Why      what it does is agent/bulk; here is only what it is called and how it is configured.
 * Threads  as every exporter: one state (struct leat_bulk) per shard.
 * Owns     nothing beside its state.
 * Limits   max_request_size before compression ends a request.
 * Fails    as agent/bulk. */
#pragma once
#include "agent/bulk/bulk.h"
#include "exporters/exporter.h"

struct opensearch_index_conf {
    const char *index, *fallback, *time_format;
};
struct opensearch_conf {
    const char *dataset, *namespace, *pipeline;
    struct opensearch_index_conf logs, traces;
    struct leat_strings endpoints;
    int bulk_action; /* 0 create, 1 index */
    struct {
        int mode; /* index of the choices */
        bool dedot, unix_timestamp, manage_index_template;
        const char *timestamp_field;
    } mapping;
    bool data_stream, document_ids;
    int64_t request_bytes_max;
};

extern const struct leat_field opensearch_fields[];

leat_rc opensearch_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc opensearch_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                        struct leat_world *world, struct leat_err *reterr);
