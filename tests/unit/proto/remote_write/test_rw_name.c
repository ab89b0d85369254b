/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_name.h"
#include "proto/remote_write/rw_text.h"
#include "tests/kit/kit.h"

static const struct rw_namer usual = {.suffixes = true}, bare = {0}, utf8 = {.suffixes = true, .utf8 = true}, as_is = {.utf8 = true};

static void check_metric(const struct rw_namer *namer, const char *name, const char *unit, enum rw_kind kind, const char *want)
{
    struct leat_strbuf out = {0};
    bool named = rw_metric_name(&out, namer, leat_slice_str(name), leat_slice_str(unit), kind);
    EXPECT_EQ(named, want != NULL);
    if (want)
        EXPECT_STR(out.at, want);
    leat_strbuf_done(&out);
}

/* Guarantees: the names that the Collector's translation gives. */
LEAT_TEST(metrics_are_named_as_the_collector_names_them)
{
    check_metric(&usual, "http.server.request.duration", "s", RW_OTHER_KIND, "http_server_request_duration_seconds");
    check_metric(&usual, "requests", "", RW_COUNTER, "requests_total");
    check_metric(&usual, "requests_total.of", "", RW_COUNTER, "requests_of_total");
    check_metric(&usual, "cpu", "1", RW_GAUGE, "cpu_ratio");
    check_metric(&usual, "items", "1", RW_COUNTER, "items_total");
    check_metric(&usual, "net", "By/s", RW_GAUGE, "net_bytes_per_second");
    check_metric(&usual, "rate", "1/s", RW_GAUGE, "rate_per_second");
    check_metric(&usual, "n", "{thing}", RW_GAUGE, "n");
    check_metric(&usual, "n", "{thing}/s", RW_GAUGE, "n_per_second");
    check_metric(&usual, "size_bytes", "By", RW_GAUGE, "size_bytes");
    check_metric(&usual, "a", "odd unit-__x", RW_GAUGE, "a_odd_unit_x");
    check_metric(&usual, "2xx", "", RW_GAUGE, "_2xx");
    check_metric(&usual, "a..b__c", "", RW_GAUGE, "a_b_c");
    check_metric(&usual, "@#", "", RW_GAUGE, NULL);
    check_metric(&bare, "a.b_c__d", "s", RW_COUNTER, "a_b_c__d");
    check_metric(&bare, "@_#", "", RW_GAUGE, NULL);
    check_metric(&bare, "", "", RW_GAUGE, NULL);
    check_metric(&utf8, "a.b", "ms", RW_GAUGE, "a.b_milliseconds");
    check_metric(&utf8, "a.total", "By/s", RW_COUNTER, "a_bytes_per_second_total");
    check_metric(&utf8, "a", "1", RW_GAUGE, "a_ratio");
    check_metric(&as_is, "a.b \xc3\xbc", "s", RW_COUNTER, "a.b \xc3\xbc");
    struct rw_namer prefixed = {.suffixes = true, .prefix = LEAT_SLICE("ns")};
    check_metric(&prefixed, "a", "s", RW_COUNTER, "ns_a_seconds_total");
    prefixed.utf8 = true;
    check_metric(&prefixed, "a", "", RW_GAUGE, "ns_a");
    prefixed = (struct rw_namer){.prefix = LEAT_SLICE("n.s")};
    check_metric(&prefixed, "a", "", RW_GAUGE, "n_s_a");
}

static void check_label(const struct rw_namer *namer, const char *name, const char *want)
{
    struct leat_strbuf out = {0};
    EXPECT_EQ(rw_label_name(&out, namer, leat_slice_str(name)), want != NULL);
    if (want)
        EXPECT_STR(out.at, want);
    leat_strbuf_done(&out);
}

LEAT_TEST(labels_are_named_as_the_collector_names_them)
{
    check_label(&usual, "http.route", "http_route");
    check_label(&usual, "a__b..c", "a_b_c");
    check_label(&usual, "0digit", "key_0digit");
    check_label(&usual, "_lead", "key_lead");
    check_label(&usual, ".lead", "key_lead");
    check_label(&usual, "__meta.x__", "__meta_x__");
    check_label(&usual, "t\xc3\xa9l", "t_l");
    check_label(&usual, "", NULL);
    check_label(&usual, "____", NULL);
    check_label(&utf8, "http.route", "http.route");
    check_label(&utf8, "__", NULL);
}

LEAT_TEST(units_there_and_back)
{
    static const char *const table[][2] = {{"By/s", "bytes_per_second"}, {"ms", "milliseconds"}, {"", ""}, {"{x}", ""}, {"odd", "odd"}};
    struct leat_strbuf out = {0};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        rw_unit_name(&out, &usual, leat_slice_str(table[i][0]));
        EXPECT(leat_slice_is(leat_slice_of(out.at, (uint32_t)out.len), table[i][1]));
        rw_unit_symbol(&out, leat_slice_str(table[i][1]));
        if (table[i][0][0] != '{')
            EXPECT(leat_slice_is(leat_slice_of(out.at, (uint32_t)out.len), table[i][0]));
    }
    rw_unit_symbol(&out, LEAT_SLICE("ratio"));
    EXPECT_STR(out.at, "1");
    leat_strbuf_done(&out);
}

/* Guarantees: the shortest digits that read back, without an exponent. */
LEAT_TEST(bounds_are_plain_digits)
{
    static const struct {
        double value;
        const char *want;
    } table[] = {{0.25, "0.25"}, {10, "10"}, {0.1, "0.1"}, {1e6, "1000000"}, {1e-7, "0.0000001"}, {-2.5, "-2.5"}, {0, "0"},
                 {123456.789, "123456.789"}, {1e22, "10000000000000000000000"}, {__builtin_inf(), "+Inf"}, {-__builtin_inf(), "-Inf"}};
    struct leat_strbuf out = {0};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        leat_strbuf_clear(&out);
        rw_put_plain(&out, table[i].value);
        EXPECT_STR(out.at, table[i].want);
    }
    leat_strbuf_done(&out);
}
