/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/prom_units.h"
#include "tests/kit/kit.h"

#define MS 1000000ll

/* Guarantees: durations are read and shown as Prometheus does. */
LEAT_TEST(prom_durations_read_and_shown)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *shown;
    } cases[] = {{"0", 0, "0s"},        {"0s", 0, "0s"},          {"15s", 15000, "15s"},      {"90s", 90000, "1m30s"},
                 {"1m", 60000, "1m"},   {"1h30m", 5400000, "1h30m"}, {"250ms", 250, "250ms"}, {"7d", 604800000, "1w"},
                 {"90d", 7776000000, "90d"}, {"1y", 31536000000, "1y"}, {"1d1ms", 86400001, "1d1ms"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ns = -1;
        struct leat_strbuf out = {0};
        EXPECT_OK(leat_prom_duration(cases[i].text, &ns, NULL));
        EXPECT_EQ(ns, cases[i].ms * MS);
        leat_prom_duration_text(ns, &out);
        EXPECT_STR(out.at, cases[i].shown);
        leat_strbuf_done(&out);
    }
    static const char *const bad[] = {"", "1", "1.5s", "s", "1s1m", "1s1s", "-1s", "1x", " 1s", "99999999999999y",
                                      "1ms2", "300000y"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns;
        EXPECT_RC(leat_prom_duration(bad[i], &ns, NULL), LEAT_ECONFIG);
    }
}

/* Guarantees: a size's unit is a power of 1024, whichever way it is written. */
LEAT_TEST(prom_sizes_are_base_two)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"0", 0},         {"100", 100},       {"512B", 512},       {"10KB", 10240},
                 {"1MB", 1048576}, {"1MiB", 1048576},  {"1.5KB", 1536},     {"2GB", 2147483648}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t bytes = -1;
        EXPECT_OK(leat_prom_size(cases[i].text, &bytes, NULL));
        EXPECT_EQ(bytes, cases[i].bytes);
    }
    static const char *const bad[] = {"", "B", "1kb", "1 MB", "-1B", "1XB", "1M", "0x10", "9EB9", "100EB", "1iB"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t bytes;
        EXPECT_RC(leat_prom_size(bad[i], &bytes, NULL), LEAT_ECONFIG);
    }
}
