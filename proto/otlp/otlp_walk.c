/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "proto/otlp/otlp_view.h"

enum level { REQUEST, RESOURCE, SCOPE }; /* what the cursor is inside of */
enum scratch { FOR_ITEM, FOR_RESOURCE, FOR_SCOPE };

void otlp_walk_open(struct otlp_walk *walk, enum leat_signal signal, const struct leat_chain *payload)
{
    *walk = (struct otlp_walk){.signal = signal, .cursor = pb_cursor_at_start(payload), .rc = LEAT_OK};
    walk->end[REQUEST] = payload->bytes;
    walk->resource_index = walk->scope_index = walk->item_index = UINT32_MAX;
}

static bool fail(struct otlp_walk *walk, leat_rc rc)
{
    walk->rc = rc;
    walk->bad = pb_cursor_offset(&walk->cursor);
    return false;
}

/* The next `len` bytes as one slice: in place, or laid flat at `offset` of a scratch when a cut goes through them. */
static bool flat(struct otlp_walk *walk, enum scratch which, uint32_t offset, uint64_t len, struct leat_slice *ret)
{
    struct pb_cursor *c = &walk->cursor;
    if (len <= pb_cursor_here(c)) {
        *ret = leat_slice_of(c->at, (uint32_t)len);
        pb_cursor_skip(c, len);
        return true;
    }
    struct otlp_flat *s = &walk->scratch[which];
    if (len > UINT32_MAX / 2 - offset)
        return fail(walk, LEAT_EPARSE);
    if (s->room - offset < len || !s->at) {
        uint32_t room = offset + (uint32_t)len + 1024;
        uint8_t *at = leat_realloc(s->at, room);
        if (!at)
            return fail(walk, LEAT_ENOMEM);
        *s = (struct otlp_flat){at, room};
    }
    leat_count(LEAT_COUNT_BORDER_COPIES, 1);
    leat_copied(len);
    if (!pb_cursor_get(c, pb_cursor_offset(c) + len, s->at + offset, (uint32_t)len))
        return fail(walk, LEAT_EPARSE);
    *ret = leat_slice_of(s->at + offset, (uint32_t)len);
    return true;
}

/* Where a message that ends at offset `end` ends for those who stay in this slice. */
static const uint8_t *end_here(const struct pb_cursor *c, uint64_t end)
{
    uint64_t left = end - pb_cursor_offset(c);
    return left < pb_cursor_here(c) ? c->at + left : c->end;
}

#define FETCH_AHEAD 2048
#define FETCH_LINE 64

/* Each hop needs a length that may be far away in memory, and whoever reads the items needs the rest: all of it is
 * asked for ahead of the hops. */
static inline void fetch_ahead(const uint8_t *from, const uint8_t *to, const uint8_t *stop)
{
    for (; from < to && stop - from > FETCH_AHEAD; from += FETCH_LINE)
        __builtin_prefetch(from + FETCH_AHEAD);
}

/* Past a run of children that lie whole in this slice: nearly all of an envelope. */
static void pass_children(struct pb_cursor *c, uint64_t end)
{
    const uint8_t *stop = end_here(c, end), *at = c->at, *body;
    uint64_t len;
    while (at < stop && *at == PB_TAG(2, PB_LEN) && (body = pb_length(at + 1, stop, &len)) != NULL) {
        fetch_ahead(at, body + len, stop);
        at = body + len;
    }
    if (at == c->at)
        return;
    c->at = at;
    pb_cursor_settle(c);
}

/* The fields of a resource's or scope's envelope other than its children stand anywhere in it: they are looked for
 * when it is entered. The scratch is sized first, so that a second field does not move the first. */
static bool envelope(struct otlp_walk *walk, enum scratch which, uint64_t end, struct leat_slice *head,
                     struct leat_slice *schema_url)
{
    struct pb_cursor *c = &walk->cursor, begin = *c;
    struct otlp_flat *s = &walk->scratch[which];
    struct pb_cursor at[2];
    uint64_t lens[2] = {0, 0};
    uint32_t tag;
    for (;;) {
        pass_children(c, end);
        if (pb_cursor_offset(c) >= end)
            break;
        if (!pb_cursor_tag(c, end, &tag))
            return fail(walk, LEAT_EPARSE);
        if (tag == PB_TAG(1, PB_LEN) || tag == PB_TAG(3, PB_LEN)) {
            unsigned i = tag == PB_TAG(3, PB_LEN);
            struct pb_cursor body = *c;
            if (!pb_cursor_length(&body, end, &lens[i]))
                return fail(walk, LEAT_EPARSE);
            at[i] = body;
        }
        if (!pb_cursor_skip_field(c, end, tag & 7))
            return fail(walk, LEAT_EPARSE);
    }
    uint64_t want = lens[0] + lens[1];
    if (want > UINT32_MAX / 2)
        return fail(walk, LEAT_EPARSE);
    if ((lens[0] && lens[0] > pb_cursor_here(&at[0])) || (lens[1] && lens[1] > pb_cursor_here(&at[1])))
        if (s->room < want) {
            uint8_t *bigger = leat_realloc(s->at, want);
            if (!bigger)
                return fail(walk, LEAT_ENOMEM);
            *s = (struct otlp_flat){bigger, (uint32_t)want};
        }
    *head = *schema_url = (struct leat_slice){0};
    for (unsigned i = 0; i < 2; i++)
        if (lens[i]) {
            *c = at[i];
            if (!flat(walk, which, i ? (uint32_t)lens[0] : 0, lens[i], i ? schema_url : head))
                return false;
        }
    *c = begin;
    return true;
}

static void set_scope(struct otlp_scope *scope, struct leat_slice head)
{
    struct pb_field f;
    scope->attributes = head;
    scope->name = otlp_get(head, 1, &f) ? leat_slice_of(f.at, f.len) : (struct leat_slice){0};
    scope->version = otlp_get(head, 2, &f) ? leat_slice_of(f.at, f.len) : (struct leat_slice){0};
}

static bool enter(struct otlp_walk *walk, uint64_t len)
{
    uint64_t end = pb_cursor_offset(&walk->cursor) + len;
    walk->end[++walk->level] = end;
    if (walk->level == RESOURCE) {
        walk->resource_index++;
        walk->scope_index = UINT32_MAX;
        walk->new_resource = true;
        return envelope(walk, FOR_RESOURCE, end, &walk->resource, &walk->resource_schema_url);
    }
    struct leat_slice head;
    walk->scope_index++;
    walk->new_scope = true;
    if (!envelope(walk, FOR_SCOPE, end, &head, &walk->scope.schema_url))
        return false;
    set_scope(&walk->scope, head);
    return true;
}

/* Into the next child, or past a field of no interest. */
static bool step(struct otlp_walk *walk, bool *ret_item)
{
    uint32_t tag;
    uint64_t len, end = walk->end[walk->level];
    if (!pb_cursor_tag(&walk->cursor, end, &tag))
        return fail(walk, LEAT_EPARSE);
    uint32_t child = walk->level == REQUEST ? PB_TAG(1, PB_LEN) : PB_TAG(2, PB_LEN);
    if (tag != child)
        return pb_cursor_skip_field(&walk->cursor, end, tag & 7) || fail(walk, LEAT_EPARSE);
    if (!pb_cursor_length(&walk->cursor, end, &len))
        return fail(walk, LEAT_EPARSE);
    if (walk->level < SCOPE)
        return enter(walk, len);
    *ret_item = true;
    walk->item_index++;
    return flat(walk, FOR_ITEM, 0, len, &walk->item);
}

/* The next item, when it follows in the same scope and lies whole in this slice. */
static bool item_here(struct otlp_walk *walk)
{
    struct pb_cursor *c = &walk->cursor;
    if (walk->level != SCOPE || c->at == c->end || *c->at != PB_TAG(2, PB_LEN))
        return false;
    uint64_t len;
    const uint8_t *stop = end_here(c, walk->end[SCOPE]);
    const uint8_t *body = c->at < stop ? pb_length(c->at + 1, stop, &len) : NULL;
    if (!body)
        return false;
    walk->item = leat_slice_of(body, (uint32_t)len);
    walk->item_index++;
    c->at = body + len;
    if (c->at == c->end)
        pb_cursor_settle(c);
    return true;
}

bool otlp_walk_next(struct otlp_walk *walk)
{
    bool item = false;
    if (walk->rc != LEAT_OK)
        return false;
    if (walk->item_index != UINT32_MAX)
        walk->new_resource = walk->new_scope = false;
    if (item_here(walk))
        return true;
    while (!item) {
        while (pb_cursor_offset(&walk->cursor) == walk->end[walk->level]) {
            if (walk->level == REQUEST)
                return false;
            walk->level--;
        }
        if (!step(walk, &item))
            return false;
    }
    return true;
}

leat_rc otlp_walk_close(struct otlp_walk *walk, struct leat_err *reterr)
{
    for (unsigned i = 0; i < sizeof walk->scratch / sizeof *walk->scratch; i++) {
        leat_free(walk->scratch[i].at);
        walk->scratch[i] = (struct otlp_flat){0};
    }
    if (walk->rc == LEAT_OK)
        return LEAT_OK;
    return LEAT_RAISE(reterr, walk->rc, 0, "otlp: payload at byte %llu", (unsigned long long)walk->bad);
}
