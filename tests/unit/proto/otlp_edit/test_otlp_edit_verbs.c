/* SPDX-License-Identifier: Apache-2.0 */
/* What each verb does to one record's attributes, and which records are meant. */
#include "agent/base/strbuf.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_json_write.h"
#include "proto/otlp_edit/otlp_edit.h"
#include "tests/kit/kit.h"

#define TEXT(t)                                \
    {                                          \
        .kind = LEAT_VALUE_STRING, .text = (t) \
    }
#define INT(n)                           \
    {                                    \
        .kind = LEAT_VALUE_INT, .i = (n) \
    }

static const char *header(const void *ctx, const char *key)
{
    (void)ctx;
    return strcmp(key, "x-tenant") == 0 ? "t1" : NULL;
}
static const struct otlp_edit_context context = {.get = header};

static void run_json(const char *json, const char *wanted, struct otlp_edit *edit, struct otlp_edit_match *include,
                     struct otlp_edit_match *exclude, enum leat_signal signal)
{
    struct leat_chain text = kit_chain(json, strlen(json), 0), payload, out;
    struct leat_strbuf got = {0};
    struct leat_err err = {0};
    EXPECT_OK_ERR(otlp_json_read(signal, &text, &payload, &err), &err);
    EXPECT_OK_ERR(otlp_edit_records(edit, include, exclude, signal, &payload, &context, &out, &err), &err);
    EXPECT_OK_ERR(otlp_json_write(signal, &out, &got, &err), &err);
    EXPECT_STR(got.at, wanted);
    leat_strbuf_done(&got);
    leat_chain_done(&out);
    leat_chain_done(&payload);
    leat_chain_done(&text);
}

#define LOG(attributes)                                                                 \
    "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[" \
    "{\"body\":{},\"attributes\":[" attributes "]}]}]}]}"
#define BARE "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{\"body\":{}}]}]}]}"
#define S(key, text) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" text "\"}}"
#define N(key, text) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" text "\"}}"
#define D(key, text) "{\"key\":\"" key "\",\"value\":{\"doubleValue\":" text "}}"
#define B(key, text) "{\"key\":\"" key "\",\"value\":{\"boolValue\":" text "}}"

static void expect(struct otlp_edit_action_conf action, const char *in, const char *out)
{
    struct otlp_edit *edit;
    struct leat_err err = {0};
    struct leat_items items = {&action, 1};
    EXPECT_OK_ERR(otlp_edit_check(&items, "actions", &err), &err);
    EXPECT_OK_ERR(otlp_edit_open(&items, &edit, &err), &err);
    run_json(in, out, edit, NULL, NULL, LEAT_LOGS);
    (void)otlp_edit_close(edit);
}

/* Scenario:   insert, update and upsert, of what is there and what is not, from each source.
 * Guarantees: insert leaves what is there, update leaves what is not there, upsert sets; a source without a value is
 *             the default, or nothing happens. */
LEAT_TEST(setting)
{
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_INSERT, .key = "a", .value = TEXT("n")}, LOG(S("a", "o")),
           LOG(S("a", "o")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_INSERT, .key = "b", .value = INT(-3)}, LOG(S("a", "o")),
           LOG(S("a", "o") "," N("b", "-3")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_UPDATE, .key = "a", .value = TEXT("n")},
           LOG(S("a", "o") "," S("z", "z")), LOG(S("a", "n") "," S("z", "z")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_UPDATE, .key = "b", .value = TEXT("n")}, LOG(S("a", "o")),
           LOG(S("a", "o")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_UPSERT, .key = "b", .value = TEXT("")}, BARE,
           LOG(S("b", "")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_UPSERT, .key = "b", .from_attribute = "a"},
           LOG(N("a", "5")), LOG(N("a", "5") "," N("b", "5")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_UPSERT, .key = "b", .from_attribute = "x"},
           LOG(N("a", "5")), LOG(N("a", "5")));
    expect(
        (struct otlp_edit_action_conf){
            .action = OTLP_EDIT_UPSERT, .key = "b", .from_attribute = "x", .default_value = INT(1)},
        LOG(N("a", "5")), LOG(N("a", "5") "," N("b", "1")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_INSERT, .key = "t", .from_context = "metadata.X-Tenant"},
           BARE, LOG(S("t", "t1")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_INSERT, .key = "t", .from_context = "metadata.other"},
           BARE, BARE);
}

/* Scenario:   delete and hash, by key and by pattern.
 * Guarantees: the first by that key, all that match; SHA-256 in hex of texts, numbers and truths as the Collector has
 * it. */
LEAT_TEST(deleting_and_hashing)
{
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_DELETE, .key = "a"}, LOG(S("a", "1") "," S("b", "2")),
           LOG(S("b", "2")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_DELETE, .pattern = "^http\\."},
           LOG(S("http.a", "1") "," S("b", "2") "," S("http.c", "3")), LOG(S("b", "2")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_DELETE, .key = "a"}, LOG(S("a", "1")), BARE);
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_HASH, .key = "a"}, LOG(S("a", "bob")),
           LOG(S("a", "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_HASH, .pattern = "a$"}, LOG(S("a", "") "," S("b", "x")),
           LOG(S("a", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") "," S("b", "x")));
    /* printf '\1\0\0\0\0\0\0\0' | sha256sum; printf '\1' | sha256sum */
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_HASH, .key = "a"}, LOG(N("a", "1")),
           LOG(S("a", "7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8")));
    expect((struct otlp_edit_action_conf){.action = OTLP_EDIT_HASH, .key = "a"}, LOG(B("a", "true")),
           LOG(S("a", "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a")));
}

/* Scenario:   extract with two groups, one of which is there already; a text that does not match; a number.
 * Guarantees: groups become texts, the rest stays. */
LEAT_TEST(extracting)
{
    struct otlp_edit_action_conf action = {
        .action = OTLP_EDIT_EXTRACT, .key = "u", .pattern = "^(?P<s>\\w+)://(?P<h>[^/]*)"};
    expect(action, LOG(S("u", "ab://cd/e") "," S("h", "old")),
           LOG(S("u", "ab://cd/e") "," S("h", "cd") "," S("s", "ab")));
    expect(action, LOG(S("u", "none")), LOG(S("u", "none")));
    expect(action, LOG(N("u", "5")), LOG(N("u", "5")));
}

/* Scenario:   every conversion, and texts that are no numbers.
 * Guarantees: what can be converted is, what cannot stays as it is. */
LEAT_TEST(converting)
{
    enum { TO_INT, TO_DOUBLE, TO_STRING, TO_BOOLEAN };
    struct otlp_edit_action_conf a = {.action = OTLP_EDIT_CONVERT, .key = "a", .converted_type = TO_INT};
    expect(a, LOG(S("a", "-12")), LOG(N("a", "-12")));
    expect(a, LOG(S("a", "12x")), LOG(S("a", "12x")));
    expect(a, LOG(S("a", " 12")), LOG(S("a", " 12")));
    expect(a, LOG(S("a", "99999999999999999999")), LOG(S("a", "99999999999999999999")));
    expect(a, LOG(D("a", "2.75")), LOG(N("a", "2")));
    expect(a, LOG(B("a", "true")), LOG(N("a", "1")));
    a.converted_type = TO_DOUBLE;
    expect(a, LOG(S("a", "2.5")), LOG(D("a", "2.5")));
    expect(a, LOG(N("a", "3")), LOG(D("a", "3")));
    expect(a, LOG(S("a", "")), LOG(S("a", "")));
    a.converted_type = TO_STRING;
    expect(a, LOG(N("a", "-7")), LOG(S("a", "-7")));
    expect(a, LOG(D("a", "0.1")), LOG(S("a", "0.1")));
    expect(a, LOG(B("a", "false")), LOG(S("a", "false")));
    a.converted_type = TO_BOOLEAN;
    expect(a, LOG(S("a", "True")), LOG(B("a", "true")));
    expect(a, LOG(S("a", "yes")), LOG(S("a", "yes")));
    expect(a, LOG(N("a", "0")), LOG(B("a", "false")));
}

/* Scenario:   a chain of actions in which each needs what the one before made.
 * Guarantees: they act in order; a value made by one is read by the next. */
LEAT_TEST(each_sees_what_the_one_before_made)
{
    struct otlp_edit_action_conf actions[] = {{.action = OTLP_EDIT_EXTRACT, .key = "u", .pattern = "(?P<n>\\d+)"},
                                              {.action = OTLP_EDIT_CONVERT, .key = "n", .converted_type = 0},
                                              {.action = OTLP_EDIT_CONVERT, .key = "n", .converted_type = 2},
                                              {.action = OTLP_EDIT_UPSERT, .key = "m", .from_attribute = "n"},
                                              {.action = OTLP_EDIT_HASH, .key = "n"},
                                              {.action = OTLP_EDIT_EXTRACT, .key = "n", .pattern = "^(?P<first>..)"},
                                              {.action = OTLP_EDIT_DELETE, .key = "n"},
                                              {.action = OTLP_EDIT_INSERT, .key = "n", .value = INT(1)}};
    struct otlp_edit *edit;
    EXPECT_OK(otlp_edit_open(&(struct leat_items){actions, 8}, &edit, NULL));
    run_json(LOG(S("u", "x42")), LOG(S("u", "x42") "," S("m", "42") "," S("first", "73") "," N("n", "1")), edit, NULL,
             NULL, LEAT_LOGS);
    (void)otlp_edit_close(edit);
}

/* ---- include and exclude ---- */

static const char three[] = "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" S(
    "service.name",
    "web") "]},\"scopeLogs\":[{\"scope\":{\"name\":\"lib\","
           "\"version\":\"1\"},\"logRecords\":[{\"severityText\":\"INFO\",\"body\":{\"stringValue\":\"one\"}},"
           "{\"severityText\":\"WARN\",\"body\":{\"stringValue\":\"two\"},\"attributes\":[" N(
               "a", "5") "]}]}]},"
                         "{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{\"body\":{\"stringValue\":"
                         "\"three\"}}]}]}]}";

/* Which of the three records are edited, as bits. */
static unsigned hit(struct otlp_edit_match_conf include, struct otlp_edit_match_conf exclude)
{
    struct otlp_edit_action_conf mark = {.action = OTLP_EDIT_INSERT, .key = "MARK", .value = TEXT("")};
    struct otlp_edit *edit;
    struct otlp_edit_match *in = NULL, *ex = NULL;
    struct leat_chain text = kit_chain(three, sizeof three - 1, 7), payload, out;
    struct leat_strbuf got = {0};
    struct leat_err err = {0};
    EXPECT_OK(otlp_edit_open(&(struct leat_items){&mark, 1}, &edit, NULL));
    if (include.present)
        EXPECT_OK_ERR(otlp_edit_match_open(&include, &in, &err), &err);
    if (exclude.present)
        EXPECT_OK_ERR(otlp_edit_match_open(&exclude, &ex, &err), &err);
    EXPECT_OK_ERR(otlp_json_read(LEAT_LOGS, &text, &payload, &err), &err);
    EXPECT_OK(otlp_edit_records(edit, in, ex, LEAT_LOGS, &payload, &context, &out, &err));
    EXPECT_OK(otlp_json_write(LEAT_LOGS, &out, &got, &err));
    unsigned bits = 0, record = 0;
    for (const char *at = got.at; (at = strstr(at, "\"body\"")); at++, record++) {
        const char *next = strstr(at + 1, "\"body\""), *marked = strstr(at, "MARK");
        bits |= marked && (!next || marked < next) ? 1u << record : 0;
    }
    EXPECT_EQ(record, 3);
    leat_strbuf_done(&got);
    leat_chain_done(&out);
    leat_chain_done(&payload);
    leat_chain_done(&text);
    (void)otlp_edit_match_close(in);
    (void)otlp_edit_match_close(ex);
    (void)otlp_edit_close(edit);
    return bits;
}

#define LIST(...)                                                                             \
    {                                                                                         \
        (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) \
    }
#define NONE                      \
    (struct otlp_edit_match_conf) \
    {                             \
        0                         \
    }
#define MATCH(...)                   \
    (struct otlp_edit_match_conf)    \
    {                                \
        .present = true, __VA_ARGS__ \
    }

/* Scenario:   each property by itself, strict and as an expression, then several together, then as exclude.
 * Guarantees: the right records are edited: one of a list suffices, all properties must hold, exclude wins. */
LEAT_TEST(the_right_records_are_meant)
{
    struct otlp_edit_pair_conf five = {"a", INT(5)}, six = {"a", INT(6)}, any = {"a", {0}},
                               expression = {"a", TEXT("^[0-5]$")}, web = {"service.name", TEXT("web")};
    struct otlp_edit_library_conf lib = {"lib", NULL}, lib2 = {"lib", "2"};
    EXPECT_EQ(hit(NONE, NONE), 7);
    EXPECT_EQ(hit(MATCH(.services = LIST("api", "web")), NONE), 3);
    EXPECT_EQ(hit(MATCH(.services = LIST("we")), NONE), 0);
    EXPECT_EQ(hit(MATCH(.match_type = 1, .services = LIST("we")), NONE), 3);
    EXPECT_EQ(hit(MATCH(.log_bodies = LIST("one", "three")), NONE), 5);
    EXPECT_EQ(hit(MATCH(.match_type = 1, .log_bodies = LIST("^t")), NONE), 6);
    EXPECT_EQ(hit(MATCH(.log_severity_texts = LIST("WARN")), NONE), 2);
    EXPECT_EQ(hit(MATCH(.attributes = {&five, 1}), NONE), 2);
    EXPECT_EQ(hit(MATCH(.attributes = {&six, 1}), NONE), 0);
    EXPECT_EQ(hit(MATCH(.attributes = {&any, 1}), NONE), 2);
    EXPECT_EQ(hit(MATCH(.match_type = 1, .attributes = {&expression, 1}), NONE), 2);
    EXPECT_EQ(hit(MATCH(.resources = {&web, 1}), NONE), 3);
    EXPECT_EQ(hit(MATCH(.libraries = {&lib, 1}), NONE), 3);
    EXPECT_EQ(hit(MATCH(.libraries = {&lib2, 1}), NONE), 0);
    EXPECT_EQ(hit(MATCH(.span_names = LIST("one")), NONE), 0);
    EXPECT_EQ(hit(MATCH(.services = LIST("web"), .log_bodies = LIST("one")), NONE), 1);
    EXPECT_EQ(hit(NONE, MATCH(.log_bodies = LIST("one"))), 6);
    EXPECT_EQ(hit(MATCH(.services = LIST("web")), MATCH(.log_severity_texts = LIST("INFO"))), 2);
}

/* Scenario:   metrics, of which one is named.
 * Guarantees: its data points are edited and the other metric's are not. */
LEAT_TEST(metrics_are_chosen_by_name)
{
    struct otlp_edit_action_conf mark = {.action = OTLP_EDIT_INSERT, .key = "m", .value = TEXT("y")};
    struct otlp_edit_match_conf conf = MATCH(.metric_names = LIST("two"));
    struct otlp_edit *edit;
    struct otlp_edit_match *match;
    EXPECT_OK(otlp_edit_open(&(struct leat_items){&mark, 1}, &edit, NULL));
    EXPECT_OK(otlp_edit_match_open(&conf, &match, NULL));
#define METRICS(first, second)                                                                                         \
    "{\"resourceMetrics\":[{\"resource\":{},\"scopeMetrics\":[{\"scope\":{},\"metrics\":[{\"name\":\"one\",\"gauge\":" \
    "{\"dataPoints\":[{\"asInt\":\"1\"" first                                                                          \
    "}]}},{\"name\":\"two\",\"sum\":{\"dataPoints\":[{\"asInt\":\"2\"" second "}]}}]}]}]}"
    run_json(METRICS("", ""), METRICS("", ",\"attributes\":[" S("m", "y") "]"), edit, match, NULL, LEAT_METRICS);
    (void)otlp_edit_match_close(match);
    (void)otlp_edit_close(edit);
}

/* Scenario:   actions and matches that cannot be meant.
 * Guarantees: each is refused with its place in the list and a reason. */
LEAT_TEST(nonsense_is_refused)
{
    static const struct {
        struct otlp_edit_action_conf action;
        const char *text;
    } bad[] = {{{.action = OTLP_EDIT_INSERT, .value = INT(1)}, "actions[0]: insert needs a key"},
               {{.action = OTLP_EDIT_UPSERT, .key = "a"},
                "actions[0]: upsert of \"a\" needs one of value, from_attribute and from_context"},
               {{.action = OTLP_EDIT_UPSERT, .key = "a", .from_context = "auth.subject"},
                "actions[0]: from_context \"auth.subject\": only metadata.NAME (a client header) is known here"},
               {{.action = OTLP_EDIT_DELETE}, "actions[0]: delete needs a key or a pattern"},
               {{.action = OTLP_EDIT_DELETE, .pattern = "("},
                "actions[0]: regular expression \"(\", offset 1: missing closing parenthesis"},
               {{.action = OTLP_EDIT_EXTRACT, .key = "a", .pattern = "x"},
                "actions[0]: extract: pattern \"x\" has no named group"},
               {{.action = OTLP_EDIT_EXTRACT, .key = "a", .pattern = "(x)(?P<y>z)"},
                "actions[0]: extract: pattern \"(x)(?P<y>z)\" has a group without a name"},
               {{.action = OTLP_EDIT_CONVERT, .key = "a", .converted_type = 4},
                "actions[0]: convert of \"a\" needs a converted_type and no pattern"},
               {{.action = OTLP_EDIT_HASH, .key = "a", .value = INT(1)}, "actions[0]: hash takes no value"}};
    struct leat_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct otlp_edit_action_conf action = bad[i].action;
        EXPECT_RC(otlp_edit_check(&(struct leat_items){&action, 1}, "actions", &err), LEAT_ECONFIG);
        EXPECT_STR(err.text, bad[i].text);
    }
    EXPECT_RC(otlp_edit_check(&(struct leat_items){NULL, 0}, "actions", &err), LEAT_ECONFIG);
    EXPECT_RC(otlp_edit_match_check(&MATCH(.match_type = 0), &err), LEAT_ECONFIG);
    EXPECT_RC(otlp_edit_match_check(&MATCH(.match_type = 2, .services = LIST("a")), &err), LEAT_ECONFIG);
    EXPECT_RC(otlp_edit_match_check(&MATCH(.match_type = 1, .services = LIST("(")), &err), LEAT_ECONFIG);
}
