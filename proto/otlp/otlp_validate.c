/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_validate.h"

#include <stdio.h>

#include "agent/base/check.h"
#include "proto/otlp/otlp_locate.h"
#include "proto/otlp/otlp_schema.h"
#include "proto/protobuf/pb_read.h"
#include "proto/utf8/utf8.h"

/* Messages above the outermost AnyValue are fewer than 12; below it, each AnyValue brings at most two more. */
#define FRAMES_MAX (12 + 3 * OTLP_DEPTH_MAX)

struct walk {
    const uint8_t *clean_from, *clean_to; /* these bytes are known to be ASCII */
    const uint8_t *slice_end;
    const uint8_t *bad; /* the field that is wrong, in flat bytes */
    const char *why;
    uint64_t why_len;   /* for a length that is wrong */
    uint32_t counts[3]; /* by otlp_field.counts; [0] is nobody's */
    uint32_t bad_utf8;
};

struct frame {
    const struct otlp_msg *msg;
    uint64_t end;
    unsigned depth;
};

static const char why_truncated[] = "truncated, or longer than what holds it";
static const char why_malformed[] = "malformed field";
static const char why_wire[] = "wrong wire type";
static const char why_group[] = "a group, or no wire type at all";
static const char why_deep[] = "values nested deeper than 64";
static const char why_length[] = "";

static bool fail(struct walk *w, const uint8_t *field, const char *why)
{
    w->bad = field;
    w->why = why;
    return false;
}

/* ---- UTF-8: the scan runs ahead of the walk, so that most strings cost two comparisons ---- */

static bool scan(struct walk *w, const uint8_t *at, const uint8_t *end)
{
    if (at < w->clean_from || at >= w->clean_to) {
        w->clean_from = at;
        w->clean_to = utf8_high(at, w->slice_end);
    }
    return end <= w->clean_to;
}

static inline __attribute__((always_inline)) bool ascii(struct walk *w, const uint8_t *at, const uint8_t *end)
{
    return (at >= w->clean_from && end <= w->clean_to) || scan(w, at, end);
}

static inline __attribute__((always_inline)) void text(struct walk *w, const uint8_t *at, const uint8_t *end)
{
    if (at != end && !ascii(w, at, end) && !utf8_ok(at, (size_t)(end - at)))
        w->bad_utf8++;
}

/* ---- flat bytes ---- */

static bool flat(struct walk *w, const struct otlp_msg *msg, const uint8_t *at, const uint8_t *end, unsigned depth);

static bool packed(const struct otlp_field *f, const uint8_t *at, const uint8_t *end)
{
    uint32_t wire = otlp_wire_of(f->kind & ~(unsigned)OTLP_PACKED);
    if (wire == PB_FIXED64)
        return (end - at) % 8 == 0;
    for (uint64_t v; at && at < end;)
        at = pb_varint(at, end, &v);
    return at != NULL;
}

static uint64_t id_bytes(const struct otlp_field *f)
{
    return f->kind == OTLP_ID16 ? 16 : 8;
}

static bool wrong_length(struct walk *w, const uint8_t *field, uint64_t len)
{
    w->why_len = len;
    return fail(w, field, why_length);
}

/* The attribute as nearly all are: a short key and a short string value, all of it ASCII, lengths and tags included. */
static inline __attribute__((always_inline)) bool plain_attribute(struct walk *w, const uint8_t *at, uint64_t len)
{
    if (len < 6 || len > 127 || at[0] != PB_TAG(1, PB_LEN))
        return false;
    uint64_t v = 2u + at[1];
    return v + 4 <= len && at[v] == PB_TAG(2, PB_LEN) && at[v + 1] == len - v - 2 && at[v + 2] == PB_TAG(1, PB_LEN) &&
           at[v + 3] == len - v - 4 && ascii(w, at, at + len);
}

/* The value as nearly all are: one string and nothing else. */
static inline __attribute__((always_inline)) bool plain_text(struct walk *w, const uint8_t *at, uint64_t len)
{
    uint64_t inner;
    if (len < 2 || at[0] != PB_TAG(1, PB_LEN))
        return false;
    const uint8_t *end = at + len, *body = pb_length(at + 1, end, &inner);
    if (!body || body + inner != end)
        return false;
    text(w, body, end);
    return true;
}

static inline bool message(struct walk *w, const struct otlp_field *f, const uint8_t *field, const uint8_t *at,
                           uint64_t len, unsigned depth)
{
    w->counts[f->counts]++;
    if (f->msg == &otlp_AnyValue && ++depth > OTLP_DEPTH_MAX)
        return fail(w, field, why_deep);
    if (f->msg == &otlp_AnyValue && plain_text(w, at, len))
        return true;
    return flat(w, f->msg, at, at + len, depth);
}

static inline bool delimited(struct walk *w, const struct otlp_field *f, const uint8_t *field, const uint8_t *at,
                             uint64_t len, unsigned depth)
{
    switch (f->kind) {
    case OTLP_MSG:
        return message(w, f, field, at, len, depth);
    case OTLP_STRING:
        text(w, at, at + len);
        return true;
    case OTLP_BYTES:
        return true;
    case OTLP_ID16:
    case OTLP_ID8:
        return len == 0 || len == id_bytes(f) || wrong_length(w, field, len);
    default:
        return packed(f, at, at + len) || fail(w, field, why_malformed);
    }
}

/* Repeated numbers may come one by one. */
static bool unpacked(const struct otlp_field *f, uint32_t wire)
{
    return f->kind & OTLP_PACKED && otlp_wire_of(f->kind & ~(unsigned)OTLP_PACKED) == wire;
}

/* The field a tag names, NULL when it is not ours. The answer is what is wrong with the tag, or NULL. */
static const char *look(const struct otlp_msg *msg, uint32_t tag, const struct otlp_field **ret_field)
{
    uint32_t wire = tag & 7;
    const struct otlp_field *f = otlp_field_by_number(msg, tag >> 3);
    *ret_field = f;
    if (wire == 3 || wire == 4 || wire > PB_FIXED32)
        return why_group;
    return f && f->wire != wire && !unpacked(f, wire) ? why_wire : NULL;
}

/* A field that is not ours, or ours in an unusual dress: the byte behind it, or NULL. */
static __attribute__((noinline)) const uint8_t *odd(struct walk *w, const struct otlp_msg *msg, const uint8_t *field,
                                                    const uint8_t *end, unsigned depth)
{
    uint32_t tag;
    const struct otlp_field *f;
    const uint8_t *at = pb_tag(field, end, &tag);
    const char *why = at ? look(msg, tag, &f) : why_malformed;
    const uint8_t *next = why ? NULL : pb_skip(at, end, tag & 7);
    if (!next) {
        (void)fail(w, field, why ? why : why_truncated);
        return NULL;
    }
    if (!f || (tag & 7) != PB_LEN)
        return next;
    uint64_t len; /* a known field whose tag is written longer than it need be */
    at = pb_varint(at, end, &len);
    return delimited(w, f, field, at, len, depth) ? next : NULL;
}

static bool flat(struct walk *w, const struct otlp_msg *msg, const uint8_t *at, const uint8_t *end, unsigned depth)
{
    while (at < end) {
        const uint8_t *field = at;
        unsigned i = *at < 0x80 ? msg->by_tag[*at] : 0;
        if (i == 0) {
            at = odd(w, msg, field, end, depth);
            if (!at)
                return false;
            continue;
        }
        const struct otlp_field *f = &msg->fields[i - 1];
        if (f->wire != PB_LEN) {
            at = pb_skip(at + 1, end, f->wire);
            if (!at)
                return fail(w, field, why_truncated);
            continue;
        }
        uint64_t len;
        at = pb_length(at + 1, end, &len);
        if (!at)
            return fail(w, field, why_truncated);
        bool plain = f->msg == &otlp_KeyValue && plain_attribute(w, at, len);
        if (!plain && !delimited(w, f, field, at, len, depth))
            return false;
        at += len;
    }
    return true;
}

/* ---- bytes that cross a cut ---- */

static bool text_across(struct pb_cursor *c, uint64_t len)
{
    struct utf8_state state = {0};
    bool ok = true;
    while (len) {
        uint64_t n = pb_cursor_here(c) < len ? pb_cursor_here(c) : len;
        ok = ok && utf8_feed(&state, c->at, n);
        pb_cursor_skip(c, n);
        len -= n;
    }
    return ok && utf8_whole(&state);
}

static bool packed_across(const struct otlp_field *f, struct pb_cursor *c, uint64_t len)
{
    uint64_t end = pb_cursor_offset(c) + len;
    if (otlp_wire_of(f->kind & ~(unsigned)OTLP_PACKED) == PB_FIXED64) {
        pb_cursor_skip(c, len);
        return len % 8 == 0;
    }
    for (uint64_t v; pb_cursor_offset(c) < end;)
        if (!pb_cursor_varint(c, end, &v))
            return false;
    return true;
}

static bool delimited_across(struct walk *w, const struct otlp_field *f, struct pb_cursor *c, uint64_t len)
{
    switch (f->kind) {
    case OTLP_STRING:
        w->bad_utf8 += !text_across(c, len);
        return true;
    case OTLP_ID16:
    case OTLP_ID8:
        if (len != 0 && len != id_bytes(f))
            return wrong_length(w, NULL, len);
        pb_cursor_skip(c, len);
        return true;
    case OTLP_BYTES:
        pb_cursor_skip(c, len);
        return true;
    default:
        return packed_across(f, c, len) || fail(w, NULL, why_malformed);
    }
}

/* Opens a message that lies in two slices or more. */
static bool push(struct walk *w, struct frame *frames, unsigned *top, const struct otlp_field *f, uint64_t end)
{
    unsigned depth = frames[*top].depth + (f->msg == &otlp_AnyValue);
    if (depth > OTLP_DEPTH_MAX)
        return fail(w, NULL, why_deep);
    w->counts[f->counts]++;
    LEAT_CHECK(*top + 1 < FRAMES_MAX);
    frames[++*top] = (struct frame){f->msg, end, depth};
    return true;
}

static bool field_across(struct walk *w, struct pb_cursor *c, struct frame *frames, unsigned *top)
{
    const struct frame *in = &frames[*top];
    uint32_t tag;
    if (!pb_cursor_tag(c, in->end, &tag))
        return fail(w, NULL, why_malformed);
    const struct otlp_field *f;
    const char *why = look(in->msg, tag, &f);
    if (why)
        return fail(w, NULL, why);
    if (!f || (tag & 7) != PB_LEN)
        return pb_cursor_skip_field(c, in->end, tag & 7) || fail(w, NULL, why_truncated);
    uint64_t len;
    if (!pb_cursor_length(c, in->end, &len))
        return fail(w, NULL, why_truncated);
    if (len > pb_cursor_here(c))
        return f->kind == OTLP_MSG ? push(w, frames, top, f, pb_cursor_offset(c) + len)
                                   : delimited_across(w, f, c, len);
    w->slice_end = c->end;
    if (!delimited(w, f, NULL, c->at, len, in->depth))
        return false;
    pb_cursor_skip(c, len);
    return true;
}

/* A run of fields that lie whole in this slice needs no cursor: of a request in 16 KiB frames that is nearly all. Stops
 * before the first field of another kind. */
static bool run_here(struct walk *w, struct pb_cursor *c, const struct frame *in)
{
    uint64_t left = in->end - pb_cursor_offset(c);
    const uint8_t *end = left < pb_cursor_here(c) ? c->at + left : c->end;
    w->slice_end = c->end;
    while (c->at < end) {
        unsigned i = *c->at < 0x80 ? in->msg->by_tag[*c->at] : 0;
        if (i == 0 || in->msg->fields[i - 1].wire != PB_LEN)
            break;
        uint64_t len;
        const uint8_t *at = pb_length(c->at + 1, end, &len);
        if (!at)
            break;
        if (!delimited(w, &in->msg->fields[i - 1], NULL, at, len, in->depth))
            return false;
        c->at = at + len;
    }
    pb_cursor_settle(c);
    return true;
}

/* On failure *ret_bad is the offset of the field that is wrong. */
static bool walk(struct walk *w, const struct otlp_msg *root, const struct leat_chain *payload, uint64_t *ret_bad)
{
    struct frame frames[FRAMES_MAX];
    struct pb_cursor c = pb_cursor_at_start(payload);
    unsigned top = 0;
    frames[0] = (struct frame){root, payload->bytes, 0};
    for (;;) {
        uint64_t offset = pb_cursor_offset(&c);
        while (offset == frames[top].end) {
            if (top == 0)
                return true;
            top--;
        }
        bool ok = run_here(w, &c, &frames[top]);
        offset = pb_cursor_offset(&c); /* of the field that run_here stopped at */
        if (!ok || (offset < frames[top].end && !field_across(w, &c, frames, &top))) {
            *ret_bad = w->bad ? pb_cursor_offset(&c) + (uint64_t)(w->bad - c.at) : offset;
            return false;
        }
    }
}

leat_rc otlp_validate(enum leat_signal signal, const struct leat_chain *payload, struct otlp_counts *ret_counts,
                      struct leat_err *reterr)
{
    struct walk w = {0};
    uint64_t bad;
    const struct otlp_msg *root = otlp_request_of(signal);
    if (!walk(&w, root, payload, &bad)) {
        char place[160], len[32] = "";
        otlp_locate(root, payload, bad, place, sizeof place);
        if (w.why == why_length)
            (void)snprintf(len, sizeof len, "%llu bytes", (unsigned long long)w.why_len);
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "%s: %s%s", place, w.why, len);
    }
    *ret_counts = (struct otlp_counts){.items = w.counts[1], .samples = w.counts[2], .bad_utf8 = w.bad_utf8};
    return LEAT_OK;
}
