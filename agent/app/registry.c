/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/app/registry.h"

#include "agent/app/conversions.h"
#include "agent/app/graph_inner.h"
#include "agent/app/module.h"
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
/* Modules are here only where they are linked in, as the contract suite does; else they are NULL and opened when named. */
LEAT_RECEIVER_MODULES(__attribute__((weak)) RECEIVER)
LEAT_PROCESSOR_MODULES(__attribute__((weak)) PROCESSOR)
LEAT_EXPORTER_MODULES(__attribute__((weak)) EXPORTER)
LEAT_EXTENSION_MODULES(__attribute__((weak)) EXTENSION)

struct component {
    enum leat_kind kind;
    const char *name;
    const void *descriptor;
};
static const struct component components[] = {
#define X(name) {LEAT_KIND_RECEIVER, #name, &leat_receiver_##name},
    LEAT_RECEIVERS(X) LEAT_RECEIVER_MODULES(X)
#undef X
#define X(name) {LEAT_KIND_PROCESSOR, #name, &leat_processor_##name},
    LEAT_PROCESSORS(X) LEAT_PROCESSOR_MODULES(X)
#undef X
#define X(name) {LEAT_KIND_EXPORTER, #name, &leat_exporter_##name},
    LEAT_EXPORTERS(X) LEAT_EXPORTER_MODULES(X)
#undef X
#define X(name) {LEAT_KIND_EXTENSION, #name, &leat_extension_##name},
    LEAT_EXTENSIONS(X) LEAT_EXTENSION_MODULES(X)
#undef X
};
#define COMPONENT_COUNT (sizeof components / sizeof *components)

static leat_rc deliver_check(const void *conf, struct leat_err *reterr) { return leat_deliver_check(conf, reterr); }

/* What exporters of a carrier share; graph_exporter.c finds delivery at 0 and the carrier at 1 (a file's at 0). */
static const struct leat_shared_fields deliver_http = {"delivery", leat_deliver_http_fields, sizeof(struct leat_deliver_conf), deliver_check};
static const struct leat_shared_fields deliver_grpc = {"delivery", leat_deliver_fields, sizeof(struct leat_deliver_conf), deliver_check};
static const struct leat_shared_fields http_client = {"HTTP client", leat_http_client_fields, sizeof(struct leat_http_client_conf), NULL};
static const struct leat_field http_section_fields[] = {
    {.key = "http", .type = LEAT_SECTION, .fields = leat_http_client_fields, .doc = "the HTTP client"}, {0}};
static const struct leat_shared_fields http_section = {"HTTP client", http_section_fields, sizeof(struct leat_http_client_conf), NULL};
static const struct leat_shared_fields grpc_client = {"gRPC client", leat_grpc_client_fields, sizeof(struct leat_grpc_client_conf), NULL};
static const struct leat_shared_fields file_fields = {"file", leat_file_carrier_fields, sizeof(struct leat_file_carrier_conf), NULL};

#define DELIVERIES_MAX 16u /* exporters with rows of their own for delivery */

static struct leat_type_info types[COMPONENT_COUNT];
static struct leat_catalog catalog = {.types = types};

static struct leat_type_info receiver_info(const struct leat_receiver_type *t)
{
    return (struct leat_type_info){.kind = LEAT_KIND_RECEIVER, .name = t->name, .summary = t->summary, .aliases = t->aliases,
                                   .signals = t->signals, .conf_size = t->conf_size, .fields = t->fields,
                                   .defaults = t->defaults, .check = t->check, .descriptor = t};
}

static struct leat_type_info processor_info(const struct leat_processor_type *t)
{
    return (struct leat_type_info){.kind = LEAT_KIND_PROCESSOR, .name = t->name, .summary = t->summary, .aliases = t->aliases,
                                   .signals = t->signals, .conf_size = t->conf_size, .fields = t->fields,
                                   .defaults = t->defaults, .check = t->check, .descriptor = t};
}

static struct leat_type_info extension_info(const struct leat_extension_type *t)
{
    return (struct leat_type_info){.kind = LEAT_KIND_EXTENSION, .name = t->name, .summary = t->summary, .aliases = t->aliases,
                                   .conf_size = t->conf_size, .fields = t->fields, .defaults = t->defaults,
                                   .check = t->check, .descriptor = t};
}

/* An exporter's own rows for delivery, in a table that lives as long as the catalog. */
static const struct leat_shared_fields *delivery_of(const struct leat_exporter_type *t, const struct leat_shared_fields *usual)
{
    static struct leat_shared_fields own[DELIVERIES_MAX];
    uint32_t i = 0;
    if (!t->delivery)
        return usual;
    while (i < DELIVERIES_MAX - 1 && own[i].fields && own[i].fields != t->delivery)
        i++;
    own[i] = (struct leat_shared_fields){"delivery", t->delivery, sizeof(struct leat_deliver_conf), deliver_check};
    return &own[i];
}

static struct leat_type_info exporter_info(const struct leat_exporter_type *t)
{
    struct leat_type_info info = {.kind = LEAT_KIND_EXPORTER, .name = t->name, .summary = t->summary, .aliases = t->aliases,
                                  .signals = t->signals, .conf_size = t->conf_size, .fields = t->fields,
                                  .defaults = t->defaults, .descriptor = t};
    if (t->carrier == LEAT_CARRIER_HTTP)
        info.shared[0] = delivery_of(t, &deliver_http), info.shared[1] = t->carrier_section ? &http_section : &http_client;
    else if (t->carrier == LEAT_CARRIER_GRPC)
        info.shared[0] = &deliver_grpc, info.shared[1] = &grpc_client;
    else if (t->carrier == LEAT_CARRIER_OWN)
        info.shared[0] = &deliver_grpc; /* the same keys and defaults */
    else if (t->carrier == LEAT_CARRIER_FILE)
        info.shared[0] = &file_fields;
    return info;
}

static struct leat_type_info info_of(enum leat_kind kind, const void *descriptor)
{
    if (kind == LEAT_KIND_RECEIVER)
        return receiver_info(descriptor);
    if (kind == LEAT_KIND_PROCESSOR)
        return processor_info(descriptor);
    return kind == LEAT_KIND_EXPORTER ? exporter_info(descriptor) : extension_info(descriptor);
}

static leat_rc load(const struct leat_type_info *type, struct leat_err *reterr)
{
    const void *descriptor = NULL;
    leat_rc rc = leat_module_open(type->kind, type->name, &descriptor, reterr);
    if (rc == LEAT_OK)
        types[type - types] = info_of(type->kind, descriptor);
    return rc;
}

const struct leat_catalog *leat_registry(void)
{
    for (; catalog.count < COMPONENT_COUNT; catalog.count++) {
        const struct component *c = &components[catalog.count];
        types[catalog.count] = c->descriptor ? info_of(c->kind, c->descriptor)
                                             : (struct leat_type_info){.kind = c->kind, .name = c->name, .load = load};
    }
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
