/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_json_write.h"

#include "agent/base/check.h"
#include "proto/json/json_write.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/protobuf/pb_read.h"

#define FIELDS_MAX 20
#define LEVELS_MAX (16 + 3 * OTLP_DEPTH_MAX)

/* Where a field's values are: a first pass over the message notes it, so that repeated ones stand together. */
struct seen {
    const uint8_t *first, *end; /* from the first tag to behind the last value */
    struct pb_field last;
    uint32_t count;
};

static bool write_message(struct leat_strbuf *out, const struct otlp_msg *msg, struct pb_flat in, unsigned level);

static bool look(const struct otlp_msg *msg, struct pb_flat in, struct seen *seen)
{
    struct pb_field f;
    int got;
    LEAT_CHECK(msg->field_count <= FIELDS_MAX);
    memset(seen, 0, msg->field_count * sizeof *seen);
    while ((got = pb_next(&in, &f)) == 1) {
        uint32_t tag = PB_TAG(f.number, f.wire);
        unsigned index = tag < OTLP_TAGS ? msg->by_tag[tag] : 0;
        const struct otlp_field *known = index ? &msg->fields[index - 1] : otlp_field_by_number(msg, f.number);
        if (!known)
            continue;
        if (msg == &otlp_AnyValue) /* one of them: the last wins */
            memset(seen, 0, msg->field_count * sizeof *seen);
        struct seen *s = &seen[known - msg->fields];
        if (s->count++ == 0)
            s->first = f.tag;
        s->end = in.at;
        s->last = f;
    }
    return got == 0;
}

static void put_base64(struct leat_strbuf *out, const uint8_t *at, uint32_t len)
{
    leat_strbuf_putc(out, '"');
    leat_strbuf_base64(out, at, len);
    leat_strbuf_putc(out, '"');
}

static void put_hex(struct leat_strbuf *out, const uint8_t *at, uint32_t len)
{
    static const char digits[] = "0123456789abcdef";
    leat_strbuf_putc(out, '"');
    for (uint32_t i = 0; i < len; i++) {
        leat_strbuf_putc(out, digits[at[i] >> 4]);
        leat_strbuf_putc(out, digits[at[i] & 15]);
    }
    leat_strbuf_putc(out, '"');
}

static void put_digits(struct leat_strbuf *out, uint64_t v, bool minus, const char *quote)
{
    char text[24], *end = text + sizeof text, *at = end;
    if (*quote)
        *--at = *quote;
    do {
        *--at = (char)('0' + v % 10);
    } while (v /= 10);
    if (minus)
        *--at = '-';
    if (*quote)
        *--at = *quote;
    leat_strbuf_put(out, at, (size_t)(end - at));
}

static void put_signed(struct leat_strbuf *out, int64_t v, const char *quote)
{
    put_digits(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0, quote);
}

static void put_number(struct leat_strbuf *out, unsigned kind, uint64_t v)
{
    switch (kind) {
    case OTLP_BOOL:
        leat_strbuf_puts(out, v ? "true" : "false");
        break;
    case OTLP_UINT32:
    case OTLP_FIXED32:
        put_digits(out, (uint32_t)v, false, "");
        break;
    case OTLP_ENUM:
    case OTLP_INT32:
        put_signed(out, (int32_t)v, "");
        break;
    case OTLP_SINT32:
        put_signed(out, (int32_t)pb_zigzag(v), "");
        break;
    case OTLP_UINT64:
    case OTLP_FIXED64:
        put_digits(out, v, false, "\"");
        break;
    case OTLP_DOUBLE:
        json_put_double(out, pb_double(v));
        break;
    default:
        put_signed(out, (int64_t)v, "\"");
    }
}

static bool put_value(struct leat_strbuf *out, const struct otlp_field *f, const struct pb_field *v, unsigned level)
{
    switch (f->kind) {
    case OTLP_MSG:
        return write_message(out, f->msg, pb_sub(v), level + 1);
    case OTLP_STRING:
        json_put_string(out, v->at, v->len);
        return true;
    case OTLP_BYTES:
        put_base64(out, v->at, v->len);
        return true;
    case OTLP_ID16:
    case OTLP_ID8:
        put_hex(out, v->at, v->len);
        return true;
    default:
        put_number(out, f->kind & ~(unsigned)OTLP_PACKED, v->value);
        return true;
    }
}

/* The numbers of one packed field. */
static bool put_packed(struct leat_strbuf *out, unsigned kind, struct pb_flat in, bool *comma)
{
    while (in.at < in.end) {
        uint64_t v;
        if (otlp_wire_of(kind) == PB_FIXED64) {
            if (in.end - in.at < 8)
                return false;
            v = pb_load64(in.at);
            in.at += 8;
        } else {
            in.at = pb_varint(in.at, in.end, &v);
            if (!in.at)
                return false;
        }
        if (*comma)
            leat_strbuf_putc(out, ',');
        *comma = true;
        put_number(out, kind, v);
    }
    return true;
}

static bool put_repeated(struct leat_strbuf *out, const struct otlp_field *f, const struct seen *s, unsigned level)
{
    struct pb_flat in = {s->first, s->end};
    struct pb_field v;
    bool comma = false;
    leat_strbuf_putc(out, '[');
    while (pb_next(&in, &v) == 1) {
        if (v.number != f->number)
            continue;
        if (f->kind & OTLP_PACKED && v.wire == PB_LEN) {
            if (!put_packed(out, f->kind & ~(unsigned)OTLP_PACKED, pb_sub(&v), &comma))
                return false;
            continue;
        }
        if (comma)
            leat_strbuf_putc(out, ',');
        comma = true;
        if (!put_value(out, f, &v, level))
            return false;
    }
    leat_strbuf_putc(out, ']');
    return true;
}

/* Zero and empty values are the same as absent ones, but where presence means something. */
static bool wanted(const struct otlp_field *f, const struct seen *s)
{
    if (s->count == 0)
        return f->flags & OTLP_ALWAYS;
    if (f->kind == OTLP_MSG || f->flags & (OTLP_PRESENT | OTLP_REPEATED))
        return true;
    return f->wire == PB_LEN ? s->last.len != 0 : s->last.value != 0;
}

static bool write_message(struct leat_strbuf *out, const struct otlp_msg *msg, struct pb_flat in, unsigned level)
{
    struct seen seen[FIELDS_MAX];
    bool comma = false;
    if (level > LEVELS_MAX || !look(msg, in, seen))
        return false;
    leat_strbuf_putc(out, '{');
    for (uint32_t i = 0; i < msg->field_count; i++) {
        const struct otlp_field *f = &msg->fields[i];
        if (!wanted(f, &seen[i]))
            continue;
        leat_strbuf_puts(out, comma ? ",\"" : "\"");
        leat_strbuf_put(out, f->json, f->json_len);
        leat_strbuf_puts(out, "\":");
        comma = true;
        if (!(f->flags & OTLP_REPEATED ? put_repeated(out, f, &seen[i], level)
                                       : put_value(out, f, &seen[i].last, level)))
            return false;
    }
    leat_strbuf_putc(out, '}');
    return true;
}

leat_rc otlp_json_write_message(const struct otlp_msg *msg, struct leat_slice bytes, struct leat_strbuf *out,
                                struct leat_err *reterr)
{
    if (!write_message(out, msg, pb_flat_of(bytes.at, bytes.len), 0))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "otlp: malformed %s", msg->name);
    return out->failed ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "otlp: JSON") : LEAT_OK;
}

leat_rc otlp_json_write(enum leat_signal signal, const struct leat_chain *payload, struct leat_strbuf *out,
                        struct leat_err *reterr)
{
    struct leat_slice flat;
    leat_rc rc = leat_chain_flat(payload, &flat);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "otlp: JSON");
    rc = otlp_json_write_message(otlp_request_of(signal), flat, out, reterr);
    leat_mem_unref(flat.mem);
    return rc;
}
