/* SPDX-License-Identifier: Apache-2.0 */
#include "config/subst.h"

#include <string.h>

struct subst {
    struct leat_yaml *yaml;
    const struct leat_outside *outside;
    uint32_t total;
    uint32_t depth; /* fragments inside fragments */
    uint32_t level; /* nesting of the walk */
};

struct uri {
    size_t at, len; /* of "${...}" with its braces; len 0: none */
};

static leat_rc refuse(struct subst *s, const struct leat_node *node, const char *text)
{
    leat_diag_add(s->yaml->diags, LEAT_ERROR, node->mark, "", "%s", text);
    return s->yaml->arena->failed ? LEAT_ENOMEM : LEAT_ECONFIG;
}

static size_t dollars_before(const char *text, size_t at)
{
    size_t count = 0;
    while (count < at && text[at - count - 1] == '$')
        count++;
    return count;
}

/* The first "}" that closes an unescaped "${", and the last such "${" before it: the innermost. */
static struct uri find_uri(const char *text, size_t len)
{
    size_t from = 0;
    for (size_t close = 0; close < len; close++) {
        if (text[close] != '}')
            continue;
        for (size_t at = close; at-- > from;)
            if (text[at] == '$' && text[at + 1] == '{') {
                if (dollars_before(text, at) % 2 == 0)
                    return (struct uri){at, close + 1 - at};
                break;
            }
        from = close + 1;
    }
    return (struct uri){0, 0};
}

static uint32_t count_opens(const char *text, size_t len)
{
    uint32_t count = 0;
    for (size_t i = 0; i + 1 < len; i++)
        count += text[i] == '$' && text[i + 1] == '{';
    return count;
}

/* The text behind "${...}"; a bare name means env. */
static leat_rc fetch(struct subst *s, const struct leat_node *node, struct uri uri, struct leat_fetched *ret)
{
    const char *inner = node->text + uri.at + 2;
    int len = (int)uri.len - 3;
    bool bare = !memchr(inner, ':', (size_t)len);
    char *full = leat_arena_printf(s->yaml->arena, "%s%.*s", bare ? "env:" : "", len, inner);
    if (!full)
        return LEAT_ENOMEM;
    if (strchr(full, '$')) {
        char *text = leat_arena_printf(s->yaml->arena, "the uri \"%s\" contains unsupported characters ('$')", full);
        return text ? refuse(s, node, text) : LEAT_ENOMEM;
    }
    struct leat_err err;
    leat_rc rc = leat_load_fetch(s->yaml, s->outside, full, ret, &err);
    if (s->yaml->arena->failed || rc == LEAT_ENOMEM)
        return LEAT_ENOMEM;
    if (rc != LEAT_OK)
        return refuse(s, node, err.text);
    if (ret->len && memchr(ret->at, 0, ret->len))
        return refuse(s, node, "a NUL character in an expanded value");
    if (ret->unset)
        leat_diag_add(s->yaml->diags, LEAT_WARNING, node->mark, "",
                      "the environment variable %s is unset; an empty value is used", ret->name);
    return LEAT_OK;
}

/* "a${env:X}b": the text goes in the middle, the result is a string. */
static leat_rc put_inside(struct subst *s, struct leat_node *node, struct uri uri, const struct leat_fetched *got)
{
    size_t len = node->len - uri.len + got->len;
    if (len > LEAT_SUBST_BYTES_MAX)
        return refuse(s, node, "larger than 1 MiB after expansion");
    char *text = leat_arena_get(s->yaml->arena, len + 1);
    if (!text)
        return LEAT_ENOMEM;
    size_t tail = node->len - uri.at - uri.len;
    memcpy(text, node->text, uri.at);
    if (got->len)
        memcpy(text + uri.at, got->at, got->len);
    memcpy(text + uri.at + got->len, node->text + uri.at + uri.len, tail);
    node->text = text;
    node->len = (uint32_t)len;
    node->quoted = true;
    return LEAT_OK;
}

/* "${env:X}" alone: the value takes the YAML type of the text; what is a string, or no YAML, stays as it is. */
static leat_rc put_whole(struct subst *s, struct leat_node *node, const struct leat_fetched *got, bool is_file)
{
    struct leat_node *made = NULL;
    struct leat_mark mark = node->mark;
    if (got->len > LEAT_SUBST_BYTES_MAX && !is_file)
        return refuse(s, node, "larger than 1 MiB after expansion");
    leat_rc rc = leat_yaml_parse(s->yaml, got->name, got->at, got->len, is_file ? NULL : &mark, true, &made);
    if (rc == LEAT_ENOMEM)
        return rc;
    bool typed = rc == LEAT_OK &&
                 (made->kind != LEAT_NODE_SCALAR || leat_node_scalar(made, NULL, NULL, NULL) != LEAT_SCALAR_STRING);
    if (typed && made->kind != LEAT_NODE_SCALAR) {
        *node = *made;
        if (!is_file)
            node->mark = mark;
        node->expanded = true;
        node->text = got->at;
        node->len = (uint32_t)got->len;
        return LEAT_OK;
    }
    node->text = typed && is_file ? made->text : got->at;
    node->len = typed && is_file ? made->len : (uint32_t)got->len;
    node->quoted = !typed;
    node->expanded = true;
    return LEAT_OK;
}

static leat_rc walk(struct subst *s, struct leat_node *node);

static leat_rc walk_fragment(struct subst *s, struct leat_node *node)
{
    if (s->depth == LEAT_SUBST_DEPTH_MAX)
        return refuse(s, node, "too many recursive expansions");
    s->depth++;
    leat_rc rc = walk(s, node);
    s->depth--;
    return rc;
}

/* Brings "$$" down to "$". */
static leat_rc unescape(struct subst *s, struct leat_node *node)
{
    if (!strstr(node->text, "$$"))
        return LEAT_OK;
    char *text = leat_arena_str(s->yaml->arena, node->text, node->len);
    if (!text)
        return LEAT_ENOMEM;
    uint32_t len = 0;
    for (uint32_t i = 0; i < node->len; i++) {
        text[len++] = node->text[i];
        i += node->text[i] == '$' && node->text[i + 1] == '$';
    }
    text[len] = 0;
    node->text = text;
    node->len = len;
    return LEAT_OK;
}

static leat_rc expand_scalar(struct subst *s, struct leat_node *node)
{
    if (!memchr(node->text, '$', node->len))
        return LEAT_OK;
    if (count_opens(node->text, node->len) > LEAT_SUBST_URIS_MAX)
        return refuse(s, node, "too many URIs in one string (100 at most)");
    for (uint32_t round = 0;; round++) {
        struct uri uri = find_uri(node->text, node->len);
        if (uri.len == 0)
            return unescape(s, node);
        if (round == LEAT_SUBST_ROUNDS_MAX || s->total++ == LEAT_SUBST_TOTAL_MAX)
            return refuse(s, node, "too many recursive expansions");
        struct leat_fetched got;
        bool whole = uri.at == 0 && uri.len == node->len;
        bool is_file = strncmp(node->text + uri.at, "${file:", 7) == 0;
        leat_rc rc = fetch(s, node, uri, &got);
        if (rc == LEAT_OK)
            rc = whole ? put_whole(s, node, &got, is_file) : put_inside(s, node, uri, &got);
        if (rc != LEAT_OK)
            return rc;
        if (node->kind != LEAT_NODE_SCALAR)
            return walk_fragment(s, node);
    }
}

static leat_rc walk(struct subst *s, struct leat_node *node)
{
    if (node->kind == LEAT_NODE_SCALAR)
        return expand_scalar(s, node);
    if (s->level == LEAT_YAML_DEPTH_MAX * 2)
        return refuse(s, node, "nested too deeply after expansion");
    s->level++;
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; i < node->count; i++) {
        leat_rc one = walk(s, node->kind == LEAT_NODE_MAP ? node->pairs[i].value : node->items[i]);
        if (one != LEAT_OK && rc != LEAT_ENOMEM)
            rc = one;
    }
    s->level--;
    return rc;
}

leat_rc leat_subst(struct leat_yaml *yaml, const struct leat_outside *outside, struct leat_node *root)
{
    struct subst s = {.yaml = yaml, .outside = outside};
    return walk(&s, root);
}
