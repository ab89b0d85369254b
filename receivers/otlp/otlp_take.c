/* SPDX-License-Identifier: Apache-2.0 */
/* From a body to a batch, and from the batch's end to the answer. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/net/coding.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_repair.h"
#include "proto/otlp/otlp_validate.h"
#include "receivers/otlp/otlp.h"

/* A request between its body and its answer: it waits for room (batch is ours) or for its end (batch is gone). */
struct otlp_waiting {
    struct leat_ack ack;
    struct otlp_state *otlp;
    const struct otlp_answer *answer;
    void *to; /* NULL: the client has left */
    enum leat_signal signal;
    bool json;
    struct leat_batch *batch;
    struct leat_list link;
};

static struct otlp_result result_of(leat_rc rc, const char *text)
{
    struct otlp_result result = {.rc = rc};
    (void)snprintf(result.text, sizeof result.text, "%s", text);
    return result;
}

static leat_rc refuse(struct otlp_state *otlp, enum otlp_count row, leat_rc rc)
{
    leat_host_count(otlp->host, row, 1);
    return rc;
}

/* ---- bytes ---- */

static leat_rc decompress(struct otlp_state *otlp, struct otlp_body *body, struct leat_err *reterr)
{
    struct leat_chain plain = {0};
    if (body->coding == LEAT_CODING_NONE)
        return LEAT_OK;
    leat_rc rc = leat_decode(body->coding, &body->bytes, body->bytes_max, &plain, reterr);
    if (rc == LEAT_ELIMIT)
        return refuse(otlp, OTLP_TOO_LARGE, rc);
    if (rc != LEAT_OK)
        return rc == LEAT_EPARSE ? refuse(otlp, OTLP_BAD_CODING, rc) : rc;
    leat_chain_done(&body->bytes);
    body->bytes = plain;
    return LEAT_OK;
}

static leat_rc from_json(struct otlp_state *otlp, struct otlp_body *body, struct leat_err *reterr)
{
    struct leat_chain proto = {0};
    if (!body->json)
        return LEAT_OK;
    leat_rc rc = otlp_json_read(body->signal, &body->bytes, &proto, reterr);
    if (rc != LEAT_OK)
        return rc == LEAT_EPARSE ? refuse(otlp, OTLP_BAD_JSON, rc) : rc;
    leat_chain_done(&body->bytes);
    body->bytes = proto;
    return LEAT_OK;
}

static leat_rc validate(struct otlp_state *otlp, struct otlp_body *body, struct otlp_counts *ret_counts,
                        struct leat_err *reterr)
{
    leat_rc rc = otlp_validate(body->signal, &body->bytes, ret_counts, reterr);
    if (rc != LEAT_OK)
        return refuse(otlp, OTLP_BAD_PROTOBUF, rc);
    if (ret_counts->bad_utf8 == 0)
        return LEAT_OK;
    struct leat_chain repaired = {0};
    rc = otlp_repair(body->signal, &body->bytes, &repaired, reterr);
    if (rc != LEAT_OK)
        return rc;
    leat_chain_done(&body->bytes);
    body->bytes = repaired;
    return LEAT_OK;
}

static leat_rc batch_of(struct otlp_state *otlp, struct otlp_body *body, struct leat_batch **ret_batch,
                        struct leat_err *reterr)
{
    struct otlp_counts counts = {0};
    leat_rc rc = decompress(otlp, body, reterr);
    if (rc == LEAT_OK)
        rc = from_json(otlp, body, reterr);
    if (rc == LEAT_OK)
        rc = validate(otlp, body, &counts, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (counts.items == 0) {
        leat_host_count(otlp->host, OTLP_EMPTY, 1);
        return LEAT_OK;
    }
    struct leat_batch *batch = leat_batch_new(body->signal, &otlp_form);
    if (!batch)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    batch->item_count = counts.items;
    batch->payload = body->bytes;
    body->bytes = (struct leat_chain){0};
    batch->meta = body->meta;
    body->meta = NULL;
    *ret_batch = batch;
    return LEAT_OK;
}

/* ---- answers ---- */

static void end_waiting(struct otlp_waiting *waiting)
{
    leat_list_remove(&waiting->link);
    struct otlp_state *otlp = waiting->otlp;
    leat_free(waiting);
    otlp_tell_stopped(otlp);
}

static void reply(struct otlp_waiting *waiting, const struct otlp_result *result)
{
    if (waiting->to)
        waiting->answer->reply(waiting->otlp, waiting->to, waiting->signal, waiting->json, result);
    waiting->to = NULL;
}

/* All lost: was it the data's fault (never again) or the time's (come again)? */
static struct otlp_result result_of_ack(const struct leat_ack *ack)
{
    uint64_t lost = leat_ack_dropped(ack), kept = ack->delivered + ack->persisted;
    struct otlp_result result = {.rc = LEAT_OK};
    if (lost == 0)
        return result;
    uint64_t later = ack->dropped[LEAT_DROP_RETRY_EXHAUSTED] + ack->dropped[LEAT_DROP_SHUTDOWN] +
                     ack->dropped[LEAT_DROP_MEMORY] + ack->dropped[LEAT_DROP_BRANCH_FULL];
    if (kept == 0 && later)
        return result_of(LEAT_AGAIN, "the destination could not be reached in time");
    if (kept == 0 && ack->dropped[LEAT_DROP_FILTERED] < lost)
        return result_of(LEAT_EREFUSED, "the destination refused the data");
    result.rejected = lost - ack->dropped[LEAT_DROP_FILTERED];
    if (result.rejected)
        (void)snprintf(result.text, sizeof result.text, "%llu items were refused further on",
                       (unsigned long long)result.rejected);
    return result;
}

static void on_final(struct leat_ack *ack)
{
    struct otlp_waiting *waiting = LEAT_CONTAINER(ack, struct otlp_waiting, ack);
    struct otlp_result result = result_of_ack(ack);
    reply(waiting, &result);
    end_waiting(waiting);
}

/* Offers the batch. True: the request is still here, waiting for room (it has its batch) or for its ack. False: it was
 * answered and is gone. */
static bool offer(struct otlp_waiting *waiting)
{
    struct otlp_state *otlp = waiting->otlp;
    bool final = otlp->host->waits_final[waiting->signal];
    if (final) {
        leat_ack_init(&waiting->ack, on_final);
        waiting->batch->ack = &waiting->ack;
    }
    leat_rc rc = leat_emit(otlp->host, waiting->batch);
    if (rc == LEAT_AGAIN && otlp->host->waits_room[waiting->signal])
        return true;
    if (rc == LEAT_OK) {
        waiting->batch = NULL;
        if (final)
            return true;
        reply(waiting, &(struct otlp_result){.rc = LEAT_OK});
    } else {
        leat_host_count(otlp->host, OTLP_NO_ROOM, 1);
        struct otlp_result result = result_of(rc, "no room at the moment");
        leat_batch_free(waiting->batch);
        waiting->batch = NULL;
        reply(waiting, &result);
    }
    end_waiting(waiting);
    return false;
}

void otlp_retry_waiting(struct otlp_state *otlp)
{
    LEAT_LIST_EACH (node, &otlp->waiting) {
        struct otlp_waiting *waiting = LEAT_CONTAINER(node, struct otlp_waiting, link);
        if (waiting->batch && offer(waiting) && waiting->batch)
            return; /* still no room */
    }
}

void otlp_gone(struct otlp_waiting *waiting)
{
    waiting->to = NULL;
    if (!waiting->batch)
        return; /* its ack is still out */
    leat_batch_free(waiting->batch);
    end_waiting(waiting);
}

/* The common case: accepted is enough and there is room; nothing is allocated for the wait. */
static bool emit_now(struct otlp_state *otlp, const struct otlp_answer *answer, void *to, struct leat_batch *batch,
                     bool json)
{
    enum leat_signal signal = batch->signal;
    if (otlp->host->waits_final[signal])
        return false;
    leat_rc rc = leat_emit(otlp->host, batch);
    if (rc == LEAT_AGAIN && otlp->host->waits_room[signal])
        return false;
    struct otlp_result result = {.rc = rc};
    if (rc != LEAT_OK) {
        leat_host_count(otlp->host, OTLP_NO_ROOM, 1);
        result = result_of(rc, "no room at the moment");
        leat_batch_free(batch);
    }
    answer->reply(otlp, to, signal, json, &result);
    return true;
}

static struct otlp_waiting *wait(struct otlp_state *otlp, const struct otlp_answer *answer, void *to,
                                 struct leat_batch *batch, bool json)
{
    struct otlp_waiting *waiting = leat_zalloc(1, sizeof *waiting);
    if (!waiting) {
        struct otlp_result result = result_of(LEAT_ENOMEM, "out of memory");
        answer->reply(otlp, to, batch->signal, json, &result);
        leat_batch_free(batch);
        return NULL;
    }
    *waiting = (struct otlp_waiting){.otlp = otlp, .answer = answer, .to = to, .signal = batch->signal, .json = json,
                                     .batch = batch};
    leat_list_init(&waiting->link);
    leat_list_push(&otlp->waiting, &waiting->link);
    return !otlp->host->waits_final[waiting->signal] || offer(waiting) ? waiting : NULL;
}

struct otlp_waiting *otlp_take(struct otlp_state *otlp, const struct otlp_answer *answer, void *to,
                               struct otlp_body *body)
{
    struct leat_err err = {0};
    struct leat_batch *batch = NULL;
    struct otlp_waiting *waiting = NULL;
    enum leat_signal signal = body->signal;
    leat_rc rc = batch_of(otlp, body, &batch, &err);
    if (rc != LEAT_OK || !batch) {
        struct otlp_result result = result_of(rc, err.text);
        answer->reply(otlp, to, signal, body->json, &result);
    } else if (!emit_now(otlp, answer, to, batch, body->json)) {
        waiting = wait(otlp, answer, to, batch, body->json);
    }
    leat_chain_done(&body->bytes);
    leat_meta_unref(body->meta);
    return waiting;
}
