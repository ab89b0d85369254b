/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/file_log/rig.h"

static struct rig *stored(const char *pattern)
{
    struct rig *rig = rig_new(pattern);
    rig->conf.storage = "file_storage";
    return rig;
}

static uint64_t position(const struct rig *rig)
{
    return LEAT_CONTAINER(rig->state.files.next, struct file_log_file, link)->final;
}

/* Scenario:   five batches of one line each are acknowledged in the order 3, 1, 0, 4, 2.
 * Guarantees: the position is always the end of the contiguous head that is final. */
LEAT_TEST(file_log_position_waits_for_the_oldest_ack)
{
    struct rig *rig = stored("*.log");
    rig->conf.max_batch_records = 1;
    rig->keep = true;
    rig_append(rig, "a.log", "00\n11\n22\n33\n44\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 250);
    EXPECT_EQ(rig->held_count, 5);
    rig_end(rig, 3, LEAT_DELIVERED);
    EXPECT_EQ(position(rig), 0);
    rig_end(rig, 1, LEAT_DROPPED);
    EXPECT_EQ(position(rig), 0);
    rig_end(rig, 0, LEAT_PERSISTED);
    EXPECT_EQ(position(rig), 6);
    rig_end(rig, 1, LEAT_DELIVERED); /* 4 */
    EXPECT_EQ(position(rig), 6);
    rig_end(rig, 0, LEAT_DELIVERED); /* 2 */
    EXPECT_EQ(position(rig), 15);
    rig_free(rig);
}

/* Scenario:   the process dies with some batches acknowledged and the positions saved, then starts again.
 * Guarantees: nothing is lost; only what was unacknowledged comes twice. */
LEAT_TEST(file_log_repeats_only_what_was_unacknowledged)
{
    struct rig *rig = stored("*.log");
    rig->conf.max_batch_records = 1;
    rig->keep = true;
    rig_append(rig, "a.log", "a\nb\nc\nd\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 250);
    rig_end(rig, 0, LEAT_DELIVERED);
    rig_end(rig, 0, LEAT_DELIVERED);
    rig_run(rig, 1500);
    rig_kill(rig);
    rig_append(rig, "a.log", "e\n");
    rig_forget_lines(rig);
    rig->keep = false;
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    RIG_EXPECT(rig, "c", "d", "e");
    rig_free(rig);
}

/* Scenario:   an orderly stop with batches under way: stop, then their acks, then `stopped`.
 * Guarantees: the position saved at the stop is that of the last ack; nothing comes twice after the next start. */
LEAT_TEST(file_log_saves_at_the_stop)
{
    struct rig *rig = stored("*.log");
    rig->keep = true;
    rig_append(rig, "a.log", "a\nb\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 250);
    EXPECT_EQ(rig->held_count, 1);
    rig_stop(rig);
    rig_append(rig, "a.log", "c\n");
    rig->keep = false;
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    RIG_EXPECT(rig, "a", "b", "c");
    rig_free(rig);
}

/* Scenario:   while the process is down the file is rotated three times.
 * Guarantees: the rest of the old one, and those that came and went unseen, are read; nothing twice. */
LEAT_TEST(file_log_finds_rotated_files_after_a_restart)
{
    static const char *const patterns[] = {"*.log", "*.log*"};
    for (int i = 0; i < 2; i++) {
        struct rig *rig = stored(patterns[i]);
        rig_append(rig, "0.log", "read\n");
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 1500);
        rig_stop(rig);
        rig_append(rig, "0.log", "unread\n");
        for (int n = 1; n <= 3; n++) {
            char name[64], line[64];
            (void)snprintf(name, sizeof name, "0.log.2024010%d-000000", n);
            (void)snprintf(line, sizeof line, "line %d\n", n);
            rig_rename(rig, "0.log", name);
            rig_append(rig, "0.log", line);
        }
        rig_forget_lines(rig);
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 850);
        EXPECT_EQ(rig->line_count, 4);
        rig_free(rig);
    }
}

/* Scenario:   the process dies while a partial line is held and a later line of the other stream is acknowledged.
 * Guarantees: the partial is read again: the position never passes what is held. */
LEAT_TEST(file_log_position_never_passes_a_held_part)
{
#define AT "2024-01-01T00:00:00Z "
    struct rig *rig = stored("*.log");
    rig_container(rig);
    rig_append(rig, "0.log", AT "stdout F whole\n" AT "stdout P begun, \n" AT "stderr F other\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 1500);
    RIG_EXPECT(rig, "whole", "other");
    rig_kill(rig);
    rig_forget_lines(rig);
    rig_append(rig, "0.log", AT "stdout F ended\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    RIG_EXPECT(rig, "other", "begun,ended");
    rig_free(rig);
#undef AT
}

/* Scenario:   the saved positions are cut at every length and flipped at every byte.
 * Guarantees: a damaged value is never believed: the file is read from its start, nothing crashes. */
LEAT_TEST(file_log_does_not_believe_damaged_positions)
{
    struct rig *rig = stored("*.log");
    rig_append(rig, "a.log", "a\nb\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 1500);
    rig_stop(rig);
    size_t len = rig->value_len;
    char *whole = malloc(len);
    memcpy(whole, rig->value, len);
    for (size_t i = 0; i < 2 * len; i++) {
        memcpy(rig->value, whole, len);
        ((char *)rig->value)[i % len] ^= (char)(i < len ? 0x10 : 0);
        rig->value_len = i < len ? len : i - len;
        rig_forget_lines(rig);
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 250);
        RIG_EXPECT(rig, "a", "b");
        rig_kill(rig);
        rig->value = realloc(rig->value, len);
    }
    free(whole);
    rig_free(rig);
}

/* Scenario:   the destination takes nothing for a while, then all; the unacknowledged limit is reached.
 * Guarantees: no more is in flight than allowed (and one batch), nothing is lost, order is kept. */
LEAT_TEST(file_log_waits_when_nothing_is_taken)
{
    struct rig *rig = rig_new("*.log");
    rig->conf.max_batch_records = 10;
    rig->conf.max_inflight_bytes = 2000;
    char line[64];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(line, sizeof line, "line %d\n", i);
        rig_append(rig, "a.log", line);
    }
    rig->full = true;
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 1000);
    EXPECT_EQ(rig->line_count, 0);
    EXPECT(rig_count(rig, FILE_LOG_WAITED) > 0);
    rig->full = false;
    rig->keep = true;
    rig_run(rig, 1000);
    EXPECT(rig->line_count < 100);
    EXPECT(rig->state.inflight_bytes < 2000 + 10 * 80);
    rig->keep = false;
    rig_run(rig, 3000);
    EXPECT_EQ(rig->line_count, 1000);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(line, sizeof line, "line %d", i);
        EXPECT_STR(rig->lines[i], line);
    }
    rig_free(rig);
}

/* Scenario:   `pause`, as when memory is short, then `resume`.
 * Guarantees: nothing is emitted in between, all afterwards. */
LEAT_TEST(file_log_pauses)
{
    struct rig *rig = rig_new("*.log");
    EXPECT_OK(rig_start(rig, NULL));
    leat_receiver_file_log.pause(&rig->state);
    rig_append(rig, "a.log", "a\n");
    rig_run(rig, 1000);
    EXPECT_EQ(rig->line_count, 0);
    leat_receiver_file_log.resume(&rig->state);
    rig_run(rig, 250);
    RIG_EXPECT(rig, "a");
    rig_free(rig);
}

/* Guarantees: any allocation may fail at start and while reading: the lines come in the end, once; nothing leaks. */
LEAT_TEST_OOM(file_log_survives_any_failed_allocation)
{
    struct rig *rig = stored("*.log");
    rig_container(rig);
    rig->operators[1] = (struct file_log_operator){.type = "recombine",
                                                   .is_first_entry = "body matches \"^\\\\S\"",
                                                   .combine_with = "\n",
                                                   .force_flush_period = 1000000};
    rig->conf.operators.count = 2;
    rig_append(rig, "0.log",
               "2024-01-01T00:00:00Z stdout F one\n2024-01-01T00:00:00Z stdout F  two\n"
               "2024-01-01T00:00:00Z stdout P thr\n2024-01-01T00:00:00Z stdout F ee\n");
    leat_rc rc = rig_start(rig, NULL);
    if (rc == LEAT_OK) {
        rig_run(rig, 1500);
        rig_run(rig, 1500);
        EXPECT_EQ(rig->line_count, 2);
        EXPECT_STR(rig->lines[0], "one\n two");
        EXPECT_STR(rig->lines[1], "three");
    } else {
        rig_kill(rig);
    }
    rig_free(rig);
    return rc;
}

/* Scenario:   start_at end; a file is found and, before a second has passed, the process dies; while it is down the
 * file grows and is rotated, so that the path is another file. Guarantees: the rest of the old one and all of the new
 * one are read: both belong to what was followed. */
LEAT_TEST(file_log_remembers_a_file_from_its_first_poll)
{
    struct rig *rig = stored("*.log");
    rig->conf.start_at = FILE_LOG_END;
    rig_append(rig, "0.log", "before\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 100);
    rig_kill(rig);
    rig_append(rig, "0.log", "while down\n");
    rig_rename(rig, "0.log", "0.log.1");
    rig_append(rig, "0.log", "in the new one\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    EXPECT_EQ(rig->line_count, 2);
    rig_free(rig);
}

/* Scenario:   numbered lines, renames and crashes at random moments, acks held back at random, from 60 seeds.
 * Guarantees: every number arrives at least once, however the crashes fall. */
LEAT_TEST(file_log_loses_nothing_over_crashes_and_rotations)
{
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct rig *rig = stored(seed % 2 ? "*.log" : "*.log*");
        uint32_t x = seed * 2654435761u, next = 0, rotations = 0;
        bool seen[400] = {0};
        rig->conf.max_batch_records = 4;
        rig_append(rig, "0.log", "");
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 250); /* what no poll ever saw, and no sibling of it, cannot be known of */
        for (int step = 0; step < 100; step++) {
            char text[512] = "", name[32];
            x = x * 1664525u + 1013904223u;
            for (uint32_t i = 0; i < (x >> 20) % 4; i++)
                (void)snprintf(text + strlen(text), 32, "n%u\n", next++);
            rig_append(rig, "0.log", text);
            if ((x >> 12) % 7 == 0) {
                (void)snprintf(name, sizeof name, "0.log.%u", ++rotations);
                rig_rename(rig, "0.log", name);
                rig_append(rig, "0.log", "");
            }
            rig->keep = (x >> 8) % 3 == 0;
            rig_run(rig, (x >> 16) % 700);
            if ((x >> 24) % 9 == 0) {
                rig_kill(rig);
                EXPECT_OK(rig_start(rig, NULL));
            }
        }
        rig->keep = false;
        rig_run(rig, 3000);
        for (uint32_t i = 0; i < rig->line_count; i++)
            seen[atoi(rig->lines[i] + 1)] = true;
        for (uint32_t i = 0; i < next; i++)
            if (!seen[i])
                fail_msg("seed %u: number %u of %u is missing", seed, i, next);
        rig_free(rig);
    }
}
