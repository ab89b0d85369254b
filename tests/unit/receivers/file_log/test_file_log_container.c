/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/file_log/rig.h"

#define AT "2024-01-01T00:00:00Z "

static struct rig *begin(void)
{
    struct rig *rig = rig_new("*.log");
    rig_container(rig);
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 250);
    return rig;
}

/* Scenario:   parts of both streams come interleaved, across polls, with whole lines between.
 * Guarantees: parts are joined per stream and never across; order is that of the ends. */
LEAT_TEST(file_log_joins_parts_per_stream)
{
    struct rig *rig = begin();
    rig_append(rig, "0.log", AT "stdout P a1 \n" AT "stderr P b1 \n" AT "stdout P a2 \n");
    rig_run(rig, 250);
    rig_append(rig, "0.log", AT "stderr F b2\n" AT "stderr F whole\n" AT "stdout F a3\n" AT "stdout F next\n");
    rig_run(rig, 250);
    RIG_EXPECT(rig, "b1b2", "whole", "a1a2a3", "next");
    EXPECT_EQ(rig_count(rig, FILE_LOG_JOINED), 5);
    rig_free(rig);
}

/* Scenario:   with whitespace preserved, parts of 16 KiB make a line of 100 KiB.
 * Guarantees: one record of exactly those bytes. */
LEAT_TEST(file_log_joins_long_lines)
{
    struct rig *rig = rig_new("*.log");
    rig->conf.preserve_trailing = true;
    rig_container(rig);
    char part[16385] = {0}, *wanted = calloc(1, 7 * 16384 + 1);
    for (int i = 0; i < 7; i++) {
        memset(part, 'a' + i, 16384);
        part[16383] = ' ';
        rig_append(rig, "0.log", i < 6 ? AT "stdout P " : AT "stdout F ");
        rig_append(rig, "0.log", part);
        rig_append(rig, "0.log", "\n");
        strcat(wanted, part);
    }
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    EXPECT_EQ(rig->line_count, 1);
    EXPECT_STR(rig->lines[0], wanted);
    free(wanted);
    rig_free(rig);
}

/* Scenario:   parts whose end never comes: by time; over max_log_size; over max_held_bytes.
 * Guarantees: they are sent as they are, once, and counted; memory stays bounded; the position follows. */
LEAT_TEST(file_log_flushes_parts_that_never_end)
{
    struct rig *rig = begin();
    rig_append(rig, "0.log", AT "stdout P forever\n");
    rig_run(rig, 4000);
    EXPECT_EQ(rig->line_count, 0);
    rig_run(rig, 2000);
    RIG_EXPECT(rig, "forever");
    rig_run(rig, 10000);
    EXPECT_EQ(rig->line_count, 1);
    EXPECT_EQ(rig_count(rig, FILE_LOG_UNFINISHED), 1);
    struct file_log_file *file = LEAT_CONTAINER(rig->state.files.next, struct file_log_file, link);
    EXPECT_EQ(file->final, file->size);
    rig_free(rig);

    rig = rig_new("*.log");
    rig_container(rig);
    rig->operators[0].max_log_size = 1000;
    rig->conf.max_held_bytes = 65536;
    for (int i = 0; i < 1000; i++)
        rig_append(rig, "0.log", AT "stdout P 0123456789012345678901234567890123456789\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    EXPECT_EQ(rig->line_count, 1000 / 24); /* 24 parts of 40 bytes are what fits */
    EXPECT(rig->state.held_bytes <= 4096);
    rig_free(rig);
}

/* Scenario:   Docker's json-file, with escapes, both streams, and a line Docker cut at 16 KiB.
 * Guarantees: the text is unescaped, its newline taken off, the parts joined. */
LEAT_TEST(file_log_reads_docker)
{
    struct rig *rig = begin();
    char part[16385] = {0};
    memset(part, 'x', 16384);
    rig_append(rig, "a.log",
               "{\"log\":\"say \\\"hi\\\"\\tthere\\n\",\"stream\":\"stdout\",\"time\":\"2024-01-01T00:00:01.5Z\"}\n");
    rig_append(rig, "a.log",
               "{\"log\":\"no newline\",\"stream\":\"stderr\",\"time\":\"2024-01-01T00:00:01Z\"}\n{\"log\":\"");
    rig_append(rig, "a.log", part);
    rig_append(rig, "a.log", "\",\"stream\":\"stdout\",\"time\":\"2024-01-01T00:00:01Z\"}\n");
    rig_append(rig, "a.log", "{\"log\":\"end\\n\",\"stream\":\"stdout\",\"time\":\"2024-01-01T00:00:01Z\"}\n");
    rig_run(rig, 450);
    EXPECT_EQ(rig->line_count, 3);
    EXPECT_STR(rig->lines[0], "say \"hi\"\tthere");
    EXPECT_EQ(rig->times[0], 1704067201500000000ull);
    EXPECT_STR(rig->lines[1], "no newline");
    EXPECT_EQ(strlen(rig->lines[2]), 16387);
    rig_free(rig);
}

/* Scenario:   a container prints what looks like a CRI line, NUL bytes, escapes, broken UTF-8; and a line that is none.
 * Guarantees: one record per line of the file; broken UTF-8 becomes U+FFFD and is counted; what is in no format is
 *             sent as it is and counted. */
LEAT_TEST(file_log_survives_hostile_lines)
{
    struct rig *rig = begin();
    static const char text[] = AT "stdout F " AT "stderr F fake\n" AT "stdout F \x1b[31mred\r\x1b[0m\n"
                                  "\0\0\0" AT "stdout F after a hole\n" AT "stdout F bad \xff\xfe end\n"
                                  "no format at all\n" AT "stdout F \n" AT "stdout F a\0b\n";
    rig_append_bytes(rig, "0.log", text, sizeof text - 1);
    rig_run(rig, 450);
    RIG_EXPECT(rig, AT "stderr F fake", "\x1b[31mred\r\x1b[0m", "after a hole", "bad \xef\xbf\xbd\xef\xbf\xbd end",
               "no format at all", "", "a");
    EXPECT_EQ(rig_count(rig, FILE_LOG_NULS), 3);
    EXPECT_EQ(rig_count(rig, FILE_LOG_REPAIRED), 1);
    EXPECT_EQ(rig_count(rig, FILE_LOG_BAD_FORMAT), 1);
    EXPECT(memmem(rig->last_record.at, rig->last_record.len, "a\0b", 3) != NULL);
    rig_free(rig);
}

/* Scenario:   paths that do and do not name a pod.
 * Guarantees: only those of a pod give k8s attributes, also under a rotated name. */
LEAT_TEST(file_log_reads_pods_from_paths)
{
    static const struct {
        const char *path, *restarts;
    } table[] = {{"pods/ns_pod_ab-12/app/12.log", "12"}, {"pods/ns_pod_ab-12/app/0.log.20240101-000000", "0"},
                 {"pods/ns_pod/app/0.log", NULL},        {"pods/ns_pod_XYZ/app/0.log", NULL},
                 {"pods/ns_pod_ab-12/app/x.log", NULL},  {"pods/_pod_ab-12/app/1.log", NULL}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct rig *rig = rig_new("pods/*/*/*");
        rig_container(rig);
        rig_append(rig, table[i].path, AT "stdout F x\n");
        EXPECT_OK(rig_start(rig, NULL));
        rig_run(rig, 450);
        EXPECT_EQ(rig->line_count, 1);
        EXPECT_EQ(rig_has(rig->last_resource, "k8s.pod.uid"), table[i].restarts != NULL);
        if (table[i].restarts)
            EXPECT(rig_has(rig->last_resource, table[i].restarts));
        rig_free(rig);
    }
}

/* Scenario:   move, add and remove name fields of the file and of the record.
 * Guarantees: the records carry them as told. */
LEAT_TEST(file_log_edits_fields)
{
    struct rig *rig = rig_new("*.log");
    rig_container(rig);
    rig->conf.include_file_record_number = true;
    rig->operators[1] =
        (struct file_log_operator){.type = "move", .from = "attributes[\"log.file.name\"]", .to = "resource.file"};
    rig->operators[2] = (struct file_log_operator){.type = "remove", .field = "attributes.logtag"};
    rig->operators[3] = (struct file_log_operator){
        .type = "add", .field = "attributes['cluster']", .value = {.kind = LEAT_VALUE_STRING, .text = "blue"}};
    rig->conf.operators.count = 4;
    rig_append(rig, "0.log", AT "stdout F x\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    EXPECT(rig_has(rig->last_resource, "file"));
    EXPECT(rig_has(rig->last_resource, "0.log"));
    EXPECT(!rig_has(rig->last_record, "log.file.name"));
    EXPECT(!rig_has(rig->last_record, "logtag"));
    EXPECT(rig_has(rig->last_record, "log.iostream"));
    EXPECT(rig_has(rig->last_record, "blue"));
    EXPECT(rig_has(rig->last_record, "log.file.record_number"));
    rig_free(rig);
}

static const char *const trace[] = {"java.lang.IllegalStateException: no", "\tat a.b.C.d(C.java:1)",
                                    "Caused by: java.io.IOException", "\tat e.f(G.java:2)", "\t... 3 more"};

static void append_trace(struct rig *rig)
{
    for (size_t i = 0; i < 5; i++) {
        rig_append(rig, "0.log", AT "stdout F ");
        rig_append(rig, "0.log", trace[i]);
        rig_append(rig, "0.log", "\n");
    }
}

/* Scenario:   a Java trace between two ordinary lines, through container and recombine.
 * Guarantees: it is one record; the last record is sent after force_flush_period. */
LEAT_TEST(file_log_recombines_a_java_trace)
{
    struct rig *rig = rig_new("*.log");
    struct leat_err err = {0};
    rig_container(rig);
    rig->operators[1] =
        (struct file_log_operator){.type = "recombine",
                                   .is_first_entry = "body matches \"^(?!\\\\s|Caused by:|\\\\.\\\\.\\\\. )\"",
                                   .combine_with = "\n",
                                   .combine_field = "body",
                                   .max_batch_size = 1000,
                                   .max_unmatched_batch_size = 100,
                                   .force_flush_period = 5000 * (int64_t)RIG_MS,
                                   .source_identifier = "attributes[\"log.file.path\"]"};
    rig->conf.operators.count = 2;
    EXPECT_OK_ERR(rig_start(rig, &err), &err);
    rig_append(rig, "0.log", AT "stdout F before\n");
    append_trace(rig);
    rig_append(rig, "0.log", AT "stdout F after\n");
    rig_run(rig, 450);
    RIG_EXPECT(rig, "before",
               "java.lang.IllegalStateException: no\n\tat a.b.C.d(C.java:1)\nCaused by: java.io.IOException\n"
               "\tat e.f(G.java:2)\n\t... 3 more");
    rig_run(rig, 6000);
    EXPECT_EQ(rig->line_count, 3);
    EXPECT_STR(rig->lines[2], "after");
    rig_free(rig);
}

/* Scenario:   is_last_entry by regex; more lines than max_batch_size; lines that no first entry came before.
 * Guarantees: each limit ends a record. */
LEAT_TEST(file_log_recombine_limits)
{
    struct rig *rig = rig_new("*.log");
    rig->operators[0] = (struct file_log_operator){.type = "recombine",
                                                   .is_last_entry = "body matches ';$'",
                                                   .combine_with = " ",
                                                   .max_batch_size = 3,
                                                   .force_flush_period = 5000 * (int64_t)RIG_MS};
    rig->conf.operators = (struct leat_items){rig->operators, 1};
    rig_append(rig, "a.log", "a\nb;\nc;\nd\ne\nf\ng\nh;\n");
    EXPECT_OK(rig_start(rig, NULL));
    rig_run(rig, 450);
    RIG_EXPECT(rig, "a b;", "c;", "d e f", "g h;");
    rig_stop(rig);
    rig_forget_lines(rig);
    EXPECT_EQ(unlink(rig_path(rig, "a.log")), 0);
    rig->operators[0].is_last_entry = NULL;
    rig->operators[0].is_first_entry = "body matches '^>'";
    rig->operators[0].max_unmatched_batch_size = 1;
    EXPECT_OK(rig_start(rig, NULL));
    rig_append(rig, "b.log", "loose\nloose too\n>1\n2\n>3\n");
    rig_run(rig, 450);
    RIG_EXPECT(rig, "loose", "loose too", ">1 2");
    rig_free(rig);
}
