/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/cri/cri.h"

#include <time.h>

#include "agent/base/alloc.h"
#include "tests/kit/kit.h"

static bool parse(const char *text, struct cri_line *line)
{
    return cri_parse(text, (uint32_t)strlen(text), line);
}

/* Guarantees: full and partial lines, tags, empty texts and offsets are read. */
LEAT_TEST(cri_reads_lines)
{
    struct cri_line line;
    EXPECT(parse("2024-01-01T00:00:00.123456789Z stdout F hello world", &line));
    EXPECT(line.unix_ns == 1704067200123456789ll && !line.partial);
    EXPECT(leat_slice_is(line.stream, "stdout") && leat_slice_is(line.tags, "F") &&
           leat_slice_is(line.text, "hello world"));
    EXPECT(leat_slice_is(line.time, "2024-01-01T00:00:00.123456789Z"));
    EXPECT(parse("2024-01-01T02:00:00+02:00 stderr P:a:b x", &line));
    EXPECT(line.unix_ns == 1704067200000000000ll && line.partial && leat_slice_is(line.tags, "P:a:b"));
    EXPECT(parse("2024-01-01T00:00:00Z stdout F ", &line) && line.text.len == 0);
    EXPECT(parse("2024-01-01T00:00:00Z stdout F", &line) && line.text.len == 0);
    EXPECT(parse("2024-01-01T00:00:00Z stdout F  two", &line) && leat_slice_is(line.text, " two"));
}

/* Guarantees: what is not such a line is refused, also when it ends early at any byte (in a block of exact size);
 * what ends behind its tag is a line without text. */
LEAT_TEST(cri_refuses_what_is_no_line)
{
    static const char *const bad[] = {"2024-01-01T00:00:00Z stdout X a",
                                      "2024-01-01T00:00:00Z stdlog F a",
                                      "2024-01-01T00:00:00Z  stdout F a",
                                      "2024-13-01T00:00:00Z stdout F a",
                                      "2023-02-29T00:00:00Z stdout F a",
                                      "2024-01-01T24:00:00Z stdout F a",
                                      "2024-01-01 00:00:00Z stdout F a",
                                      "2024-01-01T00:00:00 stdout F a",
                                      "2024-01-01T00:00:00.Z stdout F a",
                                      "2024-01-01T00:00:00Z stdout FF a",
                                      "{\"log\":\"x\"}",
                                      "hello",
                                      ""};
    struct cri_line line;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT(!parse(bad[i], &line));
    static const char good[] = "2024-01-01T00:00:00.5+01:00 stdout P:x";
    for (uint32_t len = 0; len < sizeof good - 1; len++) {
        char *at = leat_alloc(len ? len : 1);
        memcpy(at, good, len);
        EXPECT(cri_parse(at, len, &line) == (len >= sizeof good - 3));
        leat_free(at);
    }
}

/* Scenario:   days over four centuries and every second's neighbour of a day's end.
 * Guarantees: the seconds are the C library's. */
LEAT_TEST(cri_time_agrees_with_the_c_library)
{
    for (time_t t = -30000000000; t < 30000000000; t += 86399 * 11) {
        struct tm tm;
        char text[64];
        int64_t ns;
        (void)gmtime_r(&t, &tm);
        if (tm.tm_year + 1900 < 1700 || tm.tm_year + 1900 > 2250)
            continue;
        size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
        EXPECT_EQ(cri_time(text, (uint32_t)len, &ns), len);
        EXPECT_EQ(ns, (int64_t)t * 1000000000);
    }
}

/* Guarantees: fractions of one to twelve digits, and offsets of either sign with and without colon. */
LEAT_TEST(cri_time_reads_fractions_and_offsets)
{
    static const struct {
        const char *text;
        int64_t ns;
    } times[] = {{"1970-01-01T00:00:00.1Z", 100000000},
                 {"1970-01-01T00:00:00.123456789Z", 123456789},
                 {"1970-01-01T00:00:00.123456789999Z", 123456789},
                 {"1970-01-01T01:30:00+01:30", 0},
                 {"1970-01-01T00:00:00-0100", 3600000000000},
                 {"1969-12-31T23:59:59Z", -1000000000}};
    int64_t ns;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        EXPECT_EQ(cri_time(times[i].text, (uint32_t)strlen(times[i].text), &ns), strlen(times[i].text));
        EXPECT_EQ(ns, times[i].ns);
    }
    EXPECT_EQ(cri_time("9999-01-01T00:00:00Z", 20, &ns), 0); /* more nanoseconds than 64 bits hold */
}

static bool docker(const char *text, char *scratch, struct cri_line *line)
{
    return cri_parse_docker(text, (uint32_t)strlen(text), scratch, line);
}

/* Guarantees: Docker's lines are unescaped, their newline is taken off, and one without it is partial. */
LEAT_TEST(cri_reads_docker_lines)
{
    struct cri_line line;
    char scratch[256];
    EXPECT(docker("{\"log\":\"a \\\"b\\\" "
                  "\\u003c\\n\",\"stream\":\"stderr\",\"attrs\":{\"x\":1},\"time\":\"2024-01-01T00:00:00.1Z\"}",
                  scratch, &line));
    EXPECT(leat_slice_is(line.text, "a \"b\" <") && leat_slice_is(line.stream, "stderr") && !line.partial);
    EXPECT_EQ(line.unix_ns, 1704067200100000000ll);
    EXPECT(docker("{\"log\":\"half\",\"stream\":\"stdout\",\"time\":\"2024-01-01T00:00:00Z\"}", scratch, &line) &&
           line.partial);
    EXPECT(!docker("{\"log\":\"x\"}", scratch, &line));
    EXPECT(!docker("{\"log\":5,\"time\":\"2024-01-01T00:00:00Z\"}", scratch, &line));
    EXPECT(!docker("{\"log\":\"x\",\"time\":\"yesterday\"}", scratch, &line));
    EXPECT(!docker("{\"log\":\"x\",\"time\":\"2024-01-01T00:00:00Z\"", scratch, &line));
}

LEAT_TEST(cri_tells_the_formats_apart)
{
    EXPECT_EQ(cri_detect("{\"log\":\"\"}", 10), CRI_DOCKER);
    EXPECT_EQ(cri_detect("2024-01-01T00:00:00Z stdout F x", 31), CRI_CONTAINERD);
    EXPECT_EQ(cri_detect("2024-01-01T00:00:00+00:00 stdout F x", 36), CRI_CRIO);
    EXPECT_EQ(cri_detect("plain", 5), CRI_UNKNOWN);
}
