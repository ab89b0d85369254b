/* SPDX-License-Identifier: Apache-2.0 */
/* A 2.0 receiver says in headers how much it has written; one that says nothing has not understood. */
#include <ctype.h>

#include "exporters/prometheus_remote_write/prometheus_remote_write.h"

#define ASK_AGAIN_NS (4 * 3600 * 1000000000ull)
#define TEXT(reply) (int)((reply)->body.len < 120 ? (reply)->body.len : 120), (const char *)(reply)->body.at

bool prw__sends_two(const struct prw_state *prw)
{
    if (prw->conf->message != PRW_AUTO)
        return prw->conf->message == PRW_TWO;
    return prw->one_until_ns == 0 || prw->world->mono_ns(prw->world) >= prw->one_until_ns;
}

struct written {
    bool said;
    uint64_t count; /* samples and histograms */
};

static uint64_t number(struct leat_slice text)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < text.len && isdigit(text.at[i]) && n < UINT32_MAX; i++)
        n = n * 10 + (uint64_t)(text.at[i] - '0');
    return n;
}

static struct written written_of(const struct prw_state *prw, const struct leat_reply *reply)
{
    static const char *const names[] = {"X-Prometheus-Remote-Write-Samples-Written", "X-Prometheus-Remote-Write-Histograms-Written",
                                        "X-Prometheus-Remote-Write-Exemplars-Written"};
    struct written written = {0};
    for (int i = 0; i < 3; i++) {
        struct leat_slice value = leat_headers_get(reply->headers, names[i]);
        written.said |= value.at != NULL;
        written.count += i < 2 ? number(value) : 0;
        prw__count(prw, PRW_COUNT_SAMPLES + (enum prw_count)i, number(value));
    }
    return written;
}

/* 2.0 is not taken there. */
static leat_rc not_two(struct prw_state *prw, const struct leat_reply *reply, struct leat_verdict *out)
{
    if (prw->conf->message == PRW_TWO)
        return leat_verdict_hold(out, "status %d: the destination does not take remote write 2.0: set protobuf_message", reply->status);
    prw->one_until_ns = prw->world->mono_ns(prw->world) + ASK_AGAIN_NS;
    out->kind = LEAT_VERDICT_REENCODE;
    return LEAT_OK;
}

/* Some of it may have been written: what is said was. */
static leat_rc partly(const struct prw_state *prw, const struct leat_reply *reply, uint64_t written, struct leat_verdict *out)
{
    uint64_t sent = reply->request->tag >> 2, lost = sent > written ? sent - written : 0, items = reply->request->count;
    (void)leat_verdict_drop(out, false, "status %d: %llu of %llu samples written: %.*s", reply->status, (unsigned long long)written,
                            (unsigned long long)sent, TEXT(reply)); /* for its text */
    prw__count(prw, PRW_COUNT_PARTIAL, lost > 0);
    prw__count(prw, PRW_COUNT_NOT_WRITTEN, lost);
    if (reply->status / 100 == 2 && lost == 0)
        out->text[0] = 0;
    return leat_verdict_delivered(out, (uint32_t)(written == 0 && sent ? items : lost < items ? lost : items));
}

static leat_rc judge_two(struct prw_state *prw, const struct leat_reply *reply, struct leat_verdict *out)
{
    struct written written = written_of(prw, reply);
    prw->speaks_two |= written.said;
    if (written.said) {
        prw->one_until_ns = 0;
        return partly(prw, reply, written.count, out);
    }
    if (reply->status / 100 == 2 || reply->status == 415 || !prw->speaks_two)
        return not_two(prw, reply, out);
    return leat_verdict_drop(out, true, "status 400: %.*s", TEXT(reply));
}

static leat_rc busy(const struct leat_reply *reply, struct leat_verdict *out)
{
    (void)leat_verdict_retry(out, "status %d: %.*s", reply->status, TEXT(reply));
    out->slow_down = true;
    return LEAT_OK;
}

leat_rc prw_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)reterr;
    struct prw_state *prw = state;
    enum prw_kind kind = reply->request->tag & 3;
    int status = reply->status;
    if (status / 100 == 5)
        return busy(reply, out);
    if (status == 429)
        return prw->conf->retry_on_429 ? busy(reply, out) : leat_verdict_drop(out, false, "status 429: %.*s", TEXT(reply));
    if (status == 401 || status == 403 || status == 404)
        return leat_verdict_hold(out, "status %d: %.*s", status, TEXT(reply));
    if (status / 100 == 3)
        return leat_verdict_hold(out, "status %d: the address has moved", status);
    if (status == 413)
        return leat_verdict_split(out, "status 413: %.*s", TEXT(reply));
    if (kind == PRW_KIND_TWO && (status / 100 == 2 || status == 400 || status == 415))
        return judge_two(prw, reply, out);
    if (status / 100 == 2)
        return leat_verdict_delivered(out, 0);
    return leat_verdict_drop(out, status == 400, "status %d: %.*s", status, TEXT(reply)); /* 1.0: nothing of a 400 is kept */
}
