/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_random -- valid requests by chance, made from the tables: same seed, same bytes. */
#pragma once
#include <stdio.h>

#include "proto/otlp/otlp_schema.h"
#include "proto/protobuf/pb_write.h"

struct otlp_random {
    uint64_t state;
    uint32_t items, samples;
};

static inline uint64_t random_next(struct otlp_random *r)
{
    r->state = r->state * 6364136223846793005ull + 1442695040888963407ull;
    uint64_t x = r->state ^ r->state >> 33;
    return x * 0xff51afd7ed558ccdull ^ x >> 29;
}
static inline uint32_t random_below(struct otlp_random *r, uint32_t n)
{
    return (uint32_t)(random_next(r) >> 20) % n;
}

static inline uint64_t random_number(struct otlp_random *r, unsigned kind)
{
    static const uint64_t numbers[] = {0, 1, 127, 128, 300, UINT32_MAX, INT64_MAX, UINT64_MAX, 1700000000123456789ull};
    uint64_t v = numbers[random_below(r, sizeof numbers / sizeof *numbers)];
    double d = (double)(int64_t)random_next(r) / 1024;
    switch (kind) {
    case OTLP_BOOL:
        return v & 1;
    case OTLP_ENUM:
        return v % 3;
    case OTLP_UINT32:
    case OTLP_FIXED32:
        return (uint32_t)v;
    case OTLP_INT32:
        return (uint64_t)(int64_t)(int32_t)v;
    case OTLP_SINT32:
        return (uint32_t)v;
    case OTLP_DOUBLE:
        memcpy(&v, &d, sizeof v);
        return v;
    default:
        return v;
    }
}

static inline void random_text(struct otlp_random *r, struct pb_buf *out, uint32_t tag, bool utf8)
{
    static const char *const words[] = {
        "",
        "k8s.pod.name",
        "GET /a?b=\"c\"\\\n",
        "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x90\x9f",
        "x",
        ("a longer text that does not fit sixteen bytes, nor thirty-two, nor sixty-four; "
        "it needs a length of two bytes and so crosses more cuts than the others do")};
    const char *word = words[random_below(r, utf8 ? 6 : 3)];
    pb_buf_bytes(out, tag, word, (uint32_t)strlen(word));
}

static inline void random_message(struct otlp_random *r, const struct otlp_msg *msg, struct pb_buf *out,
                                  unsigned depth);

static inline void random_scalar(struct otlp_random *r, const struct otlp_field *f, struct pb_buf *out)
{
    uint64_t v = random_number(r, f->kind);
    uint32_t tag = PB_TAG(f->number, f->wire);
    if (f->wire == PB_VARINT)
        pb_buf_varint(out, tag, v);
    else if (f->wire == PB_FIXED64)
        pb_buf_fixed64(out, tag, v);
    else
        pb_buf_fixed32(out, tag, (uint32_t)v);
}

static inline void random_packed(struct otlp_random *r, const struct otlp_field *f, struct pb_buf *out)
{
    unsigned kind = f->kind & ~(unsigned)OTLP_PACKED;
    size_t open = pb_buf_open(out, PB_TAG(f->number, PB_LEN));
    uint8_t bytes[10];
    for (uint32_t n = 1 + random_below(r, 3); n; n--) {
        uint64_t v = random_number(r, kind);
        const uint8_t *end = otlp_wire_of(kind) == PB_FIXED64 ? pb_put_fixed64(bytes, v) : pb_put_varint(bytes, v);
        pb_buf_raw(out, bytes, (size_t)(end - bytes));
    }
    pb_buf_close(out, open);
}

static inline void random_field(struct otlp_random *r, const struct otlp_field *f, struct pb_buf *out, unsigned depth)
{
    static const uint8_t id[16] = {0xff, 1, 0x80, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint32_t tag = PB_TAG(f->number, PB_LEN);
    size_t open;
    switch (f->kind) {
    case OTLP_MSG:
        if (f->flags & OTLP_ITEM)
            r->items++;
        if (f->flags & OTLP_SAMPLE)
            r->samples++;
        open = pb_buf_open(out, tag);
        random_message(r, f->msg, out, depth + 1);
        pb_buf_close(out, open);
        break;
    case OTLP_STRING:
    case OTLP_BYTES:
        random_text(r, out, tag, f->kind == OTLP_STRING);
        break;
    case OTLP_ID16:
    case OTLP_ID8:
        pb_buf_bytes(out, tag, id, f->kind == OTLP_ID16 ? 16 : 8);
        break;
    default:
        if (f->kind & OTLP_PACKED)
            random_packed(r, f, out);
        else
            random_scalar(r, f, out);
    }
}

/* In rising order of numbers; of a oneof, one; what JSON always shows, always. */
static inline void random_message(struct otlp_random *r, const struct otlp_msg *msg, struct pb_buf *out, unsigned depth)
{
    uint32_t chosen = random_below(r, msg->field_count);
    bool number_done = false;
    for (uint32_t i = 0; i < msg->field_count; i++) {
        const struct otlp_field *f = &msg->fields[i];
        bool one_of = msg == &otlp_AnyValue || (msg == &otlp_Metric && f->flags & OTLP_CONTAINER);
        if (one_of && i != chosen)
            continue;
        bool number = f->name_len >= 5 && (memcmp(f->name, "as_in", 5) == 0 || memcmp(f->name, "as_do", 5) == 0);
        if (number && number_done)
            continue;
        if (f->kind == OTLP_MSG && depth > 12) {
            if (f->flags & OTLP_ALWAYS)
                pb_buf_bytes(out, PB_TAG(f->number, PB_LEN), "", 0);
            continue;
        }
        uint32_t times = one_of || f->flags & OTLP_ALWAYS ? 1
                         : f->flags & OTLP_REPEATED       ? random_below(r, f->kind == OTLP_MSG ? 4 : 2)
                                                          : random_below(r, 2);
        if (f->kind == OTLP_MSG && f->flags & OTLP_REPEATED && f->msg == &otlp_AnyValue && depth > 8)
            times = 0;
        for (; times; times--) {
            random_field(r, f, out, depth);
            number_done = number_done || number;
        }
    }
}

static inline struct pb_buf random_request(struct otlp_random *r, enum leat_signal signal)
{
    struct pb_buf out = {0};
    random_message(r, otlp_request_of(signal), &out, 0);
    return out;
}
