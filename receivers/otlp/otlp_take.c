/* SPDX-License-Identifier: Apache-2.0 */
/* From a body to a batch. */

#include "agent/base/alloc.h"
#include "agent/net/coding.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_repair.h"
#include "proto/otlp/otlp_validate.h"
#include "receivers/otlp/otlp.h"

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
    batch->transport = body->transport;
    leat_peer_parse(body->peer, batch->peer);
    batch->item_count = counts.items;
    batch->payload = body->bytes;
    body->bytes = (struct leat_chain){0};
    batch->meta = body->meta;
    body->meta = NULL;
    *ret_batch = batch;
    return LEAT_OK;
}

/* A stopping receiver takes nothing more: the client asks the next one. */
static leat_rc take(struct otlp_state *otlp, struct otlp_body *body, struct leat_batch **ret_batch,
                    struct leat_err *reterr)
{
    if (otlp->stopping) {
        leat_host_count(otlp->host, OTLP_NO_ROOM, 1);
        return LEAT_RAISE(reterr, LEAT_AGAIN, 0, "shutting down");
    }
    leat_rc rc = body->with_meta ? otlp_meta(body->headers, &body->meta) : LEAT_OK;
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "out of memory");
    return batch_of(otlp, body, ret_batch, reterr);
}

struct otlp_waiting *otlp_take(struct otlp_state *otlp, struct otlp_request *request, struct otlp_body *body)
{
    struct leat_err err = {0};
    struct leat_batch *batch = NULL;
    leat_rc rc = take(otlp, body, &batch, &err);
    leat_chain_done(&body->bytes);
    body->meta = leat_meta_unref(body->meta);
    if (batch)
        return otlp_emit(otlp, request, batch);
    struct otlp_result result = otlp_result_of(rc, err.text);
    otlp_answer(otlp, request, &result);
    return NULL;
}
