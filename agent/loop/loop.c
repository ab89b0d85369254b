/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop/loop.h"

#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/counter.h"
#include "agent/loop/loop_heap.h"

#define NS_PER_MS 1000000ull
#define TASK_ROUNDS_MAX 8 /* tasks that ask for tasks: after so many rounds the sockets get their turn */

struct leat_loop {
    struct leat_world *world;
    bool simulated, now_known, armed;
    int stopping; /* atomic */
    uint64_t now_ns, armed_ns;
    struct leat_timer *timers; /* the heap's root */
    struct leat_list tasks;
    struct leat_message *messages; /* atomic: a stack, newest first */
    uv_loop_t uv;
    uv_timer_t clock;
    uv_async_t wake;
    uv_prepare_t before_poll;
    uv_check_t after_poll;
    uv_idle_t busy; /* active while tasks are left over: poll does not wait */
};

struct leat_world *leat_loop_world(struct leat_loop *loop)
{
    return loop->world;
}
struct uv_loop_s *leat_loop__uv(struct leat_loop *loop)
{
    return &loop->uv;
}
bool leat_loop_is_simulated(const struct leat_loop *loop)
{
    return loop->simulated;
}

uint64_t leat_loop_now_ns(struct leat_loop *loop)
{
    if (!loop->now_known) {
        loop->now_ns = loop->world->mono_ns(loop->world);
        loop->now_known = true;
    }
    return loop->now_ns;
}

/* ---- timers ---- */

void leat_timer_stop(struct leat_loop *loop, struct leat_timer *timer)
{
    if (!leat_timer_runs(timer))
        return;
    loop->timers = leat_loop__heap_remove(loop->timers, timer);
    timer->due_ns = 0;
}

void leat_timer_start(struct leat_loop *loop, struct leat_timer *timer, uint64_t after_ns)
{
    leat_timer_stop(loop, timer);
    uint64_t now = leat_loop_now_ns(loop);
    uint64_t after = after_ns ? after_ns : 1; /* never within the pass that fires it: a timer cannot starve the loop */
    timer->due_ns = after > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + after;
    loop->timers = leat_loop__heap_put(loop->timers, timer);
}

uint64_t leat_loop_next_due_ns(const struct leat_loop *loop)
{
    return loop->timers ? loop->timers->due_ns : UINT64_MAX;
}

static void fire_due(struct leat_loop *loop)
{
    uint64_t now = leat_loop_now_ns(loop);
    while (loop->timers && loop->timers->due_ns <= now) {
        struct leat_timer *timer = loop->timers;
        leat_timer_stop(loop, timer);
        timer->fire(timer);
    }
}

/* ---- tasks ---- */

void leat_task_init(struct leat_task *task, void (*run)(struct leat_task *task), void *ctx)
{
    task->run = run;
    task->ctx = ctx;
    leat_list_init(&task->link);
}

void leat_loop_defer(struct leat_loop *loop, struct leat_task *task)
{
    if (leat_list_empty(&task->link))
        leat_list_push(&loop->tasks, &task->link);
}

void leat_task_cancel(struct leat_task *task)
{
    leat_list_remove(&task->link);
}

static void run_tasks(struct leat_loop *loop)
{
    for (int round = 0; round < TASK_ROUNDS_MAX && !leat_list_empty(&loop->tasks); round++) {
        struct leat_list mark; /* tasks put behind it belong to the next round */
        leat_list_push(&loop->tasks, &mark);
        for (struct leat_list *link; (link = leat_list_pop(&loop->tasks)) != &mark;) {
            struct leat_task *task = LEAT_CONTAINER(link, struct leat_task, link);
            task->run(task);
        }
    }
}

/* ---- messages ---- */

void leat_handoff_post(struct leat_loop *to, struct leat_message *message)
{
    leat_count(LEAT_COUNT_HANDOFFS, 1);
    struct leat_message *head = __atomic_load_n(&to->messages, __ATOMIC_RELAXED);
    do
        message->next = head;
    while (!__atomic_compare_exchange_n(&to->messages, &head, message, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    if (!head && !to->simulated)
        (void)uv_async_send(&to->wake);
}

static void receive(struct leat_loop *loop)
{
    struct leat_message *newest = __atomic_exchange_n(&loop->messages, NULL, __ATOMIC_ACQUIRE), *oldest = NULL;
    while (newest) {
        struct leat_message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct leat_message *message = oldest;
        oldest = message->next;
        message->arrive(message);
    }
}

/* ---- the turn ---- */

static void clock_rang(uv_timer_t *clock)
{
    struct leat_loop *loop = clock->data;
    loop->armed = false;
    loop->now_known = false;
    fire_due(loop);
}

/* One uv timer stands for all: it is moved only to ring earlier; ringing too early is harmless. */
static void arm_clock(struct leat_loop *loop)
{
    uint64_t due = leat_loop_next_due_ns(loop);
    if (due == UINT64_MAX) {
        if (loop->armed)
            (void)uv_timer_stop(&loop->clock);
        loop->armed = false;
        return;
    }
    if (loop->armed && loop->armed_ns <= due)
        return;
    uint64_t now = loop->world->mono_ns(loop->world);
    uint64_t wait_ms = due > now ? (due - now + NS_PER_MS - 1) / NS_PER_MS : 0;
    uv_update_time(&loop->uv);
    (void)uv_timer_start(&loop->clock, clock_rang, wait_ms, 0);
    loop->armed = true;
    loop->armed_ns = due;
}

static void keep_turning(uv_idle_t *idle)
{
    (void)idle;
}

static void before_poll(uv_prepare_t *handle)
{
    struct leat_loop *loop = handle->data;
    run_tasks(loop);
    if (leat_list_empty(&loop->tasks))
        (void)uv_idle_stop(&loop->busy);
    else
        (void)uv_idle_start(&loop->busy, keep_turning);
    arm_clock(loop);
    loop->now_known = false;
}

static void after_poll(uv_check_t *handle)
{
    run_tasks(handle->data);
}

static void woken(uv_async_t *handle)
{
    receive(handle->data);
}

/* ---- life ---- */

static struct leat_loop *loop_new(struct leat_world *world)
{
    struct leat_loop *loop = leat_zalloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->world = world;
    leat_list_init(&loop->tasks);
    return loop;
}

leat_rc leat_loop_open_simulated(struct leat_world *world, struct leat_loop **ret_loop)
{
    struct leat_loop *loop = loop_new(world);
    if (!loop)
        return LEAT_ENOMEM;
    loop->simulated = true;
    *ret_loop = loop;
    return LEAT_OK;
}

static void open_handles(struct leat_loop *loop)
{
    (void)uv_timer_init(&loop->uv, &loop->clock);
    (void)uv_prepare_init(&loop->uv, &loop->before_poll);
    (void)uv_check_init(&loop->uv, &loop->after_poll);
    (void)uv_idle_init(&loop->uv, &loop->busy);
    loop->clock.data = loop->before_poll.data = loop->after_poll.data = loop->wake.data = loop;
    (void)uv_prepare_start(&loop->before_poll, before_poll);
    (void)uv_check_start(&loop->after_poll, after_poll);
    uv_unref((uv_handle_t *)&loop->before_poll);
    uv_unref((uv_handle_t *)&loop->after_poll);
    uv_unref((uv_handle_t *)&loop->wake);
}

leat_rc leat_loop_open(struct leat_world *world, struct leat_loop **ret_loop, struct leat_err *reterr)
{
    struct leat_loop *loop = loop_new(world);
    if (!loop)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    (void)signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of its stream, not the end of the process */
    int rc = uv_loop_init(&loop->uv);
    if (rc == 0 && (rc = uv_async_init(&loop->uv, &loop->wake, woken)) != 0)
        (void)uv_loop_close(&loop->uv);
    if (rc != 0) {
        leat_free(loop);
        return LEAT_RAISE(reterr, LEAT_EIO, rc, "event loop: %s", uv_strerror(rc));
    }
    open_handles(loop);
    *ret_loop = loop;
    return LEAT_OK;
}

static void close_uv(struct leat_loop *loop)
{
    uv_close((uv_handle_t *)&loop->clock, NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->before_poll, NULL);
    uv_close((uv_handle_t *)&loop->after_poll, NULL);
    uv_close((uv_handle_t *)&loop->busy, NULL);
    do {
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        run_tasks(loop);
    } while (uv_loop_alive(&loop->uv));
    LEAT_CHECK(uv_loop_close(&loop->uv) == 0);
}

struct leat_loop *leat_loop_close(struct leat_loop *loop)
{
    if (!loop)
        return NULL;
    do {
        receive(loop);
        run_tasks(loop);
    } while (!leat_list_empty(&loop->tasks) || __atomic_load_n(&loop->messages, __ATOMIC_ACQUIRE));
    if (!loop->simulated)
        close_uv(loop);
    leat_free(loop);
    return NULL;
}

/* ---- running ---- */

static bool step_simulated(struct leat_loop *loop)
{
    loop->now_known = false;
    receive(loop);
    run_tasks(loop);
    fire_due(loop);
    run_tasks(loop);
    return loop->timers || !leat_list_empty(&loop->tasks) || __atomic_load_n(&loop->messages, __ATOMIC_ACQUIRE);
}

bool leat_loop_run_once(struct leat_loop *loop, bool wait)
{
    if (loop->simulated)
        return step_simulated(loop);
    arm_clock(loop); /* timers started outside a turn keep the loop alive */
    if (!leat_list_empty(&loop->tasks))
        (void)uv_idle_start(&loop->busy, keep_turning);
    bool alive = uv_run(&loop->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT) != 0;
    return alive || loop->timers || !leat_list_empty(&loop->tasks);
}

void leat_loop_run(struct leat_loop *loop)
{
    if (!loop->simulated)
        uv_ref((uv_handle_t *)&loop->wake);
    while (!__atomic_load_n(&loop->stopping, __ATOMIC_ACQUIRE))
        if (!leat_loop_run_once(loop, true) && loop->simulated)
            break;
    __atomic_store_n(&loop->stopping, 0, __ATOMIC_RELEASE);
    if (!loop->simulated)
        uv_unref((uv_handle_t *)&loop->wake);
}

void leat_loop_stop(struct leat_loop *loop)
{
    __atomic_store_n(&loop->stopping, 1, __ATOMIC_RELEASE);
    if (!loop->simulated)
        (void)uv_async_send(&loop->wake);
}

const char *leat_loop_library(void)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "libuv %s", uv_version_string());
    return text;
}
