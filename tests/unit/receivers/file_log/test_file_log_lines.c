/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/file_log/rig.h"

/* Scenario:   lines written in pieces, CRLF, blanks around, empty lines.
 * Guarantees: a line is sent when its newline is there; blanks go as the Collector lets them go; empty lines are none.
 */
LEAT_TEST(file_log_waits_for_the_newline)
{
    struct rig *rig = rig_new("*.log");
    EXPECT_OK(rig_start(rig, NULL));
    rig_append(rig, "a.log", "on");
    rig_run(rig, 250);
    EXPECT_EQ(rig->line_count, 0);
    rig_append(rig, "a.log", "e\r\n\n  \n  two  \nthr");
    rig_run(rig, 250);
    RIG_EXPECT(rig, "one", "two");
    rig_append(rig, "a.log", "ee\n");
    rig_run(rig, 250);
    RIG_EXPECT(rig, "one", "two", "three");
    EXPECT_EQ(rig_count(rig, FILE_LOG_UNTERMINATED), 0);
    rig_free(rig);
}

/* Scenario:   an end of file without newline is older than force_flush_period; then text follows.
 * Guarantees: it is a record, once; what follows is another; with a period of 0 it waits for ever. */
LEAT_TEST(file_log_flushes_an_unterminated_line)
{
    struct rig *rig = rig_new("*.log");
    EXPECT_OK(rig_start(rig, NULL));
    rig_append(rig, "a.log", "half");
    rig_run(rig, 2000);
    RIG_EXPECT(rig, "half");
    rig_append(rig, "a.log", " more\n");
    rig_run(rig, 2000);
    RIG_EXPECT(rig, "half", "more");
    EXPECT_EQ(rig_count(rig, FILE_LOG_UNTERMINATED), 1);
    rig_free(rig);
    rig = rig_new("*.log");
    rig->conf.force_flush_period = 0;
    rig_append(rig, "a.log", "half");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 20000);
    EXPECT_EQ(rig->line_count, 0);
    rig_free(rig);
}

/* Scenario:   lines over max_log_size, longer and shorter than the read buffer, under split and truncate.
 * Guarantees: split keeps every byte; truncate keeps the head and skips the rest, across polls; both are counted. */
LEAT_TEST(file_log_bounds_lines)
{
    for (int truncate_them = 0; truncate_them < 2; truncate_them++) {
        struct rig *rig = rig_new("*.log");
        rig->conf.max_log_size = 100;
        rig->conf.max_log_size_behavior = truncate_them;
        char long_line[251] = {0};
        memset(long_line, 'x', 250);
        rig_append(rig, "a.log", long_line);
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 250);
        rig_append(rig, "a.log", long_line);
        rig_append(rig, "a.log", "\nnext\n");
        rig_run(rig, 250);
        size_t bytes = 0;
        for (uint32_t i = 0; i < rig->line_count; i++)
            bytes += strlen(rig->lines[i]);
        EXPECT_EQ(bytes, truncate_them ? 104 : 504);
        EXPECT_STR(rig->lines[rig->line_count - 1], "next");
        EXPECT_EQ(rig_count(rig, truncate_them ? FILE_LOG_CUT : FILE_LOG_SPLIT), truncate_them ? 1 : 4);
        rig_free(rig);
    }
}

/* Scenario:   a line of 900,000 bytes, over three read buffers, and 5,000 short ones around it.
 * Guarantees: whole, in order. */
LEAT_TEST(file_log_reads_lines_longer_than_its_buffer)
{
    struct rig *rig = rig_new("*.log");
    size_t len = 900000;
    char *big = malloc(len + 1), line[32];
    memset(big, 'y', len);
    big[len] = 0;
    for (int i = 0; i < 5000; i++) {
        if (i == 2500) {
            rig_append(rig, "a.log", big);
            rig_append(rig, "a.log", "\n");
        }
        (void)snprintf(line, sizeof line, "%d\n", i);
        rig_append(rig, "a.log", line);
    }
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 1000);
    EXPECT_EQ(rig->line_count, 5001);
    EXPECT_STR(rig->lines[2500], big);
    EXPECT_STR(rig->lines[5000], "4999");
    free(big);
    rig_free(rig);
}

/* Scenario:   line_start_pattern, line_end_pattern, each with and without omit_pattern, in pieces across polls.
 * Guarantees: records as the patterns say; the last one after force_flush_period. */
LEAT_TEST(file_log_multiline)
{
    for (int omit = 0; omit < 2; omit++) {
        struct rig *rig = rig_new("*.log");
        rig->conf.multiline.present = true;
        rig->conf.multiline.line_start_pattern = "^START ";
        rig->conf.multiline.omit_pattern = omit;
        EXPECT_OK(rig_start(rig, NULL));
        rig_append(rig, "a.log", "START 1\n  more\nSTA");
        rig_run(rig, 250);
        EXPECT_EQ(rig->line_count, 0);
        rig_append(rig, "a.log", "RT 2\n");
        rig_run(rig, 250);
        EXPECT_EQ(rig->line_count, 1);
        EXPECT_STR(rig->lines[0], omit ? "1\n  more" : "START 1\n  more");
        rig_run(rig, 1000);
        EXPECT_EQ(rig->line_count, 2);
        EXPECT_STR(rig->lines[1], omit ? "2" : "START 2");
        rig_free(rig);
        rig = rig_new("*.log");
        rig->conf.multiline.present = true;
        rig->conf.multiline.line_end_pattern = "END$";
        rig->conf.multiline.omit_pattern = omit;
        EXPECT_OK(rig_start(rig, NULL));
        rig_append(rig, "a.log", "a\nb END\nc END\nd\n");
        rig_run(rig, 250);
        EXPECT_EQ(rig->line_count, 2);
        EXPECT_STR(rig->lines[0], omit ? "a\nb" : "a\nb END");
        EXPECT_STR(rig->lines[1], omit ? "c" : "c END");
        rig_free(rig);
    }
}

/* Scenario:   a pattern that backtracks without end meets the line made for it.
 * Guarantees: the search is given up, counted, and the lines still come. */
LEAT_TEST(file_log_gives_up_a_runaway_pattern)
{
    struct rig *rig = rig_new("*.log");
    rig->conf.multiline.present = true;
    rig->conf.multiline.line_start_pattern = "^(a+)+$|^(?:x*)*y\\1";
    EXPECT_OK(rig_start(rig, NULL));
    rig_append(rig, "a.log", "first\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n");
    rig_run(rig, 2000);
    EXPECT_EQ(rig->line_count, 1);
    EXPECT(rig_count(rig, FILE_LOG_REGEX_LIMIT) > 0);
    rig_free(rig);
}

/* Scenario:   broken UTF-8 under each encoding.
 * Guarantees: utf-8 repairs, utf-8-raw and nop keep the bytes. */
LEAT_TEST(file_log_encodings)
{
    static const char *const encodings[] = {"utf-8", "utf-8-raw", "nop"};
    for (int i = 0; i < 3; i++) {
        struct rig *rig = rig_new("*.log");
        rig->conf.encoding = encodings[i];
        rig_append(rig, "a.log", "x\xffy\n");
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 450);
        RIG_EXPECT(rig, i == 0 ? "x\xef\xbf\xbdy" : "x\xffy");
        rig_free(rig);
    }
}
