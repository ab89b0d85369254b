/* SPDX-License-Identifier: Apache-2.0 */
/* elasticsearch -- logs and traces to Elasticsearch; its keys, names and defaults are the Collector's.
 *
 * Why      what it does is agent/bulk; here is only what it is called and how it is configured.
 * Threads  as every exporter: one state (struct leat_bulk) per shard.
 * Owns     nothing beside its state.
 * Limits   max_request_size before compression ends a request.
 * Fails    as agent/bulk. */
#pragma once
#include "agent/bulk/bulk.h"
#include "exporters/exporter.h"

struct elasticsearch_conf {
    struct leat_strings endpoints;
    const char *user, *password, *api_key, *pipeline, *logs_index, *traces_index;
    struct {
        int mode; /* index of the choices */
    } mapping;
    struct {
        bool enabled;
        const char *prefix_separator, *date_format;
    } logstash_format;
    bool manage_index_template, document_ids;
    int64_t request_bytes_max;
};

extern const struct leat_field elasticsearch_fields[];

leat_rc elasticsearch_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc elasticsearch_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                           struct leat_world *world, struct leat_err *reterr);
