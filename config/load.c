/* SPDX-License-Identifier: Apache-2.0 */
#include "config/load.h"

#include <string.h>

#include "config/subst.h"

static leat_rc refuse(struct leat_yaml *yaml, struct leat_mark mark, const char *text)
{
    leat_diag_add(yaml->diags, LEAT_ERROR, mark, "", "%s", text);
    return yaml->arena->failed ? LEAT_ENOMEM : LEAT_ECONFIG;
}

/* "a::b" as the key of a source's top level means b inside a. */
static leat_rc nest_key(struct leat_yaml *yaml, struct leat_node_pair *pair)
{
    char *colons;
    struct leat_node *value = pair->value;
    char *key = leat_arena_str(yaml->arena, pair->key, strlen(pair->key));
    if (!key)
        return LEAT_ENOMEM;
    for (uint32_t level = 0; (colons = strrchr(key, ':')) && colons > key && colons[-1] == ':'; level++) {
        if (level == LEAT_YAML_DEPTH_MAX)
            return refuse(yaml, pair->mark, "nested too deeply");
        struct leat_node *map = leat_yaml_new(yaml, LEAT_NODE_MAP, pair->mark);
        if (!map || leat_node_put(yaml, map, colons + 1, pair->mark, value) != LEAT_OK)
            return LEAT_ENOMEM;
        colons[-1] = 0;
        value = map;
    }
    pair->key = key;
    pair->value = value;
    return LEAT_OK;
}

static leat_rc merge_source(struct leat_yaml *yaml, struct leat_node *root, struct leat_node *source)
{
    if (leat_node_is_null(source))
        return LEAT_OK;
    if (source->kind != LEAT_NODE_MAP)
        return refuse(yaml, source->mark, "a configuration must be a map of receivers, exporters, service ...");
    for (uint32_t i = 0; i < source->count; i++) {
        leat_rc rc = LEAT_OK;
        if (strstr(source->pairs[i].key, "::"))
            rc = nest_key(yaml, &source->pairs[i]);
        struct leat_node one = {.kind = LEAT_NODE_MAP, .pairs = &source->pairs[i], .count = 1, .room = 1};
        if (rc == LEAT_OK)
            rc = leat_node_merge(yaml, root, &one);
        if (rc != LEAT_OK)
            return rc;
    }
    return LEAT_OK;
}

static bool has_scheme(const char *uri)
{
    size_t len = strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    return len >= 2 && uri[len] == ':' && (uri[0] < '0' || uri[0] > '9') && uri[0] != '.';
}

static leat_rc add_config(struct leat_yaml *yaml, const struct leat_outside *outside, struct leat_node *root,
                          const char *arg)
{
    struct leat_fetched got;
    struct leat_err err;
    struct leat_node *source = NULL;
    char *uri = leat_arena_printf(yaml->arena, "%s%s", has_scheme(arg) ? "" : "file:", arg);
    if (!uri)
        return LEAT_ENOMEM;
    leat_rc rc = leat_load_fetch(yaml, outside, uri, &got, &err);
    if (yaml->arena->failed || rc == LEAT_ENOMEM)
        return LEAT_ENOMEM;
    if (rc != LEAT_OK)
        return refuse(yaml, (struct leat_mark){uri, 0, 0}, err.text);
    if (!root->mark.file[0])
        root->mark.file = got.name;
    if (got.unset)
        leat_diag_add(yaml->diags, LEAT_WARNING, (struct leat_mark){uri, 0, 0}, "",
                      "the environment variable %s is unset", got.name);
    rc = leat_yaml_parse(yaml, got.name, got.at, got.len, NULL, false, &source);
    return rc == LEAT_OK ? merge_source(yaml, root, source) : rc;
}

/* "a.b=VALUE" and "a::b=VALUE": a path, and a value read as YAML. */
static leat_rc add_set(struct leat_yaml *yaml, struct leat_node *root, const char *arg)
{
    struct leat_mark mark = {"--set", 0, 0};
    const char *equals = strchr(arg, '=');
    if (!equals || equals == arg)
        return refuse(yaml, mark, "a set is written path=value");
    struct leat_strbuf key = {0};
    for (const char *at = arg; at < equals; at++) {
        if (*at == '.')
            leat_strbuf_puts(&key, "::");
        else
            leat_strbuf_putc(&key, *at);
    }
    leat_rc rc = key.failed ? LEAT_ENOMEM : LEAT_OK;
    struct leat_node_pair pair = {.mark = mark};
    if (rc == LEAT_OK)
        pair.key = leat_arena_str(yaml->arena, key.at, key.len);
    leat_strbuf_done(&key);
    if (!pair.key)
        return LEAT_ENOMEM;
    rc = leat_yaml_parse(yaml, "--set", equals + 1, strlen(equals + 1), &mark, false, &pair.value);
    if (rc != LEAT_OK)
        return rc;
    struct leat_node source = {.kind = LEAT_NODE_MAP, .pairs = &pair, .count = 1, .room = 1};
    return merge_source(yaml, root, &source);
}

static leat_rc read_sources(struct leat_yaml *yaml, const struct leat_outside *outside,
                            const struct leat_load_args *args, struct leat_node *root)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; i < args->config_count; i++) {
        leat_rc one = add_config(yaml, outside, root, args->configs[i]);
        if (one != LEAT_OK && rc != LEAT_ENOMEM)
            rc = one;
    }
    for (uint32_t i = 0; i < args->set_count; i++) {
        leat_rc one = add_set(yaml, root, args->sets[i]);
        if (one != LEAT_OK && rc != LEAT_ENOMEM)
            rc = one;
    }
    return rc;
}

leat_rc leat_load(struct leat_yaml *yaml, const struct leat_outside *outside, const struct leat_load_args *args,
                  struct leat_node **ret_root)
{
    struct leat_mark whole = {"", 0, 0};
    if (args->config_count == 0)
        return refuse(yaml, whole, "at least one config flag must be provided");
    struct leat_node *root = leat_yaml_new(yaml, LEAT_NODE_MAP, whole);
    if (!root)
        return LEAT_ENOMEM;
    leat_rc rc = read_sources(yaml, outside, args, root);
    if (rc == LEAT_OK && root->count == 0)
        rc = refuse(yaml, root->mark, "empty configuration file");
    if (rc == LEAT_OK)
        rc = leat_subst(yaml, outside, root);
    if (yaml->arena->failed || rc == LEAT_ENOMEM)
        return LEAT_ENOMEM;
    *ret_root = root;
    return rc == LEAT_OK ? LEAT_OK : LEAT_ECONFIG;
}
