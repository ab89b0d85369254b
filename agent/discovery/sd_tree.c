/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/sd_tree.h"

#define DEPTH_MAX 64u

static struct leat_slice text_of(struct leat_arena *arena, const struct json_token *token)
{
    if (!token->escaped)
        return leat_slice_of(token->at, token->len);
    char *copy = leat_arena_get(arena, token->len + 1u);
    return leat_slice_of(copy ? copy : "", copy ? json_unescape(token, copy) : 0);
}

static void append(struct sd_tree *parent, struct sd_tree *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

const struct sd_tree *sd_tree_read(struct leat_arena *arena, struct leat_slice json)
{
    struct json_reader reader;
    struct json_token token;
    struct sd_tree root = {.type = JSON_ARRAY}, *open[DEPTH_MAX + 2] = {&root};
    struct leat_slice key = {0};
    uint32_t depth = 0;
    json_begin(&reader, json.at, json.len, DEPTH_MAX);
    for (enum json_type type; (type = json_next(&reader, &token)) != JSON_END;) {
        if (type == JSON_ERROR)
            return NULL;
        if (type == JSON_KEY) {
            key = text_of(arena, &token);
            if (leat_slice_is(key, "managedFields") && !json_skip(&reader))
                return NULL;
            continue;
        }
        if (type == JSON_OBJECT_END || type == JSON_ARRAY_END) {
            depth--;
            continue;
        }
        struct sd_tree *node = leat_arena_get(arena, sizeof *node);
        if (!node)
            return NULL;
        node->type = type;
        node->key = open[depth]->type == JSON_OBJECT ? key : (struct leat_slice){0};
        if (type == JSON_STRING || type == JSON_NUMBER)
            node->text = type == JSON_STRING ? text_of(arena, &token) : leat_slice_of(token.at, token.len);
        append(open[depth], node);
        if (type == JSON_OBJECT || type == JSON_ARRAY)
            open[++depth] = node;
    }
    return arena->failed ? NULL : root.first;
}

const struct sd_tree *sd_tree_get(const struct sd_tree *node, const char *key)
{
    static const struct sd_tree none = {.type = JSON_NULL};
    struct leat_slice wanted = leat_slice_str(key);
    for (const struct sd_tree *at = node->type == JSON_OBJECT ? node->first : NULL; at; at = at->next)
        if (leat_slice_eq(at->key, wanted))
            return at;
    return &none;
}

struct leat_slice sd_tree_text(const struct sd_tree *node, const char *key)
{
    const struct sd_tree *found = sd_tree_get(node, key);
    return found->text.len ? found->text : leat_slice_of("", 0);
}

bool sd_tree_has(const struct sd_tree *node, const char *key)
{
    return sd_tree_get(node, key)->type != JSON_NULL;
}

bool sd_tree_true(const struct sd_tree *node, const char *key)
{
    return sd_tree_get(node, key)->type == JSON_TRUE;
}
