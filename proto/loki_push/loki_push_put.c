/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loki_push/loki_push_put.h"

#include "agent/base/alloc.h"

#define STREAM_LEN_BYTES 5u
#define ENTRY_LEN_BYTES 3u
#define ENTRY_LEN_MAX ((1u << (7 * ENTRY_LEN_BYTES)) - 1)
#define ROOM_MIN 4096u
#define NS_BYTES 5u /* of a varint below 10^9, padded */
#define NS_PER_S 1000000000ull

static const char digit_prefix[] = "key_";

void loki_push_done(struct loki_push *push)
{
    leat_free(push->at);
    *push = (struct loki_push){0};
}

bool loki_push_grow(struct loki_push *push, size_t more)
{
    size_t room = push->room ? push->room : ROOM_MIN;
    while (room - push->len < more)
        room *= 2;
    uint8_t *at = push->failed || room > UINT32_MAX ? NULL : leat_realloc(push->at, room);
    if (!at) {
        push->failed = true;
        return false;
    }
    push->at = at;
    push->room = room;
    return true;
}

/* A varint of exactly `bytes` bytes: leading zero groups fill it up. */
static inline void put_padded(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i + 1 < bytes; i++, value >>= 7)
        at[i] = (uint8_t)(value | 0x80);
    at[bytes - 1] = (uint8_t)(value & 0x7f);
}

void loki_push_stream_open(struct loki_push *push, struct leat_slice labels)
{
    if (!loki_push_room(push, labels.len + 32u))
        return;
    uint8_t *at = push->at + push->len;
    *at++ = PB_TAG(1, PB_LEN);
    push->stream = (size_t)(at - push->at);
    at = pb_put_bytes(at + STREAM_LEN_BYTES, PB_TAG(1, PB_LEN), labels.at, labels.len);
    push->len = (size_t)(at - push->at);
}

void loki_push_stream_close(struct loki_push *push)
{
    if (!push->failed)
        put_padded(push->at + push->stream, push->len - push->stream - STREAM_LEN_BYTES, STREAM_LEN_BYTES);
}

/* Lines mostly share the second of the one before. */
static inline uint8_t *put_timestamp(struct loki_push *push, uint8_t *at, uint64_t unix_ns)
{
    if (unix_ns - push->second_ns >= NS_PER_S) {
        push->second = unix_ns / NS_PER_S;
        push->second_ns = push->second * NS_PER_S;
    }
    *at++ = PB_TAG(1, PB_LEN);
    *at++ = (uint8_t)(2 + pb_varint_size(push->second) + NS_BYTES);
    *at++ = PB_TAG(1, PB_VARINT);
    at = pb_put_varint(at, push->second);
    *at++ = PB_TAG(2, PB_VARINT);
    put_padded(at, unix_ns - push->second_ns, NS_BYTES);
    return at + NS_BYTES;
}

void loki_push_entry_open(struct loki_push *push, uint64_t unix_ns, struct leat_slice line)
{
    if (!loki_push_room(push, line.len + 48u))
        return;
    uint8_t *at = push->at + push->len;
    *at++ = PB_TAG(2, PB_LEN);
    push->entry = (size_t)(at - push->at);
    at = put_timestamp(push, at + ENTRY_LEN_BYTES, unix_ns);
    at = pb_put_bytes(at, PB_TAG(2, PB_LEN), line.at, line.len);
    push->len = (size_t)(at - push->at);
}

void loki_push_entry_close(struct loki_push *push)
{
    if (push->failed)
        return;
    size_t begin = push->entry + ENTRY_LEN_BYTES, len = push->len - begin;
    if (len <= ENTRY_LEN_MAX) {
        put_padded(push->at + push->entry, len, ENTRY_LEN_BYTES);
        return;
    }
    const unsigned wider = 5; /* a line of megabytes: moved once */
    if (!loki_push_room(push, wider - ENTRY_LEN_BYTES))
        return;
    memmove(push->at + push->entry + wider, push->at + begin, len);
    put_padded(push->at + push->entry, len, wider);
    push->len += wider - ENTRY_LEN_BYTES;
}

/* ---- metadata ---- */

static const uint8_t plain_name[256] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8',
    ['9'] = '9', ['A'] = 'A', ['B'] = 'B', ['C'] = 'C', ['D'] = 'D', ['E'] = 'E', ['F'] = 'F', ['G'] = 'G', ['H'] = 'H',
    ['I'] = 'I', ['J'] = 'J', ['K'] = 'K', ['L'] = 'L', ['M'] = 'M', ['N'] = 'N', ['O'] = 'O', ['P'] = 'P', ['Q'] = 'Q',
    ['R'] = 'R', ['S'] = 'S', ['T'] = 'T', ['U'] = 'U', ['V'] = 'V', ['W'] = 'W', ['X'] = 'X', ['Y'] = 'Y', ['Z'] = 'Z',
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',
    ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',
    ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z'};

static uint8_t *put_name(uint8_t *at, struct leat_slice name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = plain_name[name.at[i]];
        *at++ = c ? c : '_';
    }
    return at;
}

/* Everything up to the value's bytes, for which there is room. NULL: none. */
static uint8_t *metadata_open(struct loki_push *push, struct leat_slice name, uint32_t value_len)
{
    if (!loki_push_room(push, (size_t)name.len + value_len + 32u))
        return NULL;
    uint8_t *at = push->at + push->len;
    bool digit = name.len && name.at[0] >= '0' && name.at[0] <= '9';
    uint32_t name_len = name.len + (digit ? (uint32_t)sizeof digit_prefix - 1 : 0);
    *at++ = PB_TAG(3, PB_LEN);
    at = pb_put_varint(at, 2 + pb_varint_size(name_len) + name_len + pb_varint_size(value_len) + value_len);
    *at++ = PB_TAG(1, PB_LEN);
    at = pb_put_varint(at, name_len);
    if (digit) {
        memcpy(at, digit_prefix, sizeof digit_prefix - 1);
        at += sizeof digit_prefix - 1;
    }
    at = put_name(at, name);
    *at++ = PB_TAG(2, PB_LEN);
    return pb_put_varint(at, value_len);
}

static void metadata_close(struct loki_push *push, const uint8_t *end)
{
    push->len = (size_t)(end - push->at);
}

void loki_push_metadata(struct loki_push *push, struct leat_slice name, struct leat_slice value)
{
    uint8_t *at = metadata_open(push, name, value.len);
    if (!at)
        return;
    if (value.len)
        memcpy(at, value.at, value.len);
    metadata_close(push, at + value.len);
}

void loki_push_metadata_hex(struct loki_push *push, struct leat_slice name, struct leat_slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *at = metadata_open(push, name, bytes.len * 2);
    if (!at)
        return;
    for (uint32_t i = 0; i < bytes.len; i++) {
        *at++ = (uint8_t)digits[bytes.at[i] >> 4];
        *at++ = (uint8_t)digits[bytes.at[i] & 15];
    }
    metadata_close(push, at);
}

/* Decimal digits of `value` at `to`; the answer is how many. */
static uint32_t decimal(int64_t value, char to[20])
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434"
        "44546474849505152535455565758596061626364656667686970717273747576777879808182838485868788"
        "8990919293949596979899";
    char digits[20];
    uint32_t at = sizeof digits, len = value < 0;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; left >= 100; left /= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (left % 100), 2);
    }
    if (left >= 10)
        digits[--at] = pairs[2 * left + 1];
    digits[--at] = left >= 10 ? pairs[2 * left] : (char)('0' + left);
    to[0] = '-';
    memcpy(to + len, digits + at, sizeof digits - at);
    return len + (uint32_t)sizeof digits - at;
}

void loki_push_metadata_number(struct loki_push *push, struct leat_slice name, int64_t value)
{
    char text[20];
    loki_push_metadata(push, name, leat_slice_of(text, decimal(value, text)));
}

void loki_push_metadata_all(struct loki_push *push, const struct loki_push *from)
{
    push->failed |= from->failed;
    if (from->len == 0 || !loki_push_room(push, from->len))
        return;
    memcpy(push->at + push->len, from->at, from->len);
    push->len += from->len;
}

void loki_push_again(struct loki_push *push, size_t from, uint32_t len)
{
    if (len == 0 || !loki_push_room(push, len))
        return;
    memcpy(push->at + push->len, push->at + from, len);
    push->len += len;
}
