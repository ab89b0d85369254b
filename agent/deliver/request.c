/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/request.h"

#include <stdarg.h>
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/obj.h"

/* Doubles an array that is full; the old one stays on failure. */
static void *room_for_one(void *at, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room)
        return at;
    uint32_t more = *room ? *room * 2 : 1;
    void *grown = leat_obj_new(more * size);
    if (!grown)
        return NULL;
    if (count)
        memcpy(grown, at, count * size);
    leat_obj_free(at, *room * size);
    *room = more;
    return grown;
}

struct leat_request *leat_requests_add(struct leat_requests *requests)
{
    struct leat_request *at = room_for_one(requests->at, requests->count, &requests->room, sizeof *at);
    if (!at)
        return NULL;
    requests->at = at;
    at[requests->count] = (struct leat_request){0};
    return &at[requests->count++];
}

leat_rc leat_request_header(struct leat_request *request, struct leat_slice name, struct leat_slice value)
{
    if (request->header_count == LEAT_REQUEST_HEADERS_MAX)
        return LEAT_EFULL;
    request->headers[request->header_count++] = (struct leat_header){name, value};
    return LEAT_OK;
}

leat_rc leat_requests_reject(struct leat_requests *requests, uint32_t item, uint32_t count, const char *reason)
{
    struct leat_reject *at = room_for_one(requests->rejects, requests->reject_count, &requests->reject_room, sizeof *at);
    if (!at)
        return LEAT_ENOMEM;
    requests->rejects = at;
    at[requests->reject_count++] = (struct leat_reject){item, count, reason};
    return LEAT_OK;
}

leat_rc leat_requests_keep(struct leat_requests *requests, const void *at, uint32_t len, struct leat_slice *ret_kept)
{
    leat_rc rc = leat_chain_copy(&requests->kept, at, len);
    if (rc != LEAT_OK || len == 0) {
        *ret_kept = (struct leat_slice){0};
        return rc;
    }
    const struct leat_slice *last = &requests->kept.vec[requests->kept.count - 1]; /* may have joined its neighbour */
    *ret_kept = leat_slice_sub(*last, last->len - len, len);
    return LEAT_OK;
}

void leat_request_done(struct leat_request *request)
{
    leat_chain_done(&request->body);
    leat_free(request->bitmap);
    request->bitmap = NULL;
    request->note = leat_mem_unref(request->note);
}

void leat_requests_done(struct leat_requests *requests)
{
    for (uint32_t i = 0; i < requests->count; i++)
        leat_request_done(&requests->at[i]);
    leat_obj_free(requests->at, requests->room * sizeof *requests->at);
    leat_obj_free(requests->rejects, requests->reject_room * sizeof *requests->rejects);
    leat_chain_done(&requests->kept);
    *requests = (struct leat_requests){0};
}

LEAT_PRINTF(3, 0)
static void say(struct leat_verdict *out, enum leat_verdict_kind kind, const char *fmt, va_list args)
{
    out->kind = kind;
    (void)vsnprintf(out->text, sizeof out->text, fmt, args);
}

leat_rc leat_verdict_delivered(struct leat_verdict *out, uint32_t rejected)
{
    out->kind = LEAT_VERDICT_DELIVERED;
    out->rejected = rejected;
    return LEAT_OK;
}

leat_rc leat_verdict_retry(struct leat_verdict *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(out, LEAT_VERDICT_RETRY, fmt, args);
    va_end(args);
    return LEAT_OK;
}

leat_rc leat_verdict_split(struct leat_verdict *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(out, LEAT_VERDICT_SPLIT, fmt, args);
    va_end(args);
    return LEAT_OK;
}

leat_rc leat_verdict_drop(struct leat_verdict *out, bool isolate, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(out, LEAT_VERDICT_DROP, fmt, args);
    va_end(args);
    out->isolate = isolate;
    return LEAT_OK;
}

leat_rc leat_verdict_hold(struct leat_verdict *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(out, LEAT_VERDICT_HOLD, fmt, args);
    va_end(args);
    return LEAT_OK;
}
