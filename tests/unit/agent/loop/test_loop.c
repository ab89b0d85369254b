/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop/loop.h"

#include <pthread.h>
#include <stdio.h>

#include "agent/loop/stream.h"
#include "tests/kit/kit.h"

#define MS 1000000ull

static uint64_t fake_now;
static uint64_t fake_mono(struct leat_world *world)
{
    (void)world;
    return fake_now;
}
static struct leat_world fake_world = {.mono_ns = fake_mono, .unix_ns = fake_mono};

/* ---- timers ---- */

enum { TIMERS = 300 };
static struct leat_timer timers[TIMERS];
static uint64_t fired_at[TIMERS];
static uint32_t fired;

static void note_fired(struct leat_timer *timer)
{
    size_t i = (size_t)(timer - timers);
    EXPECT(fired_at[i] == 0 && !leat_timer_runs(timer));
    fired_at[i] = fake_now;
    fired++;
}

/* Scenario:   300 timers started, restarted and stopped in a scrambled order, then time passes in steps.
 * Guarantees: each that runs fires once, never early, at most a step late; stopped ones never. */
LEAT_TEST(loop_timers_fire_in_time)
{
    struct leat_loop *loop;
    uint64_t due[TIMERS] = {0};
    uint32_t seed = 7, expected = 0;
    fake_now = 1000;
    fired = 0;
    memset(fired_at, 0, sizeof fired_at);
    EXPECT_OK(leat_loop_open_simulated(&fake_world, &loop));
    for (int i = 0; i < 3000; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t at = (seed >> 8) % TIMERS, after = (seed >> 4) % 100000;
        timers[at].fire = note_fired;
        if (seed % 5 == 0) {
            leat_timer_stop(loop, &timers[at]);
            due[at] = 0;
        } else {
            leat_timer_start(loop, &timers[at], after);
            due[at] = fake_now + after;
        }
    }
    for (int i = 0; i < TIMERS; i++)
        expected += due[i] != 0;
    for (; leat_loop_next_due_ns(loop) != UINT64_MAX; fake_now += 100)
        (void)leat_loop_run_once(loop, false);
    EXPECT_EQ(fired, expected);
    for (int i = 0; i < TIMERS; i++)
        EXPECT(due[i] ? fired_at[i] >= due[i] && fired_at[i] <= due[i] + 200 : fired_at[i] == 0);
    leat_loop_close(loop);
}

/* ---- tasks and messages ---- */

static uint32_t runs;
static struct leat_loop *task_loop;

static void count_run(struct leat_task *task)
{
    if (++runs < 20)
        leat_loop_defer(task_loop, task);
}

/* Scenario:   a task deferred twice, then asking for itself again and again.
 * Guarantees: it runs once per request, and the loop comes up for air. */
LEAT_TEST(loop_tasks_run_once_and_do_not_starve)
{
    for (int simulated = 0; simulated < 2; simulated++) {
        struct leat_task task;
        runs = 0;
        if (simulated)
            EXPECT_OK(leat_loop_open_simulated(&fake_world, &task_loop));
        else
            EXPECT_OK(leat_loop_open(leat_world_real(), &task_loop, NULL));
        leat_task_init(&task, count_run, NULL);
        leat_loop_defer(task_loop, &task);
        leat_loop_defer(task_loop, &task);
        EXPECT(leat_loop_run_once(task_loop, false));
        EXPECT(runs >= 1 && runs < 20);
        for (int i = 0; i < 20; i++)
            (void)leat_loop_run_once(task_loop, false);
        EXPECT_EQ(runs, 20);
        leat_loop_close(task_loop);
    }
}

struct numbered {
    struct leat_message message;
    uint32_t sender, number;
};
enum { SENDERS = 4, MESSAGES = 5000 };
static struct numbered messages[SENDERS][MESSAGES];
static uint32_t next_of[SENDERS], arrived;
static struct leat_loop *target;

static void on_arrive(struct leat_message *message)
{
    struct numbered *own = LEAT_CONTAINER(message, struct numbered, message);
    EXPECT_EQ(own->number, next_of[own->sender]);
    next_of[own->sender]++;
    if (++arrived == SENDERS * MESSAGES)
        leat_loop_stop(target);
}

static void *send_all(void *ctx)
{
    uint32_t sender = (uint32_t)(uintptr_t)ctx;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        messages[sender][i] = (struct numbered){{.arrive = on_arrive}, sender, i};
        leat_handoff_post(target, &messages[sender][i].message);
    }
    return NULL;
}

/* Scenario:   four threads post 5,000 messages each.
 * Guarantees: all arrive, in order per sender, and wake a waiting loop. */
LEAT_TEST(loop_handoff_is_fifo_per_sender)
{
    pthread_t threads[SENDERS];
    arrived = 0;
    memset(next_of, 0, sizeof next_of);
    EXPECT_OK(leat_loop_open(leat_world_real(), &target, NULL));
    for (uintptr_t i = 0; i < SENDERS; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, send_all, (void *)i), 0);
    leat_loop_run(target);
    for (int i = 0; i < SENDERS; i++)
        (void)pthread_join(threads[i], NULL);
    EXPECT_EQ(arrived, SENDERS * MESSAGES);
    leat_loop_close(target);
}

static void note_ring(struct leat_timer *timer)
{
    *(bool *)timer->ctx = true;
}

/* Guarantees: a real timer rings about when it should, and the loop then has nothing left. */
LEAT_TEST(loop_real_timer_rings)
{
    struct leat_loop *loop;
    bool rang = false;
    struct leat_timer timer = {.fire = note_ring, .ctx = &rang};
    EXPECT_OK(leat_loop_open(leat_world_real(), &loop, NULL));
    uint64_t before = leat_loop_now_ns(loop);
    leat_timer_start(loop, &timer, 20 * MS);
    while (leat_loop_run_once(loop, true))
        ;
    EXPECT(rang);
    uint64_t took = leat_loop_now_ns(loop) - before;
    EXPECT(took >= 20 * MS && took < 1000 * MS);
    leat_loop_close(loop);
}

/* ---- streams ---- */

struct end {
    struct leat_stream *stream;
    bool opened, closed, drained;
    leat_rc why;
    uint64_t bytes;
};
static struct end server, client;

static void on_opened(void *ctx)
{
    ((struct end *)ctx)->opened = true;
}
static void on_drained(void *ctx)
{
    ((struct end *)ctx)->drained = true;
}
static void on_bytes(void *ctx, struct leat_slice bytes)
{
    ((struct end *)ctx)->bytes += bytes.len;
    leat_mem_unref(bytes.mem);
}
static void on_closed(void *ctx, const struct leat_err *why)
{
    struct end *end = ctx;
    EXPECT(!end->closed);
    end->closed = true;
    end->why = why->code;
}
static const struct leat_stream_events events = {on_opened, on_bytes, on_drained, on_closed};

static void on_accepted(void *ctx, int fd)
{
    EXPECT_OK(leat_stream_adopt(ctx, fd, &events, &server, &server.stream, NULL));
}

static void turn_until(struct leat_loop *loop, const bool *flag)
{
    for (int i = 0; i < 5000 && !*flag; i++)
        (void)leat_loop_run_once(loop, true);
    EXPECT(*flag);
}

/* Scenario:   ten megabytes written before the connection stands, over TCP and a unix socket; then a flushed close.
 * Guarantees: all arrive, `drained` and `closed` come, the reader sees end of file. */
LEAT_TEST(stream_carries_all_before_it_closes)
{
    static const char *const places[] = {"127.0.0.1:0", "unix:/tmp/leat-test-stream.sock", "localhost:0"};
    static char text[1000000];
    for (int i = 0; i < 3; i++) {
        struct leat_loop *loop;
        struct leat_listener *listener;
        char address[64];
        server = client = (struct end){0};
        EXPECT_OK(leat_loop_open(leat_world_real(), &loop, NULL));
        EXPECT_OK(leat_listener_open(loop, places[i], on_accepted, loop, &listener, NULL));
        (void)snprintf(address, sizeof address, "localhost:%u", leat_listener_port(listener));
        EXPECT_OK(leat_stream_connect(loop, i == 1 ? places[1] : address, 0, &events, &client, &client.stream, NULL));
        for (int k = 0; k < 10; k++) {
            struct leat_chain chain = kit_chain(text, sizeof text, 50000);
            EXPECT_OK(leat_stream_write(client.stream, &chain));
        }
        EXPECT_EQ(leat_stream_unsent(client.stream), 10 * sizeof text);
        turn_until(loop, &client.drained);
        EXPECT(client.opened);
        leat_stream_close_flushed(client.stream);
        turn_until(loop, &server.closed);
        EXPECT_EQ(server.bytes, 10 * sizeof text);
        EXPECT_EQ(server.why, LEAT_OK);
        EXPECT(client.closed);
        leat_listener_close(listener);
        leat_loop_close(loop);
    }
}

/* Guarantees: nobody there is LEAT_ENET; nonsense is refused at once. */
LEAT_TEST(stream_connect_failures)
{
    struct leat_loop *loop;
    struct leat_listener *listener;
    char address[64];
    EXPECT_OK(leat_loop_open(leat_world_real(), &loop, NULL));
    EXPECT_OK(leat_listener_open(loop, "127.0.0.1:0", on_accepted, loop, &listener, NULL));
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", leat_listener_port(listener));
    leat_listener_close(listener);
    (void)leat_loop_run_once(loop, false);
    static const char *const bad[] = {"", "x", "a:b", "a:99999", "::1:80", "unix:", "a:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_RC(leat_stream_connect(loop, bad[i], 0, &events, &client, &client.stream, NULL), LEAT_EINVAL);
    const char *const gone[] = {address, "unix:/tmp/leat-test-nobody.sock"};
    for (int i = 0; i < 2; i++) {
        client = (struct end){0};
        EXPECT_OK(leat_stream_connect(loop, gone[i], 0, &events, &client, &client.stream, NULL));
        turn_until(loop, &client.closed);
        EXPECT_EQ(client.why, LEAT_ENET);
        EXPECT(!client.opened);
    }
    client = (struct end){0}; /* closed while the name is being looked up */
    EXPECT_OK(leat_stream_connect(loop, "localhost:1", 0, &events, &client, &client.stream, NULL));
    leat_stream_close(client.stream);
    turn_until(loop, &client.closed);
    EXPECT_EQ(client.why, LEAT_OK);
    leat_loop_close(loop);
}

/* Guarantees: opening, connecting and listening survive every failed allocation. */
LEAT_TEST_OOM(stream_survives_any_failed_allocation)
{
    struct leat_loop *loop;
    struct leat_listener *listener = NULL;
    char address[64];
    server = client = (struct end){0};
    leat_rc rc = leat_loop_open(leat_world_real(), &loop, NULL);
    if (rc != LEAT_OK)
        return rc;
    rc = leat_listener_open(loop, "127.0.0.1:0", on_accepted, loop, &listener, NULL);
    if (rc == LEAT_OK) {
        (void)snprintf(address, sizeof address, "127.0.0.1:%u", leat_listener_port(listener));
        rc = leat_stream_connect(loop, address, 0, &events, &client, &client.stream, NULL);
    }
    if (rc == LEAT_OK)
        leat_stream_close(client.stream);
    leat_listener_close(listener);
    leat_loop_close(loop);
    return rc;
}
