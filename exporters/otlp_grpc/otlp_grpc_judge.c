/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/grpc.h"
#include "exporters/otlp_grpc/otlp_grpc.h"
#include "proto/otlp_reply/otlp_reply.h"

/* The status has decided. A message that cannot be read hides only what a partial success would have said. */
static leat_rc judge_success(const struct leat_reply *reply, struct leat_verdict *out)
{
    struct otlp_reply answer = {0};
    if (otlp_reply_read(reply->body, &answer) != LEAT_OK)
        answer = (struct otlp_reply){.text = LEAT_SLICE("status OK, but its message cannot be read")};
    else if (answer.text.len == 0)
        answer.text = reply->message;
    uint64_t rejected = answer.rejected < reply->request->count ? answer.rejected : reply->request->count;
    (void)leat_verdict_delivered(out, (uint32_t)rejected);
    uint32_t len = answer.text.len < sizeof out->text - 1 ? answer.text.len : (uint32_t)sizeof out->text - 1;
    if (len)
        memcpy(out->text, answer.text.at, len);
    out->text[len] = 0;
    return LEAT_OK;
}

static bool mentions(struct leat_slice text, const char *words)
{
    return text.len && memmem(text.at, text.len, words, strlen(words)) != NULL;
}

/* gRPC libraries say "received message larger than max", "grpc: received message after decompression larger than max".
 */
static bool speaks_of_size(struct leat_slice text)
{
    return mentions(text, "larger than max") || mentions(text, "message size") || mentions(text, "too large");
}

static leat_rc judge_exhausted(const struct leat_reply *reply, struct leat_verdict *out, struct leat_slice text)
{
    if (reply->has_retry_after || otlp_reply_rate_limited(reply->message)) {
        (void)leat_verdict_retry(out, "RESOURCE_EXHAUSTED: %.*s", LEAT_SLICE_ARGS(text));
        out->slow_down = true;
        return LEAT_OK;
    }
    if (speaks_of_size(reply->message))
        return leat_verdict_split(out, "RESOURCE_EXHAUSTED: %.*s", LEAT_SLICE_ARGS(text));
    return leat_verdict_drop(out, false, "RESOURCE_EXHAUSTED without RetryInfo: %.*s", LEAT_SLICE_ARGS(text));
}

leat_rc otlp_grpc_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)state;
    (void)reterr;
    struct leat_slice text = leat_slice_sub(reply->message, 0, reply->message.len < 128 ? reply->message.len : 128);
    const char *name = leat_grpc_code_name(reply->status);
    switch (reply->status) {
    case LEAT_GRPC_OK:
        return judge_success(reply, out);
    case LEAT_GRPC_UNAVAILABLE:
        (void)leat_verdict_retry(out, "%s: %.*s", name, LEAT_SLICE_ARGS(text));
        out->slow_down = true;
        return LEAT_OK;
    case LEAT_GRPC_CANCELLED:
    case LEAT_GRPC_DEADLINE_EXCEEDED:
    case LEAT_GRPC_ABORTED:
    case LEAT_GRPC_OUT_OF_RANGE:
    case LEAT_GRPC_DATA_LOSS:
        return leat_verdict_retry(out, "%s: %.*s", name, LEAT_SLICE_ARGS(text));
    case LEAT_GRPC_RESOURCE_EXHAUSTED:
        return judge_exhausted(reply, out, text);
    case LEAT_GRPC_UNAUTHENTICATED:
    case LEAT_GRPC_PERMISSION_DENIED:
    case LEAT_GRPC_UNIMPLEMENTED:
        return leat_verdict_hold(out, "%s: %.*s", name, LEAT_SLICE_ARGS(text));
    default: /* INVALID_ARGUMENT is about these bytes: smaller parts may pass */
        return leat_verdict_drop(out, reply->status == LEAT_GRPC_INVALID_ARGUMENT, "%s: %.*s", name,
                                 LEAT_SLICE_ARGS(text));
    }
}
