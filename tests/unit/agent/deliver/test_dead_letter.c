/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/counter.h"
#include "agent/base/strbuf.h"
#include "tests/kit/rig.h"

#define PATH "/dead"

static struct leat_form_ops form; /* the toy's, with words for its items: their ids */

static leat_rc ids_of(enum leat_signal signal, const struct leat_chain *payload, struct leat_strbuf *out,
                      struct leat_err *reterr)
{
    struct toy_item items[64];
    uint32_t count = toy_items(payload, items, 64);
    (void)signal;
    (void)reterr;
    for (uint32_t i = 0; i < count; i++)
        leat_strbuf_printf(out, "%s%u", i ? "," : "[", items[i].id);
    leat_strbuf_putc(out, ']');
    return out->failed ? LEAT_ENOMEM : LEAT_OK;
}

static struct rig *letter_rig(const char *path, int64_t bytes_max)
{
    form = toy_form;
    form.text = ids_of;
    struct rig *rig = rig_new();
    rig->conf.dead_letter.path = path;
    rig->conf.dead_letter.bytes_max = bytes_max;
    EXPECT_OK(rig_open(rig));
    return rig;
}

static const char *letters(struct rig *rig)
{
    static char text[4096];
    int fd = rig->world->disk->open(rig->world, PATH, LEAT_O_READ, 0);
    ssize_t got = fd < 0 ? 0 : rig->world->disk->pread(rig->world, fd, text, sizeof text - 1, 0);
    if (fd >= 0)
        (void)rig->world->disk->close(rig->world, fd);
    text[got > 0 ? got : 0] = 0;
    return text;
}

static void put(struct rig *rig, uint16_t id, uint32_t count)
{
    struct leat_batch *batch = toy_batch(&form, id, count, 8);
    EXPECT(batch);
    EXPECT_OK(rig_put_batch(rig, batch));
    EXPECT(rig_settle(rig, 60 * RIG_S));
}

/* Scenario:   of four items the second and the last are refused, one goes again; then a whole request is refused.
 * Guarantees: a line each with exactly the refused items, why, and which exporter; delivered + letters = sent. */
LEAT_TEST(refused_items_are_written_down)
{
    static const struct kit_step steps[] = {
        {KIT_REPLY, 207, 0, 0, 0, "drar"}, {KIT_REPLY, 200, 0, 0, 0, NULL}, {KIT_REPLY, 422, 0, 0, 0, NULL}};
    uint64_t before = leat_counters[LEAT_COUNT_DEAD_LETTERS];
    struct rig *rig = letter_rig(PATH, 1 << 20);
    rig->carrier.steps = steps;
    rig->carrier.step_count = 3;
    put(rig, 10, 4);
    EXPECT_EQ(rig_delivered(rig), 2);
    const char *text = letters(rig);
    EXPECT(strstr(text, "\"signal\":\"logs\",\"items\":2,\"reason\":\"rejected_items\",\"error\":"));
    EXPECT(strstr(text, "\"data\":[11,13]}\n"));
    put(rig, 20, 3);
    text = letters(rig);
    EXPECT(strstr(text, "\"items\":3,\"reason\":\"refused\",\"error\":\"never\",\"data\":[20,21,22]}\n"));
    EXPECT_EQ(leat_counters[LEAT_COUNT_DEAD_LETTERS] - before, 5);
    rig_close(rig);
}

/* Scenario:   the file may hold no more; later there is no such folder.
 * Guarantees: the items are dropped and counted all the same, and the letters as lost. */
LEAT_TEST(letters_that_cannot_be_written_are_counted)
{
    uint64_t before = leat_counters[LEAT_COUNT_DEAD_LETTERS_LOST];
    struct rig *rig = letter_rig(PATH, 200);
    rig->carrier.otherwise.status = 422;
    put(rig, 1, 2);
    put(rig, 3, 2);
    EXPECT(strstr(letters(rig), "[1,2]}\n") && !strstr(letters(rig), "[3,4]"));
    EXPECT_EQ(leat_counters[LEAT_COUNT_DEAD_LETTERS_LOST] - before, 2);
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REFUSED), 4);
    rig_close(rig);
}

/* Scenario:   two of four items have no form at the destination.
 * Guarantees: one letter with both of them. */
LEAT_TEST(items_without_a_form_are_written_down)
{
    struct rig *rig = letter_rig(PATH, 1 << 20);
    rig->codec.reject_marked = true;
    struct leat_batch *batch = toy_batch(&form, 1, 4, 8);
    EXPECT(batch);
    toy_mark(batch, 1, '!');
    toy_mark(batch, 2, '!');
    EXPECT_OK(rig_put_batch(rig, batch));
    EXPECT(rig_settle(rig, 60 * RIG_S));
    EXPECT(strstr(letters(rig), "\"items\":2,\"reason\":\"cannot_encode\",\"error\":"));
    EXPECT(strstr(letters(rig), "\"data\":[2,3]}\n"));
    EXPECT(rig_delivered(rig) == 2 && rig_dropped(rig, LEAT_DROP_ENCODE) == 2);
    rig_close(rig);
}

static const struct leat_disk_ops *true_disk;

static ssize_t write_half(struct leat_world *world, int fd, const void *at, size_t len)
{
    return true_disk->write(world, fd, at, len / 2);
}

/* Scenario:   the disk is full in the middle of a letter, and has room again for the next two.
 * Guarantees: the half one is counted as lost, and spoils no line but its own. */
LEAT_TEST(half_a_letter_spoils_no_other)
{
    uint64_t before = leat_counters[LEAT_COUNT_DEAD_LETTERS_LOST];
    struct rig *rig = letter_rig(PATH, 1 << 20);
    rig->carrier.otherwise.status = 422;
    true_disk = rig->world->disk;
    struct leat_disk_ops full = *true_disk;
    full.write = write_half;
    rig->world->disk = &full;
    put(rig, 1, 2);
    rig->world->disk = true_disk;
    put(rig, 3, 2);
    put(rig, 5, 2);
    EXPECT_EQ(leat_counters[LEAT_COUNT_DEAD_LETTERS_LOST] - before, 2);
    const char *second = strchr(letters(rig), '\n');
    EXPECT(second && strncmp(second, "\n{\"timeUnixNano\":", 17) == 0);
    EXPECT(strstr(second, "[3,4]}\n{\"timeUnixNano\":") && strstr(second, "[5,6]}\n"));
    rig_close(rig);
}
