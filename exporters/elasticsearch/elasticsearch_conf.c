/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "exporters/elasticsearch/elasticsearch.h"

#define AT(member) LEAT_AT(struct elasticsearch_conf, member)
#define LOGSTASH(member) \
    (LEAT_AT(struct elasticsearch_conf, logstash_format.member) - LEAT_AT(struct elasticsearch_conf, logstash_format))
#define CREDENTIALS_MAX 1024u

static const char *const modes[] = {"otel", "ecs", "bodymap", NULL};
static const enum bulk_mapping mappings[] = {BULK_OTEL, BULK_ECS, BULK_BODYMAP};
static const char illegal_in_datasets[] = "-\\/*?\"<>| ,#:", illegal_in_namespaces[] = "\\/*?\"<>| ,#:";

static const struct leat_field mapping_fields[] = {
    {.key = "mode", .type = LEAT_ENUM, .offset = 0, .deflt = "otel", .choices = modes, .doc = "shape of the documents"},
    {.key = "allowed_modes", .type = LEAT_REFUSED, .doc = "the mode is the configuration's, never the client's"},
    {0}};

static const struct leat_field logstash_fields[] = {
    {.key = "enabled",
     .type = LEAT_BOOL,
     .offset = LOGSTASH(enabled),
     .deflt = "false",
     .doc = "put a date behind logs_index and traces_index, from the record's time in UTC"},
    {.key = "prefix_separator",
     .type = LEAT_STRING,
     .offset = LOGSTASH(prefix_separator),
     .deflt = "-",
     .doc = "stands between index and date"},
    {.key = "date_format",
     .type = LEAT_STRING,
     .offset = LOGSTASH(date_format),
     .deflt = "%Y.%m.%d",
     .doc = "how the date is written: %Y %m %d %H %M %S"},
    {0}};

#define IGNORED(name, why)                            \
    {                                                 \
        .key = name, .type = LEAT_IGNORED, .doc = why \
    }
#define REFUSED(name, why)                            \
    {                                                 \
        .key = name, .type = LEAT_REFUSED, .doc = why \
    }

const struct leat_field elasticsearch_fields[] = {
    {.key = "endpoints",
     .type = LEAT_STRINGS,
     .offset = AT(endpoints),
     .doc = "addresses beside endpoint; requests take turns, one that cannot be reached is passed over for 10 s"},
    {.key = "user", .type = LEAT_STRING, .offset = AT(user), .doc = "user of HTTP basic authentication"},
    {.key = "password",
     .type = LEAT_STRING,
     .offset = AT(password),
     .flags = LEAT_SECRET,
     .doc = "password of HTTP basic authentication"},
    {.key = "api_key",
     .type = LEAT_STRING,
     .offset = AT(api_key),
     .flags = LEAT_SECRET,
     .doc = "base64 of id:key, as the server encodes it, for Authorization: ApiKey"},
    {.key = "logs_index",
     .type = LEAT_STRING,
     .offset = AT(logs_index),
     .doc = "index for all logs; unset: logs-DATASET-NAMESPACE from the data_stream attributes"},
    {.key = "traces_index",
     .type = LEAT_STRING,
     .offset = AT(traces_index),
     .doc = "index for all spans; unset: traces-DATASET-NAMESPACE from the data_stream attributes"},
    {.key = "pipeline", .type = LEAT_STRING, .offset = AT(pipeline), .doc = "ingest pipeline for the documents"},
    {.key = "mapping",
     .type = LEAT_SECTION,
     .offset = AT(mapping),
     .fields = mapping_fields,
     .doc = "shape of the documents"},
    {.key = "logstash_format",
     .type = LEAT_SECTION,
     .offset = AT(logstash_format),
     .fields = logstash_fields,
     .doc = "an index for each day"},
    {.key = "manage_index_template",
     .type = LEAT_BOOL,
     .offset = AT(manage_index_template),
     .deflt = "false",
     .doc =
         "put a data stream's template before the first document; the server has its own for logs-*-* and traces-*-* "
         "(a key of leat's own)"},
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
    IGNORED("logs_dynamic_index", "always on where logs_index is unset"),
    IGNORED("traces_dynamic_index", "always on where traces_index is unset"),
    IGNORED("metrics_dynamic_index", "metrics are not sent to Elasticsearch"),
    REFUSED("metrics_index", "metrics are not sent to Elasticsearch"),
    REFUSED("cloudid", "write the cluster's address as endpoint"),
    REFUSED("discover", "nodes are not looked for; name them in endpoints"),
    REFUSED("retry", "use retry_on_failure"),
    REFUSED("flush", "use sending_queue::batch"),
    REFUSED("num_workers", "use sending_queue::num_consumers"),
    REFUSED("logs_dynamic_id", "ids are leat's own: see document_ids"),
    REFUSED("traces_dynamic_id", "ids are leat's own: see document_ids"),
    REFUSED("logs_dynamic_pipeline", "use pipeline"),
    REFUSED("metadata_keys", "batches are not kept apart by client metadata"),
    REFUSED("include_source_on_error", "answers are asked for without sources"),
    REFUSED("bulk_response_filter_path", "the answer's form is leat's to choose"),
    {0}};

/* ---- what the keys come to ---- */

/* logs-%{data_stream.dataset}-%{data_stream.namespace}, as the server's own streams are named. */
static bool stream_index(enum leat_signal signal, bool otel, struct leat_bulk_conf *bulk)
{
    bool traces = signal == LEAT_TRACES;
    if (!bulk_index_parse(&bulk->index,
                          traces ? "traces-%{data_stream.dataset}-%{data_stream.namespace}"
                                 : "logs-%{data_stream.dataset}-%{data_stream.namespace}",
                          "default"))
        return false;
    bulk->stream_type = traces ? "traces" : "logs";
    bulk->dataset_piece = 1;
    bulk->namespace_piece = 3;
    bulk->index.pieces[1].fallback = "generic";
    bulk->index.pieces[1].suffix = otel ? ".otel" : NULL;
    bulk->index.pieces[1].illegal = illegal_in_datasets;
    bulk->index.pieces[3].illegal = illegal_in_namespaces;
    return true;
}

static leat_rc index_of(const struct elasticsearch_conf *own, enum leat_signal signal, struct leat_bulk_conf *bulk,
                        struct leat_err *reterr)
{
    const char *name = signal == LEAT_TRACES ? own->traces_index : own->logs_index;
    if (!name || !*name) {
        if (own->logstash_format.enabled)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                              "logstash_format: needs logs_index or traces_index before the date");
        return stream_index(signal, mappings[own->mapping.mode] == BULK_OTEL, bulk)
                   ? LEAT_OK
                   : LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "no index");
    }
    if (!bulk_index_name_is_valid(name) || !bulk_index_parse(&bulk->index, name, "unknown"))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s_index: \"%.96s\" is no index's name",
                          signal == LEAT_TRACES ? "traces" : "logs", name);
    bulk->data_stream = !own->logstash_format.enabled;
    if (own->logstash_format.enabled) {
        bulk->index.time_format = own->logstash_format.date_format;
        bulk->index.separator = own->logstash_format.prefix_separator ? own->logstash_format.prefix_separator : "";
    }
    return LEAT_OK;
}

static uint32_t addresses(const struct leat_exporter_conf *conf, const char *to[LEAT_BULK_ENDPOINTS_MAX + 1])
{
    const struct elasticsearch_conf *own = conf->own;
    const struct leat_http_client_conf *http = conf->carrier;
    uint32_t count = 0;
    if (http->endpoint && *http->endpoint)
        to[count++] = http->endpoint;
    for (uint32_t i = 0; i < own->endpoints.count && count <= LEAT_BULK_ENDPOINTS_MAX; i++)
        to[count++] = own->endpoints.at[i];
    return count;
}

/* "ApiKey ..." or "Basic ..."; "" when there are no credentials. */
static leat_rc credentials(const struct elasticsearch_conf *own, char to[2 * CREDENTIALS_MAX], struct leat_err *reterr)
{
    const char *user = own->user ? own->user : "", *password = own->password ? own->password : "";
    to[0] = 0;
    if (own->api_key && *own->api_key && *user)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "api_key and user exclude each other");
    if (strlen(user) + strlen(password) >= CREDENTIALS_MAX || (own->api_key && strlen(own->api_key) >= CREDENTIALS_MAX))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "credentials of more than %u bytes", CREDENTIALS_MAX);
    for (const char *at = own->api_key; at && *at; at++)
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "api_key: has characters that cannot be sent");
    if (own->api_key && *own->api_key) {
        (void)snprintf(to, 2 * CREDENTIALS_MAX, "ApiKey %s", own->api_key);
        return LEAT_OK;
    }
    if (!*user)
        return LEAT_OK;
    char both[CREDENTIALS_MAX + 2];
    struct leat_strbuf text = {0};
    (void)snprintf(both, sizeof both, "%s:%s", user, password);
    struct otlp_value value = {.kind = OTLP_BLOB, .text = leat_slice_str(both)};
    bulk_put_plain(&text, &value);
    if (!text.failed)
        (void)snprintf(to, 2 * CREDENTIALS_MAX, "Basic %s", text.at);
    leat_rc rc = text.failed ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for credentials") : LEAT_OK;
    leat_strbuf_done(&text);
    return rc;
}

static leat_rc bulk_of(const struct leat_exporter_conf *conf, enum leat_signal signal, const char *const *endpoints,
                       uint32_t count, struct leat_bulk_conf *bulk, struct leat_err *reterr)
{
    const struct elasticsearch_conf *own = conf->own;
    *bulk = (struct leat_bulk_conf){.endpoints = endpoints,
                                    .endpoint_count = count,
                                    .pipeline = own->pipeline,
                                    .own_ids = own->document_ids,
                                    .request_bytes_max = (uint64_t)own->request_bytes_max,
                                    .put_template = own->manage_index_template,
                                    .data_stream = true,
                                    .doc = {.mapping = mappings[own->mapping.mode]}};
    return index_of(own, signal, bulk, reterr);
}

leat_rc elasticsearch_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct elasticsearch_conf *own = conf->own;
    const char *endpoints[LEAT_BULK_ENDPOINTS_MAX + 1];
    char authorization[2 * CREDENTIALS_MAX];
    struct leat_bulk_conf bulk;
    uint32_t count = addresses(conf, endpoints);
    leat_rc rc = credentials(own, authorization, reterr);
    if (rc == LEAT_OK && (!own->logstash_format.enabled || own->logs_index))
        rc = bulk_of(conf, LEAT_LOGS, endpoints, count, &bulk, reterr);
    if (rc == LEAT_OK && (!own->logstash_format.enabled || own->traces_index))
        rc = bulk_of(conf, LEAT_TRACES, endpoints, count, &bulk, reterr);
    bulk.endpoints = endpoints;
    bulk.endpoint_count = count;
    bulk.pipeline = own->pipeline;
    return rc == LEAT_OK ? leat_bulk_check(&bulk, reterr) : rc;
}

leat_rc elasticsearch_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                           struct leat_world *world, struct leat_err *reterr)
{
    const struct elasticsearch_conf *own = conf->own;
    const char *endpoints[LEAT_BULK_ENDPOINTS_MAX + 1];
    char authorization[2 * CREDENTIALS_MAX];
    struct leat_bulk_conf bulk;
    uint32_t count = addresses(conf, endpoints);
    if (signal == LEAT_TRACES && mappings[own->mapping.mode] == BULK_BODYMAP)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "mapping::mode: bodymap is for logs alone");
    leat_rc rc = credentials(own, authorization, reterr);
    if (rc == LEAT_OK)
        rc = bulk_of(conf, signal, endpoints, count, &bulk, reterr);
    if (rc == LEAT_OK && authorization[0])
        bulk.authorization = authorization;
    return rc == LEAT_OK ? leat_bulk_open(state, &bulk, signal, world, conf->counts, reterr) : rc;
}
