/* SPDX-License-Identifier: Apache-2.0 */
/* A profile that came: unpacked and checked, perhaps made a difference, then wrapped and sent on. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/net/coding.h"
#include "proto/pprof/pprof_form.h"
#include "proto/pprof/pprof_push.h"
#include "receivers/pprof/pprof.h"

/* ---- on the way out ---- */

void pprof__finish(struct pprof_receiver *receiver)
{
    void (*stopped)(void *) = receiver->stopped;
    if (!stopped || !leat_list_empty(&receiver->inflight) || !leat_list_empty(&receiver->waiting))
        return;
    receiver->stopped = NULL;
    stopped(receiver->stopped_ctx);
}

static void forget(struct pprof_pending *pending)
{
    leat_list_remove(&pending->link);
    pending->receiver->inflight_bytes -= pending->bytes;
    leat_free(pending);
}

static void on_final(struct leat_ack *ack)
{
    struct pprof_pending *pending = LEAT_CONTAINER(ack, struct pprof_pending, ack);
    struct pprof_receiver *receiver = pending->receiver;
    forget(pending);
    pprof__finish(receiver);
}

/* False: it waits. */
static bool emit(struct pprof_receiver *receiver, struct pprof_pending *pending)
{
    struct leat_batch *batch = pending->batch;
    leat_list_push(&receiver->inflight, &pending->link);
    pending->batch = NULL;
    leat_rc rc = leat_emit(receiver->host, batch);
    if (rc == LEAT_OK)
        return true;
    leat_list_remove(&pending->link);
    if (leat_rc_fate(rc) == LEAT_FATE_RETRY && !receiver->stopping) {
        pending->batch = batch;
        leat_list_push_front(&receiver->waiting, &pending->link);
        return false;
    }
    leat_list_init(&pending->link);
    pprof__count(receiver, PPROF_REFUSED, 1);
    leat_batch_free(batch);
    forget(pending);
    return true;
}

void pprof__emit_waiting(struct pprof_receiver *receiver)
{
    while (!leat_list_empty(&receiver->waiting)) {
        struct pprof_pending *pending = LEAT_CONTAINER(leat_list_pop(&receiver->waiting), struct pprof_pending, link);
        leat_list_init(&pending->link);
        if (!emit(receiver, pending))
            return;
    }
}

static leat_rc send(struct pprof_loop *loop, const struct leat_chain *profile)
{
    struct pprof_receiver *receiver = loop->receiver;
    struct leat_world *world = receiver->host->world;
    struct pprof_pending *pending = leat_zalloc(1, sizeof *pending);
    struct leat_batch *batch = pending ? leat_batch_new(LEAT_PROFILES, &pprof_form) : NULL;
    uint64_t words[2] = {world->random(world), world->random(world)};
    char id[PPROF_PUSH_ID_LEN];
    if (!batch) {
        leat_free(pending);
        return LEAT_ENOMEM;
    }
    pprof_push_id((const uint8_t *)words, id);
    leat_rc rc = pprof_push_put(&batch->payload, leat_slice_of(loop->labels.at, (uint32_t)loop->labels.len), id, profile);
    if (rc != LEAT_OK) {
        leat_batch_free(batch);
        leat_free(pending);
        return rc;
    }
    leat_ack_init(&pending->ack, on_final);
    leat_list_init(&pending->link);
    pending->receiver = receiver;
    pending->bytes = batch->payload.bytes;
    pending->batch = batch;
    receiver->inflight_bytes += pending->bytes;
    batch->item_count = 1;
    batch->ack = &pending->ack;
    if (leat_list_empty(&receiver->waiting) && !receiver->paused)
        (void)emit(receiver, pending);
    else
        leat_list_push(&receiver->waiting, &pending->link);
    return LEAT_OK;
}

/* ---- on the way in ---- */

static void fail(struct pprof_loop *loop, enum pprof_row row, const char *text)
{
    pprof__count(loop->receiver, row, 1);
    pprof__complain(loop, text);
}

static enum pprof_row row_of(leat_rc rc, enum pprof_row otherwise)
{
    return rc == LEAT_ELIMIT ? PPROF_FAIL_BODY_SIZE : rc == LEAT_ENOMEM ? PPROF_FAIL_MEMORY : otherwise;
}

static bool is_gzip(const struct leat_chain *body)
{
    uint8_t magic[2] = {0};
    return leat_chain_put(body, magic, sizeof magic) == sizeof magic && magic[0] == 0x1f && magic[1] == 0x8b;
}

/* The profile's own bytes in one piece. */
static leat_rc unpack(const struct pprof_loop *loop, const struct leat_chain *body, struct leat_slice *ret_plain, struct leat_err *err)
{
    struct leat_chain plain = {0};
    leat_rc rc = is_gzip(body) ? leat_decode(LEAT_CODING_GZIP, body, (uint64_t)loop->job->conf->body_size_limit, &plain, err)
                               : leat_chain_share_all(&plain, body);
    if (rc == LEAT_OK && (rc = leat_chain_flat(&plain, ret_plain)) != LEAT_OK)
        rc = LEAT_RAISE(err, rc, 0, "no memory for a profile of %llu bytes", (unsigned long long)plain.bytes);
    leat_chain_done(&plain);
    return rc;
}

/* What the last profile left behind counts as memory. */
static void charge(struct pprof_loop *loop)
{
    struct leat_budget *budget = leat_pool_budget(leat_pool_here());
    uint64_t bytes = pprof_delta_bytes(&loop->delta);
    leat_budget_discharge(budget, loop->charged_bytes);
    loop->charged_bytes = 0;
    if (leat_budget_charge(budget, bytes)) {
        loop->charged_bytes = bytes;
        return;
    }
    pprof_delta_done(&loop->delta); /* begins again with a baseline */
    fail(loop, PPROF_FAIL_MEMORY, "no memory for the counts of the last profile");
}

static leat_rc pack(const struct pb_buf *plain, struct leat_chain *ret, struct leat_err *err)
{
    struct leat_chain in = {0};
    leat_rc rc = leat_chain_take(&in, leat_slice_of(plain->at, (uint32_t)plain->len));
    if (rc == LEAT_OK)
        rc = leat_encode(LEAT_CODING_GZIP, 0, &in, ret, err);
    leat_chain_done(&in);
    return rc;
}

static leat_rc send_as_served(struct pprof_loop *loop, const struct pprof *pprof, const struct leat_chain *body)
{
    pprof__count(loop->receiver, PPROF_EMPTY, pprof->sample_count == 0);
    return pprof->sample_count ? send(loop, body) : LEAT_OK;
}

static leat_rc send_delta(struct pprof_loop *loop, const struct pprof *pprof, const struct leat_chain *body, struct leat_err *err)
{
    struct pprof_delta_said said;
    struct pb_buf out = {0};
    struct leat_chain packed = {0};
    leat_rc rc = pprof_delta_run(&loop->delta, pprof, &out, &said);
    if (rc == LEAT_OK && !said.cumulative) {
        rc = send_as_served(loop, pprof, body);
        goto end;
    }
    if (rc == LEAT_OK && said.samples && (rc = pack(&out, &packed, err)) == LEAT_OK)
        rc = send(loop, &packed);
    if (rc == LEAT_OK) { /* else the next profile says what grew since the one that was sent */
        pprof_delta_keep(&loop->delta);
        pprof__count(loop->receiver, PPROF_BASELINES, said.first);
        pprof__count(loop->receiver, PPROF_RESETS, said.reset);
        pprof__count(loop->receiver, PPROF_EMPTY, said.samples == 0);
    }
    charge(loop);
end:
    leat_chain_done(&packed);
    pb_buf_done(&out);
    return rc;
}

void pprof__take(struct pprof_loop *loop, struct leat_chain *body)
{
    struct leat_slice plain = {0};
    struct leat_err err = {0};
    struct pprof pprof;
    leat_rc rc = unpack(loop, body, &plain, &err);
    if (rc != LEAT_OK) {
        fail(loop, row_of(rc, PPROF_FAIL_ENCODING), err.text);
        goto end;
    }
    rc = pprof_open(plain, &pprof, &err);
    if (rc != LEAT_OK) {
        fail(loop, row_of(rc, PPROF_FAIL_PROFILE), err.text);
        goto end;
    }
    rc = loop->kind->delta ? send_delta(loop, &pprof, body, &err) : send_as_served(loop, &pprof, body);
    pprof_close(&pprof);
    if (rc != LEAT_OK)
        fail(loop, row_of(rc, PPROF_FAIL_MEMORY), err.text[0] ? err.text : "out of memory");
end:
    (void)leat_mem_unref(plain.mem);
    leat_chain_done(body);
}
