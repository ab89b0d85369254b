/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/relabel.h"

#include <stdio.h>

#include "tests/kit/kit.h"

#define RULES_MAX 3
#define STRINGS(...) strings_of(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), __VA_ARGS__)
#define RULE(...) {__VA_ARGS__} /* what is not named gets Prometheus' default */
#define ACTION(name) .action = LEAT_RELABEL_##name

/* Kept to the end of the program: an array inside a rule's initializer did not outlive it in optimised builds. */
static struct leat_strings strings_of(size_t count, ...)
{
    static const char *kept[4096];
    static uint32_t used;
    struct leat_strings strings = {kept + used, (uint32_t)count};
    va_list list;
    assert_true(used + count <= sizeof kept / sizeof *kept);
    va_start(list, count);
    for (size_t i = 0; i < count; i++)
        kept[used++] = va_arg(list, const char *);
    va_end(list);
    return strings;
}

static struct leat_relabel_conf with_defaults(struct leat_relabel_conf rule)
{
    rule.separator = rule.separator ? rule.separator : ";";
    rule.regex = rule.regex ? rule.regex : "(.*)";
    rule.replacement = rule.replacement ? rule.replacement : "$1";
    return rule;
}

/* "a=foo,b=bar" */
static void fill(struct leat_label_edit *edit, const char *text)
{
    while (*text) {
        size_t name = strcspn(text, "="), len = strcspn(text, ",");
        leat_label_edit_put(edit, leat_slice_of(text, (uint32_t)name),
                            leat_slice_of(text + name + 1, (uint32_t)(len - name - 1)));
        text += len + (text[len] == ',');
    }
}

static void show(const struct leat_label_edit *edit, char *to, size_t room)
{
    size_t len = 0;
    to[0] = 0;
    for (uint32_t i = 0; i < edit->count; i++)
        len += (size_t)snprintf(to + len, room - len, "%s%.*s=%.*s", i ? "," : "", LEAT_SLICE_ARGS(edit->at[i].name),
                                LEAT_SLICE_ARGS(edit->at[i].value));
}

static leat_rc run(const struct leat_relabel_conf *rules, uint32_t count, enum leat_name_scheme names, const char *in,
                   char *out, size_t room)
{
    struct leat_relabel_conf whole[4];
    for (uint32_t i = 0; i < count; i++)
        whole[i] = with_defaults(rules[i]);
    struct leat_items items = {whole, count};
    struct leat_relabel *relabel = NULL;
    struct leat_label_edit edit = {0};
    struct leat_err err = {0};
    bool keep = false;
    leat_rc rc = leat_relabel_open(&items, names, "relabel_configs", &relabel, &err);
    if (rc != LEAT_OK && rc != LEAT_ENOMEM)
        print_message("%s\n", err.text);
    if (rc == LEAT_OK) {
        fill(&edit, in);
        rc = edit.failed;
    }
    if (rc == LEAT_OK)
        rc = leat_relabel_apply(relabel, &edit, &keep);
    if (rc == LEAT_OK && keep)
        show(&edit, out, room);
    else
        (void)snprintf(out, room, "DROP");
    leat_label_edit_done(&edit);
    relabel = leat_relabel_close(relabel);
    return rc;
}

struct relabel_case {
    const char *in;
    struct leat_relabel_conf rules[RULES_MAX];
    const char *out;
};

static void run_cases(const struct relabel_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char out[1024];
        uint32_t rules = 0;
        static const struct leat_relabel_conf none;
        while (rules < RULES_MAX && memcmp(&cases[i].rules[rules], &none, sizeof none) != 0)
            rules++;
        EXPECT_OK(run(cases[i].rules, rules, LEAT_NAMES_UTF8, cases[i].in, out, sizeof out));
        EXPECT_STR(out, cases[i].out);
    }
}

/* Guarantees: replace matches the whole joined value, expands both templates and deletes on an empty result. */
LEAT_TEST(relabel_replace)
{
    const struct relabel_case cases[] = {
        {"a=foo,b=bar,c=baz",
         {RULE(.source_labels = STRINGS("a"), .regex = "f(.*)", .target_label = "d", .replacement = "ch${1}-ch${1}")},
         "a=foo,b=bar,c=baz,d=choo-choo"},
        {"a=foo,b=bar,c=baz",
         {RULE(.source_labels = STRINGS("a", "b"), .regex = "f(.*);(.*)r", .target_label = "a",
               .replacement = "b${1}${2}m"),
          RULE(.source_labels = STRINGS("c", "a"), .regex = "(b).*b(.*)ba(.*)", .target_label = "d",
               .replacement = "$1$2$2$3")},
         "a=boobam,b=bar,c=baz,d=boooom"},
        {"a=abc", {RULE(.source_labels = STRINGS("a"), .regex = "b", .target_label = "d", .replacement = "x")}, "a=abc"},
        {"a=foo", {RULE(.source_labels = STRINGS("a"), .regex = "(b.*)?foo", .target_label = "a", .replacement = "$1")},
         ""},
        {"a=foo", {RULE(.target_label = "b", .replacement = "static")}, "a=foo,b=static"},
        {"a=foo,b=x", {RULE(.target_label = "b", .replacement = "")}, "a=foo"},
        {"a=foo", {RULE(.source_labels = STRINGS("a"), .target_label = "b")}, "a=foo,b=foo"},
        {"a=foo", {RULE(.source_labels = STRINGS("nope"), .target_label = "a")}, ""},
        {"a=some-name-value", /* the target is a template, too */
         {RULE(.source_labels = STRINGS("a"), .regex = "some-([^-]+)-([^,]+)", .target_label = "${1}",
               .replacement = "${2}")},
         "a=some-name-value,name=value"},
        {"a=some-\xff-value", /* what is no name is not written */
         {RULE(.source_labels = STRINGS("a"), .regex = "some-([^-]*)-([^,]+)", .target_label = "${3}",
               .replacement = "x")},
         "a=some-\xff-value"},
        {"a=line\nbreak", {RULE(.source_labels = STRINGS("a"), .regex = "line.break", .target_label = "b", .replacement = "y")},
         "a=line\nbreak,b=y"},
        {"a=1,b=2", {RULE(.source_labels = STRINGS("a", "b"), .separator = "", .target_label = "c")}, "a=1,b=2,c=12"},
        {"__address__=10.0.0.1:80,port=9090", /* the prometheus.io/port idiom */
         {RULE(.source_labels = STRINGS("__address__", "port"), .regex = "([^:]+)(?::\\d+)?;(\\d+)",
               .target_label = "__address__", .replacement = "$1:$2")},
         "__address__=10.0.0.1:9090,port=9090"},
        {"a=foo", {RULE(.source_labels = STRINGS("a"), .regex = "(?P<n>.+)", .target_label = "b", .replacement = "x$n")},
         "a=foo,b=xfoo"},
        {"a=foo", {RULE(.source_labels = STRINGS("a"), .target_label = "b", .replacement = "$$1$2")}, "a=foo,b=$1"},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

/* Guarantees: keep and drop look at the whole joined value, their twins at the target label's. */
LEAT_TEST(relabel_keep_and_drop)
{
    const struct relabel_case cases[] = {
        {"a=foo", {RULE(.source_labels = STRINGS("a"), .regex = "foo|bar", ACTION(KEEP))}, "a=foo"},
        {"a=fo", {RULE(.source_labels = STRINGS("a"), .regex = "foo|bar", ACTION(KEEP))}, "DROP"},
        {"a=foo", {RULE(.source_labels = STRINGS("a"), .regex = "f", ACTION(KEEP))}, "DROP"},
        {"a=foo", {RULE(.source_labels = STRINGS("a"), .regex = ".*o.*", ACTION(DROP)),
                   RULE(.target_label = "d", .replacement = "never")}, "DROP"},
        {"a=foo", {RULE(.source_labels = STRINGS("b"), .regex = "", ACTION(DROP))}, "DROP"},
        {"a=foo", {RULE(.source_labels = STRINGS("b"), .regex = ".+", ACTION(DROP))}, "a=foo"},
        {"a=foo", {RULE(.source_labels = STRINGS("b"), .regex = "true", ACTION(KEEP))}, "DROP"},
        {"a=x,b=x", {RULE(.source_labels = STRINGS("a"), .target_label = "b", ACTION(KEEPEQUAL))}, "a=x,b=x"},
        {"a=x,b=y", {RULE(.source_labels = STRINGS("a"), .target_label = "b", ACTION(KEEPEQUAL))}, "DROP"},
        {"a=x,b=x", {RULE(.source_labels = STRINGS("a"), .target_label = "b", ACTION(DROPEQUAL))}, "DROP"},
        {"a=x,b=y", {RULE(.source_labels = STRINGS("a"), .target_label = "b", ACTION(DROPEQUAL))}, "a=x,b=y"},
        {"a=x,b=y,c=x;y", {RULE(.source_labels = STRINGS("a", "b"), .target_label = "c", ACTION(DROPEQUAL))}, "DROP"},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

/* Guarantees: hashmod is the last eight bytes of MD5, case changes know more letters than ASCII. */
LEAT_TEST(relabel_hash_and_case)
{
    const struct relabel_case cases[] = {
        {"c=baz", {RULE(.source_labels = STRINGS("c"), .target_label = "d", .modulus = 1000, ACTION(HASHMOD))},
         "c=baz,d=976"},
        {"c=foo", {RULE(.source_labels = STRINGS("c"), .target_label = "d", .modulus = 1000, ACTION(HASHMOD))},
         "c=foo,d=696"},
        {"c=baz", {RULE(.source_labels = STRINGS("no"), .target_label = "d", .modulus = 1000, ACTION(HASHMOD))},
         "c=baz,d=958"},
        {"a=Foo\xc3\x84", {RULE(.source_labels = STRINGS("a"), .target_label = "b", ACTION(LOWERCASE))},
         "a=Foo\xc3\x84,b=foo\xc3\xa4"},
        {"a=foo\xc3\xa4", {RULE(.source_labels = STRINGS("a"), .target_label = "b", ACTION(UPPERCASE))},
         "a=foo\xc3\xa4,b=FOO\xc3\x84"},
        {"a=\xc8\xba", {RULE(.source_labels = STRINGS("a"), .target_label = "b", ACTION(LOWERCASE))},
         "a=\xc8\xba,b=\xe2\xb1\xa5"},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

/* Guarantees: labelmap works on the names there were when the rule began; labeldrop and labelkeep on names. */
LEAT_TEST(relabel_label_names)
{
    const struct relabel_case cases[] = {
        {"a=foo,b1=bar,b2=baz", {RULE(.regex = "(b.*)", .replacement = "bar_${1}", ACTION(LABELMAP))},
         "a=foo,b1=bar,b2=baz,bar_b1=bar,bar_b2=baz"},
        {"__meta_my_bar=aaa,__meta_my_baz=bbb,__meta_other=ccc", {RULE(.regex = "__meta_(my.*)", ACTION(LABELMAP))},
         "__meta_my_bar=aaa,__meta_my_baz=bbb,__meta_other=ccc,my_bar=aaa,my_baz=bbb"},
        {"a=1", {RULE(.regex = "a", .replacement = "a1", ACTION(LABELMAP)),
                 RULE(.regex = "a(.?)", .replacement = "a1$1", ACTION(LABELMAP))}, "a=1,a1=1,a11=1"},
        {"a=foo,b1=bar,b2=baz", {RULE(.regex = "(b.*)", ACTION(LABELDROP))}, "a=foo"},
        {"a=foo,b1=bar,b2=baz", {RULE(.regex = "(b.*)", ACTION(LABELKEEP))}, "b1=bar,b2=baz"},
        {"a=foo,b1=bar,b2=baz", {RULE(.regex = "a|b1", ACTION(LABELDROP))}, "b2=baz"},
        {"a=foo,b1=bar", {RULE(.regex = "b", ACTION(LABELKEEP))}, ""},
    };
    run_cases(cases, sizeof cases / sizeof *cases);
}

/* Guarantees: classic names: a target with a dot is refused as text, and not written when it comes out of a template. */
LEAT_TEST(relabel_classic_names)
{
    char out[64];
    struct leat_relabel_conf rule = RULE(.source_labels = STRINGS("a"), .target_label = "$1", .replacement = "x");
    EXPECT_OK(run(&rule, 1, LEAT_NAMES_CLASSIC, "a=b.c", out, sizeof out));
    EXPECT_STR(out, "a=b.c");
    EXPECT_OK(run(&rule, 1, LEAT_NAMES_UTF8, "a=b.c", out, sizeof out));
    EXPECT_STR(out, "a=b.c,b.c=x");
    rule.target_label = "b.c";
    EXPECT_RC(run(&rule, 1, LEAT_NAMES_CLASSIC, "a=b", out, sizeof out), LEAT_ECONFIG);
}

/* Guarantees: what Prometheus refuses is refused, with its words and the rule's number. */
LEAT_TEST(relabel_refuses_bad_rules)
{
    const struct {
        struct leat_relabel_conf rule;
        const char *says;
    } cases[] = {
        {RULE(.source_labels = STRINGS("a")), "requires 'target_label'"},
        {RULE(ACTION(HASHMOD), .target_label = "a"), "requires non-zero modulus"},
        {RULE(ACTION(LOWERCASE)), "lowercase action requires 'target_label'"},
        {RULE(ACTION(UPPERCASE), .target_label = "a", .replacement = "x"), "'replacement' can not be set"},
        {RULE(ACTION(KEEPEQUAL), .target_label = "a", .regex = "x"), "requires only 'source_labels'"},
        {RULE(ACTION(DROPEQUAL), .target_label = "a", .separator = ","), "requires only 'source_labels'"},
        {RULE(ACTION(LABELDROP), .target_label = "a"), "requires only 'regex'"},
        {RULE(ACTION(LABELKEEP), .source_labels = STRINGS("a")), "requires only 'regex'"},
        {RULE(ACTION(LABELMAP), .replacement = "\xff"), "invalid 'replacement'"},
        {RULE(.target_label = "\xff"), "invalid 'target_label'"},
        {RULE(.target_label = "a", .source_labels = STRINGS("")), "not a valid label name"},
        {RULE(.target_label = "a", .regex = "(a)\\1"), "back references"},
        {RULE(.target_label = "a", .regex = "(?=a)"), "Perl syntax"},
        {RULE(.target_label = "a", .regex = "a++"), "nested repetition"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct leat_relabel_conf ok = RULE(.target_label = "ok");
        struct leat_relabel_conf rules[2] = {with_defaults(ok), with_defaults(cases[i].rule)};
        struct leat_items items = {rules, 2};
        struct leat_err err = {0};
        EXPECT_RC(leat_relabel_check(&items, LEAT_NAMES_UTF8, "relabel_configs", &err), LEAT_ECONFIG);
        if (!strstr(err.text, cases[i].says))
            print_message("%s\n", err.text);
        EXPECT(strstr(err.text, cases[i].says) != NULL);
        EXPECT(strncmp(err.text, "relabel_configs[1]: ", 20) == 0);
    }
}

/* Scenario:   a pattern that runs away on a value a stranger chose.
 * Guarantees: no match, counted; the next value is fine. */
LEAT_TEST(relabel_counts_searches_that_ran_away)
{
    struct leat_relabel_conf rule = RULE(.source_labels = STRINGS("a"), .regex = "(x+x+)+y", ACTION(DROP));
    rule = with_defaults(rule);
    struct leat_items items = {&rule, 1};
    struct leat_relabel *relabel = NULL;
    struct leat_label_edit edit = {0};
    bool keep = false;
    EXPECT_OK(leat_relabel_open(&items, LEAT_NAMES_UTF8, "relabel_configs", &relabel, NULL));
    fill(&edit, "a=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyz");
    EXPECT_OK(leat_relabel_apply(relabel, &edit, &keep));
    EXPECT(keep);
    EXPECT_EQ(leat_relabel_limited(relabel), 1);
    fill(&edit, "a=xxxy");
    EXPECT_OK(leat_relabel_apply(relabel, &edit, &keep));
    EXPECT(!keep);
    leat_label_edit_done(&edit);
    relabel = leat_relabel_close(relabel);
}

LEAT_TEST_OOM(relabel_survives_failed_allocations)
{
    char out[1024];
    struct leat_relabel_conf rules[] = {
        RULE(.source_labels = STRINGS("a", "b"), .regex = "(.*);(.*)", .target_label = "$1", .replacement = "${2}x"),
        RULE(.regex = "(.)", .replacement = "long_enough_$1", ACTION(LABELMAP)),
        RULE(.source_labels = STRINGS("a"), .target_label = "h", .modulus = 7, ACTION(HASHMOD)),
        RULE(.source_labels = STRINGS("a"), .target_label = "u", ACTION(UPPERCASE))};
    return run(rules, 4, LEAT_NAMES_UTF8, "a=foo,b=bar", out, sizeof out);
}
