/* SPDX-License-Identifier: Apache-2.0 */
/* What must be done at the destination before the first batch (tables, templates): the exporter's prepare() makes
 * requests without items; they go out one after the other, and the queue waits until the last was answered well.
 *
 *   IDLE -> OUT -> (good) next, or DONE -> the pump goes on
 *            ^  \-> (anything else) WAIT: 5 s, later 30 s, then all again from the first: each request may be repeated,
 *                   and what an earlier one made may be gone by then
 *
 * A hold may be one because something is gone or has changed: before its probes all is prepared again. So it is before
 * the next batch when a judge says prepare_again. */
#include "agent/base/alloc.h"
#include "agent/deliver/sender_inner.h"

#define WAIT_NS 5000000000ull
#define WAIT_LONG_NS 30000000000ull
#define QUICK_TRIES 6u

struct leat_sender__preparation {
    struct leat_sender *sender;
    struct leat_requests requests;
    struct leat_parcel parcel;
    struct leat_timer timer;
    uint32_t next, tries;
    bool out;
};

static void step(struct leat_sender__preparation *p);

static void on_timer(struct leat_timer *timer)
{
    step(timer->ctx);
}

static void again(struct leat_sender__preparation *p, const char *why)
{
    leat_sender__complain(p->sender, LEAT_LOG_ERROR, "cannot prepare the destination; the queue waits", why);
    p->next = 0;
    leat_timer_start(p->sender->loop, &p->timer, ++p->tries < QUICK_TRIES ? WAIT_NS : WAIT_LONG_NS);
}

static void on_done(struct leat_parcel *parcel, const struct leat_reply *reply, const struct leat_err *err)
{
    struct leat_sender__preparation *p = LEAT_CONTAINER(parcel, struct leat_sender__preparation, parcel);
    struct leat_sender *sender = p->sender;
    struct leat_verdict verdict = {.text = ""};
    struct leat_err judged = {0};
    p->out = false;
    if (sender->abandoned) {
        leat_sender__prepare_end(sender);
        leat_loop_defer(sender->loop, &sender->pump);
        return;
    }
    if (!reply) {
        again(p, err->text);
        return;
    }
    struct leat_reply full = *reply;
    full.request = parcel->request;
    uint8_t none[2] = {0};
    verdict.again = none;
    verdict.refused = none + 1;
    leat_rc rc = sender->codec.judge(sender->codec.state, &full, &verdict, &judged);
    if (rc != LEAT_OK || verdict.kind != LEAT_VERDICT_DELIVERED) {
        again(p, rc == LEAT_OK ? verdict.text : judged.text);
        return;
    }
    p->next++;
    p->tries = 0;
    step(p);
}

static void step(struct leat_sender__preparation *p)
{
    struct leat_sender *sender = p->sender;
    if (p->next == p->requests.count) {
        leat_sender__prepare_end(sender);
        sender->prepared = true;
        sender->preparations++;
        if (sender->held)
            leat_timer_start(sender->loop, &sender->probe, 1);
        leat_loop_defer(sender->loop, &sender->pump);
        return;
    }
    p->parcel = (struct leat_parcel){.request = &p->requests.at[p->next], .signal = sender->signal, .done = on_done,
                                     .timeout_ns = (uint64_t)sender->conf->timeout_ns, .attempt = p->tries};
    p->out = true;
    sender->carrier->ops->send(sender->carrier, &p->parcel);
}

/* True when the queue may be served. False: it is being prepared, or will be when there is memory. */
bool leat_sender__prepare(struct leat_sender *sender)
{
    if (sender->prepared || !sender->codec.prepare)
        return true;
    if (sender->preparation)
        return false;
    struct leat_sender__preparation *p = leat_zalloc(1, sizeof *p);
    if (!p)
        return leat_timer_start(sender->loop, &sender->flush, WAIT_NS / 100), false; /* the flush timer pumps again */
    p->sender = sender;
    p->timer = (struct leat_timer){.fire = on_timer, .ctx = p};
    sender->preparation = p;
    struct leat_err err = {0};
    leat_rc rc = sender->codec.prepare(sender->codec.state, &p->requests, &err);
    if (rc == LEAT_OK && p->requests.count) {
        step(p);
        return false;
    }
    leat_sender__prepare_end(sender);
    sender->prepared = rc == LEAT_OK;
    if (sender->prepared)
        return true;
    leat_sender__complain(sender, LEAT_LOG_ERROR, "cannot prepare the destination; the queue waits", err.text);
    leat_timer_start(sender->loop, &sender->flush, WAIT_NS);
    return false;
}

/* At shutdown: what is under way is called back, its end frees the rest. */
void leat_sender__prepare_abandon(struct leat_sender *sender)
{
    struct leat_sender__preparation *p = sender->preparation;
    if (p && p->out)
        sender->carrier->ops->cancel(sender->carrier, &p->parcel);
    else
        leat_sender__prepare_end(sender);
}

void leat_sender__prepare_end(struct leat_sender *sender)
{
    struct leat_sender__preparation *p = sender->preparation;
    if (!p)
        return;
    sender->preparation = NULL;
    leat_timer_stop(sender->loop, &p->timer);
    leat_requests_done(&p->requests);
    leat_free(p);
}
