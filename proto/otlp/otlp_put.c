/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_put.h"

/* A field of one tag byte: its length and body. */
static inline uint32_t len_size(uint32_t len)
{
    return 1 + pb_varint_size(len) + len;
}
static inline uint32_t text_size(uint32_t len)
{
    return len ? len_size(len) : 0;
}

static inline uint8_t *put_text(uint8_t *at, uint32_t number, struct leat_slice text)
{
    return text.len ? pb_put_bytes(at, PB_TAG(number, PB_LEN), text.at, text.len) : at;
}

static inline uint8_t *put_fixed64(uint8_t *at, uint32_t number, uint64_t v)
{
    if (v == 0)
        return at;
    *at = (uint8_t)PB_TAG(number, PB_FIXED64);
    return pb_put_fixed64(at + 1, v);
}

static inline uint8_t *put_varint(uint8_t *at, uint32_t number, uint32_t v)
{
    if (v == 0)
        return at;
    *at = (uint8_t)PB_TAG(number, PB_VARINT);
    return pb_put_varint(at + 1, v);
}

static inline uint32_t varint_size(uint32_t v)
{
    return v ? 1 + pb_varint_size(v) : 0;
}

uint32_t otlp_put_record_size(const struct otlp_put_record *r, uint32_t *ret_len)
{
    uint32_t len = (r->time_unix_nano ? 9u : 0u) + (r->observed_time_unix_nano ? 9u : 0u) +
                   varint_size(r->severity_number) + text_size(r->severity_text.len) + len_size(len_size(r->body.len)) +
                   r->attributes.len + varint_size(r->dropped_attributes) + (r->flags ? 5u : 0u) +
                   (r->trace_id ? 18u : 0u) + (r->span_id ? 10u : 0u) + text_size(r->event_name.len);
    *ret_len = len;
    return len_size(len);
}

static uint8_t *put_ids(uint8_t *at, const struct otlp_put_record *r)
{
    if (r->flags) {
        *at = (uint8_t)PB_TAG(8, PB_FIXED32);
        at = pb_put_fixed32(at + 1, r->flags);
    }
    if (r->trace_id)
        at = pb_put_bytes(at, PB_TAG(9, PB_LEN), r->trace_id, 16);
    return r->span_id ? pb_put_bytes(at, PB_TAG(10, PB_LEN), r->span_id, 8) : at;
}

uint8_t *otlp_put_record(uint8_t *at, const struct otlp_put_record *r, uint32_t len)
{
    *at = (uint8_t)PB_TAG(2, PB_LEN);
    at = pb_put_varint(at + 1, len);
    at = put_fixed64(at, 1, r->time_unix_nano);
    at = put_varint(at, 2, r->severity_number);
    at = put_text(at, 3, r->severity_text);
    *at = (uint8_t)PB_TAG(5, PB_LEN);
    at = pb_put_varint(at + 1, len_size(r->body.len));
    at = pb_put_bytes(at, PB_TAG(1, PB_LEN), r->body.at, r->body.len);
    if (r->attributes.len) {
        memcpy(at, r->attributes.at, r->attributes.len);
        at += r->attributes.len;
    }
    at = put_varint(at, 7, r->dropped_attributes);
    at = put_ids(at, r);
    at = put_fixed64(at, 11, r->observed_time_unix_nano);
    return put_text(at, 12, r->event_name);
}

/* ---- attributes ---- */

uint32_t otlp_put_string_size(struct leat_slice key, struct leat_slice value)
{
    return len_size(len_size(key.len) + len_size(len_size(value.len)));
}

static uint8_t *put_key(uint8_t *at, uint32_t number, struct leat_slice key, uint32_t value_len)
{
    at = pb_put_varint(at, PB_TAG(number, PB_LEN));
    at = pb_put_varint(at, len_size(key.len) + len_size(value_len));
    at = pb_put_bytes(at, PB_TAG(1, PB_LEN), key.at, key.len);
    *at = (uint8_t)PB_TAG(2, PB_LEN);
    return pb_put_varint(at + 1, value_len);
}

uint8_t *otlp_put_string(uint8_t *at, uint32_t number, struct leat_slice key, struct leat_slice value)
{
    at = put_key(at, number, key, len_size(value.len));
    return pb_put_bytes(at, PB_TAG(1, PB_LEN), value.at, value.len);
}

uint8_t *otlp_put_int(uint8_t *at, uint32_t number, struct leat_slice key, int64_t value)
{
    at = put_key(at, number, key, 1 + pb_varint_size((uint64_t)value));
    *at = (uint8_t)PB_TAG(3, PB_VARINT);
    return pb_put_varint(at + 1, (uint64_t)value);
}

uint8_t *otlp_put_double(uint8_t *at, uint32_t number, struct leat_slice key, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    at = put_key(at, number, key, 9);
    *at = (uint8_t)PB_TAG(4, PB_FIXED64);
    return pb_put_fixed64(at + 1, bits);
}

uint8_t *otlp_put_bool(uint8_t *at, uint32_t number, struct leat_slice key, bool value)
{
    at = put_key(at, number, key, 2);
    at[0] = (uint8_t)PB_TAG(2, PB_VARINT);
    at[1] = value;
    return at + 2;
}

/* ---- a request ---- */

uint32_t otlp_put_open_size(struct leat_slice resource, struct leat_slice name, struct leat_slice version)
{
    return 2 * (1 + OTLP_PUT_LEN_BYTES) + len_size(resource.len) +
           len_size(text_size(name.len) + text_size(version.len));
}

uint8_t *otlp_put_open(uint8_t *at, struct leat_slice resource, struct leat_slice name, struct leat_slice version,
                       struct otlp_put_open *ret_open)
{
    *at++ = (uint8_t)PB_TAG(1, PB_LEN);
    ret_open->resource_len = at;
    at = pb_put_bytes(at + OTLP_PUT_LEN_BYTES, PB_TAG(1, PB_LEN), resource.at, resource.len);
    *at++ = (uint8_t)PB_TAG(2, PB_LEN);
    ret_open->scope_len = at;
    at += OTLP_PUT_LEN_BYTES;
    *at = (uint8_t)PB_TAG(1, PB_LEN);
    at = pb_put_varint(at + 1, text_size(name.len) + text_size(version.len));
    return put_text(put_text(at, 1, name), 2, version);
}

static void fill_len(uint8_t *at, uint64_t len)
{
    for (unsigned i = 0; i < OTLP_PUT_LEN_BYTES; i++, len >>= 7)
        at[i] = (uint8_t)((len & 0x7f) | (i + 1 < OTLP_PUT_LEN_BYTES ? 0x80 : 0));
}

void otlp_put_close(const struct otlp_put_open *open, const uint8_t *end)
{
    fill_len(open->scope_len, (uint64_t)(end - open->scope_len) - OTLP_PUT_LEN_BYTES);
    fill_len(open->resource_len, (uint64_t)(end - open->resource_len) - OTLP_PUT_LEN_BYTES);
}
