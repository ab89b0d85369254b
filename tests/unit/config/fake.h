/* SPDX-License-Identifier: Apache-2.0 */
/* fake -- a catalog of made-up components that use every type of field, and an outside world without files. */
#pragma once
#include <string.h>

#include "config/plan.h"

struct fake_endpoint {
    bool present;
    const char *endpoint;
    int64_t max_streams;
};
struct fake_otlp {
    struct fake_endpoint grpc, http;
};

#define FAKE_ENDPOINT(member, port)                                                              \
    {.key = "endpoint",                                                                          \
     .type = LEAT_STRING,                                                                        \
     .offset = LEAT_AT(struct fake_otlp, member.endpoint),                                       \
     .deflt = "localhost:" port,                                                                 \
     .doc = "where to listen"},                                                                  \
        {.key = "max_concurrent_streams",                                                        \
         .type = LEAT_INT,                                                                       \
         .offset = LEAT_AT(struct fake_otlp, member.max_streams),                                \
         .deflt = "100",                                                                         \
         .min = 0,                                                                               \
         .max = 1000,                                                                            \
         .doc = "streams per connection"},                                                       \
        {.key = "read_buffer_size", .type = LEAT_IGNORED, .doc = "buffers grow by themselves"},  \
        {.key = "middlewares", .type = LEAT_REFUSED, .doc = "there is no chain of middlewares"}, \
    {                                                                                            \
        0                                                                                        \
    }

static const struct leat_field fake_grpc_fields[] = {FAKE_ENDPOINT(grpc, "4317")};
static const struct leat_field fake_http_fields[] = {FAKE_ENDPOINT(http, "4318")};
static const struct leat_field fake_protocols_fields[] = {{.key = "grpc",
                                                           .type = LEAT_SECTION,
                                                           .fields = fake_grpc_fields,
                                                           .doc = "OTLP over gRPC",
                                                           .present = LEAT_PRESENT(struct fake_otlp, grpc.present)},
                                                          {.key = "http",
                                                           .type = LEAT_SECTION,
                                                           .fields = fake_http_fields,
                                                           .doc = "OTLP over HTTP",
                                                           .present = LEAT_PRESENT(struct fake_otlp, http.present)},
                                                          {0}};
static const struct leat_field fake_otlp_fields[] = {
    {.key = "protocols", .type = LEAT_SECTION, .fields = fake_protocols_fields, .doc = "what to speak"}, {0}};

static inline leat_rc fake_otlp_check(const void *at, struct leat_err *reterr)
{
    const struct fake_otlp *conf = at;
    if (!conf->grpc.present && !conf->http.present)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "must specify at least one protocol when using the OTLP receiver");
    return LEAT_OK;
}

struct fake_rule {
    const char *key;
    int action;
    struct leat_value value;
};
struct fake_file_log {
    struct leat_strings include;
    int start_at;
    int64_t poll_interval_ns, max_log_size;
    double share;
    struct leat_map attributes;
    struct leat_items rules;
    const char *storage;
    bool include_file_path;
};
static const char *const fake_starts[] = {"beginning", "end", NULL};
static const char *const fake_actions[] = {"insert", "update", "upsert", "delete", NULL};
static const struct leat_field fake_rule_fields[] = {
    {.key = "key",
     .type = LEAT_STRING,
     .offset = LEAT_AT(struct fake_rule, key),
     .flags = LEAT_REQUIRED,
     .doc = "attribute to change"},
    {.key = "action",
     .type = LEAT_ENUM,
     .offset = LEAT_AT(struct fake_rule, action),
     .choices = fake_actions,
     .deflt = "upsert",
     .doc = "what to do"},
    {.key = "value", .type = LEAT_VALUE, .offset = LEAT_AT(struct fake_rule, value), .doc = "the value"},
    {0}};
#define FAKE_LOG(member) LEAT_AT(struct fake_file_log, member)
static const struct leat_field fake_file_log_fields[] = {
    {.key = "include", .type = LEAT_STRINGS, .offset = FAKE_LOG(include), .flags = LEAT_REQUIRED, .doc = "globs"},
    {.key = "start_at",
     .type = LEAT_ENUM,
     .offset = FAKE_LOG(start_at),
     .choices = fake_starts,
     .deflt = "end",
     .doc = "where to begin"},
    {.key = "poll_interval",
     .type = LEAT_DURATION,
     .offset = FAKE_LOG(poll_interval_ns),
     .deflt = "200ms",
     .min = 1e6,
     .max = 300e9,
     .doc = "how often to look"},
    {.key = "max_log_size",
     .type = LEAT_SIZE,
     .offset = FAKE_LOG(max_log_size),
     .deflt = "1MiB",
     .min = 1,
     .doc = "longest record"},
    {.key = "share",
     .type = LEAT_DOUBLE,
     .offset = FAKE_LOG(share),
     .deflt = "0.5",
     .min = 0,
     .max = 1,
     .doc = "a share"},
    {.key = "attributes", .type = LEAT_MAP, .offset = FAKE_LOG(attributes), .doc = "added to each record"},
    {.key = "rules",
     .type = LEAT_LIST,
     .offset = FAKE_LOG(rules),
     .fields = fake_rule_fields,
     .item_size = sizeof(struct fake_rule),
     .doc = "changes"},
    {.key = "storage",
     .type = LEAT_STRING,
     .offset = FAKE_LOG(storage),
     .flags = LEAT_EXTENSION,
     .doc = "extension that keeps positions"},
    {.key = "include_file_path",
     .type = LEAT_BOOL,
     .offset = FAKE_LOG(include_file_path),
     .deflt = "false",
     .doc = "add log.file.path"},
    {0}};

struct fake_http_conf {
    const char *endpoint, *token;
    struct leat_map headers;
};
#define FAKE_HTTP(member) LEAT_AT(struct fake_http_conf, member)
struct fake_target {
    const char *endpoint;
};
static const struct leat_field fake_target_fields[] = {{.key = "endpoint",
                                                        .type = LEAT_STRING,
                                                        .offset = LEAT_AT(struct fake_target, endpoint),
                                                        .flags = LEAT_REQUIRED,
                                                        .doc = "base URL"},
                                                       {0}};
static const struct leat_field fake_otlp_http_fields[] = {
    {.key = "", .type = LEAT_INLINE, .offset = FAKE_HTTP(endpoint), .fields = fake_target_fields},
    {.key = "token", .type = LEAT_STRING, .offset = FAKE_HTTP(token), .flags = LEAT_SECRET, .doc = "sent as bearer"},
    {.key = "headers", .type = LEAT_MAP, .offset = FAKE_HTTP(headers), .flags = LEAT_SECRET, .doc = "sent along"},
    {.key = "url", .type = LEAT_STRING, .offset = FAKE_HTTP(endpoint), .flags = LEAT_DEPRECATED, .doc = "use endpoint"},
    {0}};

struct fake_delivery {
    int64_t timeout_ns;
    bool retry;
    int64_t queue_size;
    bool batch;
    int64_t min_size;
};
#define FAKE_DELIVERY(member) LEAT_AT(struct fake_delivery, member)
static const struct leat_field fake_batch_fields[] = {
    {.key = "min_size", .type = LEAT_INT, .offset = FAKE_DELIVERY(min_size), .deflt = "8192", .doc = "items"}, {0}};
static const struct leat_field fake_queue_fields[] = {{.key = "queue_size",
                                                       .type = LEAT_INT,
                                                       .offset = FAKE_DELIVERY(queue_size),
                                                       .deflt = "1000",
                                                       .min = 1,
                                                       .doc = "requests held"},
                                                      {.key = "batch",
                                                       .type = LEAT_SECTION,
                                                       .fields = fake_batch_fields,
                                                       .doc = "merge requests",
                                                       .present = LEAT_PRESENT(struct fake_delivery, batch)},
                                                      {0}};
static const struct leat_field fake_retry_fields[] = {
    {.key = "enabled", .type = LEAT_BOOL, .offset = FAKE_DELIVERY(retry), .deflt = "true", .doc = "retry"}, {0}};
static const struct leat_field fake_delivery_fields[] = {
    {.key = "timeout", .type = LEAT_DURATION, .offset = FAKE_DELIVERY(timeout_ns), .deflt = "5s", .doc = "per attempt"},
    {.key = "sending_queue", .type = LEAT_SECTION, .fields = fake_queue_fields, .doc = "the queue"},
    {.key = "retry_on_failure", .type = LEAT_SECTION, .fields = fake_retry_fields, .doc = "retries"},
    {0}};
static inline leat_rc fake_delivery_check(const void *at, struct leat_err *reterr)
{
    const struct fake_delivery *conf = at;
    if (conf->batch && conf->min_size > conf->queue_size)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "min_size must be less than or equal to queue_size");
    return LEAT_OK;
}
static const struct leat_shared_fields fake_delivery = {"delivery", fake_delivery_fields, sizeof(struct fake_delivery),
                                                        fake_delivery_check};
static const struct leat_default fake_http_defaults[] = {{"timeout", "30s"}, {0}};

static const char *const fake_file_log_old[] = {"filelog", NULL};
static const char *const fake_otlp_http_old[] = {"otlphttp", NULL};
static const struct leat_field fake_no_fields[] = {{0}};

static const struct leat_type_info fake_types[] = {
    {LEAT_KIND_RECEIVER,
     "otlp",
     "takes OTLP",
     NULL,
     LEAT_ALL_SIGNALS,
     sizeof(struct fake_otlp),
     fake_otlp_fields,
     fake_otlp_check,
     {NULL},
     NULL,
     NULL},
    {LEAT_KIND_RECEIVER,
     "file_log",
     "tails files",
     fake_file_log_old,
     LEAT_SIGNAL_BIT(LEAT_LOGS),
     sizeof(struct fake_file_log),
     fake_file_log_fields,
     NULL,
     {NULL},
     NULL,
     NULL},
    {LEAT_KIND_PROCESSOR, "batch", "gathers", NULL, LEAT_ALL_SIGNALS, 0, fake_no_fields, NULL, {NULL}, NULL, NULL},
    {LEAT_KIND_EXPORTER,
     "otlp_http",
     "sends OTLP",
     fake_otlp_http_old,
     LEAT_ALL_SIGNALS,
     sizeof(struct fake_http_conf),
     fake_otlp_http_fields,
     NULL,
     {&fake_delivery},
     fake_http_defaults,
     NULL},
    {LEAT_KIND_EXPORTER, "debug", "prints", NULL, LEAT_ALL_SIGNALS, 0, fake_no_fields, NULL, {NULL}, NULL, NULL},
    {LEAT_KIND_EXTENSION, "file_storage", "keeps state", NULL, 0, 0, fake_no_fields, NULL, {NULL}, NULL, NULL},
};
static const struct leat_catalog fake_catalog = {fake_types, sizeof fake_types / sizeof fake_types[0]};

static inline const char *fake_env(void *ctx, const char *name)
{
    (void)ctx;
    static const char *const env[][2] = {{"NUMBER", "7"},         {"ZEROS", "0123"},   {"EMPTY", ""},
                                         {"NAME", "NUMBER"},      {"TEXT", "a b"},     {"LIST", "[a, b]"},
                                         {"NESTED", "${NUMBER}"}, {"LOOP", "${LOOP}"}, {"GROW", "x${GROW}x"},
                                         {"MAP", "{grpc: }"},     {"BAD", "[a"},       {"QUOTED", "\"q\""}};
    for (size_t i = 0; i < sizeof env / sizeof env[0]; i++)
        if (strcmp(env[i][0], name) == 0)
            return env[i][1];
    return NULL;
}

static inline leat_rc fake_read(void *ctx, const char *path, struct leat_arena *arena, const char **ret_at,
                                size_t *ret_len, struct leat_err *reterr)
{
    (void)ctx;
    static const char *const files[][2] = {{"token", "secret\n"},
                                           {"exporters.yaml", "debug:\notlp_http:\n  endpoint: ${TEXT}\n"},
                                           {"number", "7\n"},
                                           {"self", "a: ${file:self}\n"}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(files[i][0], path) == 0) {
            *ret_len = strlen(files[i][1]);
            *ret_at = leat_arena_str(arena, files[i][1], *ret_len);
            return *ret_at ? LEAT_OK : LEAT_ENOMEM;
        }
    return LEAT_RAISE(reterr, LEAT_ENOENT, 0, "unable to read the file %s: there is none", path);
}

static const struct leat_outside fake_outside = {fake_env, fake_read, NULL};

/* One inline document to a plan. */
static inline leat_rc fake_load(const char *text, struct leat_plan **ret_plan)
{
    struct leat_strbuf arg = {0};
    leat_strbuf_printf(&arg, "yaml:%s", text);
    if (arg.failed) {
        leat_strbuf_done(&arg);
        return LEAT_ENOMEM;
    }
    const char *configs[] = {arg.at};
    struct leat_load_args args = {configs, 1, NULL, 0};
    leat_rc rc = leat_plan_load(&fake_catalog, &fake_outside, &args, ret_plan);
    leat_strbuf_done(&arg);
    return rc;
}
