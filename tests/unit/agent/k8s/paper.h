/* SPDX-License-Identifier: Apache-2.0 */
/* paper -- an API server made of paper on a simulated clock: each request takes the next step of a script.
 *
 * Why      what a watch decides is decided by answers; here they come exactly as and when a test wants them.
 * Rule     a request without a step is left unanswered until paper_say and paper_end, or until it is cancelled. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "agent/k8s/client.h"
#include "tests/kit/kit.h"
#include "tests/kit/sim_world.h"

#define PAPER_S 1000000000ull
#define PAPER_MS 1000000ull
#define PAPER_REQUESTS_MAX 256u

struct paper_step {
    int status;        /* 0: no answer, `err` */
    const char *body;
    leat_rc err;
    bool stays;        /* after the body the answer goes on: paper_say, paper_end */
    uint64_t retry_ns; /* Retry-After */
};
struct paper {
    struct leat_world *world;
    struct leat_loop *loop;
    struct leat_k8s_client *client;
    const struct paper_step *steps;
    uint32_t step_count, next;
    uint32_t piece; /* bytes told at once; 0: all */
    char target[PAPER_REQUESTS_MAX][320];
    uint64_t at_ns[PAPER_REQUESTS_MAX];
    uint32_t requests, cancels;
    struct leat_k8s_call *call; /* under way */
    bool cancelled;
    struct leat_task task;
};

static inline void paper_done(struct paper *paper, int status, uint64_t retry_ns, leat_rc rc)
{
    struct leat_k8s_call *call = paper->call;
    struct leat_err err = {0};
    if (!call)
        return;
    if (rc != LEAT_OK)
        (void)LEAT_RAISE(&err, rc, 0, "as the script says");
    paper->call = NULL;
    paper->cancelled = false;
    call->done(call, rc == LEAT_OK ? status : 0, retry_ns, rc == LEAT_OK ? NULL : &err);
}

static inline void paper_say(struct paper *paper, const char *text)
{
    size_t len = strlen(text), step = paper->piece ? paper->piece : len;
    for (size_t at = 0; at < len && paper->call && !paper->cancelled; at += step) {
        size_t n = len - at < step ? len - at : step;
        char *piece = malloc(n); /* a block of its own, so that a read past its end is seen */
        if (!piece)
            abort();
        memcpy(piece, text + at, n);
        bool more = paper->call->bytes(paper->call, leat_slice_of(piece, (uint32_t)n));
        free(piece);
        if (!more)
            paper_done(paper, 0, 0, LEAT_ECANCELED);
    }
}

static inline void paper_end(struct paper *paper, leat_rc rc)
{
    paper_done(paper, 200, 0, rc);
}

static inline void paper_answer(struct leat_task *task)
{
    struct paper *paper = task->ctx;
    if (paper->cancelled) {
        paper_done(paper, 0, 0, LEAT_ECANCELED);
        return;
    }
    if (!paper->call || paper->next >= paper->step_count)
        return;
    const struct paper_step *step = &paper->steps[paper->next++];
    if (step->status && paper->call->head)
        paper->call->head(paper->call, step->status);
    if (step->body)
        paper_say(paper, step->body);
    if (!step->stays)
        paper_done(paper, step->status, step->retry_ns, step->status ? LEAT_OK : step->err ? step->err : LEAT_ENET);
}

static inline void paper_send(void *ctx, struct leat_k8s_call *call)
{
    struct paper *paper = ctx;
    EXPECT(!paper->call && paper->requests < PAPER_REQUESTS_MAX);
    (void)snprintf(paper->target[paper->requests], sizeof *paper->target, "%.*s", LEAT_SLICE_ARGS(call->target));
    paper->at_ns[paper->requests++] = leat_loop_now_ns(paper->loop);
    paper->call = call;
    leat_loop_defer(paper->loop, &paper->task);
}

static inline void paper_cancel(void *ctx, struct leat_k8s_call *call)
{
    struct paper *paper = ctx;
    EXPECT(paper->call == call);
    paper->cancels++;
    paper->cancelled = true;
    leat_loop_defer(paper->loop, &paper->task);
}

static inline leat_rc paper_open(struct paper *paper, const struct paper_step *steps, uint32_t count)
{
    *paper = (struct paper){.steps = steps, .step_count = count};
    paper->world = sim_world_new(7);
    leat_rc rc = leat_loop_open_simulated(paper->world, &paper->loop);
    if (rc != LEAT_OK)
        return rc;
    leat_task_init(&paper->task, paper_answer, paper);
    struct leat_k8s_script script = {paper_send, paper_cancel, paper};
    return leat_k8s_client_scripted(paper->loop, &script, &paper->client);
}

static inline void paper_close(struct paper *paper)
{
    if (paper->cancelled)
        paper_answer(&paper->task);
    EXPECT(!paper->call);
    paper->client = leat_k8s_client_close(paper->client);
    if (paper->loop) {
        leat_task_cancel(&paper->task);
        leat_loop_close(paper->loop);
    }
    sim_world_free(paper->world);
}

/* So much time passes, timer by timer. */
static inline void paper_run(struct paper *paper, uint64_t ns)
{
    uint64_t end = paper->world->mono_ns(paper->world) + ns;
    for (;;) {
        for (int i = 0; i < 4; i++)
            (void)leat_loop_run_once(paper->loop, false);
        uint64_t due = leat_loop_next_due_ns(paper->loop);
        if (due > end)
            break;
        sim_world_advance_to(paper->world, due);
    }
    sim_world_advance_to(paper->world, end);
    for (int i = 0; i < 4; i++)
        (void)leat_loop_run_once(paper->loop, false);
}

static inline bool paper_asked(const struct paper *paper, uint32_t request, const char *part)
{
    return request < paper->requests && strstr(paper->target[request], part) != NULL;
}
