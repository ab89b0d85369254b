/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "exporters/opensearch/opensearch.h"

#define AT(member) LEAT_AT(struct opensearch_conf, member)
#define MAPPING(member) (LEAT_AT(struct opensearch_conf, mapping.member) - LEAT_AT(struct opensearch_conf, mapping))

static const char *const modes[] = {"ss4o", "ecs", "flatten_attributes", "bodymap", "otel", NULL};
static const enum bulk_mapping mappings[] = {BULK_SS4O, BULK_MODEL, BULK_FLATTEN, BULK_BODYMAP, BULK_OTEL};
static const char *const actions[] = {"create", "index", NULL};

static const struct leat_field mapping_fields[] = {
    {.key = "mode",
     .type = LEAT_ENUM,
     .offset = MAPPING(mode),
     .deflt = "ss4o",
     .choices = modes,
     .doc = "shape of the documents; spans are ss4o in all but otel"},
    {.key = "dedot",
     .type = LEAT_BOOL,
     .offset = MAPPING(dedot),
     .deflt = "true",
     .doc = "ecs, flatten_attributes: dots in names open objects"},
    {.key = "dedup",
     .type = LEAT_IGNORED,
     .doc = "of two fields by one name the last one always wins: servers refuse both"},
    {.key = "timestamp_field",
     .type = LEAT_STRING,
     .offset = MAPPING(timestamp_field),
     .doc = "ecs, flatten_attributes: the field for the time; @timestamp when unset"},
    {.key = "unix_timestamp",
     .type = LEAT_BOOL,
     .offset = MAPPING(unix_timestamp),
     .deflt = "false",
     .doc = "ecs, flatten_attributes: the time as milliseconds since 1970"},
    {.key = "manage_index_template",
     .type = LEAT_BOOL,
     .offset = MAPPING(manage_index_template),
     .deflt = "true",
     .doc = "put an index template before the first document, unless there is one by its name"},
    {.key = "fields", .type = LEAT_REFUSED, .doc = "fields cannot be renamed here; use the attributes processor"},
    {.key = "file", .type = LEAT_REFUSED, .doc = "fields cannot be renamed here; use the attributes processor"},
    {.key = "index_template_file",
     .type = LEAT_REFUSED,
     .doc = "put the template yourself and turn manage_index_template off"},
    {.key = "ism", .type = LEAT_REFUSED, .doc = "index state policies are the cluster's; put the policy yourself"},
    {0}};

const struct leat_field opensearch_fields[] = {
    {.key = "endpoints",
     .type = LEAT_STRINGS,
     .offset = AT(endpoints),
     .doc = "addresses beside http::endpoint; requests take turns, one that cannot be reached is passed over for 10 s"},
    {.key = "dataset",
     .type = LEAT_STRING,
     .offset = AT(dataset),
     .deflt = "default",
     .doc = "part of the default index: ss4o_logs-DATASET-NAMESPACE"},
    {.key = "namespace",
     .type = LEAT_STRING,
     .offset = AT(namespace),
     .deflt = "namespace",
     .doc = "part of the default index: ss4o_logs-DATASET-NAMESPACE"},
    {.key = "logs_index",
     .type = LEAT_STRING,
     .offset = AT(logs.index),
     .doc = "index for logs; %{attribute} stands for an attribute of the record, its scope or its resource"},
    {.key = "logs_index_fallback",
     .type = LEAT_STRING,
     .offset = AT(logs.fallback),
     .deflt = "unknown",
     .doc = "stands for an attribute that is not there"},
    {.key = "logs_index_time_format",
     .type = LEAT_STRING,
     .offset = AT(logs.time_format),
     .doc = "a date behind the index, as yyyy.MM.dd, from the record's time in UTC"},
    {.key = "traces_index", .type = LEAT_STRING, .offset = AT(traces.index), .doc = "index for spans, as logs_index"},
    {.key = "traces_index_fallback",
     .type = LEAT_STRING,
     .offset = AT(traces.fallback),
     .deflt = "unknown",
     .doc = "as logs_index_fallback"},
    {.key = "traces_index_time_format",
     .type = LEAT_STRING,
     .offset = AT(traces.time_format),
     .doc = "as logs_index_time_format, from the span's start"},
    {.key = "metrics_index", .type = LEAT_REFUSED, .doc = "metrics are not sent to OpenSearch"},
    {.key = "metrics_index_fallback", .type = LEAT_REFUSED, .doc = "metrics are not sent to OpenSearch"},
    {.key = "metrics_index_time_format", .type = LEAT_REFUSED, .doc = "metrics are not sent to OpenSearch"},
    {.key = "bulk_action",
     .type = LEAT_ENUM,
     .offset = AT(bulk_action),
     .deflt = "create",
     .choices = actions,
     .doc = "create or index; data streams take create alone"},
    {.key = "pipeline", .type = LEAT_STRING, .offset = AT(pipeline), .doc = "ingest pipeline for the documents"},
    {.key = "mapping",
     .type = LEAT_SECTION,
     .offset = AT(mapping),
     .fields = mapping_fields,
     .doc = "shape of the documents"},
    {.key = "data_stream",
     .type = LEAT_BOOL,
     .offset = AT(data_stream),
     .deflt = "false",
     .doc = "the template makes a data stream of the index (a key of leat's own)"},
    {.key = "document_ids",
     .type = LEAT_BOOL,
     .offset = AT(document_ids),
     .deflt = "true",
     .doc = "give each document an id, so that one sent twice is stored once (a key of leat's own)"},
    {.key = "max_request_size",
     .type = LEAT_SIZE,
     .offset = AT(request_bytes_max),
     .deflt = "5MiB",
     .min = 4096,
     .max = 104857600,
     .doc = "a request ends after so many bytes before compression (a key of leat's own)"},
    {0}};

/* ---- what the keys come to ---- */

static leat_rc index_of(const struct opensearch_conf *own, enum leat_signal signal, struct bulk_index *index,
                        struct leat_err *reterr)
{
    const struct opensearch_index_conf *keys = signal == LEAT_TRACES ? &own->traces : &own->logs;
    const char *name = signal == LEAT_TRACES ? "traces" : "logs";
    if (keys->index && *keys->index) {
        if (!bulk_index_name_is_valid(keys->index))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s_index: \"%.96s\" is no index's name", name, keys->index);
        if (!bulk_index_parse(index, keys->index, keys->fallback && *keys->fallback ? keys->fallback : "unknown"))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                              "%s_index: \"%.96s\" has too many placeholders, or one without end", name, keys->index);
    } else {
        const char *parts[] = {signal == LEAT_TRACES ? "ss4o_traces-" : "ss4o_logs-", own->dataset, "-",
                               own->namespace};
        *index = (struct bulk_index){.separator = "-"};
        for (size_t i = 0; i < 4; i++) {
            if (!parts[i] || !*parts[i] || (i % 2 && !bulk_index_name_is_valid(parts[i])))
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s: \"%.96s\" can be no part of an index's name",
                                  i == 1 ? "dataset" : "namespace", parts[i] ? parts[i] : "");
            index->pieces[index->count++] = (struct bulk_index_piece){.text = leat_slice_str(parts[i])};
        }
    }
    index->time_format = keys->time_format;
    return LEAT_OK;
}

/* http::endpoint and endpoints as one list. */
static uint32_t addresses(const struct leat_exporter_conf *conf, const char *to[LEAT_BULK_ENDPOINTS_MAX + 1])
{
    const struct opensearch_conf *own = conf->own;
    const struct leat_http_client_conf *http = conf->carrier;
    uint32_t count = 0;
    if (http->endpoint && *http->endpoint)
        to[count++] = http->endpoint;
    for (uint32_t i = 0; i < own->endpoints.count && count <= LEAT_BULK_ENDPOINTS_MAX; i++)
        to[count++] = own->endpoints.at[i];
    return count;
}

static leat_rc bulk_of(const struct leat_exporter_conf *conf, enum leat_signal signal, const char *const *endpoints,
                       uint32_t count, struct leat_bulk_conf *bulk, struct leat_err *reterr)
{
    const struct opensearch_conf *own = conf->own;
    *bulk = (struct leat_bulk_conf){.endpoints = endpoints,
                                    .endpoint_count = count,
                                    .pipeline = own->pipeline,
                                    .index_action = own->bulk_action == 1,
                                    .own_ids = own->document_ids,
                                    .request_bytes_max = (uint64_t)own->request_bytes_max,
                                    .put_template = own->mapping.manage_index_template,
                                    .data_stream = own->data_stream,
                                    .doc = {.mapping = mappings[own->mapping.mode],
                                            .dataset = own->dataset,
                                            .namespace = own->namespace,
                                            .timestamp_field = own->mapping.timestamp_field,
                                            .unix_timestamp = own->mapping.unix_timestamp,
                                            .keep_dots = !own->mapping.dedot}};
    return index_of(own, signal, &bulk->index, reterr);
}

leat_rc opensearch_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    static const enum leat_signal both[] = {LEAT_LOGS, LEAT_TRACES};
    const struct opensearch_conf *own = conf->own;
    const char *endpoints[LEAT_BULK_ENDPOINTS_MAX + 1];
    struct leat_bulk_conf bulk;
    leat_rc rc = LEAT_OK;
    for (size_t i = 0; rc == LEAT_OK && i < 2; i++) {
        rc = bulk_of(conf, both[i], endpoints, addresses(conf, endpoints), &bulk, reterr);
        if (rc == LEAT_OK)
            rc = leat_bulk_check(&bulk, reterr);
    }
    if (rc == LEAT_OK && own->data_stream && own->bulk_action == 1)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "bulk_action: data streams take create alone");
    return rc;
}

leat_rc opensearch_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                        struct leat_world *world, struct leat_err *reterr)
{
    const char *endpoints[LEAT_BULK_ENDPOINTS_MAX + 1];
    struct leat_bulk_conf bulk;
    uint32_t count = addresses(conf, endpoints);
    if (signal == LEAT_TRACES && ((const struct opensearch_conf *)conf->own)->mapping.mode == 3)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "mapping::mode: bodymap is for logs alone");
    leat_rc rc = bulk_of(conf, signal, endpoints, count, &bulk, reterr);
    return rc == LEAT_OK ? leat_bulk_open(state, &bulk, signal, world, conf->counts, reterr) : rc;
}
