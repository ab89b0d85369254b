/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "processors/batch/batch.h"
#include "tests/kit/kit.h"

extern const struct leat_processor_type leat_processor_batch;

/* ---- a form of one byte an item, a clock by hand, and a stage behind that can be full ---- */

static bool can_merge(enum leat_signal signal)
{
    return signal != LEAT_PROFILES;
}
static leat_rc merge(enum leat_signal signal, struct leat_chain *into, struct leat_chain *from)
{
    (void)signal;
    return leat_chain_append(into, from);
}
static leat_rc cut(enum leat_signal signal, const struct leat_chain *payload, uint32_t items_max, uint64_t bytes_max,
                   struct leat_chain *ret_head, uint32_t *ret_items, struct leat_chain *ret_tail,
                   struct leat_err *reterr)
{
    (void)signal;
    (void)bytes_max;
    (void)reterr;
    *ret_head = *ret_tail = (struct leat_chain){0};
    leat_rc rc = leat_chain_share_range(ret_head, payload, 0, items_max);
    if (rc == LEAT_OK)
        rc = leat_chain_share_range(ret_tail, payload, items_max, payload->bytes - items_max);
    if (rc != LEAT_OK) {
        leat_chain_done(ret_head);
        leat_chain_done(ret_tail);
        *ret_head = *ret_tail = (struct leat_chain){0};
    }
    *ret_items = items_max;
    return rc;
}
static const struct leat_form_ops form = {.name = "bytes", .can_merge = can_merge, .merge = merge, .cut = cut};

struct rig {
    struct leat_world world;
    uint64_t now;
    struct leat_loop *loop;
    struct leat_gate gate;
    struct leat_host host;
    uint64_t counts[8];
    struct leat_stage behind;
    bool full, never;
    char got[64][512]; /* payloads that went on */
    struct leat_ack *acks[64];
    uint32_t got_count;
    struct batch_conf conf;
    struct batch batch;
};
static uint64_t now_ns(struct leat_world *world)
{
    return LEAT_CONTAINER(world, struct rig, world)->now;
}

static leat_rc behind_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    struct rig *rig = LEAT_CONTAINER(node, struct rig, behind);
    return rig->never ? LEAT_EREFUSED : rig->full ? LEAT_AGAIN : LEAT_OK;
}
static void behind_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)node;
    (void)batch;
}
static void behind_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct rig *rig = LEAT_CONTAINER(node, struct rig, behind);
    EXPECT_EQ(batch->item_count, batch->payload.bytes);
    char *to = rig->got[rig->got_count++];
    to[leat_chain_put(&batch->payload, to, 511)] = 0;
    leat_batch_end(batch, LEAT_DELIVERED, 0);
}
static const struct leat_stage_ops behind_ops = {behind_reserve, behind_cancel, behind_put, NULL};

static void wake(struct leat_waiter *waiter)
{
    (void)batch__flush(waiter->ctx);
}

static leat_rc rig_open(struct rig *rig, struct batch_conf conf)
{
    *rig = (struct rig){.world = {now_ns, now_ns, now_ns, NULL}, .now = 1000, .conf = conf};
    rig->behind.ops = &behind_ops;
    if (!rig->conf.metadata_cardinality_limit)
        rig->conf.metadata_cardinality_limit = 1000;
    leat_rc rc = leat_loop_open_simulated(&rig->world, &rig->loop);
    if (rc != LEAT_OK)
        return rc;
    leat_gate_init(&rig->gate, rig->loop);
    rig->host = (struct leat_host){.id = "batch",
                                   .loop = rig->loop,
                                   .world = &rig->world,
                                   .gate = &rig->gate,
                                   .counts = rig->counts,
                                   .next = &rig->behind,
                                   .waiter = {.wake = wake, .ctx = &rig->batch}};
    leat_list_init(&rig->host.waiter.link);
    return leat_processor_batch.open(&rig->batch, &rig->conf, LEAT_LOGS, &rig->host, NULL);
}

static void rig_run(struct rig *rig, uint64_t ns)
{
    for (rig->now += ns; leat_loop_run_once(rig->loop, false) && leat_loop_next_due_ns(rig->loop) <= rig->now;)
        ;
}

static void rig_close(struct rig *rig)
{
    if (!rig->loop)
        return;
    batch__close(&rig->batch);
    EXPECT(leat_ledger_balances(&rig->host.ledger[LEAT_LOGS]));
    leat_gate_forget(&rig->host.waiter);
    leat_gate_done(&rig->gate);
    rig->loop = leat_loop_close(rig->loop);
}

/* As the graph does it: reserve, then put. */
static leat_rc offer(struct rig *rig, enum leat_signal signal, const char *text, struct leat_meta *meta,
                     struct leat_ack *ack)
{
    struct leat_batch *batch = leat_batch_new(signal, &form);
    if (!batch)
        return LEAT_ENOMEM;
    batch->meta = leat_meta_ref(meta);
    batch->item_count = (uint32_t)strlen(text);
    leat_rc rc = leat_chain_copy(&batch->payload, text, batch->item_count);
    batch->pinned_bytes = batch->payload.bytes;
    if (rc == LEAT_OK)
        rc = batch__admit(&rig->batch, batch);
    if (rc != LEAT_OK) {
        leat_batch_free(batch);
        return rc;
    }
    batch->ack = ack;
    leat_ledger_in(&rig->host.ledger[signal], batch->item_count, batch->payload.bytes);
    EXPECT(batch__process(&rig->batch, batch) == NULL);
    return LEAT_OK;
}

#define MS 1000000ull

/* Scenario:   three small batches come, a fourth brings the size; then one more that stays alone.
 * Guarantees: four leave as one in their order, after the source's call; the last leaves with the timeout. */
LEAT_TEST(size_and_timeout_set_it_going)
{
    static struct rig rig;
    EXPECT_OK(rig_open(&rig, (struct batch_conf){.send_batch_size = 8, .timeout_ns = 200 * MS}));
    EXPECT_OK(offer(&rig, LEAT_LOGS, "abc", NULL, NULL));
    EXPECT_OK(offer(&rig, LEAT_LOGS, "de", NULL, NULL));
    rig_run(&rig, 100 * MS);
    EXPECT_EQ(rig.got_count, 0);
    EXPECT_EQ(batch__held(&rig.batch), 5);
    EXPECT_OK(offer(&rig, LEAT_LOGS, "fgh", NULL, NULL));
    EXPECT_EQ(rig.got_count, 0);
    rig_run(&rig, 0);
    EXPECT_EQ(rig.got_count, 1);
    EXPECT_STR(rig.got[0], "abcdefgh");
    EXPECT_OK(offer(&rig, LEAT_LOGS, "x", NULL, NULL));
    rig_run(&rig, 199 * MS);
    EXPECT_EQ(rig.got_count, 1);
    rig_run(&rig, 2 * MS);
    EXPECT_STR(rig.got[1], "x");
    EXPECT_EQ(rig.counts[BATCH_SIZE_TRIGGER], 1);
    EXPECT_EQ(rig.counts[BATCH_TIMEOUT_TRIGGER], 1);
    EXPECT_EQ(batch__held(&rig.batch), 0);
    rig_close(&rig);
}

struct source {
    struct leat_ack ack;
    int finals;
};
static void on_final(struct leat_ack *ack)
{
    ((struct source *)(void *)ack)->finals++;
}

/* Scenario:   two sources that wait bring 5 and 6 items; at most 4 may go on together.
 * Guarantees: 4, 4, then the rest by the timeout; each source hears the end of its own items once, when the last of
 *             them has left. */
LEAT_TEST(a_cut_batch_keeps_every_promise)
{
    static struct rig rig;
    struct source from[2] = {0};
    leat_ack_init(&from[0].ack, on_final);
    leat_ack_init(&from[1].ack, on_final);
    EXPECT_OK(
        rig_open(&rig, (struct batch_conf){.send_batch_size = 4, .send_batch_max_size = 4, .timeout_ns = 200 * MS}));
    EXPECT_OK(offer(&rig, LEAT_LOGS, "abcde", NULL, &from[0].ack));
    rig_run(&rig, 0);
    EXPECT_STR(rig.got[0], "abcd");
    EXPECT_EQ(from[0].finals, 0);
    EXPECT_OK(offer(&rig, LEAT_LOGS, "fghijk", NULL, &from[1].ack));
    rig_run(&rig, 0);
    EXPECT_STR(rig.got[1], "efgh");
    EXPECT_EQ(from[1].finals, 0);
    rig_run(&rig, 201 * MS);
    EXPECT_STR(rig.got[2], "ijk");
    EXPECT_EQ(from[0].finals, 1);
    EXPECT_EQ(from[1].finals, 1);
    EXPECT_EQ(from[0].ack.delivered, 5);
    EXPECT_EQ(from[1].ack.delivered, 6);
    rig_close(&rig);
}

/* Scenario:   nothing behind takes anything, and the source goes on.
 * Guarantees: it is told to come again once four times the size is held; all of it leaves in order when there is room.
 */
LEAT_TEST(what_it_holds_is_bounded)
{
    static struct rig rig;
    char text[512] = "";
    EXPECT_OK(rig_open(&rig, (struct batch_conf){.send_batch_size = 4, .timeout_ns = 200 * MS}));
    rig.full = true;
    leat_rc rc = LEAT_OK;
    int taken = 0;
    for (; taken < 100 && rc == LEAT_OK; taken++) {
        char two[3] = {(char)('a' + taken % 26), (char)('A' + taken % 26), 0};
        rc = offer(&rig, LEAT_LOGS, two, NULL, NULL);
        rig_run(&rig, MS);
        if (rc == LEAT_OK)
            (void)strcat(text, two);
    }
    EXPECT_EQ(rc, LEAT_AGAIN);
    EXPECT(batch__held(&rig.batch) <= 16);
    EXPECT(batch__held(&rig.batch) >= 14);
    rig.full = false;
    rig_run(&rig, 500 * MS);
    char all[512] = "";
    for (uint32_t i = 0; i < rig.got_count; i++)
        (void)strcat(all, rig.got[i]);
    EXPECT_STR(all, text);
    EXPECT_OK(offer(&rig, LEAT_LOGS, "zz", NULL, NULL));
    rig_close(&rig);
}

/* Scenario:   profiles, whose dictionaries keep them apart, and a size nobody reaches.
 * Guarantees: each goes on alone and at once. */
LEAT_TEST(what_cannot_be_merged_goes_singly)
{
    static struct rig rig;
    EXPECT_OK(rig_open(&rig, (struct batch_conf){.send_batch_size = 100, .timeout_ns = 200 * MS}));
    EXPECT_OK(offer(&rig, LEAT_PROFILES, "ab", NULL, NULL));
    EXPECT_OK(offer(&rig, LEAT_PROFILES, "cd", NULL, NULL));
    rig_run(&rig, 0);
    EXPECT_EQ(rig.got_count, 2);
    EXPECT_STR(rig.got[0], "ab");
    EXPECT_STR(rig.got[1], "cd");
    rig_close(&rig);
}

/* Scenario:   batches of two tenants, mixed; a third tenant over the limit of two.
 * Guarantees: tenants are never mixed and keep only the chosen key; the third is refused for good, not told to wait. */
LEAT_TEST(tenants_are_not_mixed)
{
    static struct rig rig;
    const char *keys[] = {"X-Tenant"};
    struct leat_meta *tenant[3];
    static const char *const names[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++)
        tenant[i] = leat_meta_new((struct leat_meta_pair[]){{"x-tenant", names[i]}, {"other", "y"}}, 2);
    EXPECT_OK(rig_open(&rig, (struct batch_conf){.send_batch_size = 4,
                                                 .timeout_ns = 200 * MS,
                                                 .metadata_keys = {keys, 1},
                                                 .metadata_cardinality_limit = 2}));
    EXPECT_OK(offer(&rig, LEAT_LOGS, "ab", tenant[0], NULL));
    EXPECT_OK(offer(&rig, LEAT_LOGS, "uv", tenant[1], NULL));
    EXPECT_OK(offer(&rig, LEAT_LOGS, "cd", tenant[0], NULL));
    EXPECT_OK(offer(&rig, LEAT_LOGS, "wx", tenant[1], NULL));
    EXPECT_EQ(offer(&rig, LEAT_LOGS, "no", tenant[2], NULL), LEAT_EREFUSED);
    rig_run(&rig, 0);
    EXPECT_STR(rig.got[0], "abcd");
    EXPECT_STR(rig.got[1], "uvwx");
    EXPECT_EQ(rig.counts[BATCH_CARDINALITY], 2);
    EXPECT_EQ(rig.counts[BATCH_OVER_CARDINALITY], 2);
    rig_close(&rig);
    for (int i = 0; i < 3; i++)
        leat_meta_unref(tenant[i]);
}

/* Scenario:   the end comes while something is open and the stage behind is full, then has room; another time never.
 * Guarantees: flush says false until all has left; what never left is dropped for shutdown and its source told. */
LEAT_TEST(the_end_leaves_nothing_unsaid)
{
    static struct rig rig;
    struct source from = {0};
    leat_ack_init(&from.ack, on_final);
    EXPECT_OK(rig_open(&rig, (struct batch_conf){.send_batch_size = 100, .timeout_ns = 200 * MS}));
    rig.full = true;
    EXPECT_OK(offer(&rig, LEAT_LOGS, "abc", NULL, NULL));
    EXPECT(!batch__flush(&rig.batch));
    rig.full = false;
    EXPECT(batch__flush(&rig.batch));
    EXPECT_STR(rig.got[0], "abc");
    rig.full = true;
    EXPECT_OK(offer(&rig, LEAT_LOGS, "de", NULL, &from.ack));
    rig_close(&rig);
    EXPECT_EQ(from.finals, 1);
    EXPECT_EQ(from.ack.dropped[LEAT_DROP_SHUTDOWN], 2);
}

/* Scenario:   the stage behind says never.
 * Guarantees: the items are dropped as refused, in the books and in the ack; the next ones are not held up. */
LEAT_TEST(a_refusal_for_good_ends_the_batch)
{
    static struct rig rig;
    struct source from = {0};
    leat_ack_init(&from.ack, on_final);
    EXPECT_OK(rig_open(&rig, (struct batch_conf){.send_batch_size = 2, .timeout_ns = 200 * MS}));
    rig.never = true;
    EXPECT_OK(offer(&rig, LEAT_LOGS, "ab", NULL, &from.ack));
    EXPECT_EQ(from.finals, 0);
    rig_run(&rig, 0);
    EXPECT_EQ(from.finals, 1);
    EXPECT_EQ(from.ack.dropped[LEAT_DROP_REFUSED], 2);
    EXPECT_EQ(batch__held(&rig.batch), 0);
    rig_close(&rig);
}

/* Scenario:   each allocation fails in turn while two waiting sources send six batches that are merged and cut.
 * Guarantees: what was taken goes on in order and its sources hear of all of it; nothing leaks. */
LEAT_TEST_OOM(no_failed_allocation_loses_anything)
{
    static struct rig rig;
    struct source from[6] = {0};
    char wanted[64] = "", got[512] = "";
    leat_rc rc =
        rig_open(&rig, (struct batch_conf){.send_batch_size = 6, .send_batch_max_size = 7, .timeout_ns = 200 * MS});
    int taken[6] = {0};
    for (int i = 0; i < 6 && rig.batch.host; i++) {
        static const char *const texts[] = {"ab", "cde", "fghijklmn", "o", "pq", "rst"};
        leat_ack_init(&from[i].ack, on_final);
        leat_rc now = rc == LEAT_OK ? offer(&rig, LEAT_LOGS, texts[i], NULL, &from[i].ack) : rc;
        taken[i] = now == LEAT_OK;
        if (taken[i])
            (void)strcat(wanted, texts[i]);
        else
            rc = now;
    }
    if (rig.loop)
        rig_run(&rig, 300 * MS);
    for (uint32_t i = 0; i < rig.got_count; i++)
        (void)strcat(got, rig.got[i]);
    EXPECT_STR(got, wanted);
    for (int i = 0; i < 6; i++)
        EXPECT_EQ(from[i].finals, taken[i]);
    rig_close(&rig);
    return rc;
}

/* Scenario:   settings that contradict each other.
 * Guarantees: they are refused in the Collector's words. */
LEAT_TEST(contradictions_are_refused)
{
    struct leat_err err = {0};
    const char *twice[] = {"a", "A"};
    EXPECT_RC(batch__check(&(struct batch_conf){.send_batch_size = 10, .send_batch_max_size = 9}, &err), LEAT_ECONFIG);
    EXPECT_STR(err.text, "send_batch_max_size must be greater or equal to send_batch_size");
    EXPECT_RC(batch__check(&(struct batch_conf){.metadata_keys = {twice, 2}}, &err), LEAT_ECONFIG);
    EXPECT_OK(batch__check(&(struct batch_conf){.send_batch_size = 10, .send_batch_max_size = 10}, NULL));
}
