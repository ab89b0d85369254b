/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/yaml/yaml.h"

#include <libfyaml.h>
#include <string.h>

struct anchor {
    const char *name;
    struct leat_node *node;
    struct anchor *next;
};

struct parse {
    struct leat_yaml *yaml;
    struct fy_parser *parser;
    const char *file;
    const struct leat_mark *fixed;
    bool quiet;
    uint32_t depth;
    struct anchor *anchors;
    uint32_t anchor_count;
};

static leat_rc refuse(struct parse *p, struct leat_mark mark, const char *text, const char *what)
{
    if (!p->quiet)
        leat_diag_add(p->yaml->diags, LEAT_ERROR, mark, "", "%s%s", text, what);
    return p->yaml->arena->failed ? LEAT_ENOMEM : LEAT_EPARSE;
}

static struct leat_mark mark_of(const struct parse *p, const struct fy_mark *mark)
{
    if (p->fixed)
        return *p->fixed;
    if (!mark)
        return (struct leat_mark){p->file, 0, 0};
    return (struct leat_mark){p->file, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

/* The library marks what stands behind a quote or an asterisk; people look for the sign itself. */
static struct leat_mark before(const struct parse *p, struct leat_mark mark)
{
    mark.column -= !p->fixed && mark.column > 1;
    return mark;
}

struct leat_node *leat_yaml_new(struct leat_yaml *yaml, enum leat_node_kind kind, struct leat_mark mark)
{
    struct leat_node *node = leat_arena_get(yaml->arena, sizeof *node);
    if (!node)
        return NULL;
    yaml->nodes++;
    node->kind = kind;
    node->mark = mark;
    return node;
}

static uint32_t next_room(const struct leat_node *node)
{
    return node->room ? node->room * 2 : 4;
}

leat_rc leat_node_put(struct leat_yaml *yaml, struct leat_node *map, const char *key, struct leat_mark mark,
                      struct leat_node *value)
{
    if (map->count == map->room) {
        void *at = leat_arena_grow(yaml->arena, map->pairs, map->count, next_room(map), sizeof *map->pairs);
        if (!at)
            return LEAT_ENOMEM;
        map->pairs = at;
        map->room = next_room(map);
    }
    map->pairs[map->count++] = (struct leat_node_pair){key, mark, value};
    return LEAT_OK;
}

leat_rc leat_node_append(struct leat_yaml *yaml, struct leat_node *list, struct leat_node *item)
{
    if (list->count == list->room) {
        void *at = leat_arena_grow(yaml->arena, (const void *)list->items, list->count, next_room(list), sizeof item);
        if (!at)
            return LEAT_ENOMEM;
        list->items = at;
        list->room = next_room(list);
    }
    list->items[list->count++] = item;
    return LEAT_OK;
}

struct leat_node_pair *leat_node_find(const struct leat_node *map, const char *key)
{
    if (map->kind != LEAT_NODE_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->count; i++)
        if (strcmp(map->pairs[i].key, key) == 0)
            return &map->pairs[i];
    return NULL;
}

static struct leat_node *copy_node(struct leat_yaml *yaml, const struct leat_node *from)
{
    struct leat_node *node = leat_yaml_new(yaml, from->kind, from->mark);
    if (!node || yaml->nodes > LEAT_YAML_NODES_MAX)
        return NULL;
    *node = *from;
    node->count = node->room = 0;
    node->items = NULL;
    node->pairs = NULL;
    for (uint32_t i = 0; i < from->count; i++) {
        bool is_map = from->kind == LEAT_NODE_MAP;
        struct leat_node *child = copy_node(yaml, is_map ? from->pairs[i].value : from->items[i]);
        if (!child)
            return NULL;
        leat_rc rc = is_map ? leat_node_put(yaml, node, from->pairs[i].key, from->pairs[i].mark, child)
                            : leat_node_append(yaml, node, child);
        if (rc != LEAT_OK)
            return NULL;
    }
    return node;
}

leat_rc leat_node_merge(struct leat_yaml *yaml, struct leat_node *into, const struct leat_node *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct leat_node_pair *pair = &from->pairs[i];
        struct leat_node_pair *old = leat_node_find(into, pair->key);
        leat_rc rc = LEAT_OK;
        if (!old)
            rc = leat_node_put(yaml, into, pair->key, pair->mark, pair->value);
        else if (old->value->kind == LEAT_NODE_MAP && pair->value->kind == LEAT_NODE_MAP)
            rc = leat_node_merge(yaml, old->value, pair->value);
        else
            *old = *pair;
        if (rc != LEAT_OK)
            return rc;
    }
    return LEAT_OK;
}

/* ---- events of the library to nodes ---- */

static leat_rc too_large(struct parse *p, struct leat_mark mark)
{
    if (p->yaml->arena->failed)
        return LEAT_ENOMEM;
    return refuse(p, mark, "too many values (aliases count as what they stand for)", "");
}

static const char *token_text(struct parse *p, struct fy_token *token, uint32_t *ret_len)
{
    size_t len = 0;
    const char *at = token ? fy_token_get_text(token, &len) : "";
    if (!at)
        at = "", len = 0;
    *ret_len = (uint32_t)len;
    return leat_arena_str(p->yaml->arena, at, len);
}

static leat_rc remember(struct parse *p, struct fy_token *anchor, struct leat_node *node)
{
    if (!anchor)
        return LEAT_OK;
    if (p->anchor_count++ == LEAT_YAML_ANCHORS_MAX)
        return refuse(p, node->mark, "too many anchors", "");
    uint32_t len;
    struct anchor *entry = leat_arena_get(p->yaml->arena, sizeof *entry);
    const char *name = token_text(p, anchor, &len);
    if (!entry || !name)
        return LEAT_ENOMEM;
    *entry = (struct anchor){name, node, p->anchors};
    p->anchors = entry;
    return LEAT_OK;
}

/* "!!str 12" is a string; other tags of the core schema only say what is there anyway. */
static leat_rc apply_tag(struct parse *p, struct fy_token *tag, struct leat_node *node)
{
    if (!tag)
        return LEAT_OK;
    uint32_t len;
    const char *name = token_text(p, tag, &len);
    if (!name)
        return LEAT_ENOMEM;
    const char *kind = strrchr(name, ':');
    kind = kind ? kind + 1 : name;
    if (node->kind == LEAT_NODE_SCALAR && strcmp(kind, "str") == 0) {
        node->quoted = true;
        return LEAT_OK;
    }
    static const char *const known[] = {"int", "float", "bool", "null", "map", "seq", "!", NULL};
    for (uint32_t i = 0; known[i]; i++)
        if (strcmp(kind, known[i]) == 0)
            return LEAT_OK;
    return refuse(p, node->mark, "unsupported tag ", name);
}

static leat_rc build(struct parse *p, struct fy_event *event, struct leat_node **ret_node);

static struct fy_event *next_event(struct parse *p)
{
    return fy_parser_parse(p->parser);
}

static leat_rc library_error(struct parse *p)
{
    void *prev = NULL;
    struct fy_diag *diag = fy_parser_get_diag(p->parser);
    struct fy_diag_error *error = fy_diag_errors_iterate(diag, &prev);
    struct leat_mark mark = {p->file, 0, 0};
    if (error)
        mark = (struct leat_mark){p->file, (uint32_t)(error->line > 0 ? error->line : 1),
                                  (uint32_t)(error->column > 0 ? error->column : 1)};
    leat_rc rc = refuse(p, p->fixed ? *p->fixed : mark,
                        "invalid YAML: ", error && error->msg ? error->msg : "the text ends too early");
    fy_diag_unref(diag);
    return rc;
}

static leat_rc build_scalar(struct parse *p, struct fy_event *event, struct leat_node **ret_node)
{
    struct fy_token *value = event->scalar.value;
    struct leat_mark mark = mark_of(p, fy_event_start_mark(event));
    struct leat_node *node = leat_yaml_new(p->yaml, LEAT_NODE_SCALAR, mark);
    if (!node)
        return LEAT_ENOMEM;
    node->text = token_text(p, value, &node->len);
    if (!node->text)
        return LEAT_ENOMEM;
    if (memchr(node->text, 0, node->len))
        return refuse(p, mark, "a NUL character in a string", "");
    enum fy_scalar_style style = value ? fy_token_scalar_style(value) : FYSS_PLAIN;
    node->quoted = style != FYSS_PLAIN;
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
        node->mark = before(p, mark);
    *ret_node = node;
    leat_rc rc = apply_tag(p, event->scalar.tag, node);
    return rc == LEAT_OK ? remember(p, event->scalar.anchor, node) : rc;
}

static leat_rc build_alias(struct parse *p, struct fy_event *event, struct leat_node **ret_node)
{
    struct leat_mark mark = before(p, mark_of(p, fy_event_start_mark(event)));
    uint32_t len;
    const char *name = token_text(p, event->alias.anchor, &len);
    if (!name)
        return LEAT_ENOMEM;
    for (const struct anchor *anchor = p->anchors; anchor; anchor = anchor->next)
        if (strcmp(anchor->name, name) == 0) {
            *ret_node = copy_node(p->yaml, anchor->node);
            return *ret_node ? LEAT_OK : too_large(p, mark);
        }
    return refuse(p, mark, "no anchor before this alias: *", name);
}

static leat_rc build_list(struct parse *p, struct fy_event *event, struct leat_node *list)
{
    leat_rc rc = apply_tag(p, event->sequence_start.tag, list);
    struct fy_token *anchor = event->sequence_start.anchor;
    struct fy_event *inner;
    while (rc == LEAT_OK && (inner = next_event(p))) {
        struct leat_node *item = NULL;
        bool end = inner->type == FYET_SEQUENCE_END;
        if (!end)
            rc = build(p, inner, &item);
        fy_parser_event_free(p->parser, inner);
        if (end)
            return remember(p, anchor, list); /* after its end: an alias cannot reach its own inside */
        if (rc == LEAT_OK)
            rc = leat_node_append(p->yaml, list, item);
    }
    return rc == LEAT_OK ? library_error(p) : rc;
}

/* "<<": the keys of a map, or of each map of a list, that are not written out themselves. */
static leat_rc merge_missing(struct parse *p, struct leat_node *map, const struct leat_node *from)
{
    if (from->kind == LEAT_NODE_LIST) {
        leat_rc rc = LEAT_OK;
        for (uint32_t i = 0; i < from->count && rc == LEAT_OK; i++)
            rc = from->items[i]->kind == LEAT_NODE_MAP
                     ? merge_missing(p, map, from->items[i])
                     : refuse(p, from->items[i]->mark, "a merge key (<<) takes maps", "");
        return rc;
    }
    if (from->kind != LEAT_NODE_MAP)
        return refuse(p, from->mark, "a merge key (<<) takes a map or a list of maps", "");
    for (uint32_t i = 0; i < from->count; i++) {
        if (leat_node_find(map, from->pairs[i].key))
            continue;
        if (map->count == LEAT_YAML_KEYS_MAX)
            return refuse(p, from->pairs[i].mark, "too many keys in one map", "");
        if (leat_node_put(p->yaml, map, from->pairs[i].key, from->pairs[i].mark, from->pairs[i].value) != LEAT_OK)
            return LEAT_ENOMEM;
    }
    return LEAT_OK;
}

static leat_rc put_pair(struct parse *p, struct leat_node *map, const struct leat_node *key, struct leat_node *value,
                        struct leat_node **merges)
{
    if (!key->quoted && strcmp(key->text, "<<") == 0)
        return leat_node_append(p->yaml, *merges, value);
    if (leat_node_find(map, key->text))
        return refuse(p, key->mark, "duplicate key ", key->text);
    if (map->count == LEAT_YAML_KEYS_MAX)
        return refuse(p, key->mark, "too many keys in one map", "");
    return leat_node_put(p->yaml, map, key->text, key->mark, value);
}

static leat_rc build_pair(struct parse *p, struct fy_event *event, struct leat_node *map, struct leat_node *merges)
{
    struct leat_node *key = NULL, *value = NULL;
    leat_rc rc = build(p, event, &key);
    if (rc == LEAT_OK && key->kind != LEAT_NODE_SCALAR)
        rc = refuse(p, key->mark, "a key must be a string, not a list or a map", "");
    struct fy_event *inner = rc == LEAT_OK ? next_event(p) : NULL;
    if (rc == LEAT_OK && !inner)
        rc = library_error(p);
    if (rc == LEAT_OK)
        rc = build(p, inner, &value);
    if (inner)
        fy_parser_event_free(p->parser, inner);
    return rc == LEAT_OK ? put_pair(p, map, key, value, &merges) : rc;
}

static leat_rc build_map(struct parse *p, struct fy_event *event, struct leat_node *map)
{
    struct leat_node merges = {.kind = LEAT_NODE_LIST};
    leat_rc rc = apply_tag(p, event->mapping_start.tag, map);
    struct fy_token *anchor = event->mapping_start.anchor;
    struct fy_event *inner;
    while (rc == LEAT_OK && (inner = next_event(p))) {
        bool end = inner->type == FYET_MAPPING_END;
        if (!end)
            rc = build_pair(p, inner, map, &merges);
        fy_parser_event_free(p->parser, inner);
        if (!end)
            continue;
        for (uint32_t i = 0; i < merges.count && rc == LEAT_OK; i++)
            rc = merge_missing(p, map, merges.items[i]);
        return rc == LEAT_OK ? remember(p, anchor, map) : rc;
    }
    return rc == LEAT_OK ? library_error(p) : rc;
}

static leat_rc build(struct parse *p, struct fy_event *event, struct leat_node **ret_node)
{
    struct leat_mark mark = mark_of(p, fy_event_start_mark(event));
    if (p->yaml->nodes >= LEAT_YAML_NODES_MAX)
        return too_large(p, mark);
    if (event->type == FYET_SCALAR)
        return build_scalar(p, event, ret_node);
    if (event->type == FYET_ALIAS)
        return build_alias(p, event, ret_node);
    if (event->type != FYET_MAPPING_START && event->type != FYET_SEQUENCE_START)
        return refuse(p, mark, "a value was expected here", "");
    if (p->depth == LEAT_YAML_DEPTH_MAX)
        return refuse(p, mark, "nested too deeply", "");
    bool is_map = event->type == FYET_MAPPING_START;
    *ret_node = leat_yaml_new(p->yaml, is_map ? LEAT_NODE_MAP : LEAT_NODE_LIST, mark);
    if (!*ret_node)
        return LEAT_ENOMEM;
    p->depth++;
    leat_rc rc = is_map ? build_map(p, event, *ret_node) : build_list(p, event, *ret_node);
    p->depth--;
    return rc;
}

static leat_rc build_stream(struct parse *p, struct leat_node **ret_node)
{
    struct leat_node *root = NULL;
    struct fy_event *event;
    leat_rc rc = LEAT_OK;
    bool ended = false;
    while (rc == LEAT_OK && !ended && (event = next_event(p))) {
        ended = event->type == FYET_STREAM_END;
        if (event->type == FYET_DOCUMENT_START && root)
            rc = refuse(p, mark_of(p, fy_event_start_mark(event)), "a second document in one file", "");
        else if (event->type >= FYET_MAPPING_START && event->type != FYET_NONE)
            rc = build(p, event, &root);
        fy_parser_event_free(p->parser, event);
    }
    if (rc == LEAT_OK && (!ended || fy_parser_get_stream_error(p->parser)))
        rc = library_error(p);
    if (rc == LEAT_OK && !root) {
        root = leat_yaml_new(p->yaml, LEAT_NODE_SCALAR, p->fixed ? *p->fixed : (struct leat_mark){p->file, 1, 1});
        if (!root)
            return LEAT_ENOMEM;
        root->text = "";
    }
    *ret_node = root;
    return rc;
}

static struct fy_diag *quiet_diag(void)
{
    struct fy_diag_cfg cfg;
    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&cfg);
    if (diag)
        fy_diag_set_collect_errors(diag, true);
    return diag;
}

/* Bytes of a well-formed UTF-8 sequence at `at`; 0: malformed. */
static size_t sequence(const uint8_t *at, size_t left)
{
    if (at[0] < 0x80)
        return 1;
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return overlong || outside ? 0 : len;
}

/* The library loops for ever over broken text in a directive, so neither reaches it. */
static leat_rc check_text(struct parse *p, const char *at, size_t len)
{
    struct leat_mark mark = {p->file, 1, 1};
    for (size_t i = 0, step; i < len; i += step, mark.column++) {
        step = sequence((const uint8_t *)at + i, len - i);
        if (step == 0)
            return refuse(p, p->fixed ? *p->fixed : mark, "invalid YAML: not UTF-8", "");
        if (at[i] == '%' && mark.column == 1)
            return refuse(p, p->fixed ? *p->fixed : mark, "a YAML directive (%) is not supported", "");
        if (at[i] == '\n' || at[i] == '\r') {
            mark.line += at[i] == '\n';
            mark.column = 0;
        }
    }
    return LEAT_OK;
}

leat_rc leat_yaml_parse(struct leat_yaml *yaml, const char *file, const char *at, size_t len,
                        const struct leat_mark *fixed, bool quiet, struct leat_node **ret_node)
{
    struct parse p = {.yaml = yaml, .file = file, .fixed = fixed, .quiet = quiet};
    struct leat_mark whole = fixed ? *fixed : (struct leat_mark){file, 0, 0};
    if (len > LEAT_YAML_BYTES_MAX)
        return refuse(&p, whole, "larger than 4 MiB", "");
    if (len && memchr(at, 0, len))
        return refuse(&p, whole, "invalid YAML: a NUL byte", "");
    leat_rc rc = check_text(&p, at, len);
    if (rc != LEAT_OK)
        return rc;
    struct fy_diag *diag = quiet_diag();
    if (!diag)
        return LEAT_ENOMEM;
    struct fy_parse_cfg cfg = {.flags = FYPCF_COLLECT_DIAG | FYPCF_QUIET | FYPCF_JSON_NONE, .diag = diag};
    p.parser = fy_parser_create(&cfg);
    rc = LEAT_ENOMEM;
    if (p.parser && fy_parser_set_string(p.parser, len ? at : "\n", len ? len : 1) == 0)
        rc = build_stream(&p, ret_node);
    if (p.parser)
        fy_parser_destroy(p.parser);
    fy_diag_destroy(diag);
    return rc;
}
