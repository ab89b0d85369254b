/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/file_log/rig.h"

static struct rig *begin(const char *pattern)
{
    struct rig *rig = rig_new(pattern);
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 250);
    return rig;
}

/* Scenario:   a file is renamed and made anew; the writer goes on in the old one for a moment.
 * Guarantees: every line once, those of the old file too, whether or not the pattern finds the new name. */
LEAT_TEST(file_log_follows_a_rename)
{
    static const char *const patterns[] = {"*.log", "*.log*"};
    for (int i = 0; i < 2; i++) {
        struct rig *rig = begin(patterns[i]);
        rig_append(rig, "0.log", "a\n");
        rig_run(rig, 250);
        rig_append(rig, "0.log", "b\n");
        rig_rename(rig, "0.log", "0.log.20240101-000000");
        rig_append(rig, "0.log", "d\n");
        rig_append(rig, "0.log.20240101-000000", "c\n");
        rig_run(rig, 450);
        EXPECT_EQ(rig->line_count, 4);
        rig_append(rig, "0.log.20240101-000000", "late\n");
        rig_run(rig, 450);
        EXPECT_EQ(rig->line_count, 5);
        EXPECT_STR(rig->lines[4], "late");
        rig_free(rig);
    }
}

/* Scenario:   five rotations happen between two polls, and the oldest is compressed as kubelet does it.
 * Guarantees: no line of the four that are text is missed or repeated; gzip is not read as text. */
LEAT_TEST(file_log_finds_what_was_rotated_away_unread)
{
    static const char *const patterns[] = {"*.log", "*.log*"};
    static const char gzip[] = {0x1f, (char)0x8b, 8, 0, 'x', '\n', 'y', '\n'};
    for (int i = 0; i < 2; i++) {
        struct rig *rig = begin(patterns[i]);
        rig_append(rig, "0.log", "first\n");
        rig_run(rig, 250);
        char name[64], line[64];
        for (int n = 1; n <= 5; n++) {
            (void)snprintf(name, sizeof name, "0.log.2024010%d-000000", n);
            rig_rename(rig, "0.log", name);
            (void)snprintf(line, sizeof line, "line %d\n", n);
            rig_append(rig, "0.log", line);
        }
        rig_append_bytes(rig, "0.log.20240100-000000.gz", gzip, sizeof gzip);
        rig_run(rig, 650);
        EXPECT_EQ(rig->line_count, 6);
        EXPECT_EQ(rig_count(rig, FILE_LOG_COMPRESSED), 1);
        rig_free(rig);
    }
}

/* Scenario:   a file is deleted while half of it is unread, because nothing was acknowledged.
 * Guarantees: it is read to its end from the open descriptor, which is closed when all is quiet. */
LEAT_TEST(file_log_finishes_a_deleted_file)
{
    struct rig *rig = rig_new("*.log");
    rig->conf.max_batch_records = 1;
    rig->conf.max_inflight_bytes = 1;
    rig->keep = true;
    rig_append(rig, "a.log", "one\ntwo\nthree\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 250);
    RIG_EXPECT(rig, "one");
    EXPECT_EQ(unlink(rig_path(rig, "a.log")), 0);
    rig_run(rig, 20000);
    RIG_EXPECT(rig, "one");
    EXPECT_EQ(rig->state.open_count, 1);
    rig->keep = false;
    rig_run(rig, 1000);
    RIG_EXPECT(rig, "one", "two", "three");
    rig_run(rig, 20000);
    EXPECT_EQ(rig->state.open_count, 0);
    rig_run(rig, 700000);
    EXPECT_EQ(rig->state.file_count, 0);
    rig_free(rig);
}

/* Scenario:   copytruncate: the file is cut to nothing and written again, also past the old position between polls.
 * Guarantees: the new content is read from its start and the truncation is counted. */
LEAT_TEST(file_log_follows_a_truncation)
{
    struct rig *rig = begin("*.log");
    rig_append(rig, "a.log", "one\ntwo\n");
    rig_run(rig, 250);
    EXPECT_EQ(truncate(rig_path(rig, "a.log"), 0), 0);
    rig_append(rig, "a.log", "3\n");
    rig_run(rig, 250);
    EXPECT_EQ(truncate(rig_path(rig, "a.log"), 0), 0);
    rig_append(rig, "a.log", "a longer line than all before\nfive\n");
    rig_run(rig, 450);
    RIG_EXPECT(rig, "one", "two", "3", "a longer line than all before", "five");
    EXPECT_EQ(rig_count(rig, FILE_LOG_TRUNCATED), 2);
    rig_free(rig);
}

/* Scenario:   a long file is cut in its middle and then grows, under each on_truncate.
 * Guarantees: read_new reads what is new, read_whole_file all of it again, ignore what lies past the old end. */
LEAT_TEST(file_log_on_truncate)
{
    static const struct {
        int how;
        uint32_t lines;
    } table[] = {{FILE_LOG_READ_NEW, 41}, {FILE_LOG_READ_WHOLE, 61}, {FILE_LOG_IGNORE, 40}};
    for (size_t t = 0; t < 3; t++) {
        struct rig *rig = rig_new("*.log");
        rig->conf.on_truncate = table[t].how;
        rig->conf.fingerprint_size = 16;
        for (int i = 0; i < 40; i++)
            rig_append(rig, "a.log", "0123456789abcde\n");
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 250);
        EXPECT_EQ(rig->line_count, 40);
        EXPECT_EQ(truncate(rig_path(rig, "a.log"), 20 * 16), 0);
        rig_run(rig, 250);
        rig_append(rig, "a.log", "new\n");
        rig_run(rig, 450);
        EXPECT_EQ(rig->line_count, table[t].lines);
        rig_free(rig);
    }
}

/* Scenario:   a position is remembered for an inode that now belongs to another file.
 * Guarantees: the new file is read from its start. */
LEAT_TEST(file_log_sees_that_an_inode_was_reused)
{
    struct rig *rig = rig_new("*.log");
    rig->conf.storage = "file_storage";
    rig_append(rig, "a.log", "old one\nold two\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 2000);
    rig_stop(rig);
    FILE *file = fopen(rig_path(rig, "a.log"), "r+"); /* the same inode, other bytes */
    (void)fputs("new one\nnew two\nnew three\n", file);
    (void)fclose(file);
    rig_forget_lines(rig);
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 250);
    RIG_EXPECT(rig, "new one", "new two", "new three");
    EXPECT_EQ(rig_count(rig, FILE_LOG_REUSED), 1);
    rig_free(rig);
}

/* Scenario:   a FIFO, a folder named like a log, a dangling link and a link to a device match the pattern.
 * Guarantees: none is read, nothing blocks; a link to a regular file is read once, unless links are not followed. */
LEAT_TEST(file_log_reads_regular_files_only)
{
    for (int follow = 0; follow < 2; follow++) {
        struct rig *rig = rig_new("*.log");
        rig->conf.follow_symlinks = follow;
        EXPECT_EQ(mkfifo(rig_path(rig, "fifo.log"), 0600), 0);
        EXPECT_EQ(mkdir(rig_path(rig, "folder.log"), 0700), 0);
        EXPECT_EQ(symlink("/nowhere", rig_path(rig, "dangling.log")), 0);
        EXPECT_EQ(symlink("/dev/zero", rig_path(rig, "zero.log")), 0);
        rig_append(rig, "target.txt", "through a link\n");
        EXPECT_EQ(symlink("target.txt", rig_path(rig, "a.log")), 0);
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 450);
        if (follow)
            RIG_EXPECT(rig, "through a link");
        EXPECT_EQ(rig->line_count, follow);
        EXPECT(rig_count(rig, FILE_LOG_NOT_REGULAR) > 0);
        rig_free(rig);
    }
}

/* Scenario:   more files than may be open grow in turn.
 * Guarantees: all are read, no more than the limit are open. */
LEAT_TEST(file_log_keeps_to_max_concurrent_files)
{
    struct rig *rig = rig_new("*.log");
    rig->conf.max_concurrent_files = 2;
    char name[32];
    EXPECT_OK(rig_start(rig, NULL));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 7; i++) {
            (void)snprintf(name, sizeof name, "%d.log", i);
            rig_append(rig, name, round == 0 ? "zero\n" : "more\n");
        }
        for (int i = 0; i < 5; i++) {
            rig_run(rig, 200);
            EXPECT(rig->state.open_count <= 2);
        }
    }
    EXPECT_EQ(rig->line_count, 21);
    rig_free(rig);
}

/* Scenario:   start_at end: one file is there at the start, another comes later.
 * Guarantees: of the first only new lines, of the second all. */
LEAT_TEST(file_log_starts_at_the_end)
{
    struct rig *rig = rig_new("*.log");
    rig->conf.start_at = FILE_LOG_END;
    rig_append(rig, "a.log", "old\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 250);
    rig_append(rig, "a.log", "new\n");
    rig_append(rig, "b.log", "first of b\n");
    rig_run(rig, 450);
    EXPECT_EQ(rig->line_count, 2);
    rig_free(rig);
}

/* Scenario:   exclude names one of two files, and gives one pattern twice.
 * Guarantees: the excluded one is not read, the other once. */
LEAT_TEST(file_log_excludes)
{
    struct rig *rig = rig_new("**/*.log");
    rig_include(rig, "x/*.log");
    char text[256];
    const char *exclude = text;
    (void)snprintf(text, sizeof text, "%s/**/no*.log", rig->folder);
    rig->conf.exclude = (struct leat_strings){&exclude, 1};
    rig_append(rig, "x/yes.log", "yes\n");
    rig_append(rig, "x/y/nope.log", "no\n");
    rig_append(rig, "top.log", "top\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    EXPECT_EQ(rig->line_count, 2);
    rig_free(rig);
}
