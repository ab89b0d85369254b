/* SPDX-License-Identifier: Apache-2.0 */
/* yaml -- text to a tree of our own, every node and every key with file, line and column.
 *
 * Why      errors must point at the place; several files are merged, and each node remembers where it came from.
 * Owns     nodes and texts live in the arena given. Merging moves nodes between trees of the same arena.
 * Limits   the LEAT_YAML_*_MAX below: bytes per text, nodes in all (aliases are copied, so a bomb ends here), depth.
 * Fails    LEAT_EPARSE, the reason in the diag list; LEAT_ENOMEM.
 * Rule     typing is YAML 1.2's core schema as the Collector reads it (null, bool, int, float, string); the text as
 *          written stays beside the type. Duplicate keys, unknown anchors and several documents are refused. */
#pragma once
#include "agent/base/err.h"
#include "agent/yaml/diag.h"

#define LEAT_YAML_BYTES_MAX (4u << 20)
#define LEAT_YAML_NODES_MAX 200000u
#define LEAT_YAML_DEPTH_MAX 60u
#define LEAT_YAML_KEYS_MAX 10000u   /* in one map */
#define LEAT_YAML_ANCHORS_MAX 1000u /* in one text */

enum leat_node_kind { LEAT_NODE_SCALAR, LEAT_NODE_MAP, LEAT_NODE_LIST };

struct leat_node_pair {
    const char *key;
    struct leat_mark mark;
    struct leat_node *value;
};

struct leat_node {
    enum leat_node_kind kind;
    bool quoted;      /* a scalar that is a string whatever it looks like */
    bool expanded;    /* came out of ${...}: `text` is what it was before it was read as YAML */
    const char *text; /* SCALAR: the text; for an expanded MAP or LIST the text it was made of, else NULL */
    uint32_t len;
    struct leat_mark mark;
    struct leat_node **items;     /* LIST */
    struct leat_node_pair *pairs; /* MAP */
    uint32_t count, room;
};

enum leat_scalar { LEAT_SCALAR_NULL, LEAT_SCALAR_BOOL, LEAT_SCALAR_INT, LEAT_SCALAR_DOUBLE, LEAT_SCALAR_STRING };

/* What a scalar is; the parsed value goes to the pointers that are not NULL. */
enum leat_scalar leat_node_scalar(const struct leat_node *node, bool *ret_bool, int64_t *ret_int, double *ret_double);
bool leat_node_is_null(const struct leat_node *node);
const char *leat_node_kind_name(const struct leat_node *node); /* "map", "list", "string", "int" ... */

struct leat_yaml {
    struct leat_arena *arena;
    struct leat_diag_list *diags;
    uint32_t nodes; /* made so far, over all texts */
};

/* Parses one text. `fixed` not NULL: every node gets that mark (a fragment out of a variable). An empty text is a null
 * scalar. `quiet`: no diagnostics, only the code. */
leat_rc leat_yaml_parse(struct leat_yaml *yaml, const char *file, const char *at, size_t len,
                        const struct leat_mark *fixed, bool quiet, struct leat_node **ret_node) LEAT_MUST_CHECK;

struct leat_node *leat_yaml_new(struct leat_yaml *yaml, enum leat_node_kind kind, struct leat_mark mark);
leat_rc leat_node_put(struct leat_yaml *yaml, struct leat_node *map, const char *key, struct leat_mark mark,
                      struct leat_node *value) LEAT_MUST_CHECK; /* no check for duplicates */
leat_rc leat_node_append(struct leat_yaml *yaml, struct leat_node *list, struct leat_node *item) LEAT_MUST_CHECK;
struct leat_node_pair *leat_node_find(const struct leat_node *map, const char *key); /* NULL: none, or no map */

/* Maps deep-merge, everything else of `from` replaces. `into` must be a map. */
leat_rc leat_node_merge(struct leat_yaml *yaml, struct leat_node *into, const struct leat_node *from) LEAT_MUST_CHECK;
