/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait: for room (block_on_overflow), for the end of their ack (wait_for_result); and who leaves
 * meanwhile. */
#include "proto/otlp_reply/otlp_reply.h"
#include "tests/unit/receivers/otlp/rig.h"

#define PROTO "application/x-protobuf"

static const struct leat_header proto_header = {{(const uint8_t *)"Content-Type", 12, NULL},
                                                {(const uint8_t *)PROTO, 22, NULL}};

static struct rig *started(bool room, bool final)
{
    struct rig *rig = rig_new();
    struct leat_err err = {0};
    EXPECT_OK_ERR(rig_start(rig, &err), &err);
    for (int i = 0; i < LEAT_SIGNAL_COUNT; i++) {
        rig->host.waits_room[i] = room;
        rig->host.waits_final[i] = final;
    }
    rig->keep = final;
    rig->mood = room ? LEAT_AGAIN : LEAT_OK;
    return rig;
}

static void shoot(struct rig *rig, struct rig_shot *shot, const char *path)
{
    rig_shoot(rig, shot, "POST", path, (struct leat_headers){&proto_header, 1}, ONE_LOG);
}

static void open_up(struct rig *rig)
{
    rig->mood = LEAT_OK;
    leat_gate_open(&rig->gate);
}

/* Scenario: three requests over HTTP and one over gRPC find no room.
 * Guarantees: none is answered until there is room; then all are, in the order they came. */
LEAT_TEST(requests_wait_for_room_and_are_then_taken)
{
    struct rig *rig = started(true, false);
    struct rig_shot shots[3];
    struct rig_call call;
    for (int i = 0; i < 3; i++)
        shoot(rig, &shots[i], i == 1 ? "/v1/traces" : "/v1/logs");
    rig_dial(rig, &call, LOGS_METHOD, (struct leat_headers){0}, ONE_LOG);
    rig_spin(rig, 150);
    EXPECT(!shots[0].done && !shots[1].done && !shots[2].done && !call.done);
    EXPECT_EQ(rig->counts[OTLP_WAITED], 4);
    EXPECT_EQ(rig->state.waiting_bytes, 4 * ONE_LOG.len);
    open_up(rig);
    for (int i = 0; i < 3; i++) {
        EXPECT(rig_wait(rig, &shots[i].done));
        EXPECT_EQ(shots[i].status, 200);
        leat_chain_done(&shots[i].body);
    }
    EXPECT(rig_wait(rig, &call.done));
    EXPECT_EQ(call.code, LEAT_GRPC_OK);
    leat_chain_done(&call.message);
    EXPECT_EQ(rig->taken, 4);
    EXPECT_EQ(rig->state.waiting_bytes, 0);
    EXPECT_EQ(rig->host.ledger[LEAT_LOGS].refused, 0); /* who waits is not refused, however often it asks */
    rig_free(rig);
}

/* Scenario: one waits; there is room again, but before it is told another request comes.
 * Guarantees: the newcomer stands behind; one signal's line does not hold up the other's. */
LEAT_TEST(nobody_overtakes)
{
    struct rig *rig = started(true, false);
    struct rig_shot first, second, other;
    shoot(rig, &first, "/v1/logs");
    rig_spin(rig, 50);
    EXPECT_EQ(rig->counts[OTLP_WAITED], 1);
    leat_gate_forget(&rig->host.waiter); /* nobody is told for now */
    rig->mood = LEAT_OK;
    shoot(rig, &second, "/v1/logs");
    shoot(rig, &other, "/v1/traces");
    EXPECT(rig_wait(rig, &other.done));
    EXPECT_EQ(other.status, 200);
    rig_spin(rig, 50);
    EXPECT(!second.done);
    EXPECT_EQ(rig->counts[OTLP_WAITED], 2);
    leat_receiver_otlp.resume(&rig->state);
    EXPECT(rig_wait(rig, &first.done) && rig_wait(rig, &second.done));
    EXPECT_EQ(first.status + second.status, 400);
    leat_chain_done(&first.body);
    leat_chain_done(&second.body);
    leat_chain_done(&other.body);
    rig_free(rig);
}

/* Scenario: bodies that wait reach max_waiting_bytes.
 * Guarantees: the next one is told to come again at once. */
LEAT_TEST(what_waits_is_bounded)
{
    struct rig *rig = started(true, false);
    struct rig_shot first, second;
    rig->conf.max_waiting_bytes = 8;
    shoot(rig, &first, "/v1/logs");
    rig_spin(rig, 50);
    EXPECT_EQ(rig_post(rig, &second, "/v1/logs", PROTO, NULL, ONE_LOG), 503);
    EXPECT_EQ(rig->counts[OTLP_NO_ROOM], 1);
    EXPECT_EQ(rig->host.ledger[LEAT_LOGS].refused, 1);
    open_up(rig);
    EXPECT(rig_wait(rig, &first.done));
    EXPECT_EQ(first.status, 200);
    leat_chain_done(&first.body);
    rig_free(rig);
}

/* Scenario: memory is above the soft limit and the pipeline has no room.
 * Guarantees: nothing waits then: what waits would hold memory. */
LEAT_TEST(nothing_waits_while_memory_is_short)
{
    struct leat_budget budget = {.soft_bytes = 64ull << 20, .hard_bytes = 128ull << 20};
    struct leat_pool *pool;
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    struct rig *rig = started(true, false);
    struct rig_shot shot;
    uint64_t used = __atomic_load_n(&budget.used_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&budget.used_bytes, used + (65ull << 20), __ATOMIC_RELAXED);
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", PROTO, NULL, ONE_LOG), 503);
    EXPECT_EQ(rig->counts[OTLP_WAITED], 0);
    __atomic_sub_fetch(&budget.used_bytes, 65ull << 20, __ATOMIC_RELAXED);
    rig_free(rig);
    EXPECT_EQ(leat_pool_blocks_out(pool), 0);
    leat_pool_bind(NULL);
    leat_pool_close(pool);
}

/* Scenario: the client goes while it waits for room, over both transports.
 * Guarantees: its body is let go; nothing is taken later. */
LEAT_TEST(a_client_that_leaves_takes_its_body_along)
{
    struct rig *rig = started(true, false);
    struct rig_shot shot;
    struct rig_call call;
    shoot(rig, &shot, "/v1/logs");
    rig_dial(rig, &call, LOGS_METHOD, (struct leat_headers){0}, ONE_LOG);
    rig_spin(rig, 100);
    EXPECT_EQ(rig->counts[OTLP_WAITED], 2);
    leat_http1_client_cancel(rig->http, &shot.call);
    leat_grpc_client_cancel(rig->grpc, &call.out);
    EXPECT(rig_wait(rig, &shot.done) && rig_wait(rig, &call.done));
    rig_spin(rig, 100);
    EXPECT_EQ(rig->state.waiting_bytes, 0);
    EXPECT(leat_list_empty(&rig->state.room[LEAT_LOGS]));
    open_up(rig);
    rig_spin(rig, 50);
    EXPECT_EQ(rig->taken, 0);
    leat_chain_done(&shot.body);
    leat_chain_done(&call.message);
    rig_free(rig);
}

/* ---- wait_for_result ---- */

static const struct {
    uint64_t good, bad;
    enum leat_drop reason;
    int status, code;
    uint64_t rejected;
} ends[] = {{1, 0, LEAT_DROP_REFUSED, 200, LEAT_GRPC_OK, 0},
            {3, 2, LEAT_DROP_REJECTED, 200, LEAT_GRPC_OK, 2},
            {0, 1, LEAT_DROP_REFUSED, 500, LEAT_GRPC_INTERNAL, 0},
            {0, 1, LEAT_DROP_RETRY_EXHAUSTED, 503, LEAT_GRPC_UNAVAILABLE, 0},
            {0, 1, LEAT_DROP_SHUTDOWN, 503, LEAT_GRPC_UNAVAILABLE, 0},
            {0, 1, LEAT_DROP_QUEUE_FULL, 503, LEAT_GRPC_UNAVAILABLE, 0},
            {0, 4, LEAT_DROP_FILTERED, 200, LEAT_GRPC_OK, 0}};

static uint64_t rejected_in(const void *at, uint32_t len)
{
    struct otlp_reply reply = {0};
    EXPECT_OK(otlp_reply_read(leat_slice_of(at, len), &reply));
    EXPECT_EQ(reply.rejected == 0, reply.text.len == 0);
    return reply.rejected;
}

/* Scenario: acks end in every way, over both transports.
 * Guarantees: no answer before; then success, partial success with the number, "never" or "later". */
LEAT_TEST(the_answer_says_how_the_ack_ended)
{
    struct rig *rig = started(false, true);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct rig_shot shot;
        struct rig_call call;
        shoot(rig, &shot, "/v1/logs");
        rig_spin(rig, 20);
        EXPECT(!shot.done);
        rig_end(rig, ends[i].good, ends[i].bad, ends[i].reason);
        EXPECT(rig_wait(rig, &shot.done));
        EXPECT_EQ(shot.status, ends[i].status);
        if (shot.status == 200)
            EXPECT_EQ(rejected_in(shot.text, shot.len), ends[i].rejected);
        leat_chain_done(&shot.body);
        rig_dial(rig, &call, LOGS_METHOD, (struct leat_headers){0}, ONE_LOG);
        rig_spin(rig, 20);
        EXPECT(!call.done);
        rig_end(rig, ends[i].good, ends[i].bad, ends[i].reason);
        EXPECT(rig_wait(rig, &call.done));
        EXPECT_EQ(call.code, ends[i].code);
        if (call.code == LEAT_GRPC_OK)
            EXPECT_EQ(rejected_in(call.response, call.len), ends[i].rejected);
        leat_chain_done(&call.message);
    }
    rig_free(rig);
}

/* Scenario: both settings; a request waits for room first and for its ack then.
 * Guarantees: one answer, at the end of the ack. */
LEAT_TEST(room_first_then_the_ack)
{
    struct rig *rig = started(true, true);
    struct rig_shot shot;
    shoot(rig, &shot, "/v1/logs");
    rig_spin(rig, 60);
    open_up(rig);
    rig_spin(rig, 60);
    EXPECT_EQ(rig->held_count, 1);
    EXPECT(!shot.done);
    rig_end(rig, 1, 0, 0);
    EXPECT(rig_wait(rig, &shot.done));
    EXPECT_EQ(shot.status, 200);
    leat_chain_done(&shot.body);
    rig_free(rig);
}

/* Scenario: everything is delivered inside the put, as by an exporter that throws away.
 * Guarantees: answered, once. */
LEAT_TEST(an_ack_that_ends_at_once)
{
    struct rig *rig = started(false, true);
    struct rig_shot shot;
    rig->keep = false;
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", PROTO, NULL, ONE_LOG), 200);
    EXPECT(leat_list_empty(&rig->state.acks));
    rig_free(rig);
}

/* Scenario: the client goes while its ack is out.
 * Guarantees: the data stays on its way; the ack's end finds nobody and does no harm. */
LEAT_TEST(a_client_that_leaves_before_the_ack)
{
    struct rig *rig = started(false, true);
    struct rig_shot shot;
    struct rig_call call;
    shoot(rig, &shot, "/v1/logs");
    rig_dial(rig, &call, LOGS_METHOD, (struct leat_headers){0}, ONE_LOG);
    rig_spin(rig, 100);
    EXPECT_EQ(rig->held_count, 2);
    leat_http1_client_cancel(rig->http, &shot.call);
    leat_grpc_client_cancel(rig->grpc, &call.out);
    EXPECT(rig_wait(rig, &shot.done) && rig_wait(rig, &call.done));
    rig_spin(rig, 100);
    rig_end(rig, 1, 0, 0);
    rig_end(rig, 0, 1, LEAT_DROP_REFUSED);
    EXPECT(leat_list_empty(&rig->state.acks));
    leat_chain_done(&shot.body);
    leat_chain_done(&call.message);
    rig_free(rig);
}

/* ---- grpc-timeout ---- */

/* A caller that says its deadline and does not hang up by itself when it passes. */
static void dial_with_deadline(struct rig *rig, struct rig_call *call)
{
    rig_dial(rig, call, LOGS_METHOD, (struct leat_headers){0}, ONE_LOG);
    call->out.timeout_ns = 100000000;
    leat_timer_stop(rig->loop, &call->out.timer);
}

/* Scenario: a call's deadline passes while it waits for room; another's while its ack is out.
 * Guarantees: DEADLINE_EXCEEDED; of the first nothing is taken, the second's data goes on. */
LEAT_TEST(a_deadline_that_passes_is_told)
{
    for (int final = 0; final < 2; final++) {
        struct rig *rig = started(!final, final);
        struct rig_call call;
        dial_with_deadline(rig, &call);
        EXPECT(rig_wait(rig, &call.done));
        EXPECT_EQ(call.code, LEAT_GRPC_DEADLINE_EXCEEDED);
        EXPECT_EQ(rig->counts[OTLP_DEADLINE], 1);
        EXPECT_EQ(rig->host.ledger[LEAT_LOGS].refused, !final);
        EXPECT_EQ(rig->state.waiting_bytes, 0);
        if (final)
            rig_end(rig, 1, 0, 0);
        EXPECT(leat_list_empty(&rig->state.acks) && leat_list_empty(&rig->state.room[LEAT_LOGS]));
        open_up(rig);
        rig_spin(rig, 50);
        EXPECT_EQ(rig->taken, final);
        leat_chain_done(&call.message);
        rig_free(rig);
    }
}

/* ---- the end ---- */

static void on_stopped(void *ctx)
{
    ((struct rig *)ctx)->stopped = true;
}

/* Scenario: stop with one request that wants room and one whose ack is out.
 * Guarantees: the first is told to come again; `stopped` comes when the ack has ended and the clients have theirs. */
LEAT_TEST(stop_waits_for_acks_and_refuses_the_rest)
{
    struct rig *rig = started(false, true);
    struct rig_shot first, second;
    rig->host.waits_room[LEAT_LOGS] = true;
    shoot(rig, &first, "/v1/logs");
    rig_spin(rig, 50);
    EXPECT_EQ(rig->held_count, 1);
    rig->mood = LEAT_AGAIN;
    shoot(rig, &second, "/v1/logs");
    rig_spin(rig, 50);
    EXPECT_EQ(rig->counts[OTLP_WAITED], 1);
    leat_receiver_otlp.stop(&rig->state, on_stopped, rig);
    EXPECT(rig_wait(rig, &second.done));
    EXPECT_EQ(second.status, 503);
    rig_spin(rig, 50);
    EXPECT(!rig->stopped && !first.done);
    rig_end(rig, 1, 0, 0);
    EXPECT(rig_wait(rig, &first.done) && rig_wait(rig, &rig->stopped));
    EXPECT_EQ(first.status, 200);
    leat_chain_done(&first.body);
    leat_chain_done(&second.body);
    rig_free(rig);
}

/* Scenario: stop while a client has sent half a request and nothing more.
 * Guarantees: it does not hold the shutdown up for longer than the grace of 3 s. */
LEAT_TEST(stop_does_not_wait_for_a_sluggish_client)
{
    struct rig *rig = started(false, false);
    struct rig_shot shot;
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", PROTO, NULL, ONE_LOG), 200);
    rig->state.draining = 5; /* as if servers never came to an end */
    leat_receiver_otlp.stop(&rig->state, on_stopped, rig);
    rig->state.draining = 5;
    EXPECT(rig_wait(rig, &rig->stopped));
    rig_free(rig);
}

/* Scenario: closed without a stop, with a request in each line.
 * Guarantees: both are answered or dropped; the ack may end later, when the state is gone. */
LEAT_TEST(close_with_requests_in_both_lines)
{
    struct rig *rig = started(true, true);
    struct rig_shot first, second;
    rig->mood = LEAT_OK;
    shoot(rig, &first, "/v1/logs");
    rig_spin(rig, 50);
    rig->mood = LEAT_AGAIN;
    shoot(rig, &second, "/v1/logs");
    rig_spin(rig, 50);
    EXPECT_EQ(rig->held_count, 1);
    EXPECT_EQ(rig->counts[OTLP_WAITED], 1);
    struct leat_http1_client *client = rig->http;
    rig->http = NULL;
    leat_http1_client_cancel(client, &first.call);
    leat_http1_client_cancel(client, &second.call);
    (void)leat_loop_run_once(rig->loop, false);
    leat_http1_client_close(client);
    leat_chain_done(&first.body);
    leat_chain_done(&second.body);
    rig_free(rig); /* ASan and the counts in there are the judge */
}

/* ---- out of memory ---- */

static leat_rc both_ways(struct rig *rig, bool hold)
{
    struct rig_shot shot;
    struct rig_call call;
    struct leat_chain message = {0};
    rig->host.waits_final[LEAT_LOGS] = hold;
    shoot(rig, &shot, "/v1/logs");
    leat_rc rc = leat_chain_take(&message, ONE_LOG);
    call = (struct rig_call){.message = message, .done = rc != LEAT_OK};
    call.out = (struct leat_grpc_out){.path = LEAT_SLICE(LOGS_METHOD),
                                      .message = &call.message,
                                      .timeout_ns = 2 * RIG_S,
                                      .done = rig_call_done,
                                      .ctx = &call};
    if (rc == LEAT_OK)
        leat_grpc_client_send(rig->grpc, &call.out);
    EXPECT(rig_wait(rig, &shot.done) && rig_wait(rig, &call.done));
    if (rc == LEAT_OK)
        rc = shot.rc != LEAT_OK || shot.status == 200 ? shot.rc : LEAT_EREFUSED;
    if (rc == LEAT_OK)
        rc = call.rc != LEAT_OK || call.code == LEAT_GRPC_OK ? call.rc : LEAT_EREFUSED;
    leat_chain_done(&shot.body);
    leat_chain_done(&call.message);
    return rc;
}

/* Scenario: a start, a request over each transport with metadata and CORS, an end; each allocation fails once.
 * Guarantees: an error or success, never a leak, a hang or a crash. */
LEAT_TEST_OOM(any_failed_allocation_is_survived)
{
    const char *origins[] = {"https://app.example.com"};
    struct rig *rig = rig_new();
    rig->conf.protocols.http.server.cors.allowed_origins = (struct leat_strings){origins, 1};
    rig->conf.protocols.http.server.include_metadata = rig->conf.protocols.grpc.include_metadata = true;
    leat_rc rc = rig_start(rig, NULL);
    if (rc == LEAT_OK)
        rc = both_ways(rig, false);
    if (rc == LEAT_OK)
        rc = both_ways(rig, true);
    rig_free(rig);
    return rc;
}
