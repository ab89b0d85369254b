/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "config/plan_inner.h"
#include "config/suggest.h"

#define PATH_BYTES 256

static void add_signal_names(uint32_t signals, char *to, size_t room)
{
    size_t len = 0;
    to[0] = 0;
    for (enum leat_signal signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        if (signals & LEAT_SIGNAL_BIT(signal) && len < room)
            len += (size_t)snprintf(to + len, room - len, "%s%s", len ? ", " : "", leat_signal_name(signal));
}

/* ---- references ---- */

/* A connector stands where receivers and exporters do; leat has none, and says so by its own name. */
static int64_t find_part(struct leat_plan *plan, enum leat_kind kind, const char *id)
{
    int64_t index = leat_plan__index(plan, kind, id);
    if (index < 0 && (kind == LEAT_KIND_RECEIVER || kind == LEAT_KIND_EXPORTER))
        index = leat_plan__index(plan, LEAT_KIND_CONNECTOR, id);
    return index;
}

static void check_signal(struct leat_plan *plan, const struct leat_plan_part *part, enum leat_signal signal,
                         const char *path, struct leat_mark mark)
{
    char takes[64];
    if (!part->type || part->type->signals & LEAT_SIGNAL_BIT(signal))
        return;
    add_signal_names(part->type->signals, takes, sizeof takes);
    leat_plan__error(plan, mark, path,
                     "%s \"%.100s\" does not support %s (telemetry type is not supported); it takes %s",
                     leat_kind_name(part->kind), part->id, leat_signal_name(signal), takes[0] ? takes : "none");
}

static void not_configured(struct leat_plan *plan, enum leat_kind kind, const struct leat_node *item, const char *path)
{
    struct leat_suggest near = leat_suggest_for(item->text);
    for (uint32_t i = 0; i < plan->part_count; i++)
        if (plan->parts[i].kind == kind)
            leat_suggest_offer(&near, plan->parts[i].id);
    leat_plan__error(plan, item->mark, path, "references %s \"%.100s\" which is not configured%s%s%s",
                     leat_kind_name(kind), item->text, near.best ? "; did you mean \"" : "", near.best ? near.best : "",
                     near.best ? "\"?" : "");
}

static bool listed(const struct leat_part_list *list, int64_t index)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i] == index)
            return true;
    return false;
}

static void add_reference(struct leat_plan *plan, enum leat_kind kind, const struct leat_node *item, const char *path,
                          struct leat_part_list *to)
{
    if (item->kind != LEAT_NODE_SCALAR) {
        leat_plan__error(plan, item->mark, path, "must be a list of ids, not of %ss", leat_node_kind_name(item));
        return;
    }
    int64_t index = find_part(plan, kind, item->text);
    if (index < 0)
        not_configured(plan, kind, item, path);
    else if (listed(to, index))
        leat_plan__error(plan, item->mark, path, "references %s \"%.100s\" multiple times", leat_kind_name(kind),
                         item->text);
    else {
        plan->parts[index].used = true;
        to->at[to->count++] = (uint32_t)index;
    }
}

static leat_rc add_references(struct leat_plan *plan, enum leat_kind kind, const struct leat_node *node,
                              const char *path, struct leat_part_list *to)
{
    if (!node || leat_node_is_null(node))
        return LEAT_OK;
    if (node->kind != LEAT_NODE_LIST) {
        leat_plan__error(plan, node->mark, path, "must be a list of %s ids, not a %s", leat_kind_name(kind),
                         leat_node_kind_name(node));
        return LEAT_OK;
    }
    to->at = leat_arena_array(&plan->arena, node->count, sizeof *to->at);
    if (!to->at)
        return LEAT_ENOMEM;
    for (uint32_t i = 0; i < node->count; i++)
        add_reference(plan, kind, node->items[i], path, to);
    return LEAT_OK;
}

/* ---- a pipeline ---- */

static bool signal_of_id(struct leat_plan *plan, const struct leat_node_pair *pair, enum leat_signal *ret_signal)
{
    size_t len = strcspn(pair->key, "/");
    for (enum leat_signal signal = 0; signal < LEAT_SIGNAL_COUNT; signal++) {
        const char *name = leat_signal_name(signal);
        if (strlen(name) == len && strncmp(name, pair->key, len) == 0 && (!pair->key[len] || pair->key[len + 1])) {
            *ret_signal = signal;
            return true;
        }
    }
    leat_plan__error(plan, pair->mark, "service::pipelines",
                     "unknown pipeline \"%.100s\": an id is logs, metrics, traces or profiles, and may have a /name",
                     pair->key);
    return false;
}

static const struct leat_node *list_of(const struct leat_node *body, const char *key)
{
    const struct leat_node_pair *pair = leat_node_find(body, key);
    return pair ? pair->value : NULL;
}

static void check_body(struct leat_plan *plan, const struct leat_node *body, const char *path)
{
    static const char *const known[] = {"receivers", "processors", "exporters"};
    for (uint32_t i = 0; body->kind == LEAT_NODE_MAP && i < body->count; i++) {
        struct leat_suggest near = leat_suggest_for(body->pairs[i].key);
        for (uint32_t j = 0; j < 3; j++)
            leat_suggest_offer(&near, known[j]);
        if (!near.best || strcmp(near.best, body->pairs[i].key) != 0)
            leat_plan__error(plan, body->pairs[i].mark, path, "'' has invalid keys: %.100s%s%s%s", body->pairs[i].key,
                             near.best ? "; did you mean \"" : "", near.best ? near.best : "", near.best ? "\"?" : "");
    }
    if (body->kind != LEAT_NODE_MAP && !leat_node_is_null(body))
        leat_plan__error(plan, body->mark, path, "must be a map of receivers, processors and exporters, not a %s",
                         leat_node_kind_name(body));
}

static void use_list(struct leat_plan *plan, const struct leat_plan_pipeline *pipeline, const struct leat_node *node,
                     const struct leat_part_list *list, const char *path)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct leat_plan_part *part = &plan->parts[list->at[i]];
        part->signals |= LEAT_SIGNAL_BIT(pipeline->signal);
        struct leat_mark mark = pipeline->mark;
        for (uint32_t j = 0; j < node->count; j++)
            if (node->items[j]->kind == LEAT_NODE_SCALAR && strcmp(node->items[j]->text, part->id) == 0)
                mark = node->items[j]->mark;
        check_signal(plan, part, pipeline->signal, path, mark);
    }
}

static leat_rc fill(struct leat_plan *plan, const struct leat_node *body, const char *path,
                    struct leat_plan_pipeline *pipeline)
{
    struct leat_part_list *lists[] = {&pipeline->receivers, &pipeline->processors, &pipeline->exporters};
    for (enum leat_kind kind = LEAT_KIND_RECEIVER; kind <= LEAT_KIND_EXPORTER; kind++) {
        const struct leat_node *node = list_of(body, leat_kind_section(kind));
        leat_rc rc = add_references(plan, kind, node, path, lists[kind]);
        if (rc != LEAT_OK)
            return rc;
        if (node)
            use_list(plan, pipeline, node, lists[kind], path);
        if (kind != LEAT_KIND_PROCESSOR &&
            (!node || leat_node_is_null(node) || (node->kind == LEAT_NODE_LIST && node->count == 0)))
            leat_plan__error(plan, node && node->mark.line ? node->mark : pipeline->mark, path,
                             "must have at least one %s", leat_kind_name(kind));
    }
    return LEAT_OK;
}

static leat_rc add_pipelines(struct leat_plan *plan, const struct leat_node *node)
{
    plan->pipelines = leat_arena_array(&plan->arena, node->count, sizeof *plan->pipelines);
    if (!plan->pipelines)
        return LEAT_ENOMEM;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct leat_node_pair *pair = &node->pairs[i];
        struct leat_plan_pipeline *pipeline = &plan->pipelines[plan->pipeline_count];
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "service::pipelines::%s", pair->key);
        if (!signal_of_id(plan, pair, &pipeline->signal))
            continue;
        pipeline->id = pair->key;
        pipeline->mark = pair->mark;
        plan->pipeline_count++;
        check_body(plan, pair->value, path);
        leat_rc rc = fill(plan, pair->value, path, pipeline);
        if (rc != LEAT_OK)
            return rc;
    }
    return LEAT_OK;
}

/* ---- service ---- */

static void check_keys(struct leat_plan *plan, const struct leat_node *service)
{
    static const char *const known[] = {"extensions", "pipelines", "telemetry"};
    for (uint32_t i = 0; i < service->count; i++) {
        const struct leat_node_pair *pair = &service->pairs[i];
        struct leat_suggest near = leat_suggest_for(pair->key);
        for (uint32_t j = 0; j < 3; j++)
            leat_suggest_offer(&near, known[j]);
        if (!near.best || strcmp(near.best, pair->key) != 0)
            leat_plan__error(plan, pair->mark, "service", "'service' has invalid keys: %.100s%s%s%s", pair->key,
                             near.best ? "; did you mean \"" : "", near.best ? near.best : "", near.best ? "\"?" : "");
    }
}

leat_rc leat_plan__service(struct leat_plan *plan, const struct leat_node *service)
{
    struct leat_node none = {.kind = LEAT_NODE_MAP, .mark = plan->root->mark};
    if (!service || leat_node_is_null(service))
        service = &none;
    if (service->kind != LEAT_NODE_MAP) {
        leat_plan__error(plan, service->mark, "service", "must be a map, not a %s", leat_node_kind_name(service));
        service = &none;
    }
    check_keys(plan, service);
    const struct leat_node_pair *pipelines = leat_node_find(service, "pipelines");
    leat_rc rc = add_references(plan, LEAT_KIND_EXTENSION, list_of(service, "extensions"), "service::extensions",
                                &plan->extensions);
    if (rc == LEAT_OK && pipelines && pipelines->value->kind == LEAT_NODE_MAP && pipelines->value->count)
        rc = add_pipelines(plan, pipelines->value);
    else if (rc == LEAT_OK)
        leat_plan__error(plan, pipelines ? pipelines->mark : service->mark, "service",
                         "service must have at least one pipeline");
    return rc == LEAT_OK ? leat_service_decode_telemetry(&plan->yaml, list_of(service, "telemetry"), &plan->telemetry)
                         : rc;
}
