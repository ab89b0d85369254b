/* SPDX-License-Identifier: Apache-2.0 */
#include "receivers/otlp/otlp.h"

#define IN_PROTOCOLS(member) \
    (uint32_t)(offsetof(struct otlp_conf, protocols.member) - offsetof(struct otlp_conf, protocols))
#define PATH(signal) (uint32_t)(offsetof(struct otlp_http_conf, url_path) + (signal) * sizeof(const char *))

static const struct leat_field http_fields[] = {
    {.key = "",
     .type = LEAT_INLINE,
     .offset = LEAT_AT(struct otlp_http_conf, server),
     .fields = leat_http_server_fields},
    {"logs_url_path", LEAT_STRING, PATH(LEAT_LOGS), "/v1/logs", "where logs are posted"},
    {"metrics_url_path", LEAT_STRING, PATH(LEAT_METRICS), "/v1/metrics", "where metrics are posted"},
    {"traces_url_path", LEAT_STRING, PATH(LEAT_TRACES), "/v1/traces", "where traces are posted"},
    {0}};

static const struct leat_field protocol_fields[] = {{.key = "grpc",
                                                     .type = LEAT_SECTION,
                                                     .offset = IN_PROTOCOLS(grpc),
                                                     .fields = leat_grpc_server_fields,
                                                     .present = 1 + IN_PROTOCOLS(has_grpc),
                                                     .doc = "gRPC; served only when written"},
                                                    {.key = "http",
                                                     .type = LEAT_SECTION,
                                                     .offset = IN_PROTOCOLS(http),
                                                     .fields = http_fields,
                                                     .present = 1 + IN_PROTOCOLS(has_http),
                                                     .doc = "HTTP with protobuf and JSON; served only when written"},
                                                    {0}};

const struct leat_field otlp_fields[] = {
    {.key = "protocols",
     .type = LEAT_SECTION,
     .offset = LEAT_AT(struct otlp_conf, protocols),
     .fields = protocol_fields,
     .doc = "the protocols to serve"},
    {"max_waiting_bytes", LEAT_SIZE, LEAT_AT(struct otlp_conf, max_waiting_bytes), "32MiB",
     "with block_on_overflow: bodies that wait for room, a shard; more are refused (503, UNAVAILABLE)", 0, 0, 1e12,
     NULL, NULL, 0, 0},
    {0}};

const struct leat_default otlp_defaults[] = {
    {"protocols::grpc::endpoint", "localhost:4317"}, {"protocols::http::endpoint", "localhost:4318"}, {0}};

const struct leat_counter_def otlp_counters[] = {
    [OTLP_BAD_PROTOBUF] = {"otlp_refused_requests_total", "reason=\"bad_protobuf\"", "requests refused for good"},
    [OTLP_BAD_JSON] = {"otlp_refused_requests_total", "reason=\"bad_json\"", "requests refused for good"},
    [OTLP_BAD_CODING] = {"otlp_refused_requests_total", "reason=\"bad_compression\"", "requests refused for good"},
    [OTLP_BAD_TYPE] = {"otlp_refused_requests_total", "reason=\"bad_content_type\"", "requests refused for good"},
    [OTLP_TOO_LARGE] = {"otlp_refused_requests_total", "reason=\"too_large\"", "requests refused for good"},
    [OTLP_UNAUTHENTICATED] = {"otlp_refused_requests_total", "reason=\"unauthenticated\"", "requests refused for good"},
    [OTLP_NO_ROOM] = {"otlp_refused_requests_total", "reason=\"no_room\"", "requests told to come again"},
    [OTLP_NEVER] = {"otlp_refused_requests_total", "reason=\"pipeline\"", "requests refused for good"},
    [OTLP_BAD_PATH] = {"otlp_refused_requests_total", "reason=\"unknown_path\"", "requests refused for good"},
    [OTLP_BAD_METHOD] = {"otlp_refused_requests_total", "reason=\"method\"", "requests refused for good"},
    [OTLP_DEADLINE] = {"otlp_refused_requests_total", "reason=\"deadline\"",
                       "requests whose time was over while they waited"},
    [OTLP_EMPTY] = {"otlp_empty_requests_total", "", "requests without items"},
    [OTLP_WAITED] = {"otlp_waited_requests_total", "", "requests that waited for room (block_on_overflow)"},
    {0}};

leat_rc otlp_check(const void *conf, struct leat_err *reterr)
{
    const struct otlp_conf *otlp = conf;
    if (otlp->protocols.has_grpc || otlp->protocols.has_http)
        return LEAT_OK;
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "must specify at least one protocol when using the OTLP receiver");
}
