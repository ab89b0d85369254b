/* SPDX-License-Identifier: Apache-2.0 */
/* From a batch to its answer: at once where accepted is enough, else when there is room, when the ack is final, or when
 * the client's deadline has passed. */
#include <stdio.h>

#include "agent/base/obj.h"
#include "receivers/otlp/otlp.h"

/* A request between its body and its answer. In otlp->room[signal] it has its batch and wants room; in otlp->acks its
 * batch is on its way and the ack is out. */
struct otlp_waiting {
    struct leat_ack ack;
    struct otlp_state *otlp; /* NULL: closed before the ack was final */
    struct otlp_request request;
    struct leat_batch *batch;
    struct leat_timer deadline;
    struct leat_list link;
};

/* Texts may quote the sender's bytes: what leaves is plain ASCII, so that it is valid in every body. */
struct otlp_result otlp_result_of(leat_rc rc, const char *text)
{
    struct otlp_result result = {.rc = rc};
    (void)snprintf(result.text, sizeof result.text, "%s", text);
    for (char *at = result.text; *at; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
    return result;
}

void otlp_answer(struct otlp_state *otlp, struct otlp_request *request, const struct otlp_result *result)
{
    void *to = request->to;
    request->to = NULL;
    if (to)
        request->reply(otlp, to, request->signal, request->json, result);
}

static void answer(struct otlp_waiting *waiting, leat_rc rc, const char *text)
{
    struct otlp_result result = otlp_result_of(rc, text);
    leat_timer_stop(waiting->otlp->host->loop, &waiting->deadline);
    otlp_answer(waiting->otlp, &waiting->request, &result);
}

/* ---- life ---- */

static void end(struct otlp_waiting *waiting)
{
    struct otlp_state *otlp = waiting->otlp;
    leat_timer_stop(otlp->host->loop, &waiting->deadline);
    leat_list_remove(&waiting->link);
    if (waiting->batch) {
        otlp->waiting_bytes -= waiting->batch->payload.bytes;
        leat_batch_free(waiting->batch);
    }
    leat_obj_free(waiting, sizeof *waiting);
    otlp_tell_stopped(otlp);
}

static void on_deadline(struct leat_timer *timer)
{
    struct otlp_waiting *waiting = timer->ctx;
    leat_host_count(waiting->otlp->host, OTLP_DEADLINE, 1);
    answer(waiting, LEAT_ETIMEOUT, "the deadline has passed");
    if (!waiting->batch)
        return; /* its ack ends it */
    leat_host_refused(waiting->otlp->host, waiting->batch);
    end(waiting);
}

static struct otlp_waiting *waiting_new(struct otlp_state *otlp, const struct otlp_request *request)
{
    struct otlp_waiting *waiting = leat_obj_new(sizeof *waiting);
    if (!waiting)
        return NULL;
    waiting->otlp = otlp;
    waiting->request = *request;
    waiting->deadline = (struct leat_timer){.fire = on_deadline, .ctx = waiting};
    leat_list_init(&waiting->link);
    if (request->timeout_ns)
        leat_timer_start(otlp->host->loop, &waiting->deadline, request->timeout_ns);
    return waiting;
}

/* ---- the end of an ack ---- */

/* All lost: was it the data's fault (never again) or the time's (come again)? */
static struct otlp_result result_of_ack(const struct leat_ack *ack)
{
    uint64_t filtered = ack->dropped[LEAT_DROP_FILTERED], lost = leat_ack_dropped(ack) - filtered;
    uint64_t later = ack->dropped[LEAT_DROP_RETRY_EXHAUSTED] + ack->dropped[LEAT_DROP_SHUTDOWN] +
                     ack->dropped[LEAT_DROP_MEMORY] + ack->dropped[LEAT_DROP_BRANCH_FULL] +
                     ack->dropped[LEAT_DROP_QUEUE_FULL];
    struct otlp_result result = {.rc = LEAT_OK};
    if (lost == 0)
        return result;
    if (ack->delivered + ack->persisted == 0 && later)
        return otlp_result_of(LEAT_AGAIN, "the destination could not be reached in time");
    if (ack->delivered + ack->persisted == 0)
        return otlp_result_of(LEAT_EREFUSED, "the destination refused the data");
    result.rejected = lost;
    (void)snprintf(result.text, sizeof result.text, "%llu items were refused further on", (unsigned long long)lost);
    return result;
}

static void on_final(struct leat_ack *ack)
{
    struct otlp_waiting *waiting = LEAT_CONTAINER(ack, struct otlp_waiting, ack);
    if (!waiting->otlp) {
        leat_obj_free(waiting, sizeof *waiting);
        return;
    }
    struct otlp_result result = result_of_ack(ack);
    otlp_answer(waiting->otlp, &waiting->request, &result);
    end(waiting);
}

/* ---- offering ---- */

static leat_rc emit(struct otlp_waiting *waiting)
{
    struct otlp_state *otlp = waiting->otlp;
    if (otlp->host->waits_final[waiting->request.signal]) {
        leat_ack_init(&waiting->ack, on_final);
        waiting->batch->ack = &waiting->ack;
    }
    uint64_t bytes = waiting->batch->payload.bytes;
    leat_rc rc = leat_emit(otlp->host, waiting->batch);
    if (rc == LEAT_OK) {
        waiting->batch = NULL;
        otlp->waiting_bytes -= bytes;
    }
    return rc;
}

/* True: it has left the line of those who want room, for its ack or for good. */
static bool offer(struct otlp_waiting *waiting)
{
    struct otlp_state *otlp = waiting->otlp;
    leat_rc rc = emit(waiting);
    if (rc == LEAT_AGAIN)
        return false;
    if (rc == LEAT_OK && otlp->host->waits_final[waiting->request.signal]) {
        leat_list_remove(&waiting->link);
        leat_list_push(&otlp->acks, &waiting->link);
        return true;
    }
    if (rc != LEAT_OK)
        leat_host_count(otlp->host, OTLP_NEVER, 1);
    answer(waiting, rc, rc == LEAT_OK ? "" : "the pipeline does not take this");
    end(waiting);
    return true;
}

void otlp_retry_waiting(struct otlp_state *otlp)
{
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++) {
        struct leat_list *room = &otlp->room[signal];
        while (!leat_list_empty(room) && offer(LEAT_CONTAINER(room->next, struct otlp_waiting, link)))
            ;
    }
}

/* Only with block_on_overflow, and never while memory is short: what waits holds its body. */
static bool may_wait(const struct otlp_state *otlp, const struct leat_batch *batch)
{
    return otlp->host->waits_room[batch->signal] && !leat_budget_above_soft(leat_pool_budget(leat_pool_here())) &&
           otlp->waiting_bytes + batch->payload.bytes <= (uint64_t)otlp->conf->max_waiting_bytes;
}

static struct otlp_waiting *refuse(struct otlp_state *otlp, struct otlp_request *request, struct leat_batch *batch,
                                   leat_rc rc)
{
    leat_host_count(otlp->host, rc == LEAT_AGAIN || rc == LEAT_ENOMEM ? OTLP_NO_ROOM : OTLP_NEVER, 1);
    struct otlp_result result = otlp_result_of(rc, rc == LEAT_AGAIN    ? "no room at the moment"
                                                   : rc == LEAT_ENOMEM ? "out of memory"
                                                                       : "the pipeline does not take this");
    if (rc == LEAT_ENOMEM || (rc == LEAT_AGAIN && otlp->host->waits_room[batch->signal]))
        leat_host_refused(otlp->host, batch);
    leat_batch_free(batch);
    otlp_answer(otlp, request, &result);
    return NULL;
}

static struct otlp_waiting *wait_for_room(struct otlp_state *otlp, struct otlp_request *request,
                                          struct leat_batch *batch)
{
    if (!may_wait(otlp, batch))
        return refuse(otlp, request, batch, LEAT_AGAIN);
    struct otlp_waiting *waiting = waiting_new(otlp, request);
    if (!waiting)
        return refuse(otlp, request, batch, LEAT_ENOMEM);
    leat_host_count(otlp->host, OTLP_WAITED, 1);
    waiting->batch = batch;
    otlp->waiting_bytes += batch->payload.bytes;
    leat_list_push(&otlp->room[request->signal], &waiting->link);
    return waiting;
}

/* Accepted is enough: nothing is allocated when there is room. */
static struct otlp_waiting *emit_accepted(struct otlp_state *otlp, struct otlp_request *request,
                                          struct leat_batch *batch)
{
    leat_rc rc = leat_emit(otlp->host, batch);
    if (rc == LEAT_AGAIN)
        return wait_for_room(otlp, request, batch);
    if (rc != LEAT_OK)
        return refuse(otlp, request, batch, rc);
    otlp_answer(otlp, request, &(struct otlp_result){.rc = LEAT_OK});
    return NULL;
}

static struct otlp_waiting *emit_final(struct otlp_state *otlp, struct otlp_request *request, struct leat_batch *batch)
{
    struct otlp_waiting *waiting = waiting_new(otlp, request);
    if (!waiting)
        return refuse(otlp, request, batch, LEAT_ENOMEM);
    waiting->batch = batch;
    otlp->waiting_bytes += batch->payload.bytes;
    leat_rc rc = emit(waiting);
    if (rc == LEAT_OK) {
        leat_list_push(&otlp->acks, &waiting->link);
        return waiting;
    }
    waiting->batch = NULL;
    otlp->waiting_bytes -= batch->payload.bytes;
    batch->ack = NULL;
    end(waiting);
    return rc == LEAT_AGAIN ? wait_for_room(otlp, request, batch) : refuse(otlp, request, batch, rc);
}

struct otlp_waiting *otlp_emit(struct otlp_state *otlp, struct otlp_request *request, struct leat_batch *batch)
{
    if (!leat_list_empty(&otlp->room[request->signal])) /* those who came first go first */
        return wait_for_room(otlp, request, batch);
    return otlp->host->waits_final[request->signal] ? emit_final(otlp, request, batch)
                                                    : emit_accepted(otlp, request, batch);
}

/* ---- leaving ---- */

void otlp_gone(struct otlp_waiting *waiting)
{
    waiting->request.to = NULL;
    leat_timer_stop(waiting->otlp->host->loop, &waiting->deadline);
    if (waiting->batch) /* else its ack is still out */
        end(waiting);
}

void otlp_refuse_waiting(struct otlp_state *otlp)
{
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++) {
        struct leat_list *room = &otlp->room[signal];
        while (!leat_list_empty(room)) {
            struct otlp_waiting *waiting = LEAT_CONTAINER(room->next, struct otlp_waiting, link);
            leat_host_count(otlp->host, OTLP_NO_ROOM, 1);
            leat_host_refused(otlp->host, waiting->batch);
            answer(waiting, LEAT_AGAIN, "shutting down");
            end(waiting);
        }
    }
}

void otlp_forget_acks(struct otlp_state *otlp)
{
    for (struct leat_list *link; (link = leat_list_pop(&otlp->acks));) {
        struct otlp_waiting *waiting = LEAT_CONTAINER(link, struct otlp_waiting, link);
        answer(waiting, LEAT_AGAIN, "shutting down");
        waiting->otlp = NULL;
    }
}
