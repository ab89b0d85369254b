/* SPDX-License-Identifier: Apache-2.0 */
/* sd_tree -- a JSON object as a tree, for objects that are looked into from many sides; private to agent/discovery.
 *
 * Owns     nodes and unescaped texts live in the arena; other texts point into the JSON.
 * Limits   nesting of 64; metadata.managedFields is left out, wherever it stands.
 * Fails    NULL: not JSON, or out of memory (arena->failed). A missing node is a static null, so that paths can be walked
 *          without looking at each step. */
#pragma once
#include "agent/base/arena.h"
#include "proto/json/json_read.h"

struct sd_tree {
    enum json_type type;    /* JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL */
    struct leat_slice key;  /* inside an object */
    struct leat_slice text; /* scalars */
    struct sd_tree *first, *last, *next;
};
const struct sd_tree *sd_tree_read(struct leat_arena *arena, struct leat_slice json);
const struct sd_tree *sd_tree_get(const struct sd_tree *node, const char *key);
struct leat_slice sd_tree_text(const struct sd_tree *node, const char *key); /* len 0: absent */
bool sd_tree_has(const struct sd_tree *node, const char *key);               /* there and not null */
bool sd_tree_true(const struct sd_tree *node, const char *key);
