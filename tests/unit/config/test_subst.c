/* SPDX-License-Identifier: Apache-2.0 */
#include "config/subst.h"

#include "tests/kit/kit.h"
#include "tests/unit/config/fake.h"

static struct leat_arena arena;
static struct leat_diag_list diags;
static struct leat_yaml yaml;

static leat_rc expand(const char *text, struct leat_node *ret)
{
    diags = (struct leat_diag_list){.arena = &arena};
    yaml = (struct leat_yaml){.arena = &arena, .diags = &diags};
    *ret =
        (struct leat_node){.kind = LEAT_NODE_SCALAR, .text = text, .len = (uint32_t)strlen(text), .mark = {"f", 3, 4}};
    return leat_subst(&yaml, &fake_outside, ret);
}

/* Scenario:   every way to write a variable in a string.
 * Guarantees: the text and the type are the Collector's. */
LEAT_TEST(subst_expands_as_the_collector_does)
{
    static const struct {
        const char *in, *out;
        enum leat_scalar kind;
    } cases[] = {{"${env:NUMBER}", "7", LEAT_SCALAR_INT},
                 {"${NUMBER}", "7", LEAT_SCALAR_INT},
                 {"a${NUMBER}", "a7", LEAT_SCALAR_STRING},
                 {"${NUMBER}${NUMBER}", "77", LEAT_SCALAR_STRING},
                 {"${env:ZEROS}", "0123", LEAT_SCALAR_INT},
                 {"${env:EMPTY}", "", LEAT_SCALAR_NULL},
                 {"${env:NONE:-5s}", "5s", LEAT_SCALAR_STRING},
                 {"${env:NONE:-}", "", LEAT_SCALAR_NULL},
                 {"${env:EMPTY:-5s}", "", LEAT_SCALAR_NULL},
                 {"${env:NONE:-a:b}", "a:b", LEAT_SCALAR_STRING},
                 {"${env:${env:NAME}}", "7", LEAT_SCALAR_INT},
                 {"${NESTED}", "7", LEAT_SCALAR_INT},
                 {"x${NESTED}", "x7", LEAT_SCALAR_STRING},
                 {"${QUOTED}", "\"q\"", LEAT_SCALAR_STRING},
                 {"${BAD}", "[a", LEAT_SCALAR_STRING},
                 {"${yaml:true}", "true", LEAT_SCALAR_BOOL},
                 {"${file:token}", "secret\n", LEAT_SCALAR_STRING},
                 {"${file:number}", "7", LEAT_SCALAR_INT},
                 {"$NUMBER", "$NUMBER", LEAT_SCALAR_STRING},
                 {"$$", "$", LEAT_SCALAR_STRING},
                 {"a$$b", "a$b", LEAT_SCALAR_STRING},
                 {"$${NUMBER}", "${NUMBER}", LEAT_SCALAR_STRING},
                 {"$$${NUMBER}", "$7", LEAT_SCALAR_STRING},
                 {"$$$${NUMBER}", "$${NUMBER}", LEAT_SCALAR_STRING},
                 {"${NUMBER", "${NUMBER", LEAT_SCALAR_STRING},
                 {"}${NUMBER}{", "}7{", LEAT_SCALAR_STRING}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct leat_node node;
        EXPECT_OK(expand(cases[i].in, &node));
        EXPECT_STR(node.text, cases[i].out);
        EXPECT_EQ(leat_node_scalar(&node, NULL, NULL, NULL), cases[i].kind);
        EXPECT_EQ(diags.count, 0);
        leat_arena_done(&arena);
    }
}

/* Scenario:   variables that hold a list and a map.
 * Guarantees: the value is that list or map, and the text is kept for string fields. */
LEAT_TEST(subst_brings_in_lists_and_maps)
{
    struct leat_node node;
    EXPECT_OK(expand("${LIST}", &node));
    EXPECT_EQ(node.kind, LEAT_NODE_LIST);
    EXPECT_EQ(node.count, 2);
    EXPECT_STR(node.text, "[a, b]");
    EXPECT_EQ(node.items[1]->mark.line, 3);
    leat_arena_done(&arena);
    EXPECT_OK(expand("${file:exporters.yaml}", &node));
    EXPECT_EQ(node.kind, LEAT_NODE_MAP);
    EXPECT_STR(leat_node_find(leat_node_find(&node, "otlp_http")->value, "endpoint")->value->text, "a b");
    EXPECT_STR(leat_node_find(&node, "otlp_http")->mark.file, "exporters.yaml");
    leat_arena_done(&arena);
}

/* Scenario:   a variable that is not set and has no default.
 * Guarantees: empty, with one warning at the place. */
LEAT_TEST(subst_warns_of_unset_variables)
{
    struct leat_node node;
    EXPECT_OK(expand("${NONE}", &node));
    EXPECT_STR(node.text, "");
    EXPECT(node.expanded);
    EXPECT_EQ(diags.warnings, 1);
    EXPECT_EQ(diags.at[0].mark.line, 3);
    leat_arena_done(&arena);
}

static void expect_refused(const char *text, const char *part)
{
    struct leat_node node;
    EXPECT_RC(expand(text, &node), LEAT_ECONFIG);
    EXPECT_EQ(diags.errors, 1);
    EXPECT(strstr(diags.at[0].text, part) != NULL);
    leat_arena_done(&arena);
}

/* Scenario:   names, schemes and loops that cannot be expanded.
 * Guarantees: each is refused with a reason, within the limits. */
LEAT_TEST(subst_refuses_what_cannot_be_expanded)
{
    char many[101 * 4 + 1] = "";
    for (int i = 0; i < 101; i++)
        memcpy(many + i * 4, "${A}", 5);
    expect_refused(many, "too many URIs");
    expect_refused("${LOOP}", "too many recursive expansions");
    expect_refused("${GROW}", "too many recursive expansions");
    expect_refused("${env:1A}", "has invalid name");
    expect_refused("${}", "has invalid name");
    expect_refused("${env:A$B}", "unsupported characters ('$')");
    expect_refused("${http://x/y}", "fetch it to a file first");
    expect_refused("${vault:x}", "scheme \"vault\" is not supported");
    expect_refused("${file:none}", "unable to read the file none");
}

/* Scenario:   every kind of expansion with each allocation failing in turn.
 * Guarantees: LEAT_ENOMEM, nothing leaks. */
LEAT_TEST_OOM(subst_survives_failed_allocations)
{
    struct leat_node node;
    leat_rc rc = expand("${file:exporters.yaml}", &node);
    leat_arena_done(&arena);
    if (rc == LEAT_OK)
        rc = expand("x${env:${NAME}}$$", &node);
    leat_arena_done(&arena);
    return rc;
}
