/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_form.h"

#include "proto/otlp/otlp_json_write.h"
#include "proto/otlp/otlp_schema.h"
#include "proto/protobuf/pb_read.h"
#include "proto/protobuf/pb_write.h"

/* Request, resource, scope, metric, data: items lie at most this deep. */
#define LEVELS_MAX 6

#define HEAD_BYTES_MAX 20 /* a tag and a length */

/* A field of a container, seen from outside. */
struct part {
    const struct otlp_field *f; /* NULL: not ours */
    uint64_t begin, end;        /* offsets, tag included */
    struct pb_cursor at, body;  /* on the tag; on the first byte of the body */
    bool leads;                 /* an item, or holds some */
};

/* Reads the field the cursor stands on and steps over it. */
static bool next_part(const struct otlp_msg *msg, struct pb_cursor *c, uint64_t limit, struct part *ret_part)
{
    uint32_t tag;
    *ret_part = (struct part){.begin = pb_cursor_offset(c), .at = *c};
    if (!pb_cursor_tag(c, limit, &tag))
        return false;
    unsigned i = tag < OTLP_TAGS ? msg->by_tag[tag] : 0;
    const struct otlp_field *f = i ? &msg->fields[i - 1] : NULL;
    ret_part->f = f;
    ret_part->leads = f && f->flags & (OTLP_ITEM | OTLP_CONTAINER);
    if (!ret_part->leads) {
        bool ok = pb_cursor_skip_field(c, limit, tag & 7);
        ret_part->end = pb_cursor_offset(c);
        return ok;
    }
    uint64_t len;
    if (!pb_cursor_length(c, limit, &len))
        return false;
    ret_part->body = *c;
    pb_cursor_skip(c, len);
    ret_part->end = pb_cursor_offset(c);
    return true;
}

static leat_rc broken(struct leat_err *reterr, uint64_t offset)
{
    return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "otlp: malformed payload at byte %llu", (unsigned long long)offset);
}

/* ---- count, and where to cut ---- */

struct seek {
    uint32_t items_max; /* 0: no limit */
    uint64_t bytes_max;
    uint32_t items;  /* before the cut */
    uint64_t cut;    /* offset; the payload's end when all fits */
    uint64_t opened; /* where the first container without an item yet begins; UINT64_MAX: none */
};

/* Takes an item into the head, or says that the cut is before it. */
static bool take_item(struct seek *s, const struct part *part)
{
    bool over = (s->items_max && s->items == s->items_max) || (s->bytes_max && part->end > s->bytes_max);
    if (over && s->items) {
        s->cut = s->opened < part->begin ? s->opened : part->begin;
        return false;
    }
    s->items++;
    s->opened = UINT64_MAX;
    return true;
}

static leat_rc seek(enum leat_signal signal, const struct leat_chain *payload, struct seek *s, struct leat_err *reterr)
{
    struct {
        const struct otlp_msg *msg;
        uint64_t end;
    } in[LEVELS_MAX] = {{otlp_request_of(signal), payload->bytes}};
    unsigned top = 0;
    struct pb_cursor c = pb_cursor_at_start(payload);
    s->cut = payload->bytes;
    s->opened = UINT64_MAX;
    for (;;) {
        while (pb_cursor_offset(&c) == in[top].end) {
            if (top == 0)
                return LEAT_OK;
            top--;
        }
        struct part part;
        if (!next_part(in[top].msg, &c, in[top].end, &part))
            return broken(reterr, part.begin);
        if (!part.leads)
            continue;
        if (part.f->flags & OTLP_ITEM) {
            if (!take_item(s, &part))
                return LEAT_OK;
            continue;
        }
        if (s->opened == UINT64_MAX)
            s->opened = part.begin;
        c = part.body;
        in[++top].msg = part.f->msg;
        in[top].end = part.end;
    }
}

static leat_rc count(enum leat_signal signal, const struct leat_chain *payload, uint32_t *ret_items,
                     struct leat_err *reterr)
{
    struct seek s = {0};
    leat_rc rc = seek(signal, payload, &s, reterr);
    if (rc == LEAT_OK)
        *ret_items = s.items;
    return rc;
}

/* ---- sharing: neighbours that go the same way are shared in one run ---- */

struct run {
    struct pb_cursor at;
    uint64_t bytes;
    struct leat_chain *out;
};

static leat_rc run_flush(struct run *run)
{
    leat_rc rc = run->bytes ? pb_cursor_share(&run->at, run->bytes, run->out) : LEAT_OK;
    run->bytes = 0;
    return rc;
}

static leat_rc run_add(struct run *run, const struct part *part, struct leat_chain *out)
{
    leat_rc rc = LEAT_OK;
    if (run->bytes && run->out != out)
        rc = run_flush(run);
    if (run->bytes == 0) {
        run->at = part->at;
        run->out = out;
    }
    run->bytes += part->end - part->begin;
    return rc;
}

/* `body` as field `number` behind `out`; body is {0} afterwards when it worked. */
static leat_rc wrap(struct leat_chain *out, uint32_t number, struct leat_chain *body)
{
    uint8_t head[HEAD_BYTES_MAX];
    const uint8_t *end = pb_put_varint(pb_put_varint(head, PB_TAG(number, PB_LEN)), body->bytes);
    leat_rc rc = leat_chain_copy(out, head, (uint32_t)(end - head));
    return rc == LEAT_OK ? leat_chain_append(out, body) : rc;
}

/* ---- cut ---- */

struct both {
    struct leat_chain head, tail;
};

static void both_done(struct both *both)
{
    leat_chain_done(&both->head);
    leat_chain_done(&both->tail);
}

static leat_rc split(const struct otlp_msg *msg, struct pb_cursor c, uint64_t limit, uint64_t cut, struct both *out,
                     unsigned level);

/* The container the cut goes through: its other fields stand in both halves. */
static leat_rc split_through(const struct part *part, uint64_t cut, struct both *out, unsigned level)
{
    struct both inner = {0};
    leat_rc rc = level < LEVELS_MAX ? split(part->f->msg, part->body, part->end, cut, &inner, level + 1) : LEAT_EPARSE;
    if (rc == LEAT_OK)
        rc = wrap(&out->head, part->f->number, &inner.head);
    if (rc == LEAT_OK)
        rc = wrap(&out->tail, part->f->number, &inner.tail);
    both_done(&inner);
    return rc;
}

static leat_rc split(const struct otlp_msg *msg, struct pb_cursor c, uint64_t limit, uint64_t cut, struct both *out,
                     unsigned level)
{
    struct run run = {0};
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && pb_cursor_offset(&c) < limit) {
        struct part part;
        if (!next_part(msg, &c, limit, &part))
            return LEAT_EPARSE;
        if (part.leads && part.end <= cut) {
            rc = run_add(&run, &part, &out->head);
        } else if (part.leads && part.begin >= cut) {
            rc = run_add(&run, &part, &out->tail);
        } else {
            rc = run_flush(&run);
            if (rc == LEAT_OK && part.leads) {
                rc = split_through(&part, cut, out, level);
            } else if (rc == LEAT_OK) {
                struct pb_cursor again = part.at;
                rc = pb_cursor_share(&again, part.end - part.begin, &out->head);
                if (rc == LEAT_OK)
                    rc = pb_cursor_share(&part.at, part.end - part.begin, &out->tail);
            }
        }
    }
    return rc == LEAT_OK ? run_flush(&run) : rc;
}

static leat_rc cut(enum leat_signal signal, const struct leat_chain *payload, uint32_t items_max, uint64_t bytes_max,
                   struct leat_chain *ret_head, uint32_t *ret_items, struct leat_chain *ret_tail,
                   struct leat_err *reterr)
{
    *ret_head = *ret_tail = (struct leat_chain){0};
    struct seek s = {.items_max = items_max, .bytes_max = bytes_max};
    struct both out = {0};
    leat_rc rc = seek(signal, payload, &s, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (s.cut == payload->bytes)
        rc = leat_chain_share_all(&out.head, payload);
    else
        rc = split(otlp_request_of(signal), pb_cursor_at_start(payload), payload->bytes, s.cut, &out, 1);
    if (rc != LEAT_OK) {
        both_done(&out);
        return rc == LEAT_EPARSE ? broken(reterr, s.cut) : LEAT_RAISE(reterr, rc, 0, "otlp: cut");
    }
    *ret_head = out.head;
    *ret_tail = out.tail;
    *ret_items = s.items;
    return LEAT_OK;
}

/* ---- pick ---- */

struct pick {
    const uint8_t *bitmap;
    uint32_t item; /* the next one's number */
};

static leat_rc sift(const struct otlp_msg *msg, struct pb_cursor c, uint64_t limit, struct pick *p,
                    struct leat_chain *out, uint32_t *ret_kept, unsigned level);

static leat_rc sift_container(const struct part *part, struct pick *p, struct leat_chain *out, uint32_t *kept,
                              unsigned level)
{
    struct leat_chain inner = {0};
    uint32_t kept_inside = 0;
    leat_rc rc = level < LEVELS_MAX ? sift(part->f->msg, part->body, part->end, p, &inner, &kept_inside, level + 1)
                                    : LEAT_EPARSE;
    if (rc == LEAT_OK && kept_inside)
        rc = wrap(out, part->f->number, &inner);
    leat_chain_done(&inner);
    *kept += kept_inside;
    return rc;
}

static leat_rc sift(const struct otlp_msg *msg, struct pb_cursor c, uint64_t limit, struct pick *p,
                    struct leat_chain *out, uint32_t *ret_kept, unsigned level)
{
    struct run run = {0};
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && pb_cursor_offset(&c) < limit) {
        struct part part;
        if (!next_part(msg, &c, limit, &part))
            return LEAT_EPARSE;
        bool container = part.leads && part.f->flags & OTLP_CONTAINER;
        bool item = part.leads && !container;
        bool wanted = !item || leat_bitmap_get(p->bitmap, p->item);
        p->item += item;
        *ret_kept += item && wanted;
        if (wanted && !container) {
            if (run.bytes && pb_cursor_offset(&run.at) + run.bytes != part.begin)
                rc = run_flush(&run);
            if (rc == LEAT_OK)
                rc = run_add(&run, &part, out);
        } else if (container) {
            rc = run_flush(&run);
            if (rc == LEAT_OK)
                rc = sift_container(&part, p, out, ret_kept, level);
        }
    }
    return rc == LEAT_OK ? run_flush(&run) : rc;
}

static leat_rc pick(enum leat_signal signal, const struct leat_chain *payload, const uint8_t *bitmap,
                    struct leat_chain *ret_picked, struct leat_err *reterr)
{
    struct pick p = {.bitmap = bitmap};
    struct leat_chain out = {0};
    uint32_t kept = 0;
    *ret_picked = out;
    leat_rc rc = sift(otlp_request_of(signal), pb_cursor_at_start(payload), payload->bytes, &p, &out, &kept, 1);
    if (rc != LEAT_OK) {
        leat_chain_done(&out);
        return rc == LEAT_EPARSE ? broken(reterr, 0) : LEAT_RAISE(reterr, rc, 0, "otlp: pick");
    }
    *ret_picked = out;
    return LEAT_OK;
}

/* ---- the rest ---- */

static bool can_merge(enum leat_signal signal)
{
    return signal != LEAT_PROFILES;
}

static leat_rc merge(enum leat_signal signal, struct leat_chain *into, struct leat_chain *from)
{
    return can_merge(signal) ? leat_chain_append(into, from) : LEAT_EINVAL;
}

static leat_rc freeze(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_bytes)
{
    (void)signal;
    *ret_bytes = (struct leat_chain){0};
    return leat_chain_share_all(ret_bytes, payload);
}

static leat_rc thaw(enum leat_signal signal, const struct leat_chain *bytes, struct leat_chain *ret_payload,
                    struct leat_err *reterr)
{
    leat_rc rc = freeze(signal, bytes, ret_payload);
    return rc == LEAT_OK ? rc : LEAT_RAISE(reterr, rc, 0, "otlp: thaw");
}

const struct leat_form_ops otlp_form = {
    .name = "otlp",
    .bit = LEAT_FORM_OTLP,
    .count = count,
    .can_merge = can_merge,
    .merge = merge,
    .cut = cut,
    .pick = pick,
    .freeze = freeze,
    .thaw = thaw,
    .text = otlp_json_write,
};
