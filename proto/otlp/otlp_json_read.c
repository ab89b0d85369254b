/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_json_read.h"

#include "agent/base/check.h"
#include "proto/otlp/otlp_json_number.h"
#include "proto/otlp/otlp_validate.h"

#define FRAMES_MAX (16 + 3 * OTLP_DEPTH_MAX)
#define JSON_DEPTH (16 + 4 * OTLP_DEPTH_MAX)

struct frame {
    const struct otlp_msg *msg;
    const struct otlp_field *list; /* inside the array of this field; NULL: between members */
    size_t opened, packed;         /* where the message's, the packed numbers' bytes begin */
    unsigned values;               /* AnyValues around it, itself included */
};

struct read {
    struct json_reader json;
    struct pb_buf *out;
    struct frame frames[FRAMES_MAX];
    unsigned top;
    const char *why;
};

static bool fail(struct read *r, const char *why)
{
    r->why = why;
    return false;
}

static bool push(struct read *r, const struct otlp_field *f)
{
    const struct frame *in = &r->frames[r->top];
    unsigned values = in->values + (f->msg == &otlp_AnyValue);
    if (values > OTLP_DEPTH_MAX)
        return fail(r, "values nested deeper than 64");
    LEAT_CHECK(r->top + 1 < FRAMES_MAX);
    r->frames[++r->top] =
        (struct frame){.msg = f->msg, .opened = pb_buf_open(r->out, PB_TAG(f->number, PB_LEN)), .values = values};
    return true;
}

static void put_string(struct read *r, const struct otlp_field *f, const struct json_token *t)
{
    uint32_t tag = PB_TAG(f->number, PB_LEN);
    if (!t->escaped) {
        pb_buf_bytes(r->out, tag, t->at, t->len);
        return;
    }
    size_t opened = pb_buf_open(r->out, tag);
    if (!pb_buf_room(r->out, t->len))
        return;
    r->out->len += json_unescape(t, (char *)r->out->at + r->out->len);
    pb_buf_close(r->out, opened);
}

static bool put_bytes(struct read *r, const struct otlp_field *f, const struct json_token *t)
{
    uint32_t id_len = f->kind == OTLP_ID16 ? 16 : f->kind == OTLP_ID8 ? 8 : 0;
    size_t opened = pb_buf_open(r->out, PB_TAG(f->number, PB_LEN));
    if (!pb_buf_room(r->out, t->len))
        return true; /* told at the end */
    uint8_t *to = r->out->at + r->out->len;
    int64_t n = id_len ? otlp__json_hex(t, to) : otlp__json_base64(t, to);
    if (n < 0)
        return fail(r, id_len ? "not hexadecimal" : "not base64");
    if (id_len && n != 0 && n != id_len)
        return fail(r, "id of the wrong length");
    r->out->len += (size_t)n;
    pb_buf_close(r->out, opened);
    return true;
}

static bool put_number(struct read *r, const struct otlp_field *f, const struct json_token *t)
{
    uint64_t v;
    uint8_t bytes[10];
    const char *why = otlp__json_number(f, t, &v);
    if (why)
        return fail(r, why);
    uint32_t wire = otlp_wire_of(f->kind & ~(unsigned)OTLP_PACKED);
    if (f->kind & OTLP_PACKED) {
        const uint8_t *end = wire == PB_FIXED64 ? pb_put_fixed64(bytes, v) : pb_put_varint(bytes, v);
        pb_buf_raw(r->out, bytes, (size_t)(end - bytes));
        return true;
    }
    if (v == 0 && !(f->flags & (OTLP_PRESENT | OTLP_REPEATED)))
        return true;
    if (wire == PB_VARINT)
        pb_buf_varint(r->out, PB_TAG(f->number, wire), v);
    else if (wire == PB_FIXED64)
        pb_buf_fixed64(r->out, PB_TAG(f->number, wire), v);
    else
        pb_buf_fixed32(r->out, PB_TAG(f->number, wire), (uint32_t)v);
    return true;
}

static bool element(struct read *r, const struct otlp_field *f, const struct json_token *t)
{
    switch (f->kind) {
    case OTLP_MSG:
        return t->type == JSON_OBJECT ? push(r, f) : fail(r, "object expected");
    case OTLP_STRING:
        if (t->type != JSON_STRING)
            return fail(r, "string expected");
        put_string(r, f, t);
        return true;
    case OTLP_BYTES:
    case OTLP_ID16:
    case OTLP_ID8:
        return t->type == JSON_STRING ? put_bytes(r, f, t) : fail(r, "string expected");
    default:
        return put_number(r, f, t);
    }
}

static const struct otlp_field *field_named(const struct otlp_msg *msg, const struct json_token *key)
{
    const struct otlp_field *f = otlp_field_by_json(msg, key->at, key->len);
    for (uint32_t i = 0; !f && i < msg->field_count; i++)
        if (msg->fields[i].name_len == key->len && memcmp(msg->fields[i].name, key->at, key->len) == 0)
            f = &msg->fields[i];
    return f;
}

static bool member(struct read *r, const struct json_token *key)
{
    struct frame *in = &r->frames[r->top];
    const struct otlp_field *f = field_named(in->msg, key);
    struct json_token t;
    if (!f)
        return json_skip(&r->json);
    if (json_next(&r->json, &t) == JSON_ERROR)
        return false;
    if (t.type == JSON_NULL)
        return true;
    if (!(f->flags & OTLP_REPEATED))
        return element(r, f, &t);
    if (t.type != JSON_ARRAY)
        return fail(r, "array expected");
    in->list = f;
    if (f->kind & OTLP_PACKED)
        in->packed = pb_buf_open(r->out, PB_TAG(f->number, PB_LEN));
    return true;
}

static bool in_list(struct read *r, const struct json_token *t)
{
    struct frame *in = &r->frames[r->top];
    if (t->type != JSON_ARRAY_END)
        return element(r, in->list, t);
    if (in->list->kind & OTLP_PACKED)
        pb_buf_close(r->out, in->packed);
    in->list = NULL;
    return true;
}

/* One token of the message on top; *ret_done: the outermost one is read. */
static bool step(struct read *r, bool *ret_done)
{
    struct json_token t;
    if (json_next(&r->json, &t) == JSON_ERROR)
        return false;
    struct frame *in = &r->frames[r->top];
    if (in->list)
        return in_list(r, &t);
    if (t.type == JSON_KEY)
        return member(r, &t);
    *ret_done = r->top == 0; /* the end of an object: nothing else can come here */
    if (r->top) {
        pb_buf_close(r->out, in->opened);
        r->top--;
    }
    return true;
}

static bool read_all(struct read *r, const struct otlp_msg *msg)
{
    struct json_token t;
    bool done = false;
    r->frames[0] = (struct frame){.msg = msg};
    if (json_next(&r->json, &t) != JSON_OBJECT)
        return t.type == JSON_ERROR ? false : fail(r, "object expected");
    while (!done)
        if (!step(r, &done))
            return false;
    return json_next(&r->json, &t) == JSON_END;
}

leat_rc otlp_json_read_message(const struct otlp_msg *msg, struct leat_slice json, struct pb_buf *out,
                               struct leat_err *reterr)
{
    struct read r = {.out = out};
    json_begin(&r.json, json.at, json.len, JSON_DEPTH);
    if (!read_all(&r, msg))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "JSON at byte %llu: %s", (unsigned long long)json_offset(&r.json),
                          r.why ? r.why : r.json.why);
    return out->failed ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "JSON: out of memory") : LEAT_OK;
}

static leat_rc keep(const struct pb_buf *out, struct leat_chain *ret_payload)
{
    *ret_payload = (struct leat_chain){0};
    leat_copied(out->len);
    return leat_chain_copy(ret_payload, out->at, (uint32_t)out->len);
}

leat_rc otlp_json_read(enum leat_signal signal, const struct leat_chain *json, struct leat_chain *ret_payload,
                       struct leat_err *reterr)
{
    struct leat_slice flat;
    struct pb_buf out = {0};
    leat_rc rc = leat_chain_flat(json, &flat);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "JSON: out of memory");
    rc = otlp_json_read_message(otlp_request_of(signal), flat, &out, reterr);
    leat_mem_unref(flat.mem);
    if (rc == LEAT_OK) {
        rc = keep(&out, ret_payload);
        if (rc != LEAT_OK)
            rc = LEAT_RAISE(reterr, rc, 0, "JSON: out of memory");
    }
    pb_buf_done(&out);
    return rc;
}
