/* SPDX-License-Identifier: Apache-2.0 */
/* rw2_put -- samples as a remote write 2.0 body: io.prometheus.write.v2.Request in a snappy block.
 *
 * Why      texts are numbered once per state; a body's own numbers come from that by a look at an array, and no text is
 *          hashed or compared for a sample of a known series.
 * Threads  one shard's.
 * Owns     the texts and each series' numbers until rw2_done.
 * Limits   `slots_max` series are remembered (a power of two); RW2_TEXT_BYTES of text a slot, beyond which all is forgotten and made anew.
 * Fails    rw2_put and rw2_close answer false when out of memory: the body is given up. */
#pragma once
#include "proto/remote_write/rw_labels.h"
#include "proto/remote_write/rw_slots.h"
#include "proto/snappy/snappy_put.h"

#define RW2_TEXT_BYTES 64u

struct rw2_symbol {
    uint32_t at, len;
    uint32_t body, number; /* in body `body` it is this one */
};
struct rw2_symbols {
    struct pb_buf text;
    struct rw2_symbol *at;
    uint32_t count, room;
    uint32_t *table; /* 1 + index; 0: free */
    uint32_t table_size;
};
uint32_t rw2_symbol(struct rw2_symbols *symbols, struct leat_slice text); /* UINT32_MAX: out of memory */
void rw2_symbols_clear(struct rw2_symbols *symbols);
void rw2_symbols_done(struct rw2_symbols *symbols);

/* What is known of a series: its type, then the numbers in rw2_symbols of its help, its unit, and each label's name and
 * value. Varints, since most of what many series share was met early: half the bytes of fixed ones, and less. */
struct rw2_known {
    uint64_t id;
    uint32_t bytes; /* of the numbers */
    uint8_t numbers[];
};

struct rw2 {
    const struct rw_outgoing *outgoing;
    struct rw_slots slots; /* of struct rw2_known *: NULL or a block of its own */
    uint32_t used;
    struct rw2_symbols symbols;
    uint64_t looked_up; /* series whose texts had to be looked up */
    /* The open body. */
    uint32_t body;
    uint32_t *order, order_count, order_room; /* its symbols behind the empty one */
    uint64_t order_bytes;
    struct pb_buf series, plain, labels, numbers;
    uint32_t samples;
    bool failed;
    struct snappy_put snappy;
};

void rw2_init(struct rw2 *rw, const struct rw_outgoing *outgoing, uint32_t slots_max);
void rw2_done(struct rw2 *rw);
void rw2_open(struct rw2 *rw);
bool rw2_put(struct rw2 *rw, const struct leat_prom_sample *sample) LEAT_MUST_CHECK;
static inline uint64_t rw2_bytes(const struct rw2 *rw) { return rw->series.len + rw->order_bytes; } /* plain, so far */
bool rw2_plain(struct rw2 *rw) LEAT_MUST_CHECK; /* the whole message into rw->plain */
bool rw2_close(struct rw2 *rw, struct leat_chain *out) LEAT_MUST_CHECK;
