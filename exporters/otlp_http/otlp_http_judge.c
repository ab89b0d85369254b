/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/otlp_http/otlp_http.h"
#include "proto/otlp_reply/otlp_reply.h"

enum answer { PROTOBUF, JSON, OTHER };

static enum answer answer_kind(const struct leat_reply *reply)
{
    struct leat_slice type = leat_headers_get(reply->headers, "Content-Type");
    const uint8_t *end = type.len ? memchr(type.at, ';', type.len) : NULL;
    if (end)
        type.len = (uint32_t)(end - type.at);
    while (type.len && type.at[type.len - 1] == ' ')
        type.len--;
    if (leat_slice_ieq(type, LEAT_SLICE("application/x-protobuf")))
        return PROTOBUF;
    return leat_slice_ieq(type, LEAT_SLICE("application/json")) ? JSON : OTHER;
}

/* An answer of another kind, or none (Loki's 204), is plain success; so is one that cannot be read: the status has
 * decided, and only what a partial success would have said is hidden. */
static leat_rc judge_success(const struct leat_reply *reply, struct leat_verdict *out)
{
    struct otlp_reply answer = {0};
    enum answer kind = answer_kind(reply);
    if (kind == OTHER || reply->body.len == 0)
        return leat_verdict_delivered(out, 0);
    leat_rc rc = kind == PROTOBUF ? otlp_reply_read(reply->body, &answer) : otlp_reply_read_json(reply->body, &answer);
    if (rc != LEAT_OK)
        answer = (struct otlp_reply){.text = LEAT_SLICE("its body cannot be read")};
    uint64_t rejected = answer.rejected < reply->request->count ? answer.rejected : reply->request->count;
    (void)leat_verdict_delivered(out, (uint32_t)rejected);
    uint32_t len = answer.text.len < sizeof out->text - 1 ? answer.text.len : (uint32_t)sizeof out->text - 1;
    if (len)
        memcpy(out->text, answer.text.at, len);
    out->text[len] = 0;
    return LEAT_OK;
}

/* What the server says of the failure: a google.rpc.Status, or its bytes as they are. */
static struct leat_slice failure_text(const struct leat_reply *reply, struct otlp_reply *scratch)
{
    enum answer kind = answer_kind(reply);
    if ((kind == PROTOBUF && otlp_reply_status(reply->body, scratch) == LEAT_OK) ||
        (kind == JSON && otlp_reply_status_json(reply->body, scratch) == LEAT_OK))
        return leat_slice_sub(scratch->text, 0, scratch->text.len < 128 ? scratch->text.len : 128);
    return leat_slice_sub(reply->body, 0, reply->body.len < 128 ? reply->body.len : 128);
}

leat_rc otlp_http_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)state;
    (void)reterr;
    if (reply->status / 100 == 2)
        return judge_success(reply, out);
    struct otlp_reply scratch = {0};
    struct leat_slice text = failure_text(reply, &scratch);
    int status = reply->status == 500 && otlp_reply_rate_limited(reply->body) ? 429 : reply->status;
    switch (status) {
    case 429:
    case 503:
        (void)leat_verdict_retry(out, "status %d: %.*s", reply->status, LEAT_SLICE_ARGS(text));
        out->slow_down = true;
        return LEAT_OK;
    case 502:
    case 504:
        return leat_verdict_retry(out, "status %d: %.*s", reply->status, LEAT_SLICE_ARGS(text));
    case 413:
        return leat_verdict_split(out, "status %d: %.*s", reply->status, LEAT_SLICE_ARGS(text));
    case 401:
    case 403:
    case 404:
        return leat_verdict_hold(out, "status %d: %.*s", reply->status, LEAT_SLICE_ARGS(text));
    default: /* a redirect points elsewhere for everything; a 4xx is about these bytes, smaller parts may pass */
        if (reply->status / 100 == 3)
            return leat_verdict_hold(out, "status %d: the address has moved", reply->status);
        return leat_verdict_drop(out, reply->status / 100 == 4, "status %d: %.*s", reply->status,
                                 LEAT_SLICE_ARGS(text));
    }
}
