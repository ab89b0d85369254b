/* SPDX-License-Identifier: Apache-2.0 */
/* [{"targets": ["host:port"], "labels": {"name": "value"}}], in JSON or YAML; anything else in it is an error. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/discovery/discovery_inner.h"
#include "agent/yaml/yaml.h"
#include "proto/json/json_read.h"
#include "proto/utf8/utf8.h"

static struct leat_sd_group *new_group(const struct leat_sd_read *read, uint32_t index)
{
    char key[4200];
    int len = snprintf(key, sizeof key, "%.*s:%u", LEAT_SLICE_ARGS(read->source), index);
    struct leat_sd_group *group =
        leat_sd__group_new(leat_slice_of(key, len > 0 && (size_t)len < sizeof key ? (uint32_t)len : 0));
    if (group)
        leat_sd__label_str(group, &group->common, read->meta, read->source);
    return group;
}

static leat_rc put_label(struct leat_sd_group *group, struct leat_slice name, struct leat_slice value,
                         struct leat_err *reterr)
{
    if (!leat_label_name_is_utf8(name) || memchr(name.at, 0, name.len))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "\"%.*s\" is not a valid label name",
                          (int)(name.len < 100 ? name.len : 100), (const char *)name.at);
    if (!utf8_ok(value.at, value.len))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "a label value is not UTF-8");
    leat_sd__label(group, &group->common, name, value);
    return LEAT_OK;
}

static leat_rc put_target(struct leat_sd_group *group, struct leat_slice address, struct leat_err *reterr)
{
    if (!utf8_ok(address.at, address.len))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "a target is not UTF-8");
    leat_sd__label_str(group, leat_sd__target(group), "__address__", address);
    return LEAT_OK;
}

/* ---- JSON ---- */

struct json {
    struct json_reader reader;
    struct json_token token;
    enum json_type type;
};

static enum json_type next(struct json *json)
{
    return json->type = json_next(&json->reader, &json->token);
}

static leat_rc unexpected(const struct json *json, const char *wanted, struct leat_err *reterr)
{
    if (json->type == JSON_ERROR)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "byte %llu: %s", (unsigned long long)json_offset(&json->reader),
                          json->reader.why ? json->reader.why : "not JSON");
    return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "byte %llu: expected %s", (unsigned long long)json_offset(&json->reader),
                      wanted);
}

/* The token's text, unescaped where it must be, in the group's memory. */
static struct leat_slice text_of(struct leat_sd_group *group, const struct json_token *token)
{
    if (!token->escaped)
        return leat_slice_of(token->at, token->len);
    char *copy = leat_arena_get(&group->arena, token->len + 1u);
    return leat_slice_of(copy ? copy : "", copy ? json_unescape(token, copy) : 0);
}

static leat_rc json_targets(struct json *json, struct leat_sd_group *group, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    if (next(json) == JSON_NULL)
        return LEAT_OK;
    if (json->type != JSON_ARRAY)
        return unexpected(json, "a list of targets", reterr);
    while (rc == LEAT_OK && next(json) != JSON_ARRAY_END)
        rc = json->type == JSON_STRING ? put_target(group, text_of(group, &json->token), reterr)
                                       : unexpected(json, "a target, as a string", reterr);
    return rc;
}

static leat_rc json_labels(struct json *json, struct leat_sd_group *group, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    if (next(json) == JSON_NULL)
        return LEAT_OK;
    if (json->type != JSON_OBJECT)
        return unexpected(json, "labels, as an object", reterr);
    while (rc == LEAT_OK && next(json) != JSON_OBJECT_END) {
        if (json->type != JSON_KEY)
            return unexpected(json, "a label name", reterr);
        struct leat_slice name = text_of(group, &json->token);
        rc = next(json) == JSON_STRING ? put_label(group, name, text_of(group, &json->token), reterr)
                                       : unexpected(json, "a label value, as a string", reterr);
    }
    return rc;
}

static leat_rc json_entry(struct json *json, struct leat_sd_group *group, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    if (json->type != JSON_OBJECT)
        return unexpected(json, "an object with targets and labels", reterr);
    while (rc == LEAT_OK && next(json) != JSON_OBJECT_END) {
        if (json->type == JSON_KEY && json_is(&json->token, "targets"))
            rc = json_targets(json, group, reterr);
        else if (json->type == JSON_KEY && json_is(&json->token, "labels"))
            rc = json_labels(json, group, reterr);
        else if (json->type == JSON_KEY)
            rc = LEAT_RAISE(reterr, LEAT_EPARSE, 0, "unknown field \"%.*s\"",
                            (int)(json->token.len < 100 ? json->token.len : 100), json->token.at);
        else
            rc = unexpected(json, "targets or labels", reterr);
    }
    return rc;
}

static leat_rc give(const struct leat_sd_read *read, struct leat_sd_group *group, struct leat_err *reterr)
{
    leat_rc rc = read->each(read->ctx, group);
    return rc == LEAT_OK ? rc : LEAT_RAISE(reterr, rc, 0, "out of memory");
}

leat_rc leat_sd__read_json(const struct leat_sd_read *read, const void *at, size_t len, struct leat_err *reterr)
{
    struct json json;
    leat_rc rc = LEAT_OK;
    json_begin(&json.reader, at, len, 16);
    if (next(&json) == JSON_NULL && next(&json) == JSON_END)
        return LEAT_OK;
    if (json.type != JSON_ARRAY)
        return unexpected(&json, "a list", reterr);
    for (uint32_t index = 0; rc == LEAT_OK && next(&json) != JSON_ARRAY_END; index++) {
        struct leat_sd_group *group = new_group(read, index);
        if (!group)
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
        rc = json_entry(&json, group, reterr);
        if (rc == LEAT_OK)
            rc = give(read, group, reterr);
        else
            leat_sd__group_free(group);
    }
    if (rc == LEAT_OK && next(&json) != JSON_END)
        rc = unexpected(&json, "the end", reterr);
    return rc;
}

/* ---- YAML ---- */

static leat_rc yaml_wrong(const struct leat_node *node, const char *wanted, struct leat_err *reterr)
{
    return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "line %u: expected %s", node->mark.line, wanted);
}

static leat_rc yaml_entry(const struct leat_node *entry, struct leat_sd_group *group, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    if (entry->kind != LEAT_NODE_MAP)
        return yaml_wrong(entry, "a map with targets and labels", reterr);
    for (uint32_t i = 0; i < entry->count && rc == LEAT_OK; i++) {
        const struct leat_node *value = entry->pairs[i].value;
        bool targets = strcmp(entry->pairs[i].key, "targets") == 0;
        if (!targets && strcmp(entry->pairs[i].key, "labels") != 0)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "line %u: unknown field \"%.100s\"", entry->pairs[i].mark.line,
                              entry->pairs[i].key);
        if (leat_node_is_null(value))
            continue;
        if (value->kind != (targets ? LEAT_NODE_LIST : LEAT_NODE_MAP))
            return yaml_wrong(value, targets ? "a list of targets" : "labels, as a map", reterr);
        for (uint32_t k = 0; k < value->count && rc == LEAT_OK; k++) {
            const struct leat_node *item = targets ? value->items[k] : value->pairs[k].value;
            if (item->kind != LEAT_NODE_SCALAR)
                return yaml_wrong(item, "a string", reterr);
            struct leat_slice text = leat_slice_of(item->text, item->len);
            rc = targets ? put_target(group, text, reterr)
                         : put_label(group, leat_slice_str(value->pairs[k].key), text, reterr);
        }
    }
    return rc;
}

static leat_rc yaml_list(const struct leat_sd_read *read, const struct leat_node *root, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    if (leat_node_is_null(root))
        return LEAT_OK;
    if (root->kind != LEAT_NODE_LIST)
        return yaml_wrong(root, "a list", reterr);
    for (uint32_t i = 0; i < root->count && rc == LEAT_OK; i++) {
        struct leat_sd_group *group = new_group(read, i);
        if (!group)
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
        rc = yaml_entry(root->items[i], group, reterr);
        if (rc == LEAT_OK)
            rc = give(read, group, reterr);
        else
            leat_sd__group_free(group);
    }
    return rc;
}

leat_rc leat_sd__read_yaml(const struct leat_sd_read *read, const void *at, size_t len, struct leat_err *reterr)
{
    struct leat_arena arena = {0};
    struct leat_diag_list diags = {.arena = &arena};
    struct leat_yaml yaml = {.arena = &arena, .diags = &diags};
    struct leat_node *root = NULL;
    leat_rc rc = leat_yaml_parse(&yaml, "file", at, len, NULL, false, &root);
    if (rc == LEAT_OK)
        rc = yaml_list(read, root, reterr);
    else if (rc == LEAT_ENOMEM)
        rc = LEAT_RAISE(reterr, rc, 0, "out of memory");
    else
        rc = LEAT_RAISE(reterr, rc, 0, "line %u: %s", diags.count ? diags.at[0].mark.line : 0,
                        diags.count ? diags.at[0].text : "invalid YAML");
    leat_arena_done(&arena);
    return rc;
}
