/* SPDX-License-Identifier: Apache-2.0 */
/* loki_push_put -- Loki's PushRequest, written in one pass into a buffer that is kept.
 *
 *   stream_open { entry_open metadata... entry_close }... stream_close
 *
 * Why      a line costs two copies of its bytes (here and in snappy) and no allocation.
 * Threads  one shard's.
 * Owns     its buffer until _done; _clear keeps it for the next request. {0} is empty.
 * Limits   less than 4 GiB; lengths are held open as padded varints (legal, and what every reader takes).
 * Fails    `failed` stays true after the first allocation that failed; further puts do nothing.
 * Source   logproto push.proto: PushRequest{1 streams}, Stream{1 labels, 2 entries}, Entry{1 timestamp, 2 line,
 *          3 structured metadata{1 name, 2 value}} */
#pragma once
#include "proto/protobuf/pb_write.h"

struct loki_push {
    uint8_t *at;
    size_t len, room;
    size_t stream, entry;       /* where their open lengths are */
    uint64_t second, second_ns; /* of the last timestamp: the second, and when it began */
    bool failed;
};
void loki_push_done(struct loki_push *push);
static inline void loki_push_clear(struct loki_push *push)
{
    push->len = 0;
    push->failed = false;
}

bool loki_push_grow(struct loki_push *push, size_t more);
static inline bool loki_push_room(struct loki_push *push, size_t more)
{
    return push->room - push->len >= more || loki_push_grow(push, more);
}

void loki_push_stream_open(struct loki_push *push, struct leat_slice labels);
void loki_push_stream_close(struct loki_push *push);
void loki_push_entry_open(struct loki_push *push, uint64_t unix_ns, struct leat_slice line);
void loki_push_entry_close(struct loki_push *push);
/* A name as Loki takes it: what is no letter, digit or underscore becomes one, a first digit gets "key_" before it. */
void loki_push_metadata(struct loki_push *push, struct leat_slice name, struct leat_slice value);
void loki_push_metadata_hex(struct loki_push *push, struct leat_slice name, struct leat_slice bytes);
void loki_push_metadata_number(struct loki_push *push, struct leat_slice name, int64_t value);
/* Metadata that was put into another buffer before. */
void loki_push_metadata_all(struct loki_push *push, const struct loki_push *from);

/* The `len` bytes that stand at `from` once more. */
void loki_push_again(struct loki_push *push, size_t from, uint32_t len);
