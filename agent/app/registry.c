/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/app/registry.h"

#include "agent/app/conversions.h"
#include "agent/app/graph_inner.h"
#include "agent/base/check.h"
#include "agent/net/h2/grpc.h"
#include "components.def.h"

#define RECEIVER(name) extern const struct leat_receiver_type leat_receiver_##name;
#define PROCESSOR(name) extern const struct leat_processor_type leat_processor_##name;
#define EXPORTER(name) extern const struct leat_exporter_type leat_exporter_##name;
#define EXTENSION(name) extern const struct leat_extension_type leat_extension_##name;
LEAT_RECEIVERS(RECEIVER)
LEAT_PROCESSORS(PROCESSOR)
LEAT_EXPORTERS(EXPORTER)
LEAT_EXTENSIONS(EXTENSION)

static const struct leat_receiver_type *const receivers[] = {
#define X(name) &leat_receiver_##name,
    LEAT_RECEIVERS(X)
#undef X
        NULL};
static const struct leat_processor_type *const processors[] = {
#define X(name) &leat_processor_##name,
    LEAT_PROCESSORS(X)
#undef X
        NULL};
static const struct leat_exporter_type *const exporters[] = {
#define X(name) &leat_exporter_##name,
    LEAT_EXPORTERS(X)
#undef X
        NULL};
static const struct leat_extension_type *const extensions[] = {
#define X(name) &leat_extension_##name,
    LEAT_EXTENSIONS(X)
#undef X
        NULL};

static leat_rc deliver_check(const void *conf, struct leat_err *reterr) { return leat_deliver_check(conf, reterr); }

/* What exporters of a carrier share; graph_exporter.c finds delivery at 0 and the carrier at 1 (a file's at 0). */
static const struct leat_shared_fields deliver_http = {"delivery", leat_deliver_http_fields, sizeof(struct leat_deliver_conf), deliver_check};
static const struct leat_shared_fields deliver_grpc = {"delivery", leat_deliver_fields, sizeof(struct leat_deliver_conf), deliver_check};
static const struct leat_shared_fields http_client = {"HTTP client", leat_http_client_fields, sizeof(struct leat_http_client_conf), NULL};
static const struct leat_shared_fields grpc_client = {"gRPC client", leat_grpc_client_fields, sizeof(struct leat_grpc_client_conf), NULL};
static const struct leat_shared_fields file_fields = {"file", leat_file_carrier_fields, sizeof(struct leat_file_carrier_conf), NULL};

#define TYPES_MAX 128u
static struct leat_type_info types[TYPES_MAX];
static struct leat_catalog catalog = {.types = types};

static void add(struct leat_type_info info)
{
    LEAT_CHECK(catalog.count < TYPES_MAX);
    types[catalog.count++] = info;
}

static void add_exporter(const struct leat_exporter_type *t)
{
    struct leat_type_info info = {.kind = LEAT_KIND_EXPORTER, .name = t->name, .summary = t->summary, .aliases = t->aliases,
                                  .signals = t->signals, .conf_size = t->conf_size, .fields = t->fields,
                                  .defaults = t->defaults, .descriptor = t};
    if (t->carrier == LEAT_CARRIER_HTTP)
        info.shared[0] = &deliver_http, info.shared[1] = &http_client;
    else if (t->carrier == LEAT_CARRIER_GRPC)
        info.shared[0] = &deliver_grpc, info.shared[1] = &grpc_client;
    else if (t->carrier == LEAT_CARRIER_FILE)
        info.shared[0] = &file_fields;
    add(info);
}

const struct leat_catalog *leat_registry(void)
{
    if (catalog.count)
        return &catalog;
    for (int i = 0; receivers[i]; i++)
        add((struct leat_type_info){.kind = LEAT_KIND_RECEIVER, .name = receivers[i]->name, .summary = receivers[i]->summary,
                                    .aliases = receivers[i]->aliases, .signals = receivers[i]->signals,
                                    .conf_size = receivers[i]->conf_size, .fields = receivers[i]->fields,
                                    .defaults = receivers[i]->defaults, .check = receivers[i]->check,
                                    .descriptor = receivers[i]});
    for (int i = 0; processors[i]; i++)
        add((struct leat_type_info){.kind = LEAT_KIND_PROCESSOR, .name = processors[i]->name, .summary = processors[i]->summary,
                                    .aliases = processors[i]->aliases, .signals = processors[i]->signals,
                                    .conf_size = processors[i]->conf_size, .fields = processors[i]->fields,
                                    .defaults = processors[i]->defaults, .check = processors[i]->check,
                                    .descriptor = processors[i]});
    for (int i = 0; exporters[i]; i++)
        add_exporter(exporters[i]);
    for (int i = 0; extensions[i]; i++)
        add((struct leat_type_info){.kind = LEAT_KIND_EXTENSION, .name = extensions[i]->name, .summary = extensions[i]->summary,
                                    .aliases = extensions[i]->aliases, .conf_size = extensions[i]->conf_size,
                                    .fields = extensions[i]->fields, .defaults = extensions[i]->defaults,
                                    .check = extensions[i]->check, .descriptor = extensions[i]});
    return &catalog;
}

leat_rc leat_registry_check(struct leat_plan *plan)
{
    leat_rc worst = LEAT_OK;
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct leat_plan_part *part = &plan->parts[i];
        const struct leat_exporter_type *type = part->type ? part->type->descriptor : NULL;
        if (part->kind != LEAT_KIND_EXPORTER || !type || !type->check)
            continue;
        struct leat_exporter_conf conf = leat_graph__exporter_conf(type, part);
        struct leat_err err = {0};
        if (type->check(&conf, &err) == LEAT_OK)
            continue;
        worst = LEAT_ECONFIG;
        leat_diag_add(&plan->diags, LEAT_ERROR, part->mark, leat_kind_section(part->kind),
                      "error reading configuration for \"%s\": %s", part->id, err.text);
    }
    return leat_conversions_check(plan) == LEAT_OK ? worst : LEAT_ECONFIG;
}
