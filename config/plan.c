/* SPDX-License-Identifier: Apache-2.0 */
#include "config/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/alloc.h"
#include "config/plan_inner.h"
#include "config/suggest.h"

#define NAME_BYTES_MAX 1024u
#define TYPE_BYTES_MAX 63u

void leat_plan__error(struct leat_plan *plan, struct leat_mark mark, const char *path, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    leat_diag_add(&plan->diags, LEAT_ERROR, mark, path, "%s", text);
}

int64_t leat_plan__index(const struct leat_plan *plan, enum leat_kind kind, const char *id)
{
    for (uint32_t i = 0; i < plan->part_count; i++)
        if (plan->parts[i].kind == kind && strcmp(plan->parts[i].id, id) == 0)
            return i;
    return -1;
}

const struct leat_plan_part *leat_plan_find(const struct leat_plan *plan, enum leat_kind kind, const char *id)
{
    int64_t i = leat_plan__index(plan, kind, id);
    return i < 0 ? NULL : &plan->parts[i];
}

/* ---- ids ---- */

static bool type_ok(const char *type, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = type[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || (c != '_' && (c < '0' || c > '9'))))
            return false;
    }
    return len > 0 && len <= TYPE_BYTES_MAX;
}

static bool name_ok(const char *name)
{
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 127 || strchr("$+<=>^`|~", *at))
            return false;
    return *name && strlen(name) <= NAME_BYTES_MAX;
}

/* "type[/name]": answers the type, NULL after saying what is wrong. */
static const char *type_of_id(struct leat_plan *plan, const struct leat_node_pair *pair, const char *section)
{
    size_t len = strcspn(pair->key, "/");
    if (!type_ok(pair->key, len)) {
        leat_plan__error(plan, pair->mark, section,
                         "invalid id \"%.100s\": the type must match ^[a-zA-Z][0-9a-zA-Z_]{0,62}$", pair->key);
        return NULL;
    }
    if (pair->key[len] == '/' && !name_ok(pair->key + len + 1)) {
        leat_plan__error(plan, pair->mark, section,
                         "invalid id \"%.100s\": the name after the slash must not be empty, longer than 1024 or hold "
                         "spaces, control characters or symbols",
                         pair->key);
        return NULL;
    }
    return leat_arena_str(&plan->arena, pair->key, len);
}

/* ---- types ---- */

static void unknown_type(struct leat_plan *plan, const struct leat_catalog *catalog, const struct leat_plan_part *part)
{
    struct leat_suggest near = leat_suggest_for(part->type_name);
    char list[1024] = "";
    size_t len = 0;
    for (uint32_t i = 0; i < catalog->count; i++) {
        const struct leat_type_info *type = &catalog->types[i];
        if (type->kind != part->kind)
            continue;
        leat_suggest_offer(&near, type->name);
        for (const char *const *old = type->aliases; old && *old; old++)
            leat_suggest_offer(&near, *old);
        if (len < sizeof list)
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", len ? " " : "", type->name);
    }
    leat_plan__error(plan, part->mark, leat_kind_section(part->kind),
                     "unknown type: \"%s\" for id: \"%.100s\" (valid values: [%s])%s%s%s", part->type_name, part->id,
                     list, near.best ? "; did you mean \"" : "", near.best ? near.best : "", near.best ? "\"?" : "");
}

static bool alias_said(const struct leat_plan *plan, const struct leat_plan_part *part)
{
    for (const struct leat_plan_part *other = plan->parts; other < part; other++)
        if (other->kind == part->kind && strcmp(other->type_name, part->type_name) == 0)
            return true;
    return false;
}

static void find_type(struct leat_plan *plan, const struct leat_catalog *catalog, struct leat_plan_part *part)
{
    bool alias = false;
    struct leat_err err;
    part->type = leat_catalog_find(catalog, part->kind, part->type_name, &alias);
    if (part->type && part->type->load && part->type->load(part->type, &err) != LEAT_OK) {
        leat_plan__error(plan, part->mark, leat_kind_section(part->kind), "%s: %s", part->id, err.text);
        part->type = NULL;
        part->unloadable = true;
        return;
    }
    if (!part->type && !leat_known_component(part->kind, part->type_name))
        unknown_type(plan, catalog, part);
    if (alias && !alias_said(plan, part))
        leat_diag_add(&plan->diags, LEAT_WARNING, part->mark, leat_kind_section(part->kind),
                      "\"%s\" alias is deprecated; use \"%s\" instead", part->type_name, part->type->name);
}

/* A component that the Collector has and leat lacks: an error where it is needed, a warning where it lies idle. */
static void say_lacking(struct leat_plan *plan, const struct leat_plan_part *part)
{
    if (part->type || part->unloadable || !leat_known_component(part->kind, part->type_name))
        return;
    if (part->used)
        leat_plan__error(plan, part->mark, leat_kind_section(part->kind),
                         "the %s \"%s\" exists in the Collector but is not supported by leat",
                         leat_kind_name(part->kind), part->id);
    else
        leat_diag_add(&plan->diags, LEAT_WARNING, part->mark, leat_kind_section(part->kind),
                      "the %s \"%s\" is not supported by leat; nothing uses it, so it is left out",
                      leat_kind_name(part->kind), part->id);
}

/* ---- parts ---- */

static leat_rc add_section(struct leat_plan *plan, const struct leat_catalog *catalog, enum leat_kind kind)
{
    const struct leat_node_pair *section = leat_node_find(plan->root, leat_kind_section(kind));
    if (!section || leat_node_is_null(section->value))
        return LEAT_OK;
    if (section->value->kind != LEAT_NODE_MAP) {
        leat_plan__error(plan, section->value->mark, section->key, "must be a map of %ss by id, not a %s",
                         leat_kind_name(kind), leat_node_kind_name(section->value));
        return LEAT_OK;
    }
    for (uint32_t i = 0; i < section->value->count; i++) {
        const struct leat_node_pair *pair = &section->value->pairs[i];
        const char *type_name = type_of_id(plan, pair, section->key);
        if (!type_name)
            continue;
        struct leat_plan_part *part = &plan->parts[plan->part_count];
        *part = (struct leat_plan_part){
            .kind = kind, .id = pair->key, .type_name = type_name, .mark = pair->mark, .node = pair->value};
        find_type(plan, catalog, part);
        plan->part_count++;
    }
    return plan->arena.failed ? LEAT_ENOMEM : LEAT_OK;
}

static leat_rc add_parts(struct leat_plan *plan, const struct leat_catalog *catalog)
{
    uint32_t count = 0;
    for (enum leat_kind kind = 0; kind < LEAT_KIND_COUNT; kind++) {
        const struct leat_node_pair *section = leat_node_find(plan->root, leat_kind_section(kind));
        count += section ? section->value->count : 0;
    }
    plan->parts = leat_arena_array(&plan->arena, count, sizeof *plan->parts);
    leat_rc rc = plan->parts ? LEAT_OK : LEAT_ENOMEM;
    for (enum leat_kind kind = 0; kind < LEAT_KIND_COUNT && rc == LEAT_OK; kind++)
        rc = add_section(plan, catalog, kind);
    return rc;
}

static void run_checks(struct leat_plan *plan, const struct leat_plan_part *part, const char *path)
{
    struct leat_err err;
    const struct leat_type_info *type = part->type;
    if (type->check && type->check(part->conf, &err) != LEAT_OK)
        leat_plan__error(plan, part->mark, path, "%s", err.text);
    for (uint32_t i = 0; i < LEAT_SHARED_MAX && type->shared[i]; i++)
        if (type->shared[i]->check && type->shared[i]->check(part->shared[i], &err) != LEAT_OK)
            leat_plan__error(plan, part->mark, path, "%s", err.text);
}

static leat_rc decode_part(struct leat_plan *plan, struct leat_plan_part *part, struct leat_decoder *d)
{
    struct leat_field_set sets[1 + LEAT_SHARED_MAX];
    uint32_t set_count = 1, errors = plan->diags.errors;
    const struct leat_type_info *type = part->type;
    part->conf = leat_arena_get(&plan->arena, type->conf_size);
    sets[0] = (struct leat_field_set){type->fields, part->conf};
    for (uint32_t i = 0; i < LEAT_SHARED_MAX && type->shared[i]; i++) {
        part->shared[i] = leat_arena_get(&plan->arena, type->shared[i]->conf_size);
        sets[set_count++] = (struct leat_field_set){type->shared[i]->fields, part->shared[i]};
    }
    char *root = leat_arena_printf(&plan->arena, "%s::%s", leat_kind_section(part->kind), part->id);
    if (!root || plan->arena.failed)
        return LEAT_ENOMEM;
    d->root = root;
    d->id = part->id;
    d->defaults = type->defaults;
    d->owner = (uint32_t)(part - plan->parts);
    /* A null body stands where its key does. */
    struct leat_node empty = {.kind = LEAT_NODE_MAP, .mark = part->mark};
    leat_rc rc = leat_schema_decode(d, leat_node_is_null(part->node) ? &empty : part->node, sets, set_count);
    if (rc == LEAT_OK && plan->diags.errors == errors)
        run_checks(plan, part, root);
    return rc;
}

static void check_extension_refs(struct leat_plan *plan, const struct leat_decoder *d)
{
    for (const struct leat_extension_ref *ref = d->refs; ref; ref = ref->next) {
        const struct leat_plan_part *extension = leat_plan_find(plan, LEAT_KIND_EXTENSION, ref->name);
        if (!plan->parts[ref->owner].used)
            continue;
        if (!extension)
            leat_plan__error(plan, ref->mark, ref->path, "references extension \"%.100s\" which is not configured",
                             ref->name);
        else if (!extension->used)
            leat_plan__error(plan, ref->mark, ref->path,
                             "references extension \"%.100s\" which is not listed in service::extensions", ref->name);
    }
}

static leat_rc decode_parts(struct leat_plan *plan)
{
    struct leat_decoder d = {.yaml = &plan->yaml};
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; i < plan->part_count && rc == LEAT_OK; i++) {
        say_lacking(plan, &plan->parts[i]);
        if (plan->parts[i].type)
            rc = decode_part(plan, &plan->parts[i], &d);
    }
    if (rc == LEAT_OK)
        check_extension_refs(plan, &d);
    return rc;
}

/* ---- the document ---- */

static void check_top_keys(struct leat_plan *plan)
{
    static const char *const known[] = {"receivers",  "processors", "exporters", "connectors",
                                        "extensions", "service",    "leat",      NULL};
    for (uint32_t i = 0; i < plan->root->count; i++) {
        const struct leat_node_pair *pair = &plan->root->pairs[i];
        struct leat_suggest near = leat_suggest_for(pair->key);
        for (uint32_t j = 0; known[j]; j++)
            leat_suggest_offer(&near, known[j]);
        if (near.best && near.distance == 0 && strcmp(near.best, pair->key) == 0)
            continue;
        leat_plan__error(plan, pair->mark, "", "'' has invalid keys: %.100s%s%s%s", pair->key,
                         near.best ? "; did you mean \"" : "", near.best ? near.best : "", near.best ? "\"?" : "");
    }
}

static void check_has(struct leat_plan *plan, enum leat_kind kind)
{
    const struct leat_node_pair *section = leat_node_find(plan->root, leat_kind_section(kind));
    if (!section || section->value->count == 0)
        leat_plan__error(plan, section ? section->mark : plan->root->mark, "",
                         "no %s configuration specified in config", leat_kind_name(kind));
}

static void check_ambiguous(struct leat_plan *plan)
{
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct leat_plan_part *part = &plan->parts[i];
        if (part->kind != LEAT_KIND_CONNECTOR)
            continue;
        for (enum leat_kind kind = LEAT_KIND_RECEIVER; kind <= LEAT_KIND_EXPORTER; kind += LEAT_KIND_EXPORTER)
            if (leat_plan_find(plan, kind, part->id))
                leat_plan__error(plan, part->mark, "connectors",
                                 "%s: ambiguous ID: Found both \"%s\" %s and \"%s\" connector. Change one of the "
                                 "components' IDs to eliminate ambiguity",
                                 part->id, part->id, leat_kind_name(kind), part->id);
    }
}

static leat_rc build(struct leat_plan *plan, const struct leat_catalog *catalog)
{
    const struct leat_node_pair *service = leat_node_find(plan->root, "service");
    const struct leat_node_pair *settings = leat_node_find(plan->root, "leat");
    check_top_keys(plan);
    check_has(plan, LEAT_KIND_RECEIVER);
    check_has(plan, LEAT_KIND_EXPORTER);
    leat_rc rc = add_parts(plan, catalog);
    if (rc != LEAT_OK)
        return rc;
    check_ambiguous(plan);
    rc = leat_plan__service(plan, service ? service->value : NULL);
    if (rc == LEAT_OK)
        rc = leat_service_decode_settings(&plan->yaml, settings ? settings->value : NULL, &plan->settings);
    return rc == LEAT_OK ? decode_parts(plan) : rc;
}

static bool comes_after(const struct leat_diag *a, const struct leat_diag *b)
{
    int files = strcmp(a->mark.file, b->mark.file);
    if (files || a->mark.line != b->mark.line)
        return files ? files > 0 : a->mark.line > b->mark.line;
    return a->mark.column > b->mark.column;
}

static void sort_diags(struct leat_diag_list *list) /* stable, and short: LEAT_DIAGS_MAX */
{
    for (uint32_t i = 1; i < list->count; i++)
        for (uint32_t j = i; j > 0 && comes_after(&list->at[j - 1], &list->at[j]); j--) {
            struct leat_diag swap = list->at[j];
            list->at[j] = list->at[j - 1];
            list->at[j - 1] = swap;
        }
}

leat_rc leat_plan_load(const struct leat_catalog *catalog, const struct leat_outside *outside,
                       const struct leat_load_args *args, struct leat_plan **ret_plan)
{
    static const struct leat_outside process = {0};
    struct leat_plan *plan = leat_zalloc(1, sizeof *plan);
    if (!plan)
        return LEAT_ENOMEM;
    plan->arena.bytes_max = LEAT_PLAN_BYTES_MAX;
    plan->diags.arena = &plan->arena;
    plan->yaml = (struct leat_yaml){.arena = &plan->arena, .diags = &plan->diags};
    leat_rc rc = leat_load(&plan->yaml, outside ? outside : &process, args, &plan->root);
    if (rc == LEAT_OK)
        rc = build(plan, catalog);
    if (rc == LEAT_ENOMEM || plan->arena.failed) {
        leat_plan_free(plan);
        return LEAT_ENOMEM;
    }
    sort_diags(&plan->diags);
    *ret_plan = plan;
    return plan->diags.errors || rc != LEAT_OK ? LEAT_ECONFIG : LEAT_OK;
}

struct leat_plan *leat_plan_free(struct leat_plan *plan)
{
    if (plan)
        leat_arena_done(&plan->arena);
    leat_free(plan);
    return NULL;
}
