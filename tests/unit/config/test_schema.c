/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include "tests/kit/kit.h"
#include "tests/unit/config/fake.h"

static struct leat_arena arena;
static struct leat_diag_list diags;

static leat_rc decode(const char *text, const struct leat_field *fields, void *conf)
{
    diags = (struct leat_diag_list){.arena = &arena};
    struct leat_yaml yaml = {.arena = &arena, .diags = &diags};
    struct leat_node *node = NULL;
    struct leat_decoder d = {.yaml = &yaml, .root = "x"};
    struct leat_field_set set = {fields, conf};
    leat_rc rc = leat_yaml_parse(&yaml, "f", text, strlen(text), NULL, false, &node);
    return rc == LEAT_OK ? leat_schema_decode(&d, node, &set, 1) : rc;
}

/* Scenario:   durations as Go writes them.
 * Guarantees: the same nanoseconds, and the same refusals. */
LEAT_TEST(schema_reads_go_durations)
{
    static const struct {
        const char *text;
        int64_t ns; /* -1: refused */
    } cases[] = {{"1h30m", 5400000000000},
                 {"200ms", 200000000},
                 {"1.5s", 1500000000},
                 {"0", 0},
                 {"-2s", -2000000000},
                 {"+1s", 1000000000},
                 {"1us", 1000},
                 {"1\xc2\xb5s", 1000},
                 {".5s", 500000000},
                 {"1d", -1},
                 {"5", -1},
                 {"", -1},
                 {"s", -1},
                 {"1..5s", -1},
                 {"1 s", -1},
                 {"9999999h", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t ns = -1;
        leat_rc rc = leat_schema_duration(cases[i].text, &ns, NULL);
        EXPECT_EQ(rc, cases[i].ns == -1 ? LEAT_ECONFIG : LEAT_OK);
        EXPECT_EQ(ns, cases[i].ns);
    }
}

/* Scenario:   durations printed.
 * Guarantees: the text reads back as the same duration. */
LEAT_TEST(schema_prints_durations)
{
    static const int64_t cases[] = {0, 1, 1500000000, 5400000000000, -2000001000, INT64_MAX};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct leat_strbuf out = {0};
        int64_t ns = 0;
        leat_schema_duration_text(cases[i], &out);
        if (cases[i] < INT64_MAX) { /* a double does not hold every nanosecond of three centuries */
            EXPECT_OK(leat_schema_duration(out.at, &ns, NULL));
            EXPECT_EQ(ns, cases[i]);
        }
        leat_strbuf_done(&out);
    }
}

/* Scenario:   sizes with decimal and binary units.
 * Guarantees: the bytes meant. */
LEAT_TEST(schema_reads_sizes)
{
    static const struct {
        const char *text;
        int64_t bytes; /* -1: refused */
    } cases[] = {{"512KiB", 524288},
                 {"10MB", 10000000},
                 {"1.5gib", 1610612736},
                 {"7", 7},
                 {"1 Mi", 1048576},
                 {"20k", 20000},
                 {"x", -1},
                 {"-1", -1},
                 {"", -1},
                 {"99999999999TiB", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t bytes = -1;
        leat_rc rc = leat_schema_size(cases[i].text, &bytes, NULL);
        EXPECT_EQ(rc, cases[i].bytes == -1 ? LEAT_ECONFIG : LEAT_OK);
        EXPECT_EQ(bytes, cases[i].bytes);
    }
}

/* Scenario:   a map with a key of every type.
 * Guarantees: typed values; what is not written has its default; a null keeps the default. */
LEAT_TEST(schema_decodes_every_type)
{
    struct fake_file_log conf = {0};
    EXPECT_OK(
        decode("include: [a, b]\nstart_at: beginning\npoll_interval: 5000000\nmax_log_size: 2MiB\nshare:\n"
               "attributes: {a: 1, b: x}\nrules: [{key: k, value: [1, true, {z: 1.5}]}, {key: l, action: delete}]\n",
               fake_file_log_fields, &conf));
    EXPECT_EQ(diags.count, 0);
    EXPECT_EQ(conf.include.count, 2);
    EXPECT_EQ(conf.start_at, 0);
    EXPECT_EQ(conf.poll_interval_ns, 5000000);
    EXPECT_EQ(conf.max_log_size, 2 << 20);
    EXPECT(conf.share > 0.49 && conf.share < 0.51);
    EXPECT_EQ(conf.attributes.count, 2);
    EXPECT_STR(conf.attributes.at[0].value, "1");
    EXPECT_EQ(conf.rules.count, 2);
    const struct fake_rule *rules = conf.rules.at;
    EXPECT_EQ(rules[0].action, 2);
    EXPECT_EQ(rules[1].action, 3);
    EXPECT_EQ(rules[0].value.kind, LEAT_VALUE_LIST);
    EXPECT_EQ(rules[0].value.items[0].i, 1);
    EXPECT(rules[0].value.items[1].b);
    EXPECT_STR(rules[0].value.items[2].keys[0], "z");
    EXPECT_EQ(rules[1].value.kind, LEAT_NULL);
    EXPECT(conf.storage == NULL);
    leat_arena_done(&arena);
}

/* Scenario:   sections written as null, as a map, and not at all.
 * Guarantees: presence is told; defaults are there in any case. */
LEAT_TEST(schema_tells_written_sections)
{
    struct fake_otlp conf = {0};
    EXPECT_OK(decode("protocols: {grpc: }\n", fake_otlp_fields, &conf));
    EXPECT(conf.grpc.present);
    EXPECT(!conf.http.present);
    EXPECT_STR(conf.grpc.endpoint, "localhost:4317");
    EXPECT_STR(conf.http.endpoint, "localhost:4318");
    leat_arena_done(&arena);
}

/* Scenario:   keys that have no effect, are deprecated, or ask a refused thing for nothing.
 * Guarantees: a warning for the first two, silence for the third. */
LEAT_TEST(schema_warns_where_nothing_breaks)
{
    struct fake_otlp conf = {0};
    EXPECT_OK(decode("protocols: {grpc: {read_buffer_size: 1, middlewares: []}}\n", fake_otlp_fields, &conf));
    EXPECT_EQ(diags.errors, 0);
    EXPECT_EQ(diags.warnings, 1);
    EXPECT_STR(diags.at[0].path, "x::protocols::grpc::read_buffer_size");
    leat_arena_done(&arena);
    struct fake_http_conf http = {0};
    EXPECT_OK(decode("endpoint: x\nurl: y\n", fake_otlp_http_fields, &http));
    EXPECT_EQ(diags.warnings, 1);
    EXPECT(strstr(diags.at[0].text, "use endpoint") != NULL);
    leat_arena_done(&arena);
}

/* Scenario:   a map with four mistakes.
 * Guarantees: all four are named. */
LEAT_TEST(schema_names_every_mistake)
{
    struct fake_file_log conf = {0};
    EXPECT_OK(decode("start_at: x\nshare: [1]\nincluded: a\n", fake_file_log_fields, &conf));
    EXPECT_EQ(diags.errors, 4);
    leat_arena_done(&arena);
}

/* Scenario:   a table that includes another: its key written, missing, misspelt.
 * Guarantees: the key belongs to the outer map, in its struct, its path and its errors. */
LEAT_TEST(schema_decodes_included_tables)
{
    struct fake_http_conf conf = {0};
    EXPECT_OK(decode("endpoint: x\n", fake_otlp_http_fields, &conf));
    EXPECT_EQ(diags.count, 0);
    EXPECT_STR(conf.endpoint, "x");
    leat_arena_done(&arena);
    EXPECT_OK(decode("endpoin: x\n", fake_otlp_http_fields, &conf));
    EXPECT_EQ(diags.errors, 2);
    EXPECT(strstr(diags.at[0].text, "'' has invalid keys: endpoin; did you mean \"endpoint\"?") != NULL);
    EXPECT_STR(diags.at[1].text, "'endpoint' is required: base URL");
    leat_arena_done(&arena);
}

/* Scenario:   a decode with each allocation failing in turn.
 * Guarantees: LEAT_ENOMEM, nothing leaks. */
LEAT_TEST_OOM(schema_survives_failed_allocations)
{
    struct fake_file_log conf = {0};
    leat_rc rc = decode("include: 'a,b'\nattributes: {a: 1}\nrules: [{key: k, value: {a: [1]}}]\nstorage: s\n",
                        fake_file_log_fields, &conf);
    leat_arena_done(&arena);
    return rc;
}
