/* SPDX-License-Identifier: Apache-2.0 */
/* Requests with an order key: one in flight per key, in the order of encode, whatever happens to one of them. */
#include "agent/base/alloc.h"
#include "agent/deliver/sender.h"

#include "tests/kit/rig.h"

static struct rig *opened(void)
{
    struct rig *rig = rig_new();
    EXPECT_OK(rig_open(rig));
    return rig;
}

static void script(struct rig *rig, const struct kit_step *steps, uint32_t count)
{
    rig->carrier.steps = steps;
    rig->carrier.step_count = count;
}
#define SCRIPT(rig, ...)                                   \
    static const struct kit_step steps_[] = {__VA_ARGS__}; \
    script((rig), steps_, sizeof steps_ / sizeof steps_[0])

/* Of a rig with one key. */
static void expect_in_order(const struct rig *rig)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < rig->carrier.sent_count; i++) {
        if (rig->carrier.sent[i].status != 200)
            continue;
        EXPECT(rig->carrier.sent[i].first_id >= last);
        last = rig->carrier.sent[i].first_id;
    }
    EXPECT_EQ(rig->carrier.key_clashes, 0);
}

/* Scenario: requests of few keys, answers out of order, failures. Guarantees: one in flight per key; each key in order.
 */
LEAT_TEST(order_keys_keep_one_in_flight)
{
    struct rig *rig = opened();
    rig->codec.items_per_request = 1;
    rig->codec.order_keys = 3;
    rig->carrier.otherwise.delay_ns = 50 * RIG_MS;
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 200, .delay_ns = RIG_S}, {.kind = KIT_ERR, .err = LEAT_ENET});
    for (int i = 0; i < 8; i++)
        EXPECT_OK(rig_put(rig, 6, 8));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    EXPECT_EQ(rig->carrier.key_clashes, 0);
    uint32_t last[3] = {0};
    for (uint32_t i = 0; i < rig->carrier.sent_count; i++) {
        const struct kit_sent *sent = &rig->carrier.sent[i];
        EXPECT(sent->first_id >= last[sent->order_key - 1]);
        last[sent->order_key - 1] = sent->first_id;
    }
    EXPECT_EQ(rig_delivered(rig), 48);
    rig_close(rig);
}

/* Scenario: of one key's requests the first is too large, the next is to be encoded again, others wait behind.
 * Guarantees: what they become goes in their place; nothing of the key is taken out of order. */
LEAT_TEST(order_keys_hold_through_splits_and_new_encodings)
{
    struct rig *rig = opened();
    rig->codec.order_keys = 1;
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 413, .delay_ns = RIG_S}, {.kind = KIT_REPLY, .status = 413},
           {.kind = KIT_REPLY, .status = 200}, {.kind = KIT_REPLY, .status = 426, .delay_ns = RIG_S});
    for (int i = 0; i < 6; i++)
        EXPECT_OK(rig_put(rig, 8, 8));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    expect_in_order(rig);
    EXPECT_EQ(rig_delivered(rig), 48);
    rig_close(rig);
}

/* Scenario: a load of one key cannot be encoded for want of memory while newer ones wait in the queue. Guarantees: they wait
 * behind it. */
LEAT_TEST(order_keys_hold_while_there_is_no_memory_to_encode)
{
    struct rig *rig = opened();
    rig->codec.order_keys = 1;
    EXPECT_OK(rig_put(rig, 2, 8));
    EXPECT(rig_settle(rig, RIG_S));
    rig->codec.fail_rc = LEAT_ENOMEM;
    rig->codec.fail_encodes = rig->codec.encodes + 2;
    for (int i = 0; i < 4; i++)
        EXPECT_OK(rig_put(rig, 2, 8));
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT_EQ(rig->carrier.sent_count, 5);
    for (uint32_t i = 0; i < 5; i++)
        EXPECT_EQ(rig->carrier.sent[i].first_id, 2 * i);
    rig_close(rig);
}

/* Scenario: the very first load finds no memory to be encoded: nothing yet says that there are keys. Guarantees: the same. */
LEAT_TEST(order_keys_hold_from_the_first_load_on)
{
    struct rig *rig = opened();
    rig->codec.order_keys = 1;
    rig->codec.fail_rc = LEAT_ENOMEM;
    rig->codec.fail_encodes = 2;
    for (int i = 0; i < 4; i++)
        EXPECT_OK(rig_put(rig, 2, 8));
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT_EQ(rig->carrier.sent_count, 4);
    expect_in_order(rig);
    rig_close(rig);
}

/* The first request of a key is answered while others stand behind it; the `failures` encodings after that find no memory. More
 * comes in the meantime. */
static struct rig *encoded_again_without_memory(const struct kit_step *first, uint32_t failures)
{
    struct rig *rig = opened();
    rig->codec.order_keys = 1;
    script(rig, first, 1);
    for (int i = 0; i < 6; i++)
        EXPECT_OK(rig_put(rig, 8, 8));
    rig_run(rig, 95 * RIG_S / 100);
    EXPECT_EQ(rig->codec.encodes, 6);
    rig->codec.fail_rc = LEAT_ENOMEM;
    rig->codec.fail_encodes = rig->codec.encodes + failures;
    rig_run(rig, RIG_S / 10);
    for (int i = 0; i < 2; i++)
        EXPECT_OK(rig_put(rig, 8, 8));
    EXPECT(rig->codec.encodes > 6);
    return rig;
}

/* Scenario: a request has to be encoded a second time, whole or in halves, and finds no memory then, while others of its key
 * are encoded already. Guarantees: they wait behind it, and go when it has gone. */
LEAT_TEST(order_keys_hold_while_there_is_no_memory_to_encode_again)
{
    static const struct kit_step again[] = {{.kind = KIT_REPLY, .status = 426, .delay_ns = RIG_S},
                                            {.kind = KIT_REPLY, .status = 413, .delay_ns = RIG_S},
                                            {.kind = KIT_REPLY, .status = 400, .delay_ns = RIG_S}};
    for (size_t i = 0; i < sizeof again / sizeof *again; i++)
        for (uint32_t failures = 1; failures < 5; failures++) {
            struct rig *rig = encoded_again_without_memory(&again[i], failures);
            EXPECT(rig_settle(rig, 10 * RIG_S));
            EXPECT_EQ(rig_delivered(rig), 64);
            expect_in_order(rig);
            rig_close(rig);
        }
}

/* Scenario: the same, and memory never comes as long as those behind it are there: they hold it. Guarantees: it is cut, and
 * goes at last; nothing waits for ever. */
LEAT_TEST(what_waits_for_memory_held_by_those_behind_it_ends)
{
    static const struct kit_step again = {.kind = KIT_REPLY, .status = 426, .delay_ns = RIG_S};
    struct rig *rig = encoded_again_without_memory(&again, 21);
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT_EQ(rig_delivered(rig), 64);
    expect_in_order(rig);
    rig_close(rig);
    rig = encoded_again_without_memory(&again, UINT32_MAX / 2);
    rig_run(rig, 30 * RIG_S);
    rig->codec.fail_encodes = 0;
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT(rig_dropped(rig, LEAT_DROP_MEMORY) > 0);
    expect_in_order(rig);
    rig_close(rig);
}

/* Scenario: one key's request waits for memory to be encoded again. Guarantees: those of another key go on. */
LEAT_TEST(other_keys_do_not_wait_for_memory)
{
    struct rig *rig = opened();
    rig->codec.order_keys = 2;
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 426, .delay_ns = RIG_S}, {.kind = KIT_REPLY, .status = 200, .delay_ns = 2 * RIG_S});
    for (int i = 0; i < 6; i++)
        EXPECT_OK(rig_put(rig, 1, 8));
    rig_run(rig, RIG_S / 2);
    rig->codec.fail_rc = LEAT_ENOMEM;
    rig->codec.fail_encodes = UINT32_MAX;
    rig_run(rig, 2 * RIG_S);
    EXPECT_EQ(rig_delivered(rig), 3);
    rig->codec.fail_encodes = 0;
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_delivered(rig), 6);
    rig_close(rig);
}

/* Scenario: a request waits for memory in the middle of its key's line, and the agent stops. Guarantees: a drain sends all of
 * it in order; an abandoned one ends all. */
LEAT_TEST(what_waits_for_memory_leaves_at_the_stop)
{
    static const struct kit_step again = {.kind = KIT_REPLY, .status = 426, .delay_ns = RIG_S};
    struct rig *rig = encoded_again_without_memory(&again, 10);
    rig_drain(rig);
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT_EQ(rig_delivered(rig), 64);
    expect_in_order(rig);
    rig_close(rig);
    rig = encoded_again_without_memory(&again, UINT32_MAX / 2);
    rig_drain(rig);
    rig_run(rig, RIG_S);
    EXPECT_EQ(rig_delivered(rig), 0);
    leat_sender_abandon(rig->sender);
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_SHUTDOWN), 64);
    rig_close(rig);
}

/* Scenario: some items of one key's request are to come again in a minute, while newer ones come. Guarantees: those of its key wait;
 * those of another do not. */
LEAT_TEST(other_keys_do_not_wait_for_items_that_come_again)
{
    struct rig *rig = opened();
    rig->codec.order_keys = 2;
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 207, .body = "a", .retry_after_ns = 60 * RIG_S});
    EXPECT_OK(rig_put(rig, 1, 8));
    rig_run(rig, RIG_S);
    for (int i = 0; i < 5; i++)
        EXPECT_OK(rig_put(rig, 1, 8));
    rig_run(rig, RIG_S);
    EXPECT_EQ(rig_delivered(rig), 3);
    EXPECT(rig_settle(rig, 60 * RIG_S));
    EXPECT_EQ(rig_delivered(rig), 6);
    EXPECT_EQ(rig->carrier.key_clashes, 0);
    rig_close(rig);
}

/* ---- any order of events ---- */

#define LANES 3u

static uint64_t dice;
static uint32_t failing; /* of 8 encodings, so many find no memory */
static uint16_t lane_next[LANES];

static uint32_t roll(uint32_t sides)
{
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice >> 33) % sides;
}

/* Items go by their lanes, at most three of a lane in one request. */
static leat_rc encode_lanes(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct toy_item items[64];
    uint32_t count = toy_items(&batch->payload, items, 64);
    (void)state;
    EXPECT_EQ(count, batch->item_count);
    for (uint32_t i = 0, lane = 0; lane < LANES; i == count ? i = 0, lane++ : 0) {
        struct leat_request request = {.order_key = lane + 1, .bitmap = leat_zalloc(count / 8 + 1, 1)};
        for (; request.bitmap && i < count && request.count < 3; i++)
            if (items[i].id % LANES == lane) {
                leat_bitmap_set(request.bitmap, i);
                request.count++;
            }
        bool picked = request.bitmap && batch->form->pick(batch->signal, &batch->payload, request.bitmap, &request.body, NULL) == LEAT_OK;
        struct leat_request *added = picked && request.count ? leat_requests_add(out) : NULL;
        if (added)
            *added = request;
        else
            leat_request_done(&request);
        if (!added && (!picked || request.count))
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory");
    }
    return roll(8) < failing ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory") : LEAT_OK;
}

static void decide(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step)
{
    static const int statuses[] = {200, 200, 200, 200, 429, 413, 426, 400, 401, 207};
    static const char *const all_again[] = {"", "a", "aa", "aaa"};
    uint32_t count = parcel->request->count;
    (void)carrier;
    *step = (struct kit_step){.kind = roll(8) ? KIT_REPLY : KIT_ERR, .err = LEAT_ENET, .status = statuses[roll(10)],
                              .delay_ns = roll(1000) * RIG_MS};
    if (count == 1 && (step->status == 400 || step->status == 413)) /* not to be lost */
        step->status = 200;
    if (step->status == 207)
        step->body = all_again[count];
}

static void answering(struct kit_carrier *carrier, const struct leat_parcel *parcel, const struct kit_step *step)
{
    struct toy_item items[64];
    (void)carrier;
    if (step->kind != KIT_REPLY || step->status != 200)
        return;
    uint32_t count = toy_items(&parcel->request->body, items, 64);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t lane = parcel->request->order_key - 1;
        EXPECT_EQ(items[i].id % LANES, lane);
        EXPECT(items[i].id >= lane_next[lane]);
        lane_next[lane] = (uint16_t)(items[i].id + 1);
    }
}

/* Scenario: many series of events: answers of every kind, at any time, memory that is missing now and then, a stop at any time,
 * with patience or without. Guarantees: each key's items are taken in order, and all end. */
LEAT_TEST(order_keys_hold_through_anything)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct rig *rig = rig_new();
        struct leat_codec codec = kit_codec(&rig->codec);
        codec.encode = encode_lanes;
        rig->foreign = &codec;
        rig->conf.retry.max_elapsed_time_ns = 0;
        EXPECT_OK(rig_open(rig));
        rig->carrier.decide = decide;
        rig->carrier.answering = answering;
        dice = seed;
        failing = (uint32_t)seed % 8;
        memset(lane_next, 0, sizeof lane_next);
        for (uint32_t puts = 5 + roll(10); puts--;) {
            EXPECT_OK(rig_put(rig, 1 + roll(20), 8));
            leat_alloc_fail_at(failing ? 1 + roll(200) : 0);
            rig_run(rig, roll(500) * RIG_MS);
            leat_alloc_fail_at(0);
        }
        bool drained = seed % 3, abandoned = seed % 3 == 2;
        if (drained)
            rig_drain(rig);
        if (abandoned) {
            rig_run(rig, roll(3000) * RIG_MS);
            leat_sender_abandon(rig->sender);
        }
        if (!rig_settle(rig, abandoned ? 2 * RIG_S : 100000 * RIG_S))
            fail_msg("seed %llu: not all has ended", (unsigned long long)seed);
        EXPECT_EQ(rig->carrier.key_clashes, 0);
        EXPECT(failing > 4 || abandoned || rig_delivered(rig) + rig_dropped(rig, LEAT_DROP_REFUSED) == rig->next_id);
        rig_close(rig);
    }
}
