/* SPDX-License-Identifier: Apache-2.0 */
/* loop -- one shard's event loop: timers, deferred work, messages from other shards. Streams and watches are beside it.
 *
 * Why      only this folder knows <uv.h>. Time comes from the world, so that the simulator can run the same loop
 *          on a fake clock (leat_loop_open_simulated) and step it.
 * Threads  everything is called on the loop's own thread but leat_handoff_post and leat_loop_stop.
 * Owns     timers, tasks and messages are embedded in their owner's struct; the loop only links them.
 * Fails    starting a timer cannot fail: the heap of timers is intrusive. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/list.h"
#include "agent/base/world.h"

struct leat_loop;
struct uv_loop_s;

leat_rc leat_loop_open(struct leat_world *world, struct leat_loop **ret_loop, struct leat_err *reterr) LEAT_MUST_CHECK;
/* No sockets, no threads: the caller steps it. */
leat_rc leat_loop_open_simulated(struct leat_world *world, struct leat_loop **ret_loop) LEAT_MUST_CHECK;
struct leat_loop *leat_loop_close(struct leat_loop *loop); /* always NULL; all streams closed before; runs the rest */
void leat_loop_run(struct leat_loop *loop);                /* until leat_loop_stop */
bool leat_loop_run_once(struct leat_loop *loop, bool wait); /* one turn; false when nothing is left to wait for */
void leat_loop_stop(struct leat_loop *loop);               /* any thread */
struct leat_world *leat_loop_world(struct leat_loop *loop);
bool leat_loop_is_simulated(const struct leat_loop *loop);
uint64_t leat_loop_now_ns(struct leat_loop *loop); /* monotonic, read once a turn */
struct uv_loop_s *leat_loop__uv(struct leat_loop *loop); /* inside agent/loop only */

/* ---- timers: one-shot; zero the struct, set fire and ctx ---- */
struct leat_timer {
    void (*fire)(struct leat_timer *timer);
    void *ctx;
    uint64_t due_ns; /* the loop's; 0 when not running */
    struct leat_timer *child, *next, *prev; /* the loop's (pairing heap) */
};
void leat_timer_start(struct leat_loop *loop, struct leat_timer *timer, uint64_t after_ns); /* restarts a running one */
void leat_timer_stop(struct leat_loop *loop, struct leat_timer *timer);                     /* no-op when not running */
static inline bool leat_timer_runs(const struct leat_timer *timer) { return timer->due_ns != 0; }
/* Simulated loops: when the earliest timer is due; UINT64_MAX without timers. */
uint64_t leat_loop_next_due_ns(const struct leat_loop *loop);

/* ---- deferred work: runs later in the same turn, after the callback that asked for it ---- */
struct leat_task {
    void (*run)(struct leat_task *task);
    void *ctx;
    struct leat_list link; /* the loop's; leat_task_init first */
};
void leat_task_init(struct leat_task *task, void (*run)(struct leat_task *task), void *ctx);
void leat_loop_defer(struct leat_loop *loop, struct leat_task *task); /* once, however often asked */
void leat_task_cancel(struct leat_task *task);

/* ---- hand-off: a message to another shard; any thread; FIFO per sender; never lost while the loop runs ---- */
struct leat_message {
    void (*arrive)(struct leat_message *message); /* on the receiving loop's thread; owns the message from then on */
    struct leat_message *next;                    /* the queue's */
};
void leat_handoff_post(struct leat_loop *to, struct leat_message *message);

const char *leat_loop_library(void); /* "libuv 1.44.2" */
