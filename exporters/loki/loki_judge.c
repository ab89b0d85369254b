/* SPDX-License-Identifier: Apache-2.0 */
/* Loki stores what is valid before it answers 400: such a request is never sent again. */
#include <ctype.h>

#include "exporters/loki/loki.h"

#define TEXT(reply) (int)((reply)->body.len < 128 ? (reply)->body.len : 128), (const char *)(reply)->body.at

/* "total ignored: 3 out of 10 for user fake, stream: ...": how many of them, over all streams named. */
static uint32_t ignored_count(struct leat_slice body)
{
    static const char words[] = "total ignored: ";
    uint64_t sum = 0;
    const uint8_t *at = body.at, *end = body.at + body.len;
    while (body.len && (at = memmem(at, (size_t)(end - at), words, sizeof words - 1)) != NULL) {
        at += sizeof words - 1;
        uint64_t n = 0;
        for (; at < end && isdigit(*at) && n < UINT32_MAX; at++)
            n = n * 10 + (uint64_t)(*at - '0');
        sum += n;
    }
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

static leat_rc judge_bad(const struct leat_reply *reply, struct leat_verdict *out)
{
    uint32_t ignored = ignored_count(reply->body);
    if (ignored == 0 || ignored >= reply->request->count)
        return leat_verdict_drop(out, false, "status 400: %.*s", TEXT(reply));
    (void)leat_verdict_drop(out, false, "status 400: %.*s", TEXT(reply)); /* for its text */
    return leat_verdict_delivered(out, ignored);
}

leat_rc loki_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)state;
    (void)reterr;
    switch (reply->status) {
    case 260: /* a blocked tenant: looks like success and is none */
    case 401:
    case 403:
    case 404:
        return leat_verdict_hold(out, "status %d: %.*s", reply->status, TEXT(reply));
    case 400:
        return judge_bad(reply, out);
    case 413:
        return leat_verdict_split(out, "status %d: %.*s", reply->status, TEXT(reply));
    case 429:
        (void)leat_verdict_retry(out, "status %d: %.*s", reply->status, TEXT(reply));
        out->slow_down = true;
        return LEAT_OK;
    default:
        break;
    }
    if (reply->status / 100 == 2)
        return leat_verdict_delivered(out, 0);
    if (reply->status / 100 == 3)
        return leat_verdict_hold(out, "status %d: the address has moved", reply->status);
    if (reply->status / 100 == 5) {
        (void)leat_verdict_retry(out, "status %d: %.*s", reply->status, TEXT(reply));
        out->slow_down = true;
        return LEAT_OK;
    }
    return leat_verdict_drop(out, false, "status %d: %.*s", reply->status, TEXT(reply));
}
