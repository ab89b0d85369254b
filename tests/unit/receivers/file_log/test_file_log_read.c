/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/file_log/rig.h"

#define POD "pods/shop_web-7_0a1b-2c/nginx/3.log"
#define AT "2024-01-01T00:00:00.000000001Z "

/* Scenario:   a container log of one pod grows.
 * Guarantees: bodies, times and the pod's names arrive; the position is the end of the file once acknowledged. */
LEAT_TEST(file_log_follows_a_container_log)
{
    struct rig *rig = rig_new("pods/*/*/*.log");
    struct leat_err err = {0};
    rig_container(rig);
    rig_append(rig, POD, AT "stdout F one\n" AT "stderr F two\n");
    EXPECT_OK_ERR(rig_start(rig, &err), &err);
    rig_run(rig, 250);
    RIG_EXPECT(rig, "one", "two");
    EXPECT_EQ(rig->times[0], 1704067200000000001ull);
    EXPECT(rig_has(rig->last_resource, "k8s.namespace.name"));
    EXPECT(rig_has(rig->last_resource, "shop"));
    EXPECT(rig_has(rig->last_resource, "web-7"));
    EXPECT(rig_has(rig->last_resource, "0a1b-2c"));
    EXPECT(rig_has(rig->last_resource, "nginx"));
    EXPECT(rig_has(rig->last_record, "log.iostream"));
    EXPECT(rig_has(rig->last_record, "stderr"));
    EXPECT(rig_has(rig->last_record, "logtag"));
    EXPECT(rig_has(rig->last_record, "3.log"));
    rig_append(rig, POD, AT "stdout F three\n");
    rig_run(rig, 250);
    RIG_EXPECT(rig, "one", "two", "three");
    struct file_log_file *file = LEAT_CONTAINER(rig->state.files.next, struct file_log_file, link);
    EXPECT_EQ(file->final, file->size);
    rig_free(rig);
}

/* ---- a file that grows between being measured and being read ---- */

static struct rig *growing;
static int growths;

static ssize_t grow_then_pread(struct leat_world *world, int fd, void *at, size_t len, uint64_t offset)
{
    if (len > 4096 && growths > 0) { /* a read of lines, not of a fingerprint */
        growths--;
        rig_append(growing, "g.log", "a line that nobody had measured\n");
    }
    return leat_world_real()->disk->pread(world, fd, at, len, offset);
}

/* Scenario:   a file is written to between every measuring of its size and the read that follows.
 * Guarantees: reading further than the size that was known is no truncation: each line comes once. */
LEAT_TEST(file_log_takes_growth_between_stat_and_read_for_growth)
{
    struct rig *rig = growing = rig_new("*.log");
    struct leat_disk_ops disk = *leat_world_real()->disk;
    struct leat_err err = {0};
    disk.pread = grow_then_pread;
    rig->world.disk = &disk;
    growths = 20;
    EXPECT_OK_ERR(rig_start(rig, &err), &err);
    for (int i = 0; i < 20; i++) {
        rig_append(rig, "g.log", "a line that was measured\n");
        rig_run(rig, 250);
    }
    EXPECT_EQ(growths, 0);
    EXPECT_EQ(rig->line_count, 40);
    EXPECT_EQ(rig->counts[FILE_LOG_TRUNCATED], 0);
    rig_free(rig);
}
