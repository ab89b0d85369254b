/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/deliver/carrier.h"
#include "agent/net/coding.h"
#include "tests/kit/kit.h"

struct bed {
    char dir[64], path[128];
    struct leat_world world; /* the real one, whose disk may be full */
    struct leat_loop *loop;
    struct leat_file_carrier_conf conf;
    struct leat_carrier *carrier;
    leat_rc last; /* of the parcel that ended last */
    unsigned ended;
};
static struct bed *here;
static size_t write_room; /* bytes the disk takes before it is full */

static ssize_t full_write(struct leat_world *world, int fd, const void *at, size_t len)
{
    size_t n = len < write_room ? len : write_room;
    (void)world;
    if (n == 0)
        return -ENOSPC;
    write_room -= n;
    return leat_world_real()->disk->write(leat_world_real(), fd, at, n);
}

static void bed_make(struct bed *bed)
{
    static struct leat_disk_ops disk;
    disk = *leat_world_real()->disk;
    disk.write = full_write;
    write_room = SIZE_MAX;
    *bed = (struct bed){.dir = "/tmp/leat-file-XXXXXX", .world = *leat_world_real()};
    bed->world.disk = &disk;
    EXPECT(mkdtemp(bed->dir));
    (void)snprintf(bed->path, sizeof bed->path, "%s/out.json", bed->dir);
    bed->conf.path = bed->path;
    EXPECT_OK(leat_loop_open(&bed->world, &bed->loop, NULL));
    here = bed;
}

static void bed_done(struct bed *bed)
{
    char command[96];
    if (bed->carrier)
        bed->carrier->ops->close(bed->carrier);
    (void)leat_loop_close(bed->loop);
    (void)snprintf(command, sizeof command, "rm -r %s", bed->dir);
    EXPECT_EQ(system(command), 0);
}

static void ended(struct leat_parcel *parcel, const struct leat_reply *reply, const struct leat_err *err)
{
    (void)parcel;
    EXPECT((reply != NULL) != (err != NULL));
    here->last = err ? err->code : LEAT_OK;
    here->ended++;
}

static void bed_send(struct bed *bed, const char *text, size_t piece)
{
    struct leat_request request = {.body = kit_chain(text, strlen(text), piece)};
    struct leat_parcel parcel = {.request = &request, .done = ended};
    unsigned before = bed->ended;
    bed->carrier->ops->send(bed->carrier, &parcel);
    EXPECT_EQ(bed->ended, before); /* never from inside send */
    while (bed->ended == before)
        (void)leat_loop_run_once(bed->loop, false);
    leat_request_done(&request);
}

static size_t bed_read(const struct bed *bed, char *to, size_t room)
{
    FILE *file = fopen(bed->path, "rb");
    EXPECT(file);
    size_t len = fread(to, 1, room - 1, file);
    to[len] = 0;
    (void)fclose(file);
    return len;
}

/* Scenario:   lines are written whole and in pieces, then the file is opened again with and without append.
 * Guarantees: bytes are in the file when the parcel ends; without append the file begins anew, with it it goes on. */
LEAT_TEST(carrier_file_writes_and_appends)
{
    struct bed bed;
    char text[256];
    bed_make(&bed);
    EXPECT_OK(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, NULL));
    bed_send(&bed, "one\n", 0);
    bed_send(&bed, "two\n", 1);
    EXPECT_EQ(bed.last, LEAT_OK);
    (void)bed_read(&bed, text, sizeof text);
    EXPECT_STR(text, "one\ntwo\n");
    for (int append = 1; append >= 0; append--) {
        bed.carrier->ops->close(bed.carrier);
        bed.conf.append = append;
        EXPECT_OK(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, NULL));
        bed_send(&bed, "three\n", 0);
        (void)bed_read(&bed, text, sizeof text);
        EXPECT_STR(text, append ? "one\ntwo\nthree\n" : "three\n");
    }
    bed_done(&bed);
}

/* Scenario:   the disk is full in the middle of a line, then has room again, and the line is sent again.
 * Guarantees: the failure is told; no line in the file is torn. */
LEAT_TEST(carrier_file_never_tears_a_line)
{
    struct bed bed;
    char text[256];
    bed_make(&bed);
    EXPECT_OK(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, NULL));
    write_room = 3;
    bed_send(&bed, "hello\n", 0);
    EXPECT_EQ(bed.last, LEAT_EIO);
    bed_send(&bed, "hello\n", 0);
    EXPECT_EQ(bed.last, LEAT_EIO);
    write_room = SIZE_MAX;
    bed_send(&bed, "hello\n", 0);
    EXPECT_EQ(bed.last, LEAT_OK);
    (void)bed_read(&bed, text, sizeof text);
    EXPECT_STR(text, "hello\nhello\n");
    bed_done(&bed);
}

/* Guarantees: a compressed message stands behind its length and is the message again when undone. */
LEAT_TEST(carrier_file_compresses_messages)
{
    struct bed bed;
    char text[256], plain[64] = {0};
    bed_make(&bed);
    bed.conf.compression = 1;
    EXPECT_OK(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, NULL));
    bed_send(&bed, "a message", 0);
    size_t len = bed_read(&bed, text, sizeof text);
    EXPECT_EQ((size_t)(uint8_t)text[3] + 4, len);
    struct leat_chain in = kit_chain(text + 4, len - 4, 0), out = {0};
    EXPECT_OK(leat_decode(LEAT_CODING_ZSTD, &in, 1000, &out, NULL));
    (void)leat_chain_put(&out, plain, sizeof plain - 1);
    EXPECT_STR(plain, "a message");
    leat_chain_done(&in);
    leat_chain_done(&out);
    bed_done(&bed);
    leat_coding_trim();
}

static unsigned backups(const struct bed *bed)
{
    unsigned n = 0;
    DIR *dir = opendir(bed->dir);
    EXPECT(dir);
    for (struct dirent *d; (d = readdir(dir));) {
        size_t len = strlen(d->d_name);
        n += len == strlen("out-2024-01-31T23-59-59.999.json") && strncmp(d->d_name, "out-2", 5) == 0 &&
             strcmp(d->d_name + len - 5, ".json") == 0;
    }
    (void)closedir(dir);
    return n;
}

/* Scenario:   a file of one megabyte at most gets ten messages of 600 KB; two backups may be kept.
 * Guarantees: each message has a file of its own, the newest two backups stay, another carrier on the path follows. */
LEAT_TEST(carrier_file_rotates_and_prunes)
{
    static char large[600001];
    struct bed bed;
    struct leat_carrier *other;
    char text[64];
    memset(large, 'x', sizeof large - 1);
    bed_make(&bed);
    bed.conf.rotation.present = true;
    bed.conf.rotation.max_megabytes = 1;
    bed.conf.rotation.max_backups = 2;
    EXPECT_OK(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, NULL));
    EXPECT_OK(leat_carrier_file_open(bed.loop, "file", &bed.conf, &other, NULL));
    for (int i = 0; i < 10; i++)
        bed_send(&bed, large, 0);
    EXPECT_EQ(backups(&bed), 2);
    struct leat_carrier *first = bed.carrier;
    bed.carrier = other;
    bed_send(&bed, "y", 0);
    bed.carrier = first;
    FILE *file = fopen(bed.path, "rb");
    EXPECT(file);
    EXPECT_EQ(fseek(file, -2, SEEK_END), 0);
    EXPECT_EQ(fread(text, 1, 2, file), 2);
    EXPECT_BYTES(text, "xy", 2);
    (void)fclose(file);
    other->ops->close(other);
    bed_done(&bed);
}

/* Guarantees: missing folders are made only when asked for; contradictions are refused at start. */
LEAT_TEST(carrier_file_checks_its_conf)
{
    struct bed bed;
    char deep[160];
    struct leat_err err = {0};
    bed_make(&bed);
    (void)snprintf(deep, sizeof deep, "%s/a/b/out.json", bed.dir);
    bed.conf.path = deep;
    EXPECT_RC(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, deep));
    bed.conf.create_directory = true;
    bed.conf.directory_permissions = "0700";
    EXPECT_OK(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, &err));
    bed.carrier->ops->close(bed.carrier);
    bed.carrier = NULL;
    bed.conf.directory_permissions = "0999";
    EXPECT_RC(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, &err), LEAT_ECONFIG);
    bed.conf.directory_permissions = NULL;
    bed.conf.append = true;
    bed.conf.compression = 1;
    EXPECT_RC(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, &err), LEAT_ECONFIG);
    bed.conf.path = NULL;
    EXPECT_RC(leat_carrier_file_open(bed.loop, "file", &bed.conf, &bed.carrier, &err), LEAT_ECONFIG);
    bed_done(&bed);
}

/* Guarantees: text reaches the descriptor, and the end of a parcel never comes from inside send. */
LEAT_TEST(carrier_output_writes_to_its_descriptor)
{
    struct bed bed;
    int fds[2];
    char text[32] = {0};
    bed_make(&bed);
    EXPECT_EQ(pipe(fds), 0);
    EXPECT_OK(leat_carrier_output_open(bed.loop, fds[1], &bed.carrier));
    bed_send(&bed, "a line\n", 2);
    EXPECT_EQ(bed.last, LEAT_OK);
    EXPECT_EQ(read(fds[0], text, sizeof text - 1), 7);
    EXPECT_STR(text, "a line\n");
    write_room = 0;
    bed_send(&bed, "a line\n", 2);
    EXPECT_EQ(bed.last, LEAT_EIO);
    (void)close(fds[0]);
    (void)close(fds[1]);
    bed_done(&bed);
}
