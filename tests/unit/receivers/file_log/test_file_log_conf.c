/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/file_log/rig.h"

static void refuse(const struct file_log_conf *conf, const char *words)
{
    struct leat_err err = {0};
    EXPECT_RC(leat_receiver_file_log.check(conf, &err), LEAT_ECONFIG);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void refuse_operator(struct file_log_operator op, const char *words)
{
    const char *include = "/x/*.log";
    struct file_log_operator ops[] = {{.type = "container"}, op};
    struct file_log_conf conf = {.include = {&include, 1}, .operators = {ops, 2}};
    refuse(&conf, words);
    refuse(&conf, "operators[1]");
}

/* Guarantees: each mistake is refused with its place and its reason. */
LEAT_TEST(file_log_refuses_bad_configurations)
{
    const char *good = "/x/*.log", *bad = "/x/[a.log", *proc = "/proc/1/fd/*";
    refuse(&(struct file_log_conf){0}, "include");
    refuse(&(struct file_log_conf){.include = {&bad, 1}}, "include[0]");
    refuse(&(struct file_log_conf){.include = {&proc, 1}}, "/proc");
    refuse(&(struct file_log_conf){.include = {&good, 1}, .exclude = {&bad, 1}}, "exclude[0]");
    refuse(&(struct file_log_conf){.include = {&good, 1}, .encoding = "utf-16le"}, "utf-16le");
    refuse(&(struct file_log_conf){.include = {&good, 1}, .compression = "gzip"}, "gzip");
    struct file_log_conf multiline = {.include = {&good, 1}, .multiline = {.present = true}};
    refuse(&multiline, "exactly one");
    multiline.multiline.line_start_pattern = "(";
    refuse(&multiline, "line_start_pattern");
    refuse_operator((struct file_log_operator){.type = "json_parser"}, "json_parser");
    refuse_operator((struct file_log_operator){.type = "container"}, "once");
    refuse_operator((struct file_log_operator){.type = "recombine"}, "is_first_entry");
    refuse_operator((struct file_log_operator){.type = "recombine", .is_first_entry = "body startsWith \"x\""},
                    "startsWith");
    refuse_operator((struct file_log_operator){.type = "recombine", .is_first_entry = "body matches \"(\""}, "regular");
    refuse_operator((struct file_log_operator){.type = "recombine", .is_first_entry = "body matches \"a\" or true"},
                    "only");
    refuse_operator((struct file_log_operator){.type = "recombine",
                                               .is_first_entry = "body matches 'a'",
                                               .combine_field = "attributes.x"},
                    "combine_field");
    refuse_operator((struct file_log_operator){.type = "move", .from = "body", .to = "attributes.x"}, "moved");
    refuse_operator((struct file_log_operator){.type = "move", .from = "attributes.logtag", .to = "resource.x"},
                    "record");
    refuse_operator((struct file_log_operator){.type = "add", .field = "attributes.x"}, "value");
    refuse_operator((struct file_log_operator){.type = "remove", .field = "attributes.x", .output = "gone"}, "gone");
}

/* Guarantees: field expressions in each spelling, and nothing else. */
LEAT_TEST(file_log_parses_fields)
{
    static const struct {
        const char *text, *key;
    } table[] = {{"attributes.a", "a"},      {"attributes[\"a.b\"]", "a.b"}, {"resource['x']", "x"},
                 {"resource.x", "x"},        {"attributes", NULL},           {"attributes.", NULL},
                 {"attributes.a.b", NULL},   {"attributes[\"a\"", NULL},     {"attributes[\"a\"][\"b\"]", NULL},
                 {"attributes[\"\"]", NULL}, {"attributesx", NULL},          {"", NULL},
                 {"resource[", NULL},        {"resource[]", NULL},           {"resource[\"]", NULL}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct file_log_field_ref ref;
        bool ok = file_log__field_parse(table[i].text, &ref);
        EXPECT_EQ(ok, table[i].key != NULL);
        if (ok) {
            EXPECT_EQ(ref.key_len, strlen(table[i].key));
            EXPECT_BYTES(ref.key, table[i].key, ref.key_len);
        }
    }
}

/* Guarantees: the two forms of a test in each spelling; quotes and backslashes as the expression language has them. */
LEAT_TEST(file_log_parses_tests)
{
    static const struct {
        const char *text;
        enum file_log_test test;
        const char *arg;
    } table[] = {{"body matches \"^\\\\d{4}\"", FILE_LOG_TEST_MATCHES, "^\\d{4}"},
                 {" body  matches '^[^\\s]' ", FILE_LOG_TEST_MATCHES, "^[^\\s]"},
                 {"body matches `a\\b`", FILE_LOG_TEST_MATCHES, "a\\b"},
                 {"body matches \"say \\\"x\\\"\"", FILE_LOG_TEST_MATCHES, "say \"x\""},
                 {"attributes.logtag == 'F'", FILE_LOG_TEST_LOGTAG, "F"},
                 {"attributes[\"logtag\"] == \"P\"", FILE_LOG_TEST_LOGTAG, "P"},
                 {"attributes.other == 'F'", FILE_LOG_TEST_NONE, NULL},
                 {"body matches", FILE_LOG_TEST_NONE, NULL},
                 {"body matches \"a\" and \"b\"", FILE_LOG_TEST_NONE, NULL},
                 {"", FILE_LOG_TEST_NONE, NULL}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        enum file_log_test test = FILE_LOG_TEST_NONE;
        char arg[64];
        leat_rc rc = file_log__test_parse(table[i].text, &test, arg, sizeof arg, NULL);
        EXPECT_EQ(rc == LEAT_OK, table[i].arg != NULL);
        EXPECT_EQ(test, table[i].test);
        if (table[i].arg)
            EXPECT_STR(arg, table[i].arg);
    }
}

/* Guarantees: globs match as doublestar's do. */
LEAT_TEST(file_log_globs)
{
    static const struct {
        const char *pattern, *path;
        bool match;
    } table[] = {{"/a/*.log", "/a/x.log", true},
                 {"/a/*.log", "/a/b/x.log", false},
                 {"/a/**/*.log", "/a/x.log", true},
                 {"/a/**/*.log", "/a/b/c/x.log", true},
                 {"/a/**", "/a/b/c", true},
                 {"/**/c", "/a/b/c", true},
                 {"/a/?.log", "/a/xx.log", false},
                 {"/a/[a-c]*.log", "/a/bz.log", true},
                 {"/a/[!a-c]*", "/a/bz", false},
                 {"/a/[^a]", "/a/b", true},
                 {"/a/{x,y*}.log", "/a/yes.log", true},
                 {"/a/{x,y}.log", "/a/z.log", false},
                 {"/a/{x,{y,z}}", "/a/z", true},
                 {"/a/\\*", "/a/*", true},
                 {"/a/\\*", "/a/b", false},
                 {"/a", "/a/", false},
                 {"*a*b*c*", "xaxbxc", true},
                 {"*", "", false},
                 {"/a/[]]", "/a/]", true},
                 {"/a/b", "/a", false}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (file_log__glob_match(table[i].pattern, table[i].path) != table[i].match)
            fail_msg("%s %s", table[i].pattern, table[i].path);
    EXPECT(!file_log__glob_match("*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
