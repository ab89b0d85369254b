/* SPDX-License-Identifier: Apache-2.0 */
#include "config/service.h"

#include <stdlib.h>
#include <string.h>

const char *const leat_log_levels[] = {"debug", "info", "warn", "error", "dpanic", "panic", "fatal", NULL};
static const char *const encodings[] = {"console", "json", NULL};
static const char *const metric_levels[] = {"none", "basic", "normal", "detailed", NULL};

#define IGNORED(name, why)                            \
    {                                                 \
        .key = name, .type = LEAT_IGNORED, .doc = why \
    }
#define REFUSED(name, why)                            \
    {                                                 \
        .key = name, .type = LEAT_REFUSED, .doc = why \
    }

/* ---- service::telemetry ---- */

#define READER(member) LEAT_AT(struct leat_metric_reader, member)

static const struct leat_field labels_fields[] = {
    {.key = "included", .type = LEAT_STRINGS, .offset = READER(constant_labels), .doc = "resource attributes by name"},
    REFUSED("excluded", "name the attributes to include instead"),
    {0}};
static const struct leat_field prometheus_fields[] = {
    {.key = "host", .type = LEAT_STRING, .offset = READER(host), .deflt = "localhost", .doc = "address to listen on"},
    {.key = "port",
     .type = LEAT_INT,
     .offset = READER(port),
     .deflt = "8888",
     .doc = "port to listen on",
     .max = 65535},
    {.key = "without_scope_info",
     .type = LEAT_BOOL,
     .offset = READER(without_scope_info),
     .deflt = "true",
     .doc = "leave out the otel_scope_* labels"},
    {.key = "without_units",
     .type = LEAT_BOOL,
     .offset = READER(without_units),
     .deflt = "true",
     .doc = "leave out unit suffixes such as _seconds"},
    {.key = "without_type_suffix",
     .type = LEAT_BOOL,
     .offset = READER(without_type_suffix),
     .deflt = "true",
     .doc = "leave out the type suffix _total"},
    {.key = "with_resource_constant_labels",
     .type = LEAT_SECTION,
     .fields = labels_fields,
     .doc = "resource attributes to put on every series"},
    {0}};
static const struct leat_field pull_exporter_fields[] = {{.key = "prometheus",
                                                          .type = LEAT_SECTION,
                                                          .fields = prometheus_fields,
                                                          .doc = "the Prometheus text format",
                                                          .present = LEAT_PRESENT(struct leat_metric_reader, written)},
                                                         {0}};
static const struct leat_field pull_fields[] = {
    {.key = "exporter", .type = LEAT_SECTION, .fields = pull_exporter_fields, .doc = "what is served"}, {0}};
static const struct leat_field reader_fields[] = {
    {.key = "pull", .type = LEAT_SECTION, .fields = pull_fields, .doc = "metrics that are fetched from leat"},
    REFUSED("periodic", "leat's own metrics are pulled; scrape them with a prometheus receiver to push them"),
    {0}};

#define TELEMETRY(member) LEAT_AT(struct leat_telemetry, member)

static const struct leat_field logs_fields[] = {
    {.key = "level",
     .type = LEAT_ENUM,
     .offset = TELEMETRY(log_level),
     .deflt = "info",
     .choices = leat_log_levels,
     .doc = "least severity that is logged"},
    {.key = "encoding",
     .type = LEAT_ENUM,
     .offset = TELEMETRY(log_encoding),
     .deflt = "console",
     .choices = encodings,
     .doc = "form of a log line"},
    {.key = "output_paths",
     .type = LEAT_STRINGS,
     .offset = TELEMETRY(log_output_paths),
     .deflt = "[stderr]",
     .doc = "stderr, stdout, or paths of files"},
    IGNORED("error_output_paths", "leat's logger reports its own failures on stderr"),
    IGNORED("development", "leat has one mode of logging"),
    IGNORED("disable_caller", "leat's log lines name no source line"),
    IGNORED("disable_stacktrace", "leat logs no stack traces"),
    IGNORED("sampling", "leat limits the rate of repeated log lines by itself"),
    IGNORED("initial_fields", "leat adds no fields to its log lines"),
    IGNORED("disable_zap_resource", "leat's log lines carry no resource"),
    REFUSED("processors", "leat sends its own logs to output_paths only"),
    {0}};
static const struct leat_field metrics_fields[] = {
    {.key = "level",
     .type = LEAT_ENUM,
     .offset = TELEMETRY(metric_level),
     .deflt = "normal",
     .choices = metric_levels,
     .doc = "how much leat tells about itself"},
    {.key = "readers",
     .type = LEAT_LIST,
     .offset = TELEMETRY(readers),
     .fields = reader_fields,
     .deflt = "[{pull: {exporter: {prometheus: {host: localhost, port: 8888}}}}]",
     .item_size = sizeof(struct leat_metric_reader),
     .doc = "where the metrics are read"},
    IGNORED("address", "the Collector ignores it since 0.123; use readers"),
    IGNORED("views", "leat's own metrics keep their attributes"),
    {0}};
const struct leat_field leat_telemetry_fields[] = {
    {.key = "logs", .type = LEAT_SECTION, .fields = logs_fields, .doc = "leat's own log"},
    {.key = "metrics", .type = LEAT_SECTION, .fields = metrics_fields, .doc = "leat's own metrics"},
    {.key = "resource",
     .type = LEAT_VALUE,
     .offset = TELEMETRY(resource_value),
     .doc = "attributes of leat itself: a map, or {attributes: [{name, value}]}"},
    IGNORED("traces", "leat records no spans about itself"),
    {0}};

/* ---- leat: ---- */

#define SETTING(member) LEAT_AT(struct leat_settings, member)

static const struct leat_field memory_fields[] = {
    {.key = "limit",
     .type = LEAT_STRING,
     .offset = SETTING(memory_limit_text),
     .deflt = "80%",
     .doc = "hard limit: a size, or a share of the cgroup's limit (of RAM without one)"},
    {.key = "soft_limit",
     .type = LEAT_STRING,
     .offset = SETTING(memory_soft_limit_text),
     .deflt = "80%",
     .doc = "above it receivers refuse: a size, or a share of limit"},
    {0}};
const struct leat_field leat_settings_fields[] = {
    {.key = "memory", .type = LEAT_SECTION, .fields = memory_fields, .doc = "the budget of all queues and buffers"},
    {.key = "shards",
     .type = LEAT_INT,
     .offset = SETTING(shards),
     .deflt = "1",
     .min = 1,
     .max = 256,
     .doc = "threads that carry telemetry"},
    {.key = "fanout_wait",
     .type = LEAT_DURATION,
     .offset = SETTING(fanout_wait_ns),
     .deflt = "5s",
     .doc = "how long a full branch may hold up the others"},
    {.key = "inflight_bytes",
     .type = LEAT_SIZE,
     .offset = SETTING(inflight_bytes),
     .deflt = "8MiB",
     .min = 65536,
     .doc = "bytes that sources which can wait keep before each destination while it takes them"},
    {.key = "shutdown_timeout",
     .type = LEAT_DURATION,
     .offset = SETTING(shutdown_timeout_ns),
     .deflt = "25s",
     .doc = "how long a stop may drain"},
    {0}};

/* ---- what rows cannot say ---- */

static const struct leat_node *null_if_absent(const struct leat_node *node, struct leat_node *spare)
{
    *spare = (struct leat_node){.kind = LEAT_NODE_SCALAR, .text = ""};
    return node ? node : spare;
}

static void add_attribute(struct leat_map *map, const char *key, const struct leat_value *value)
{
    map->at[map->count++] = (struct leat_pair){key, value->kind == LEAT_NULL ? NULL : value->text};
}

static const struct leat_value *member(const struct leat_value *map, const char *key)
{
    for (uint32_t i = 0; map->kind == LEAT_VALUE_MAP && i < map->count; i++)
        if (strcmp(map->keys[i], key) == 0)
            return &map->items[i];
    return NULL;
}

static void resource_from_list(struct leat_diag_list *diags, struct leat_mark mark, const struct leat_value *list,
                               struct leat_map *to)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct leat_value *name = member(&list->items[i], "name");
        const struct leat_value *value = member(&list->items[i], "value");
        if (name && value && name->kind == LEAT_VALUE_STRING && value->kind < LEAT_VALUE_LIST)
            add_attribute(to, name->text, value);
        else
            leat_diag_add(diags, LEAT_ERROR, mark, "service::telemetry::resource::attributes",
                          "attribute %u must be {name: a string, value: a single value}", i);
    }
}

static leat_rc make_resource(struct leat_yaml *yaml, struct leat_mark mark, struct leat_telemetry *telemetry)
{
    const char *path = "service::telemetry::resource";
    const struct leat_value *resource = &telemetry->resource_value;
    const struct leat_value *list = member(resource, "attributes");
    bool flat = !list || list->kind != LEAT_VALUE_LIST;
    if (resource->kind == LEAT_NULL)
        return LEAT_OK;
    if (resource->kind != LEAT_VALUE_MAP) {
        leat_diag_add(yaml->diags, LEAT_ERROR, mark, path, "must be a map of attributes");
        return LEAT_OK;
    }
    telemetry->resource.at =
        leat_arena_array(yaml->arena, flat ? resource->count : list->count, sizeof *telemetry->resource.at);
    if (!telemetry->resource.at)
        return LEAT_ENOMEM;
    if (!flat)
        resource_from_list(yaml->diags, mark, list, &telemetry->resource);
    for (uint32_t i = 0; i < resource->count; i++) {
        const struct leat_value *value = &resource->items[i];
        if (flat && value->kind < LEAT_VALUE_LIST)
            add_attribute(&telemetry->resource, resource->keys[i], value);
        else if (strncmp(resource->keys[i], "detection", 9) == 0)
            leat_diag_add(yaml->diags, LEAT_WARNING, mark, path,
                          "'%s' has no effect in leat: it detects no resource "
                          "for itself",
                          resource->keys[i]);
        else if (flat)
            leat_diag_add(yaml->diags, LEAT_ERROR, mark, path, "'%s' must be a single value", resource->keys[i]);
        else if (value != list && strcmp(resource->keys[i], "schema_url") != 0)
            leat_diag_add(yaml->diags, LEAT_ERROR, mark, path, "'' has invalid keys: %s", resource->keys[i]);
    }
    return LEAT_OK;
}

leat_rc leat_service_decode_telemetry(struct leat_yaml *yaml, const struct leat_node *node,
                                      struct leat_telemetry *telemetry)
{
    struct leat_node spare;
    struct leat_decoder d = {.yaml = yaml, .root = "service::telemetry"};
    struct leat_field_set set = {leat_telemetry_fields, telemetry};
    node = null_if_absent(node, &spare);
    leat_rc rc = leat_schema_decode(&d, node, &set, 1);
    const struct leat_node_pair *resource = leat_node_find(node, "resource");
    return rc == LEAT_OK ? make_resource(yaml, resource ? resource->mark : node->mark, telemetry) : rc;
}

/* "80%" or a size. */
static void decode_amount(struct leat_yaml *yaml, struct leat_mark mark, const char *path, const char *text,
                          struct leat_amount *to)
{
    struct leat_err err;
    char *end;
    double percent = strtod(text, &end);
    int64_t bytes = 0;
    if (end > text && strcmp(end, "%") == 0) {
        to->percent = percent;
        if (!(percent > 0 && percent <= 100))
            leat_diag_add(yaml->diags, LEAT_ERROR, mark, path, "a share must be over 0%% and at most 100%%, not %.40s",
                          text);
    } else if (leat_schema_size(text, &bytes, &err) != LEAT_OK)
        leat_diag_add(yaml->diags, LEAT_ERROR, mark, path, "%s; or a share such as 80%%", err.text);
    else if (bytes < 1 << 20)
        leat_diag_add(yaml->diags, LEAT_ERROR, mark, path, "must be at least 1MiB, not %.40s", text);
    else
        to->bytes = (uint64_t)bytes;
}

leat_rc leat_service_decode_settings(struct leat_yaml *yaml, const struct leat_node *node,
                                     struct leat_settings *settings)
{
    struct leat_node spare;
    struct leat_decoder d = {.yaml = yaml, .root = "leat"};
    struct leat_field_set set = {leat_settings_fields, settings};
    node = null_if_absent(node, &spare);
    leat_rc rc = leat_schema_decode(&d, node, &set, 1);
    if (rc != LEAT_OK)
        return rc;
    const struct leat_node_pair *memory = leat_node_find(node, "memory");
    const struct leat_node_pair *hard = memory ? leat_node_find(memory->value, "limit") : NULL;
    const struct leat_node_pair *soft = memory ? leat_node_find(memory->value, "soft_limit") : NULL;
    struct leat_mark soft_mark = soft ? soft->value->mark : node->mark;
    decode_amount(yaml, hard ? hard->value->mark : node->mark, "leat::memory::limit", settings->memory_limit_text,
                  &settings->memory_limit);
    decode_amount(yaml, soft_mark, "leat::memory::soft_limit", settings->memory_soft_limit_text,
                  &settings->memory_soft_limit);
    if (settings->memory_limit.bytes && settings->memory_soft_limit.bytes > settings->memory_limit.bytes)
        leat_diag_add(yaml->diags, LEAT_ERROR, soft_mark, "leat::memory::soft_limit", "must not be above limit");
    return yaml->arena->failed ? LEAT_ENOMEM : LEAT_OK;
}
