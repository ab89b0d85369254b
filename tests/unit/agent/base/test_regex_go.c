/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/regex_go.h"
#include "tests/kit/kit.h"

static int match(const char *pattern, bool whole, const char *text)
{
    struct leat_regex *regex = NULL;
    struct leat_err err = {0};
    leat_rc rc = leat_regex_go_open(pattern, whole, &regex, &err);
    if (rc != LEAT_OK)
        print_message("%s: %s\n", pattern, err.text);
    EXPECT_OK(rc);
    bool found = leat_regex_find(regex, leat_slice_str(text));
    EXPECT_EQ(leat_regex_limited(regex), 0);
    regex = leat_regex_close(regex);
    return found;
}

/* Guarantees: where PCRE2 and RE2 read the same signs differently, RE2's reading holds. */
LEAT_TEST(regex_go_means_what_re2_means)
{
    static const struct {
        const char *pattern;
        bool whole;
        const char *text;
        int found;
    } cases[] = {
        {"a.c", true, "a\nc", 1},        {"a.c", false, "a\nc", 0},      {"(?-s:a.c)", true, "a\nc", 0},
        {"abc", true, "abcd", 0},        {"abc", true, "abc\n", 0},      {"abc$", false, "abc\n", 0},
        {"(?m)abc$", false, "abc\nd", 1}, {"(?m)^d", false, "abc\nd", 1}, {"(?m)^$", false, "a\n", 1},
        {"(?m:^b)c|^d", false, "a\nd", 0}, {"^b", false, "a\nb", 0},
        {"a|b", true, "b", 1},           {"a|b", true, "ab", 0},         {"\\s", true, "\v", 0},
        {"\\S", true, "\v", 1},          {"[\\s]", true, "\v", 0},       {"[\\S]", true, "\v", 1},
        {"[^\\s]", true, "\v", 1},       {"\\v", true, "\v", 1},         {"\\v", true, "\n", 0},
        {"[[]", true, "[", 1},           {"[]a]+", true, "]a", 1},       {"[a-]+", true, "a-", 1},
        {"[a-c-e]+", true, "b-e", 1},    {"[\\d-z]+", true, "1-z", 1},   {"[[:alpha:]_]+", true, "ab_", 1},
        {"[[:^alpha:]]", true, "1", 1},  {"[[:a]+", true, "[:a", 1},     {".", true, "\xc3\xa4", 1},
        {"[\xc3\xa4-\xc3\xb6]", true, "\xc3\xb5", 1},                    {"\xc3\xa4{2}", true, "\xc3\xa4\xc3\xa4", 1},
        {"\\w", true, "\xc3\xa4", 0},    {"\\pL", true, "\xc3\xa4", 1},  {"\\p{Greek}+", true, "\xce\xb1\xce\xb2", 1},
        {"\\p{^Greek}", true, "a", 1},   {"\\P{Greek}", true, "a", 1},   {"\\P{^Greek}", true, "a", 0},
        {"[\\p{Lu}\\d]+", true, "A1", 1}, {"\\Qa.b*\\E+", true, "a.b**", 1}, {"\\Qa.b", true, "axb", 0},
        {"\\x41\\x{42}\\103", true, "ABC", 1},                           {"\\0", true, "0", 0},
        {"a{,2}", true, "a{,2}", 1},     {"a{2", true, "a{2", 1},        {"a{2,3}", true, "aaaa", 0},
        {"x{02}", true, "x{02}", 1},     {"a#b c", true, "a#b c", 1},    {"(?i)K", true, "k", 1},
        {"(?i-i)K", true, "k", 0},       {"(?i:a)b", true, "AB", 0},     {"(?U)a+", false, "aa", 1},
        {"^*a", true, "a", 1},           {"(?:\\b)+a", true, "a", 1},    {"()", true, "", 1},
        {"|a", true, "", 1},             {"\\-\\_\\ \\/", true, "-_ /", 1}, {"\\.", true, "a", 0},
        {"}]", true, "}]", 1},           {"(?P<n>a)(?<m>b)", true, "ab", 1}, {"a*?b", true, "aab", 1},
        {"[^a]", true, "\n", 1},         {"\\z", false, "", 1},          {"a\\z", false, "a\n", 0},
        {"(?)a", true, "a", 1},          {"[\\x{61}-\\x63]", true, "b", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int found = match(cases[i].pattern, cases[i].whole, cases[i].text);
        if (found != cases[i].found)
            print_message("%s on %s: %d\n", cases[i].pattern, cases[i].text, found);
        EXPECT_EQ(found, cases[i].found);
    }
}

/* Guarantees: what RE2 refuses is refused, above all what would make a search run away or look around. */
LEAT_TEST(regex_go_refuses_what_re2_refuses)
{
    static const char *const bad[] = {
        "(a)\\1", "\\8", "\\k<n>", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", "a*+", "a++", "a?+", "a**", "a{2}{3}",
        "a{2}*", "(?|a|b)", "(?#c)", "(?R)", "(?1)", "(?&n)", "(?P>n)", "(?P=n)", "(?(1)a)", "(?C)", "(?x)a", "(?J)a",
        "(?^a)", "(?i", "(?i-)", "(?--i)", "(*UTF)", "(*ACCEPT)", "\\C", "\\G", "\\K", "\\R", "\\X", "\\N", "\\h",
        "\\H", "\\V", "\\e", "\\cA", "\\o{1}", "\\u0041", "\\Z", "\\E", "a\\", "(a", "a)", "[a", "[]", "[z-a]",
        "[a-\\d]", "[\\b]", "[[:foo:]]", "*a", "+", "a|*", "(*)", "a{1001}", "a{3,2}", "(a{500}){3}", "((a{10}){10}){11}",
        "\\p{", "\\pX{a}", "\\p{Xan}", "\\p{Script=Greek}", "\\p{L&}", "\\p{Klingon}", "\\x", "\\x1", "\\x{}",
        "\\x{110000}", "(?P<a>x)(?P<a>y)", "(?P<>a)", "(?P<a-b>x)", "\xff", "(?'n'a)"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct leat_regex *regex = NULL;
        struct leat_err err = {0};
        leat_rc rc = leat_regex_go_open(bad[i], true, &regex, &err);
        if (rc != LEAT_ECONFIG)
            print_message("taken: %s\n", bad[i]);
        EXPECT_EQ(rc, LEAT_ECONFIG);
        EXPECT(strncmp(err.text, "error parsing regexp", 20) == 0);
    }
}

static char *expand(const char *pattern, const char *text, const char *template)
{
    static char to[256];
    struct leat_regex *regex = NULL;
    struct leat_template *made = NULL;
    EXPECT_OK(leat_regex_go_open(pattern, true, &regex, NULL));
    EXPECT_OK(leat_template_open(template, regex, &made, NULL));
    EXPECT(leat_regex_find(regex, leat_slice_str(text)));
    uint32_t len = leat_template_expand(made, regex, leat_slice_str(text), NULL);
    EXPECT(len < sizeof to);
    EXPECT_EQ(leat_template_expand(made, regex, leat_slice_str(text), to), len);
    to[len] = 0;
    made = leat_template_close(made);
    regex = leat_regex_close(regex);
    return to;
}

/* Guarantees: replacements are read as Go's Expand reads them. */
LEAT_TEST(templates_expand_as_go_does)
{
    EXPECT_STR(expand("(a)(b)?(?P<c>c)", "ac", "$1-$2-$3-$c-${c}x"), "a--c-c-cx");
    EXPECT_STR(expand("(a)(b)", "ab", "$1x${1}x"), "ax");
    EXPECT_STR(expand("(a)(b)", "ab", "$$1$0"), "$1ab");
    EXPECT_STR(expand("(a)(b)", "ab", "$9${nope}$01."), ".");
    EXPECT_STR(expand("(a)(b)", "ab", "$-${${1$"), "$-${${1$");
    EXPECT_STR(expand("(a)(b)", "ab", "${1"), "${1");
    EXPECT_STR(expand("(a)(b)", "ab", "100%"), "100%");
    EXPECT_STR(expand("(.+)", "ab", ""), "");
    EXPECT(leat_template_is_plain("a.b") && !leat_template_is_plain("a$"));
}

LEAT_TEST_OOM(regex_go_survives_failed_allocations)
{
    struct leat_regex *regex = NULL;
    struct leat_template *made = NULL;
    leat_rc rc = leat_regex_go_open("(?P<a>[a-z]+)-(\\d+)", true, &regex, NULL);
    if (rc == LEAT_OK)
        rc = leat_template_open("$a$2", regex, &made, NULL);
    made = leat_template_close(made);
    regex = leat_regex_close(regex);
    return rc;
}
