/* SPDX-License-Identifier: Apache-2.0 */
/* What a moment without memory may cost: time, but no item. */
#include "agent/deliver/sender.h"

#include "tests/kit/rig.h"

static uint32_t picks, pick_fails_from, pick_fails_to; /* of the picks, these find no memory */

static leat_rc pick(enum leat_signal signal, const struct leat_chain *payload, const uint8_t *bitmap, struct leat_chain *ret_picked,
                    struct leat_err *reterr)
{
    uint32_t n = picks++;
    if (n >= pick_fails_from && n < pick_fails_to)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory");
    return toy_form.pick(signal, payload, bitmap, ret_picked, reterr);
}

static void put(struct rig *rig, const struct leat_form_ops *form, uint32_t items)
{
    struct leat_batch *batch = toy_batch(form, rig->next_id, items, 8);
    EXPECT_OK(rig_put_batch(rig, batch));
    rig->next_id = (uint16_t)(rig->next_id + items);
}

/* Scenario:   a request of one batch, or of five, must be sent in parts after its answer; for one of the parts there is no
 *             memory, once or three times.
 * Guarantees: nothing is lost, nothing is taken twice: all of it is sent again a while later. */
LEAT_TEST(parts_that_find_no_memory_are_made_later)
{
    static const struct kit_step answers[] = {{.kind = KIT_REPLY, .status = 413},
                                              {.kind = KIT_REPLY, .status = 400},
                                              {.kind = KIT_REPLY, .status = 426},
                                              {.kind = KIT_REPLY, .status = 207, .body = "aaaaaaaaaaaaaaa"}};
    struct leat_form_ops form = toy_form;
    form.pick = pick;
    for (uint32_t way = 0; way < 4 * 2 * 2 * 5 * 2; way++) {
        bool merged = way / 4 % 2, keyed = way / 80;
        struct rig *rig = rig_new();
        rig->codec.order_keys = keyed;
        rig->conf.queue.batch.present = rig->conf.queue.batch.enabled = merged;
        rig->conf.queue.batch.min_size = 15;
        rig->conf.queue.batch.flush_timeout_ns = (int64_t)RIG_S;
        EXPECT_OK(rig_open(rig));
        struct kit_step steps[] = {answers[way % 4], answers[way % 4], answers[way % 4]};
        rig->carrier.steps = steps;
        rig->carrier.step_count = way / 8 % 2 ? 3 : 1;
        picks = 0;
        pick_fails_from = way / 16 % 5;
        pick_fails_to = pick_fails_from + (way / 8 % 2 ? 3 : 1);
        for (uint32_t i = 0; i < (merged ? 5 : 1); i++)
            put(rig, &form, merged ? 3 : 15);
        EXPECT(rig_settle(rig, 200 * RIG_S));
        EXPECT_EQ(rig_delivered(rig), 15);
        for (uint32_t i = 0; i < 15; i++)
            EXPECT_EQ(rig->carrier.taken[i], 1);
        EXPECT_EQ(rig->carrier.key_clashes, 0);
        rig_close(rig);
    }
}

/* ---- what is written for a table that has changed ---- */

static struct leat_codec toy;
static uint32_t columns, known; /* those that are there; those that encode writes */

static leat_rc one_table(void *state, struct leat_requests *out, struct leat_err *reterr)
{
    (void)state;
    return leat_requests_add(out) ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory");
}

static leat_rc encode_known(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    leat_rc rc = toy.encode(state, batch, out, reterr);
    for (uint32_t i = 0; i < out->count; i++)
        out->at[i].tag = known;
    return rc;
}

static leat_rc learn(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    if (reply->request->count == 0)
        known = columns;
    return toy.judge(state, reply, out, reterr);
}

/* Other columns: come in once they are known; what is still written for the old ones then is refused for good. */
static void table(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step)
{
    (void)carrier;
    bool fits = parcel->request->count == 0 || parcel->request->tag == columns;
    *step = (struct kit_step){.kind = KIT_REPLY, .status = fits ? 200 : known == columns ? 422 : 401};
}

/* Scenario:   a table changes; what was written for it is held, and to be written anew once it was prepared again. There is no
 *             memory for that at first.
 * Guarantees: it is written anew a moment later, not sent as it is. */
LEAT_TEST(what_is_outdated_is_not_sent_for_want_of_memory)
{
    struct leat_form_ops form = toy_form;
    form.pick = pick;
    for (uint32_t way = 0; way < 2 * 3; way++) {
        struct rig *rig = rig_new();
        struct leat_codec codec = toy = kit_codec(&rig->codec);
        codec.prepare = one_table;
        codec.encode = encode_known;
        codec.judge = learn;
        rig->foreign = &codec;
        rig->codec.order_keys = way % 2;
        columns = 1;
        EXPECT_OK(rig_open(rig));
        rig->carrier.decide = table;
        put(rig, &form, 1);
        EXPECT(rig_settle(rig, RIG_S));
        columns = 2;
        picks = 0;
        pick_fails_from = way / 2;
        pick_fails_to = pick_fails_from + 2;
        for (int i = 0; i < 3; i++)
            put(rig, &form, 2);
        EXPECT(rig_settle(rig, 100 * RIG_S));
        EXPECT_EQ(rig_delivered(rig), 7);
        rig_close(rig);
    }
}

/* ---- any order of events ---- */

static uint64_t dice;

static uint32_t roll(uint32_t sides)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice >> 33) % sides;
}

static void decide(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step)
{
    static const int statuses[] = {200, 200, 200, 200, 429, 413, 426, 400, 401};
    (void)carrier;
    *step = (struct kit_step){.kind = roll(8) ? KIT_REPLY : KIT_ERR, .err = LEAT_ENET, .status = statuses[roll(9)],
                              .delay_ns = roll(1000) * RIG_MS};
    if (parcel->request->count <= 1 && step->status != 429 && step->status != 401) /* not to be refused for good */
        step->status = 200;
}

/* Each time something happens, an allocation soon after may fail. */
static void run_poor(struct rig *rig, uint64_t ns, uint32_t poverty)
{
    for (uint64_t end = rig->world->mono_ns(rig->world) + ns; rig->world->mono_ns(rig->world) < end;) {
        leat_alloc_fail_at(poverty ? 1 + roll(poverty) : 0);
        rig_run(rig, 20 * RIG_MS);
    }
    leat_alloc_fail_at(0);
}

static struct rig *random_rig(struct leat_codec *codec)
{
    struct rig *rig = rig_new();
    *codec = kit_codec(&rig->codec);
    if (roll(2))
        codec->prepare = one_table;
    rig->foreign = codec;
    rig->codec.by_bitmap = roll(2);
    rig->codec.order_keys = roll(3);
    rig->codec.items_per_request = rig->codec.order_keys > 1 ? 1 : roll(5); /* an item keeps its key */
    rig->coding = roll(2) ? LEAT_CODING_GZIP : LEAT_CODING_NONE;
    rig->conf.queue.batch.present = rig->conf.queue.batch.enabled = roll(2);
    rig->conf.queue.batch.min_size = 1 + roll(40);
    rig->conf.queue.batch.max_size = roll(2) ? rig->conf.queue.batch.min_size + roll(20) : 0;
    rig->conf.queue.batch.flush_timeout_ns = 200 * (int64_t)RIG_MS;
    rig->conf.queue.num_consumers = 1 + roll(5);
    rig->conf.retry.max_elapsed_time_ns = 0;
    EXPECT_OK(rig_open(rig));
    rig->carrier.cancels_at_once = roll(2);
    return rig;
}

/* Scenario:   answers of every kind, at any time; any allocation may fail, at any time; a stop at any time, with patience or
 *             without.
 * Guarantees: every item ends, once; without an end that cuts it short each is delivered or refused by the peer. */
LEAT_TEST(no_moment_without_memory_costs_an_item)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct leat_codec codec;
        dice = seed;
        struct rig *rig = random_rig(&codec);
        rig->carrier.decide = decide;
        uint32_t poverty = seed % 5 ? 5 + roll(200) : 0;
        for (uint32_t puts = 5 + roll(20); puts--;) {
            EXPECT_OK(rig_put(rig, 1 + roll(30), 8));
            run_poor(rig, roll(500) * RIG_MS, poverty);
        }
        bool abandoned = seed % 3 == 2;
        if (seed % 3)
            rig_drain(rig);
        run_poor(rig, roll(20000) * RIG_MS, poverty);
        if (abandoned)
            leat_sender_abandon(rig->sender);
        run_poor(rig, abandoned ? 0 : roll(20000) * RIG_MS, poverty);
        if (!rig_settle(rig, abandoned ? 2 * RIG_S : 100000 * RIG_S))
            fail_msg("seed %llu: not all has ended", (unsigned long long)seed);
        EXPECT_EQ(rig->carrier.key_clashes, 0);
        if (!abandoned && rig_delivered(rig) + rig_dropped(rig, LEAT_DROP_REFUSED) != rig->next_id)
            fail_msg("seed %llu: %u items for want of memory", (unsigned long long)seed, (unsigned)rig_dropped(rig, LEAT_DROP_MEMORY));
        rig_close(rig);
    }
}

/* ---- little in many blocks ---- */

static bool fits;

static leat_rc encode_first_never(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct toy_item item;
    (void)toy_items(&batch->payload, &item, 1);
    return item.id == 0 && !fits ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory") : toy.encode(state, batch, out, reterr);
}

/* One small item that holds a whole page. */
static void put_in_page(struct rig *rig)
{
    struct leat_batch *batch = toy_batch(&toy_form, rig->next_id++, 500, 250);
    struct leat_chain first = {0};
    EXPECT_OK(leat_chain_share_range(&first, &batch->payload, 0, 250));
    leat_chain_done(&batch->payload);
    batch->payload = first;
    batch->item_count = 1;
    EXPECT_OK(rig_put_batch(rig, batch));
}

/* Scenario:   what waits in the queue behind an item that finds no memory holds nearly all of it, in many blocks with a few bytes
 *             each.
 * Guarantees: the wait for it has an end: the item is dropped for that reason, and the queue flows. */
LEAT_TEST(an_item_does_not_wait_for_ever)
{
    struct leat_budget budget = {.hard_bytes = 16ull * LEAT_PAGE_BYTES};
    struct leat_pool *pool, *before = leat_pool_here();
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    struct rig *rig = rig_new();
    struct leat_codec codec = toy = kit_codec(&rig->codec);
    codec.encode = encode_first_never;
    rig->foreign = &codec;
    fits = false;
    EXPECT_OK(rig_open(rig));
    for (int i = 0; i < 15; i++)
        put_in_page(rig);
    EXPECT(!rig_settle(rig, 200 * RIG_S));
    EXPECT(rig_settle(rig, 200 * RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_MEMORY), 1);
    EXPECT_EQ(rig_delivered(rig), 14);
    rig_close(rig);
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_bind(before);
    leat_pool_close(pool);
}

/* ---- memory that requests under way hold ---- */

static leat_rc encode_first_in_room(void *state, const struct leat_batch *batch, struct leat_requests *out,
                                    struct leat_err *reterr)
{
    const struct leat_budget *budget = leat_pool_budget(leat_pool_here());
    fits = budget->used_bytes < budget->hard_bytes / 2;
    return encode_first_never(state, batch, out, reterr);
}

/* Scenario:   all memory is held by slow requests and by the queue; one item finds none until the requests are answered.
 * Guarantees: it waits for that, and is delivered. */
LEAT_TEST(an_item_waits_for_what_is_under_way)
{
    struct leat_budget budget = {.hard_bytes = 16ull * LEAT_PAGE_BYTES};
    struct leat_pool *pool, *before = leat_pool_here();
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    struct rig *rig = rig_new();
    struct leat_codec codec = toy = kit_codec(&rig->codec);
    codec.encode = encode_first_in_room;
    rig->foreign = &codec;
    EXPECT_OK(rig_open(rig));
    rig->next_id = 1;
    EXPECT_OK(rig_put(rig, 1, 8));
    EXPECT(rig_settle(rig, RIG_S)); /* there are no order keys, then: what waits for memory stops nobody */
    rig->carrier.otherwise.delay_ns = 5 * RIG_S;
    rig->next_id = 0;
    for (uint32_t i = 0; i < 16; i++)
        EXPECT_OK(rig_put(rig, i ? 500 : 1, 250));
    EXPECT(rig_settle(rig, 60 * RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_MEMORY), 0);
    rig_close(rig);
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_bind(before);
    leat_pool_close(pool);
}
