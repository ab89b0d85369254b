/* SPDX-License-Identifier: Apache-2.0 */
/* Records edited in one pass: the payload is written anew into fresh pages, record by record. Lengths of what encloses
 * records are held open in five bytes each and filled in when they end. */
#include "proto/otlp_edit/otlp_edit_inner.h"

#define HOLE_BYTES 5u /* a legal varint with leading zero groups; lengths stay below 2^35 */
#define LEVELS_MAX 6u
#define ROOM_MIN 4096u

/* ---- pages ---- */

struct pages {
    struct leat_chain out;
    struct leat_room room;
    uint32_t used;
    uint64_t written;
    bool open; /* room is ours */
};

static leat_rc page_close(struct pages *p)
{
    if (!p->open)
        return LEAT_OK;
    p->open = false;
    if (!p->used)
        return LEAT_OK;
    struct leat_mem *mem = leat_pool_read_take(leat_pool_here(), &p->room, p->used);
    leat_rc rc = leat_chain_take(&p->out, (struct leat_slice){p->room.at, p->used, mem});
    if (rc != LEAT_OK)
        leat_mem_unref(mem);
    return rc;
}

static leat_rc page_open(struct pages *p)
{
    leat_rc rc = page_close(p);
    if (rc == LEAT_OK)
        rc = leat_pool_read_room(leat_pool_here(), ROOM_MIN, &p->room);
    p->open = rc == LEAT_OK;
    p->used = 0;
    return rc;
}

static leat_rc put(void *ctx, const void *at, uint32_t len)
{
    struct pages *p = ctx;
    const uint8_t *from = at;
    while (len) {
        if (!p->open || p->used == p->room.len) {
            leat_rc rc = page_open(p);
            if (rc != LEAT_OK)
                return rc;
        }
        uint32_t n = p->room.len - p->used < len ? p->room.len - p->used : len;
        memcpy(p->room.at + p->used, from, n);
        p->used += n;
        p->written += n;
        from += n;
        len -= n;
    }
    return LEAT_OK;
}

struct hole {
    uint8_t *at;
    uint64_t begin; /* what was written when the body began */
};

static leat_rc hole_open(struct pages *p, struct hole *ret_hole)
{
    if (!p->open || p->room.len - p->used < HOLE_BYTES) {
        leat_rc rc = page_open(p);
        if (rc != LEAT_OK)
            return rc;
    }
    ret_hole->at = p->room.at + p->used;
    p->used += HOLE_BYTES;
    p->written += HOLE_BYTES;
    ret_hole->begin = p->written;
    return LEAT_OK;
}

static void hole_close(const struct pages *p, const struct hole *hole)
{
    uint64_t len = p->written - hole->begin;
    for (unsigned i = 0; i < HOLE_BYTES; i++)
        hole->at[i] = (uint8_t)((len >> (7 * i) & 0x7f) | (i + 1 < HOLE_BYTES ? 0x80 : 0));
}

static leat_rc put_number(struct pages *p, uint64_t first, uint64_t second)
{
    uint8_t head[20], *end = pb_put_varint(pb_put_varint(head, first), second);
    return put(p, head, (uint32_t)(end - head));
}

/* ---- the walk ---- */

struct rewrite {
    struct otlp_edit *edit;
    struct otlp_edit_match *include, *exclude;
    const struct otlp_edit_context *context;
    struct pages pages;
    struct otlp_edit_place place;
    struct otlp_flat resource, scope, name; /* of those that cross a cut */
};

static uint32_t attributes_number(const struct otlp_msg *item)
{
    for (uint32_t i = 0; i < item->field_count; i++)
        if (strcmp(item->fields[i].name, "attributes") == 0)
            return item->fields[i].number;
    return 0;
}

static bool wanted(struct rewrite *r, struct leat_slice record, uint32_t number)
{
    if (r->include && !otlp_edit__matches(r->include, &r->place, record, number))
        return false;
    return !r->exclude || !otlp_edit__matches(r->exclude, &r->place, record, number);
}

static leat_rc item(struct rewrite *r, const struct otlp_field *f, uint32_t number, struct pb_cursor *c, uint64_t len)
{
    struct otlp_edit_list *list = &r->edit->list;
    struct leat_slice record;
    uint32_t tag = PB_TAG(f->number, PB_LEN);
    leat_rc rc = otlp_edit__flat(c, len, &r->edit->flat, &record);
    bool edit = rc == LEAT_OK && wanted(r, record, number);
    if (edit)
        rc = otlp_edit__list_read(list, record, number);
    if (edit && rc == LEAT_OK)
        rc = otlp_edit__apply(r->edit, list, r->context);
    edit = edit && list->changed;
    if (rc == LEAT_OK)
        rc = put_number(&r->pages, tag, edit ? otlp_edit__size(list) : record.len);
    if (rc == LEAT_OK && edit)
        return otlp_edit__write(list, &(struct otlp_edit_sink){put, &r->pages});
    return rc == LEAT_OK ? put(&r->pages, record.at, record.len) : rc;
}

/* The last field `number` of the message the cursor stands in, flat: a resource, a scope, a metric's name. */
static leat_rc peek(struct pb_cursor c, uint64_t end, uint32_t number, struct otlp_flat *flat, struct leat_slice *ret)
{
    uint32_t tag;
    uint64_t len;
    *ret = (struct leat_slice){0};
    while (pb_cursor_offset(&c) < end) {
        if (!pb_cursor_tag(&c, end, &tag))
            return LEAT_EPARSE;
        if (tag != PB_TAG(number, PB_LEN)) {
            if (!pb_cursor_skip_field(&c, end, tag & 7))
                return LEAT_EPARSE;
            continue;
        }
        if (!pb_cursor_length(&c, end, &len))
            return LEAT_EPARSE;
        leat_rc rc = otlp_edit__flat(&c, len, flat, ret);
        if (rc != LEAT_OK)
            return rc;
    }
    return LEAT_OK;
}

/* What matching must know about the container that is entered; without matching nobody looks. */
static leat_rc enter(struct rewrite *r, const struct otlp_msg *msg, unsigned level, const struct pb_cursor *c,
                     uint64_t end)
{
    if (!r->include && !r->exclude)
        return LEAT_OK;
    if (level == 1) {
        r->place.resource_index++;
        return peek(*c, end, 1, &r->resource, &r->place.resource);
    }
    if (level == 2) {
        r->place.scope_index++;
        return peek(*c, end, 1, &r->scope, &r->place.scope);
    }
    return msg == &otlp_Metric ? peek(*c, end, 1, &r->name, &r->place.metric_name) : LEAT_OK;
}

/* A field that leads to no item goes over as it is. */
static leat_rc copy(struct rewrite *r, struct pb_cursor begin, uint64_t bytes)
{
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && bytes) {
        uint64_t here = pb_cursor_here(&begin), n = here < bytes ? here : bytes;
        rc = put(&r->pages, begin.at, (uint32_t)n);
        pb_cursor_skip(&begin, n);
        bytes -= n;
    }
    return rc;
}

static leat_rc inside(struct rewrite *r, const struct otlp_msg *msg, struct pb_cursor *c, uint64_t end, unsigned level);

static leat_rc container(struct rewrite *r, const struct otlp_field *f, struct pb_cursor *c, uint64_t len,
                         unsigned level)
{
    uint8_t head[10], *tag_end = pb_put_varint(head, PB_TAG(f->number, PB_LEN));
    struct hole hole = {0};
    if (level == LEVELS_MAX)
        return LEAT_EPARSE;
    leat_rc rc = put(&r->pages, head, (uint32_t)(tag_end - head));
    if (rc == LEAT_OK)
        rc = hole_open(&r->pages, &hole);
    if (rc == LEAT_OK)
        rc = inside(r, f->msg, c, pb_cursor_offset(c) + len, level + 1);
    if (rc == LEAT_OK)
        hole_close(&r->pages, &hole);
    return rc;
}

static leat_rc inside(struct rewrite *r, const struct otlp_msg *msg, struct pb_cursor *c, uint64_t end, unsigned level)
{
    leat_rc rc = enter(r, msg, level, c, end);
    const struct otlp_msg *of = NULL; /* the kind of item the number is of */
    uint32_t tag, number = 0;
    uint64_t len;
    while (rc == LEAT_OK && pb_cursor_offset(c) < end) {
        struct pb_cursor begin = *c;
        if (!pb_cursor_tag(c, end, &tag))
            return LEAT_EPARSE;
        unsigned i = tag < OTLP_TAGS ? msg->by_tag[tag] : 0;
        const struct otlp_field *f = i ? &msg->fields[i - 1] : NULL;
        if (!f || !(f->flags & (OTLP_ITEM | OTLP_CONTAINER))) {
            if (!pb_cursor_skip_field(c, end, tag & 7))
                return LEAT_EPARSE;
            rc = copy(r, begin, pb_cursor_offset(c) - pb_cursor_offset(&begin));
            continue;
        }
        if (!pb_cursor_length(c, end, &len))
            return LEAT_EPARSE;
        if (f->flags & OTLP_ITEM && f->msg != of) {
            of = f->msg;
            number = attributes_number(of);
        }
        rc = f->flags & OTLP_ITEM ? item(r, f, number, c, len) : container(r, f, c, len, level);
    }
    return rc;
}

leat_rc otlp_edit_records(struct otlp_edit *edit, struct otlp_edit_match *include, struct otlp_edit_match *exclude,
                          enum leat_signal signal, const struct leat_chain *payload,
                          const struct otlp_edit_context *context, struct leat_chain *ret_payload,
                          struct leat_err *reterr)
{
    struct rewrite r = {
        .edit = edit, .include = include, .exclude = exclude, .context = context, .place.signal = signal};
    struct pb_cursor c = pb_cursor_at_start(payload);
    *ret_payload = (struct leat_chain){0};
    if (signal == LEAT_PROFILES)
        return leat_chain_share_all(ret_payload, payload) == LEAT_OK
                   ? LEAT_OK
                   : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    otlp_edit__match_begin(include);
    otlp_edit__match_begin(exclude);
    leat_rc rc = inside(&r, otlp_request_of(signal), &c, payload->bytes, 0);
    leat_rc closed = page_close(&r.pages);
    leat_copied(r.pages.written);
    otlp_edit__flat_done(&r.resource);
    otlp_edit__flat_done(&r.scope);
    otlp_edit__flat_done(&r.name);
    if (rc == LEAT_OK)
        rc = closed;
    if (rc != LEAT_OK) {
        leat_chain_done(&r.pages.out);
        return LEAT_RAISE(reterr, rc, 0, "otlp: editing records");
    }
    *ret_payload = r.pages.out;
    return LEAT_OK;
}
