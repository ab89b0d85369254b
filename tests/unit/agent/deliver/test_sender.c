/* SPDX-License-Identifier: Apache-2.0 */
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

/* Scenario: a batch, a peer that takes it. Guarantees: delivered once, heard once, the queue's credit comes back. */
LEAT_TEST(a_batch_is_delivered_once)
{
    struct rig *rig = opened();
    EXPECT_OK(rig_put(rig, 5, 8));
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_delivered(rig), 5);
    EXPECT_EQ(rig->carrier.sent_count, 1);
    for (uint32_t id = 0; id < 5; id++)
        EXPECT_EQ(rig->carrier.taken[id], 1);
    struct leat_sender_stats stats;
    leat_sender_stats(rig->sender, &stats);
    EXPECT_EQ(stats.queue_size, 0);
    EXPECT_EQ(stats.requests_sent, 1);
    EXPECT_EQ(stats.in_flight, 0);
    rig_close(rig);
}

/* ---- sending_queue ---- */

static uint32_t fill(struct rig *rig, uint32_t items, uint8_t len)
{
    uint32_t n = 0;
    while (n < 2000 && rig_put(rig, items, len) == LEAT_OK)
        n++;
    return n;
}

/* Scenario: a peer that is slow to answer, and a source that can wait. Guarantees: no more of it is taken than half of what it
 * leaves unacknowledged, loads under way included, and the sender has not drained before it holds half of that; a source
 * that cannot wait gets the whole queue. */
LEAT_TEST(a_dead_peer_takes_little_of_what_can_wait)
{
    struct rig *rig = rig_new();
    rig->pace_bytes = 8000;
    rig->patient = true;
    rig->conf.queue.batch.enabled = false;
    EXPECT_OK(rig_open(rig));
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 200, .delay_ns = 4 * RIG_S};
    EXPECT_EQ(fill(rig, 10, 100), 4);
    rig_run(rig, RIG_S);
    EXPECT_EQ(fill(rig, 10, 100), 0); /* they are under way now, and count */
    EXPECT(!leat_stage_drained(leat_sender_node(rig->sender)));
    rig->patient = false;
    EXPECT_EQ(fill(rig, 10, 100), (uint32_t)rig->conf.queue.queue_size - 4);
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 200};
    rig_close(rig);
}

/* Scenario: a peer that never answers. Guarantees: queue_size holds in each sizer, in-flight included; refused is
 * counted. */
LEAT_TEST(queue_size_counts_requests_items_and_bytes)
{
    static const struct {
        int sizer;
        int64_t size;
        uint32_t items, wanted;
        uint8_t len;
    } rows[] = {{LEAT_SIZER_REQUESTS, 7, 10, 7, 8},
                {LEAT_SIZER_ITEMS, 100, 10, 10, 8},
                {LEAT_SIZER_ITEMS, 105, 10, 10, 8},
                {LEAT_SIZER_BYTES, 800, 10, 10, 8},
                {LEAT_SIZER_BYTES, 879, 10, 10, 8}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig *rig = rig_new();
        rig->conf.queue.sizer = rows[i].sizer;
        rig->conf.queue.queue_size = rows[i].size;
        EXPECT_OK(rig_open(rig));
        rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 200, .delay_ns = RIG_S};
        EXPECT_EQ(fill(rig, rows[i].items, rows[i].len), rows[i].wanted);
        EXPECT_EQ(leat_sender_ledger(rig->sender)->refused, rows[i].items);
        rig_run(rig, RIG_MS); /* under way, not gone: still counted */
        EXPECT_RC(rig_put(rig, rows[i].items, rows[i].len), LEAT_AGAIN);
        rig_run(rig, 2 * RIG_S);
        EXPECT_OK(rig_put(rig, rows[i].items, rows[i].len));
        rig_close(rig);
    }
}

/* Scenario: a batch larger than the whole queue. Guarantees: it passes when nothing else is there, and only then. */
LEAT_TEST(a_batch_over_the_queue_passes_alone)
{
    struct rig *rig = rig_new();
    rig->conf.queue.sizer = LEAT_SIZER_ITEMS;
    rig->conf.queue.queue_size = 10;
    EXPECT_OK(rig_open(rig));
    rig->carrier.otherwise.delay_ns = RIG_S;
    EXPECT_OK(rig_put(rig, 1, 8));
    EXPECT_RC(rig_put(rig, 50, 8), LEAT_AGAIN);
    EXPECT(rig_settle(rig, 5 * RIG_S));
    EXPECT_OK(rig_put(rig, 50, 8));
    EXPECT_RC(rig_put(rig, 1, 8), LEAT_AGAIN);
    rig_close(rig);
}

static leat_rc offer_twice(struct rig *rig, uint32_t items, struct leat_batch *inner)
{
    struct leat_stage *node = leat_sender_node(rig->sender);
    struct leat_batch *batch = toy_batch(&toy_form, 0, items, 8);
    leat_rc rc = leat_stage_reserve(node, batch);
    if (rc == LEAT_OK && leat_stage_reserve(node, batch) != LEAT_OK) {
        leat_stage_cancel(node, batch);
        rc = LEAT_AGAIN;
    }
    if (rc == LEAT_OK) {
        if (inner) { /* a holding processor forwards what it held while the batch is handed round */
            EXPECT_OK(leat_stage_offer(node, inner));
        }
        leat_stage_put(node, leat_batch_share(batch));
        leat_stage_put(node, leat_batch_share(batch));
    }
    leat_batch_free(batch);
    return rc;
}

/* Scenario: one batch reaches a queue by two ways, and a third of another size is put in between. Guarantees: the
 * credit is exact afterwards; a queue of one does not block such a batch for ever. */
LEAT_TEST(reservations_nest)
{
    struct rig *rig = rig_new();
    rig->conf.queue.sizer = LEAT_SIZER_ITEMS;
    rig->conf.queue.queue_size = 100;
    EXPECT_OK(rig_open(rig));
    EXPECT_OK(offer_twice(rig, 10, toy_batch(&toy_form, 100, 50, 8)));
    EXPECT_EQ(rig->totals.queue_left, 30);
    rig_run(rig, RIG_S);
    EXPECT_EQ(rig->totals.queue_left, 100);
    EXPECT_OK(offer_twice(rig, 100, NULL));
    rig_run(rig, RIG_S);
    EXPECT_EQ(rig->totals.queue_left, 100);
    rig_close(rig);
}

/* Scenario: reserve and cancel. Guarantees: nothing is taken. */
LEAT_TEST(a_canceled_reservation_takes_nothing)
{
    struct rig *rig = opened();
    struct leat_batch *batch = toy_batch(&toy_form, 0, 3, 8);
    EXPECT_OK(leat_stage_reserve(leat_sender_node(rig->sender), batch));
    EXPECT_EQ(rig->totals.queue_left, 999);
    leat_stage_cancel(leat_sender_node(rig->sender), batch);
    EXPECT_EQ(rig->totals.queue_left, 1000);
    leat_batch_free(batch);
    rig_close(rig);
}

/* Scenario: many batches, a slow peer. Guarantees: no more than num_consumers loads are under way. */
LEAT_TEST(num_consumers_bounds_what_is_under_way)
{
    struct rig *rig = rig_new();
    rig->conf.queue.num_consumers = 3;
    EXPECT_OK(rig_open(rig));
    rig->carrier.otherwise.delay_ns = 100 * RIG_MS;
    for (int i = 0; i < 20; i++)
        EXPECT_OK(rig_put(rig, 2, 8));
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT_EQ(rig->carrier.out_max, 3);
    rig_close(rig);
}

/* Scenario: an empty batch (an edit left nothing). Guarantees: its source hears at once that all of it went well. */
LEAT_TEST(an_empty_batch_ends)
{
    struct rig *rig = opened();
    struct rig_source source = {0};
    struct leat_batch *batch = leat_batch_new(LEAT_LOGS, &toy_form);
    leat_ack_init(&source.ack, NULL);
    batch->ack = &source.ack;
    EXPECT_OK(leat_stage_offer(leat_sender_node(rig->sender), batch));
    EXPECT_EQ(source.ack.open, 0);
    rig_close(rig);
}

/* ---- sending_queue::batch ---- */

static struct rig *batching(int64_t min, int64_t max, int sizer)
{
    struct rig *rig = rig_new();
    rig->conf.queue.batch.present = rig->conf.queue.batch.enabled = true;
    rig->conf.queue.batch.flush_timeout_ns = 200 * (int64_t)RIG_MS;
    rig->conf.queue.batch.min_size = min;
    rig->conf.queue.batch.max_size = max;
    rig->conf.queue.batch.sizer = sizer;
    EXPECT_OK(rig_open(rig));
    return rig;
}

/* Scenario: small batches. Guarantees: sent together at min_size; what is less waits for flush_timeout, no longer. */
LEAT_TEST(batches_fill_to_min_size_or_leave_at_the_timeout)
{
    for (int sizer = LEAT_SIZER_ITEMS; sizer <= LEAT_SIZER_BYTES; sizer++) {
        struct rig *rig = batching(sizer == LEAT_SIZER_ITEMS ? 30 : 240, 0, sizer);
        for (int i = 0; i < 3; i++)
            EXPECT_OK(rig_put(rig, 10, 8));
        EXPECT_OK(rig_put(rig, 5, 8));
        rig_run(rig, 199 * RIG_MS);
        EXPECT_EQ(rig->carrier.sent_count, 1);
        EXPECT_EQ(rig->carrier.sent[0].items, 30);
        rig_run(rig, 2 * RIG_MS);
        EXPECT_EQ(rig->carrier.sent_count, 2);
        EXPECT_EQ(rig->carrier.sent[1].items, 5);
        EXPECT_EQ(rig_delivered(rig), 35);
        rig_close(rig);
    }
}

/* Scenario: batches that flush by time, then a full one at once. Guarantees: a flush does not stay due for later ones.
 */
LEAT_TEST(a_flush_is_due_once)
{
    struct rig *rig = batching(10, 0, LEAT_SIZER_ITEMS);
    rig->carrier.otherwise.delay_ns = 10 * RIG_MS;
    EXPECT_OK(rig_put(rig, 3, 8));
    rig_run(rig, 201 * RIG_MS);
    EXPECT_EQ(rig->carrier.sent_count, 1);
    EXPECT_OK(rig_put(rig, 4, 8));
    rig_run(rig, 100 * RIG_MS);
    EXPECT_EQ(rig->carrier.sent_count, 1);
    rig_run(rig, 101 * RIG_MS);
    EXPECT_EQ(rig->carrier.sent_count, 2);
    rig_close(rig);
}

/* Scenario: batches over max_size. Guarantees: cut to it; nothing lost, nothing twice; credit exact. */
LEAT_TEST(max_size_cuts)
{
    for (int sizer = LEAT_SIZER_ITEMS; sizer <= LEAT_SIZER_BYTES; sizer++) {
        struct rig *rig = batching(10, sizer == LEAT_SIZER_ITEMS ? 10 : 80, sizer);
        EXPECT_OK(rig_put(rig, 95, 8));
        EXPECT_OK(rig_put(rig, 7, 8));
        EXPECT(rig_settle(rig, 5 * RIG_S));
        for (uint32_t i = 0; i < rig->carrier.sent_count; i++)
            EXPECT(rig->carrier.sent[i].items <= 10);
        for (uint32_t id = 0; id < 102; id++)
            EXPECT_EQ(rig->carrier.taken[id], 1);
        rig_close(rig);
    }
}

/* Scenario: batches with different metadata, and a form that cannot merge. Guarantees: they go apart, all of them. */
LEAT_TEST(only_equals_are_merged)
{
    struct rig *rig = batching(100, 0, LEAT_SIZER_ITEMS);
    static const struct leat_meta_pair a = {"tenant", "a"}, b = {"tenant", "b"};
    for (int i = 0; i < 6; i++) {
        struct leat_batch *batch = toy_batch(i == 4 ? &toy_form_plain : &toy_form, (uint16_t)(i * 10), 10, 8);
        batch->meta = leat_meta_new(i < 2 ? &a : &b, 1);
        EXPECT_OK(rig_put_batch(rig, batch));
    }
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig->carrier.sent_count, 4); /* a a | b b | plain | b */
    EXPECT_EQ(rig->carrier.sent[0].items, 20);
    EXPECT_EQ(rig_delivered(rig), 60);
    rig_close(rig);
}

/* Scenario: the peer is busy while batches queue up. Guarantees: once it answers, they leave merged. */
LEAT_TEST(rejected_items_of_a_merged_request_are_counted)
{
    struct rig *rig = batching(30, 0, LEAT_SIZER_ITEMS);
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 200, .body = "r3"});
    for (int i = 0; i < 3; i++)
        EXPECT_OK(rig_put(rig, 10, 8));
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_delivered(rig), 27);
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REJECTED), 3);
    rig_close(rig);
}

/* ---- retry_on_failure ---- */

/* Scenario: a peer that is never there. Guarantees: tries again with growing waits, gives up at max_elapsed_time. */
LEAT_TEST(retries_until_max_elapsed_time)
{
    struct rig *rig = opened();
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_ERR, .err = LEAT_ENET};
    EXPECT_OK(rig_put(rig, 4, 8));
    EXPECT(rig_settle(rig, 301 * RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_RETRY_EXHAUSTED), 4);
    EXPECT(rig->carrier.sent_count > 10);
    EXPECT(rig->carrier.sent_count < 40);
    uint64_t wait = rig->carrier.sent[1].at_ns - rig->carrier.sent[0].at_ns;
    EXPECT(wait >= 2500 * RIG_MS && wait <= 7501 * RIG_MS);
    EXPECT_EQ(leat_sender_ledger(rig->sender)->repeated, 4 * (rig->carrier.sent_count - 1));
    rig_close(rig);
}

/* Scenario: retry off. Guarantees: one try, dropped for that reason. */
LEAT_TEST(without_retry_there_is_one_try)
{
    struct rig *rig = rig_new();
    rig->conf.retry.enabled = false;
    EXPECT_OK(rig_open(rig));
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 503}, {.kind = KIT_REPLY, .status = 207, .body = "dadr"});
    EXPECT_OK(rig_put(rig, 4, 8));
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_OK(rig_put(rig, 4, 8));
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_RETRY_EXHAUSTED), 5);
    EXPECT_EQ(rig_delivered(rig), 2);
    EXPECT_EQ(rig->carrier.sent_count, 2);
    rig_close(rig);
}

/* Scenario: Retry-After longer than the backoff. Guarantees: the peer's time is kept. */
LEAT_TEST(the_peers_own_time_wins)
{
    struct rig *rig = opened();
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 429, .retry_after_ns = 60 * RIG_S});
    EXPECT_OK(rig_put(rig, 1, 8));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    EXPECT_EQ(rig->carrier.sent_count, 2);
    EXPECT(rig->carrier.sent[1].at_ns - rig->carrier.sent[0].at_ns >= 60 * RIG_S);
    EXPECT_EQ(rig_delivered(rig), 1);
    rig_close(rig);
}

/* Scenario: intervals of 0 and a peer that is away. Guarantees: no loop that burns a core. */
LEAT_TEST(zero_intervals_do_not_spin)
{
    struct rig *rig = rig_new();
    rig->conf.retry.initial_interval_ns = rig->conf.retry.max_interval_ns = 0;
    rig->conf.retry.max_elapsed_time_ns = (int64_t)RIG_S;
    EXPECT_OK(rig_open(rig));
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_ERR, .err = LEAT_ENET};
    EXPECT_OK(rig_put(rig, 1, 8));
    EXPECT(rig_settle(rig, 2 * RIG_S));
    EXPECT(rig->carrier.sent_count <= 1001);
    rig_close(rig);
}

/* Scenario: transport errors that are for good. Guarantees: dropped as refused, no retry. */
LEAT_TEST(final_transport_errors_are_not_retried)
{
    struct rig *rig = opened();
    SCRIPT(rig, {.kind = KIT_ERR, .err = LEAT_EAUTH});
    EXPECT_OK(rig_put(rig, 2, 8));
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REFUSED), 2);
    rig_close(rig);
}

/* ---- parts of requests ---- */

/* Scenario: some items again, some refused. Guarantees: only those go again; each has its own end. */
LEAT_TEST(items_are_retried_alone)
{
    struct rig *rig = opened();
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 207, .body = "daradd"}, {.kind = KIT_REPLY, .status = 207, .body = "da"});
    EXPECT_OK(rig_put(rig, 6, 8));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    EXPECT_EQ(rig_delivered(rig), 5);
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REJECTED), 1);
    EXPECT_EQ(rig->carrier.sent_count, 3);
    EXPECT_EQ(rig->carrier.sent[1].items, 2);
    EXPECT_EQ(rig->carrier.sent[2].items, 1);
    EXPECT_EQ(rig->carrier.sent[2].first_id, 3);
    for (uint32_t id = 0; id < 6; id++)
        EXPECT_EQ(rig->carrier.taken[id], id != 2);
    rig_close(rig);
}

static void large(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step)
{
    uint32_t most = *(uint32_t *)carrier->ctx;
    if (parcel->request->count > most)
        *step = (struct kit_step){.kind = KIT_REPLY, .status = 413};
}

/* Scenario: of items that cannot be picked one is refused, none is to come again. Guarantees: nothing is sent twice. */
LEAT_TEST(what_is_not_to_come_again_does_not)
{
    struct rig *rig = opened();
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 207, .body = "drdd"});
    EXPECT_OK(rig_put_batch(rig, toy_batch(&toy_form_plain, 0, 4, 8)));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    EXPECT_EQ(rig->carrier.sent_count, 1);
    EXPECT_EQ(rig_delivered(rig), 3);
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REJECTED), 1);
    rig_close(rig);
}

/* Scenario: a peer that takes n items at most. Guarantees: halves until they pass; at none, dropped{too_large} one by
 * one. */
LEAT_TEST(too_large_is_split)
{
    for (uint32_t most = 0; most < 9; most++) {
        struct rig *rig = opened();
        rig->carrier.decide = large;
        rig->carrier.ctx = &most;
        EXPECT_OK(rig_put(rig, 33, 8));
        EXPECT(rig_settle(rig, 10 * RIG_S));
        EXPECT_EQ(rig_delivered(rig), most ? 33 : 0);
        EXPECT_EQ(rig_dropped(rig, LEAT_DROP_TOO_LARGE), most ? 0 : 33);
        rig_close(rig);
    }
}

static void poisoned(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step)
{
    struct toy_item items[2048];
    (void)carrier;
    uint32_t n = toy_items(&parcel->request->body, items, 2048);
    for (uint32_t i = 0; i < n; i++)
        if (items[i].mark == '!')
            *step = (struct kit_step){.kind = KIT_REPLY, .status = 400};
}

/* Scenario: one poisonous item among n, merged from several batches. Guarantees: only that item is dropped, within
 * 2 log2(n) + parts requests beyond the first. */
LEAT_TEST(a_poisonous_item_is_found)
{
    for (uint32_t bad = 0; bad < 64; bad += 7)
        for (uint32_t parts = 1; parts <= 4; parts *= 2) {
            struct rig *rig = batching(64, 0, LEAT_SIZER_ITEMS);
            rig->carrier.decide = poisoned;
            for (uint32_t p = 0; p < parts; p++) {
                struct leat_batch *batch = toy_batch(&toy_form, (uint16_t)(p * 64 / parts), 64 / parts, 8);
                if (bad / (64 / parts) == p)
                    toy_mark(batch, bad % (64 / parts), '!');
                EXPECT_OK(rig_put_batch(rig, batch));
            }
            EXPECT(rig_settle(rig, 10 * RIG_S));
            EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REFUSED), 1);
            EXPECT_EQ(rig_delivered(rig), 63);
            EXPECT(rig->carrier.sent_count <= 1 + 2 * 6 + parts);
            EXPECT_EQ(rig->carrier.taken[bad], 0);
            rig_close(rig);
        }
}

/* Scenario: a peer that refuses everything. Guarantees: it ends; the search is bounded; all is dropped{refused}. */
LEAT_TEST(a_peer_that_refuses_everything_is_not_asked_for_ever)
{
    struct rig *rig = batching(64, 0, LEAT_SIZER_ITEMS);
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 400};
    for (int p = 0; p < 4; p++)
        EXPECT_OK(rig_put(rig, 16, 8));
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REFUSED), 64);
    EXPECT(rig->carrier.sent_count <= 1 + 2 * 6 + 4);
    rig_close(rig);
}

/* Scenario: refused without isolate, unreadable replies, forms without pick. Guarantees: dropped at once, counted. */
LEAT_TEST(what_cannot_be_isolated_is_dropped_at_once)
{
    struct rig *rig = opened();
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 422}, {.kind = KIT_REPLY, .status = 499},
           {.kind = KIT_REPLY, .status = 400}, {.kind = KIT_REPLY, .status = 413});
    for (int i = 0; i < 2; i++) {
        EXPECT_OK(rig_put(rig, 4, 8));
        EXPECT(rig_settle(rig, RIG_S));
    }
    for (int i = 0; i < 2; i++) {
        EXPECT_OK(rig_put_batch(rig, toy_batch(&toy_form_plain, 0, 4, 8)));
        EXPECT(rig_settle(rig, RIG_S));
    }
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REFUSED), 12);
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_TOO_LARGE), 4);
    EXPECT_EQ(rig->carrier.sent_count, 4);
    rig_close(rig);
}

/* Scenario: encode again now. Guarantees: at once, without a wait; nothing twice. */
LEAT_TEST(encode_again_goes_at_once)
{
    struct rig *rig = opened();
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 426});
    EXPECT_OK(rig_put(rig, 4, 8));
    EXPECT(rig_settle(rig, RIG_MS));
    EXPECT_EQ(rig_delivered(rig), 4);
    EXPECT_EQ(rig->codec.encodes, 2);
    rig_close(rig);
}

/* ---- encode ---- */

/* Scenario: several requests a batch, by range and by bitmap, items without a form. Guarantees: each item has one end.
 */
LEAT_TEST(requests_cover_parts_of_a_batch)
{
    struct rig *rig = opened();
    rig->codec.items_per_request = 3;
    rig->codec.reject_marked = true;
    struct leat_batch *batch = toy_batch(&toy_form, 0, 10, 8);
    toy_mark(batch, 4, '!');
    toy_mark(batch, 9, '!');
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 200}, {.kind = KIT_REPLY, .status = 422},
           {.kind = KIT_ERR, .err = LEAT_ENET});
    EXPECT_OK(rig_put_batch(rig, batch));
    EXPECT(rig_settle(rig, 60 * RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_ENCODE), 2);
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REFUSED), 1);
    EXPECT_EQ(rig_delivered(rig), 7);
    rig->codec = (struct kit_codec){.by_bitmap = true};
    static const struct kit_step more[] = {{.kind = KIT_REPLY, .status = 413},
                                           {.kind = KIT_REPLY, .status = 207, .body = "dar"}};
    script(rig, more, 2);
    rig->carrier.next = 0;
    EXPECT_OK(rig_put_batch(rig, toy_batch(&toy_form, 100, 6, 8)));
    EXPECT(rig_settle(rig, 60 * RIG_S));
    for (uint32_t id = 100; id < 106; id++)
        EXPECT_EQ(rig->carrier.taken[id], id != 105);
    rig_close(rig);
}

/* Scenario: encode fails for want of memory, then for good. Guarantees: tried again a moment later; then dropped. */
LEAT_TEST(encode_failures)
{
    struct rig *rig = opened();
    rig->codec = (struct kit_codec){.fail_encodes = 3, .fail_rc = LEAT_ENOMEM};
    EXPECT_OK(rig_put(rig, 4, 8));
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_delivered(rig), 4);
    rig->codec = (struct kit_codec){.fail_encodes = 1, .fail_rc = LEAT_EPARSE};
    EXPECT_OK(rig_put(rig, 4, 8));
    EXPECT(rig_settle(rig, RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_ENCODE), 4);
    rig_close(rig);
}

/* Scenario: compression on. Guarantees: coded once, kept for retries. */
LEAT_TEST(bodies_are_compressed_once)
{
    struct rig *rig = rig_new();
    rig->coding = LEAT_CODING_GZIP;
    EXPECT_OK(rig_open(rig));
    SCRIPT(rig, {.kind = KIT_ERR, .err = LEAT_ENET});
    EXPECT_OK(rig_put(rig, 400, 80));
    EXPECT(rig_settle(rig, 60 * RIG_S));
    EXPECT_EQ(rig->carrier.sent[0].coding, LEAT_CODING_GZIP);
    EXPECT_EQ(rig->carrier.sent[1].coding, LEAT_CODING_GZIP);
    EXPECT(leat_sender_ledger(rig->sender)->bytes_out < 400 * 80);
    rig_close(rig);
}

/* ---- hold ---- */

/* Scenario: 401 for a while. Guarantees: the queue is kept, one request every 30 s probes, success lets all go. */
LEAT_TEST(a_hold_keeps_the_queue_and_probes)
{
    struct rig *rig = opened();
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 401};
    for (int i = 0; i < 15; i++)
        EXPECT_OK(rig_put(rig, 2, 8));
    rig_run(rig, 29 * RIG_S);
    EXPECT_EQ(rig->carrier.sent_count, 10);
    rig_run(rig, 600 * RIG_S);
    EXPECT_EQ(rig->carrier.sent_count, 10 + 20);
    struct leat_sender_stats stats;
    leat_sender_stats(rig->sender, &stats);
    EXPECT(stats.held);
    EXPECT_EQ(stats.queue_size, 15);
    rig->carrier.otherwise.status = 200;
    EXPECT(rig_settle(rig, 31 * RIG_S));
    EXPECT_EQ(rig_delivered(rig), 30);
    leat_sender_stats(rig->sender, &stats);
    EXPECT(!stats.held);
    rig_close(rig);
}

/* Scenario: ten minutes on hold, then busy for a moment. Guarantees: the time on hold gives nothing up. */
LEAT_TEST(a_long_hold_is_no_time_of_trying)
{
    struct rig *rig = opened();
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 401};
    EXPECT_OK(rig_put(rig, 4, 8));
    EXPECT_OK(rig_put(rig, 4, 8));
    rig_run(rig, 600 * RIG_S);
    rig->carrier.otherwise.status = 503;
    rig_run(rig, 60 * RIG_S);
    rig->carrier.otherwise.status = 200;
    EXPECT(rig_settle(rig, 120 * RIG_S));
    EXPECT_EQ(rig_delivered(rig), 8);
    rig_close(rig);
}

/* Scenario: on hold, and then the peer is not even there. Guarantees: nothing is given up for that; the probe goes on
 * and lets all go in the end, with retry off as well. */
LEAT_TEST(a_hold_survives_a_peer_that_goes_away)
{
    for (int retry = 0; retry < 2; retry++) {
        struct rig *rig = rig_new();
        rig->conf.retry.enabled = retry;
        EXPECT_OK(rig_open(rig));
        rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 401};
        for (int i = 0; i < 15; i++)
            EXPECT_OK(rig_put(rig, 2, 8));
        rig_run(rig, RIG_S);
        rig->carrier.otherwise = (struct kit_step){.kind = KIT_ERR, .err = LEAT_ENET};
        rig_run(rig, 1000 * RIG_S);
        EXPECT_EQ(rig_delivered(rig), 0);
        EXPECT_EQ(leat_sender_ledger(rig->sender)->held, 30);
        rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 200};
        EXPECT(rig_settle(rig, 31 * RIG_S));
        EXPECT_EQ(rig_delivered(rig), 30);
        rig_close(rig);
    }
}

/* Scenario: the probe meets a final error. Guarantees: that request is dropped; the others do not wait for ever. */
LEAT_TEST(a_probe_that_is_refused_does_not_hold_the_rest)
{
    struct rig *rig = rig_new();
    rig->conf.queue.num_consumers = 1;
    EXPECT_OK(rig_open(rig));
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 401}, {.kind = KIT_ERR, .err = LEAT_EAUTH});
    for (int i = 0; i < 3; i++)
        EXPECT_OK(rig_put(rig, 2, 8));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    EXPECT_EQ(rig_dropped(rig, LEAT_DROP_REFUSED), 2);
    EXPECT_EQ(rig_delivered(rig), 4);
    rig_close(rig);
}

/* ---- concurrency ---- */

/* Scenario: 429s. Guarantees: fewer at once, down to one; back up with success. */
LEAT_TEST(busy_peers_get_fewer_at_once)
{
    struct rig *rig = opened();
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 429, .delay_ns = 100 * RIG_MS};
    rig->conf.retry.max_elapsed_time_ns = (int64_t)RIG_S;
    for (int i = 0; i < 100; i++)
        EXPECT_OK(rig_put(rig, 1, 8));
    EXPECT(rig_settle(rig, 1000 * RIG_S));
    rig->carrier.otherwise = (struct kit_step){.kind = KIT_REPLY, .status = 200, .delay_ns = 100 * RIG_MS};
    rig->carrier.out_max = 0;
    for (int i = 0; i < 4; i++)
        EXPECT_OK(rig_put(rig, 1, 8));
    EXPECT(rig_settle(rig, 10 * RIG_S));
    EXPECT(rig->carrier.out_max <= 2);
    for (int i = 0; i < 200; i++)
        EXPECT_OK(rig_put(rig, 1, 8));
    EXPECT(rig_settle(rig, 100 * RIG_S));
    EXPECT_EQ(rig->carrier.out_max, 10);
    rig_close(rig);
}

/* ---- stopping ---- */

/* Scenario: drain with waits of all kinds. Guarantees: waits are cut short; what can be delivered is. */
LEAT_TEST(drain_cuts_waits_short)
{
    struct rig *rig = batching(1000, 0, LEAT_SIZER_ITEMS);
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 429, .retry_after_ns = 200 * RIG_S});
    EXPECT_OK(rig_put(rig, 1000, 8));
    rig_run(rig, RIG_S);
    EXPECT_OK(rig_put(rig, 2, 8)); /* too few to leave by themselves */
    rig_drain(rig);
    EXPECT_RC(rig_put(rig, 1, 8), LEAT_AGAIN);
    rig_run(rig, RIG_S);
    EXPECT(rig->drained);
    EXPECT_EQ(rig_delivered(rig), 1002);
    rig_close(rig);
}

/* Scenario: items wait for their turn again when the drain begins. Guarantees: that wait is cut short, too. */
LEAT_TEST(drain_cuts_the_wait_of_single_items_short)
{
    struct rig *rig = opened();
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 207, .body = "ad", .retry_after_ns = 200 * RIG_S},
           {.kind = KIT_REPLY, .status = 207, .body = "a", .retry_after_ns = 200 * RIG_S});
    EXPECT_OK(rig_put(rig, 2, 8));
    rig_run(rig, RIG_S);
    rig_drain(rig);
    rig_run(rig, 2 * RIG_S);
    EXPECT(rig->drained);
    EXPECT_EQ(rig_delivered(rig), 2);
    rig_close(rig);
}

/* Scenario: abandon with requests out, waiting, held and queued; carriers that end at once or later. Guarantees: all of
 * it ends as dropped{shutdown}, within the second. */
LEAT_TEST(abandon_ends_everything)
{
    for (int variant = 0; variant < 8; variant++) {
        struct rig *rig = opened();
        rig->carrier.cancels_at_once = variant & 1;
        rig->codec.items_per_request = 2;
        rig->codec.order_keys = variant & 4 ? 2 : 0;
        SCRIPT(rig, {.kind = KIT_REPLY, .status = 429}, {.kind = KIT_NEVER},
               {.kind = KIT_REPLY, .status = 207, .body = "aa"},
               {.kind = KIT_REPLY, .status = 401, .delay_ns = RIG_MS});
        rig->carrier.otherwise.kind = KIT_NEVER;
        for (int i = 0; i < 30; i++)
            EXPECT_OK(rig_put(rig, 6, 8));
        rig_run(rig, RIG_S);
        if (variant & 2)
            rig_drain(rig);
        rig_run(rig, 2 * RIG_S);
        leat_sender_abandon(rig->sender);
        rig_check(rig);
        EXPECT_OK(rig_put(rig, 1, 8)); /* what still comes flows to its counted end */
        if (!(variant & 2))
            rig_drain(rig);
        rig_run(rig, RIG_S);
        EXPECT(rig->drained);
        EXPECT_EQ(rig_dropped(rig, LEAT_DROP_SHUTDOWN) + rig_delivered(rig), 181);
        rig_close(rig);
    }
}

/* ---- memory ---- */

/* Scenario: a day in the life with each allocation failing in turn. Guarantees: no crash, no leak, the books balance.
 */
LEAT_TEST_OOM(survives_any_failed_allocation)
{
    struct rig *rig = rig_new();
    rig->conf.queue.batch.present = rig->conf.queue.batch.enabled = true;
    rig->conf.queue.batch.flush_timeout_ns = 200 * (int64_t)RIG_MS;
    rig->conf.queue.batch.min_size = 16;
    rig->conf.queue.batch.max_size = 24;
    leat_rc rc = rig_open(rig);
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 207, .body = "dardardardardardarda"}, {.kind = KIT_REPLY, .status = 413},
           {.kind = KIT_REPLY, .status = 426}, {.kind = KIT_REPLY, .status = 400}, {.kind = KIT_ERR, .err = LEAT_ENET});
    for (int i = 0; rc == LEAT_OK && i < 6; i++) {
        rc = rig_put(rig, i == 3 ? 60 : 10, 8);
        if (rig->sender)
            rig_run(rig, 50 * RIG_MS);
    }
    if (rig->sender)
        EXPECT(rig_settle(rig, 600 * RIG_S));
    rig_close(rig);
    return rc;
}

/* The same with requests by bitmap and compressed bodies. */
LEAT_TEST_OOM(survives_any_failed_allocation_by_bitmap)
{
    struct rig *rig = rig_new();
    rig->codec.by_bitmap = true;
    leat_rc rc = rig_open(rig);
    SCRIPT(rig, {.kind = KIT_REPLY, .status = 207, .body = "dardardarda"}, {.kind = KIT_REPLY, .status = 413},
           {.kind = KIT_REPLY, .status = 426}, {.kind = KIT_REPLY, .status = 400}, {.kind = KIT_ERR, .err = LEAT_ENET});
    for (int i = 0; rc == LEAT_OK && i < 3; i++)
        rc = rig_put(rig, 20, 8);
    if (rig->sender)
        EXPECT(rig_settle(rig, 600 * RIG_S));
    rig_close(rig);
    return rc;
}

static leat_rc encode_with_head(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct leat_codec toy = kit_codec(state);
    struct leat_request *none = leat_requests_add(out);
    if (!none || leat_chain_copy(&none->body, "head", 4) != LEAT_OK)
        return LEAT_ENOMEM;
    return toy.encode(state, batch, out, reterr);
}

/* Scenario: a request that covers no item (rows made beside the items) is answered "encode again", "too large", "refused".
 * Guarantees: it is gone; no item is touched for it. */
LEAT_TEST(a_request_without_items_ends_whatever_it_is_answered)
{
    static const int statuses[] = {426, 413, 400, 422, 200};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct rig *rig = rig_new();
        struct leat_codec codec = kit_codec(&rig->codec);
        codec.encode = encode_with_head;
        rig->foreign = &codec;
        EXPECT_OK(rig_open(rig));
        struct kit_step step = {.kind = KIT_REPLY, .status = statuses[i]};
        rig->carrier.steps = &step;
        rig->carrier.step_count = 1;
        EXPECT_OK(rig_put(rig, 3, 8));
        EXPECT(rig_settle(rig, RIG_S));
        EXPECT_EQ(rig_delivered(rig), 3);
        EXPECT_EQ(rig->carrier.sent_count, 2);
        rig_close(rig);
    }
}
