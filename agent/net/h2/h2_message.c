/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a stream: header fields, the message coming in, the message going out; and the refilled budget. */
#include <string.h>

#include "agent/base/alloc.h"
#include "agent/net/h2/h2_session.h"

#define SMALL_SLICES_MAX 16u

/* ---- fields ---- */

void leat_h2__fields_clear(struct leat_h2_fields *fields)
{
    for (uint32_t i = 0; i < 2 * fields->count; i++)
        nghttp2_rcbuf_decref(fields->bufs[i]);
    if (fields->at != fields->fixed) {
        leat_free(fields->at);
        leat_free(fields->bufs);
    }
    fields->at = fields->fixed;
    fields->bufs = fields->fixed_bufs;
    fields->room = LEAT_H2_FIELDS_FIXED;
    fields->count = fields->pseudo = fields->bytes = 0;
}

struct leat_headers leat_h2__fields_list(const struct leat_h2_fields *fields)
{
    return (struct leat_headers){fields->at + fields->pseudo, fields->count - fields->pseudo};
}

struct leat_slice leat_h2__fields_get(const struct leat_h2_fields *fields, const char *name)
{
    struct leat_slice want = leat_slice_str(name); /* names arrive in lower case */
    for (uint32_t i = 0; i < fields->count; i++)
        if (leat_slice_eq(fields->at[i].name, want))
            return fields->at[i].value;
    return (struct leat_slice){0};
}

/* ---- the message coming in ---- */

static uint32_t take_prefix(struct leat_h2_message *message, struct leat_slice *piece)
{
    uint32_t n = 5 - message->prefix_have < piece->len ? 5 - message->prefix_have : piece->len;
    memcpy(message->prefix + message->prefix_have, piece->at, n);
    message->prefix_have += n;
    *piece = leat_slice_sub(*piece, n, piece->len - n);
    return message->prefix_have;
}

static enum leat_h2_message_state begin(struct leat_h2_message *message, uint64_t bytes_max)
{
    const uint8_t *p = message->prefix;
    message->wanted = (uint64_t)p[1] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 8 | p[4];
    if (p[0] > 1)
        return LEAT_H2_BAD_FLAG;
    return message->wanted > bytes_max ? LEAT_H2_TOO_LARGE : LEAT_H2_MORE;
}

void leat_h2__message_drop(struct leat_h2_message *message)
{
    leat_gather_done(&message->gather);
    leat_chain_done(&message->bytes);
}

/* The first small frames cost a slice each, as senders make one of a message's beginning and end; a peer that makes
 * nothing else pays with copies. */
static leat_rc keep(struct leat_h2_message *message, struct leat_slice piece)
{
    struct leat_chain *bytes = &message->bytes;
    if (piece.len >= LEAT_GATHER_PIECE_MAX || bytes->count < SMALL_SLICES_MAX + bytes->bytes / LEAT_GATHER_PIECE_MAX)
        return leat_chain_share(bytes, piece);
    return leat_gather_put(&message->gather, bytes, piece, message->wanted - bytes->bytes - piece.len);
}

bool leat_h2__message_is_whole(const struct leat_h2_message *message)
{
    return message->prefix_have == 5 && message->bytes.bytes == message->wanted;
}

enum leat_h2_message_state leat_h2__message_feed(struct leat_h2_message *message, struct leat_slice piece,
                                                 uint64_t bytes_max)
{
    if (message->prefix_have < 5) {
        if (take_prefix(message, &piece) < 5)
            return LEAT_H2_MORE;
        enum leat_h2_message_state state = begin(message, bytes_max);
        if (state != LEAT_H2_MORE)
            return state;
    }
    if (piece.len > message->wanted - message->bytes.bytes)
        return LEAT_H2_EXCESS;
    if (piece.len && keep(message, piece) != LEAT_OK)
        return LEAT_H2_NO_MEMORY;
    if (!leat_h2__message_is_whole(message))
        return LEAT_H2_MORE;
    leat_gather_done(&message->gather);
    return LEAT_H2_WHOLE;
}

/* ---- the message going out ---- */

void leat_h2__body_set(struct leat_h2_body *body, const struct leat_chain *message, bool compressed)
{
    uint32_t len = (uint32_t)message->bytes;
    *body = (struct leat_h2_body){.message = message, .prefix_left = 5, .left = message->bytes};
    body->prefix[0] = compressed;
    for (uint32_t i = 0; i < 4; i++)
        body->prefix[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

/* ---- the budget ---- */

bool leat_h2__bucket_take(struct leat_h2_bucket *bucket, uint32_t burst, uint32_t rate, uint64_t now_ns)
{
    uint64_t second = 1000000000ull, past = now_ns - bucket->at_ns;
    if (past > 1000 * second)
        past = 1000 * second;
    uint64_t gained = past * rate / second;
    if (gained) {
        bucket->used -= gained < bucket->used ? gained : bucket->used;
        bucket->at_ns = now_ns;
    }
    if (bucket->used == 0)
        bucket->at_ns = now_ns;
    bucket->used++;
    return bucket->used <= burst;
}
