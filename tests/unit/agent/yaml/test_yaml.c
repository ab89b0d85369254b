/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/yaml/yaml.h"

#include <stdio.h>

#include "agent/base/strbuf.h"
#include "tests/kit/kit.h"

static struct leat_arena arena;
static struct leat_diag_list diags;
static struct leat_yaml yaml;

static void begin(void)
{
    diags = (struct leat_diag_list){.arena = &arena};
    yaml = (struct leat_yaml){.arena = &arena, .diags = &diags};
}

static struct leat_node *parse(const char *text)
{
    struct leat_node *node = NULL;
    leat_rc rc = leat_yaml_parse(&yaml, "f", text, strlen(text), NULL, false, &node);
    EXPECT_OK(rc);
    return node;
}

static const struct leat_node *at(const struct leat_node *map, const char *key)
{
    const struct leat_node_pair *pair = leat_node_find(map, key);
    EXPECT(pair != NULL);
    return pair->value;
}

static void expect_refused(const char *text, uint32_t line, uint32_t column, const char *part)
{
    struct leat_node *node = NULL;
    begin();
    EXPECT_RC(leat_yaml_parse(&yaml, "f", text, strlen(text), NULL, false, &node), LEAT_EPARSE);
    EXPECT_EQ(diags.count, 1);
    EXPECT_EQ(diags.at[0].mark.line, line);
    EXPECT_EQ(diags.at[0].mark.column, column);
    EXPECT(strstr(diags.at[0].text, part) != NULL);
    leat_arena_done(&arena);
}

/* Scenario:   a map of maps, lists and quoted texts.
 * Guarantees: every node and key has its place; quoted texts are told from plain ones. */
LEAT_TEST(yaml_keeps_places_and_quotes)
{
    begin();
    const struct leat_node *root = parse("a:\n  b: 'x'\n  c: [1, \"2\"]\n");
    const struct leat_node *a = at(root, "a"), *c = at(a, "c");
    EXPECT_EQ(leat_node_find(a, "b")->mark.line, 2);
    EXPECT_EQ(leat_node_find(a, "b")->mark.column, 3);
    EXPECT_EQ(at(a, "b")->mark.column, 6);
    EXPECT(at(a, "b")->quoted);
    EXPECT_EQ(c->kind, LEAT_NODE_LIST);
    EXPECT_EQ(c->count, 2);
    EXPECT(!c->items[0]->quoted);
    EXPECT(c->items[1]->quoted);
    EXPECT_EQ(c->items[1]->mark.column, 10);
    EXPECT_STR(c->items[1]->mark.file, "f");
    leat_arena_done(&arena);
}

/* Scenario:   plain scalars of every look.
 * Guarantees: they are typed as the Collector's library types them. */
LEAT_TEST(yaml_types_plain_scalars)
{
    static const struct {
        const char *text;
        enum leat_scalar kind;
        int64_t number;
    } cases[] = {{"~", LEAT_SCALAR_NULL, 0},
                 {"null", LEAT_SCALAR_NULL, 0},
                 {"True", LEAT_SCALAR_BOOL, 0},
                 {"yes", LEAT_SCALAR_STRING, 0},
                 {"12", LEAT_SCALAR_INT, 12},
                 {"-3", LEAT_SCALAR_INT, -3},
                 {"0x1F", LEAT_SCALAR_INT, 31},
                 {"0o17", LEAT_SCALAR_INT, 15},
                 {"0123", LEAT_SCALAR_INT, 83},
                 {"0b11", LEAT_SCALAR_INT, 3},
                 {"1.5", LEAT_SCALAR_DOUBLE, 0},
                 {"1e3", LEAT_SCALAR_DOUBLE, 0},
                 {".inf", LEAT_SCALAR_DOUBLE, 0},
                 {"1.2.3", LEAT_SCALAR_STRING, 0},
                 {"5s", LEAT_SCALAR_STRING, 0},
                 {"-", LEAT_SCALAR_STRING, 0},
                 {"0x", LEAT_SCALAR_STRING, 0},
                 {"--1", LEAT_SCALAR_STRING, 0},
                 {"-9223372036854775808", LEAT_SCALAR_INT, INT64_MIN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct leat_node node = {.text = cases[i].text, .len = (uint32_t)strlen(cases[i].text)};
        int64_t number = 0;
        EXPECT_EQ(leat_node_scalar(&node, NULL, &number, NULL), cases[i].kind);
        EXPECT_EQ(number, cases[i].number);
    }
}

/* Scenario:   anchors, aliases and a merge key.
 * Guarantees: an alias is a copy; a merge key fills in what is not written out. */
LEAT_TEST(yaml_follows_aliases_and_merge_keys)
{
    begin();
    struct leat_node *root = parse("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: *x\n");
    EXPECT_STR(at(at(root, "y"), "a")->text, "1");
    EXPECT_STR(at(at(root, "y"), "b")->text, "3");
    EXPECT_EQ(at(root, "y")->count, 2);
    EXPECT(at(root, "z") != at(root, "x"));
    leat_arena_done(&arena);
}

/* Scenario:   two trees; maps, lists, scalars and a null on top of each other.
 * Guarantees: maps merge deeply, everything else replaces, each node keeps its own place. */
LEAT_TEST(yaml_merges_as_the_collector_does)
{
    begin();
    struct leat_node *into = parse("m: {a: 1, b: {c: 2}}\nl: [1, 2]\nn: {x: 1}\n");
    struct leat_node *from = parse("m: {b: {d: 3}}\nl: [3]\nn:\ns: 4\n");
    EXPECT_OK(leat_node_merge(&yaml, into, from));
    EXPECT_EQ(at(at(into, "m"), "b")->count, 2);
    EXPECT_EQ(at(at(into, "m"), "a")->text[0], '1');
    EXPECT_EQ(at(into, "l")->count, 1);
    EXPECT(leat_node_is_null(at(into, "n")));
    EXPECT_EQ(at(into, "s")->mark.line, 4);
    leat_arena_done(&arena);
}

/* Scenario:   texts that are no configuration.
 * Guarantees: each is refused at its place, with a reason. */
LEAT_TEST(yaml_refuses_what_it_cannot_mean)
{
    expect_refused("a: 1\na: 2\n", 2, 1, "duplicate key a");
    expect_refused("a: [1\n", 2, 1, "invalid YAML");
    expect_refused("a: *b\n", 1, 4, "no anchor before this alias: *b");
    expect_refused("a: &a [*a]\n", 1, 8, "no anchor before this alias: *a");
    expect_refused("? [a]\n: 1\n", 1, 3, "a key must be a string");
    expect_refused("a: !what 1\n", 1, 10, "unsupported tag");
    expect_refused("a: 1\n%x\n", 2, 1, "directive");
    expect_refused("a: \xff\n", 1, 4, "not UTF-8");
    expect_refused("a: {<<: 1}\n", 1, 9, "a merge key");
}

/* Scenario:   aliases of aliases that stand for a billion values; a list in a list in a list ...
 * Guarantees: refused before memory is spent. */
LEAT_TEST(yaml_survives_bombs)
{
    char text[4096] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    size_t len = strlen(text);
    for (int i = 1; i < 12; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
                                i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    struct leat_node *node = NULL;
    begin();
    EXPECT_RC(leat_yaml_parse(&yaml, "f", text, len, NULL, false, &node), LEAT_EPARSE);
    EXPECT(strstr(diags.at[0].text, "too many values") != NULL);
    EXPECT(yaml.nodes <= LEAT_YAML_NODES_MAX + 1);
    leat_arena_done(&arena);
    memset(text, '[', 1000);
    begin();
    EXPECT_RC(leat_yaml_parse(&yaml, "f", text, 1000, NULL, false, &node), LEAT_EPARSE);
    leat_arena_done(&arena);
}

/* Scenario:   maps that are within the limit of keys each, merged into one that is not.
 * Guarantees: refused: what looks for a key walks over all of them. */
LEAT_TEST(yaml_limits_merged_keys)
{
    struct leat_strbuf text = {0};
    struct leat_node *node = NULL;
    for (int map = 0; map < 2; map++) {
        leat_strbuf_printf(&text, "m%d: &m%d {", map, map);
        for (int i = 0; i < 6000; i++)
            leat_strbuf_printf(&text, "k%d_%d: , ", map, i);
        leat_strbuf_puts(&text, "}\n");
    }
    leat_strbuf_puts(&text, "one: {<<: *m0}\n");
    begin();
    EXPECT_OK(leat_yaml_parse(&yaml, "f", text.at, text.len, NULL, false, &node));
    EXPECT_EQ(at(node, "one")->count, 6000);
    leat_arena_done(&arena);
    leat_strbuf_puts(&text, "both: {<<: [*m0, *m1]}\n");
    begin();
    EXPECT_RC(leat_yaml_parse(&yaml, "f", text.at, text.len, NULL, false, &node), LEAT_EPARSE);
    EXPECT(diags.count == 1 && strstr(diags.at[0].text, "too many keys in one map") != NULL);
    leat_arena_done(&arena);
    leat_strbuf_done(&text);
}

/* Scenario:   no text, only a comment.
 * Guarantees: a null. */
LEAT_TEST(yaml_reads_nothing_as_null)
{
    begin();
    EXPECT(leat_node_is_null(parse("")));
    EXPECT(leat_node_is_null(parse("# nothing\n")));
    leat_arena_done(&arena);
}

/* Scenario:   a parse and a merge with each allocation failing in turn.
 * Guarantees: LEAT_ENOMEM, nothing leaks. */
LEAT_TEST_OOM(yaml_survives_failed_allocations)
{
    static const char text[] = "a: &a {b: [1, 2, 3, 4, 5], c: d}\ne: {<<: *a}\n";
    struct leat_node *one = NULL, *two = NULL;
    begin();
    leat_rc rc = leat_yaml_parse(&yaml, "f", text, sizeof text - 1, NULL, false, &one);
    if (rc == LEAT_OK)
        rc = leat_yaml_parse(&yaml, "g", text, sizeof text - 1, NULL, false, &two);
    if (rc == LEAT_OK)
        rc = leat_node_merge(&yaml, one, two);
    leat_arena_done(&arena);
    return rc;
}
