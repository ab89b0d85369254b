/* SPDX-License-Identifier: Apache-2.0 */
/* rw1_put -- samples as a remote write 1.0 body: prometheus.WriteRequest in a snappy block, written at once.
 *
 * Why      nine tenths of a body are label bytes that were sent a scrape ago in the same order. The words that make a
 *          series' bytes out of those of the series before it are kept, so that a known sample costs their copy and 8 bytes.
 * Threads  one shard's.
 * Owns     the kept words, until rw1_done. A body belongs to the caller's chain.
 * Limits   `slots_max` series are remembered (a power of two); others are matched anew each time, and counted.
 * Fails    rw1_put and rw1_close answer false when out of memory: the body is then given up with rw1_drop. */
#pragma once
#include "proto/remote_write/rw_labels.h"
#include "proto/remote_write/rw_match.h"
#include "proto/remote_write/rw_pieces.h"
#include "proto/remote_write/rw_slots.h"

#define RW1_WORDS_HERE 44u

struct rw1_slot {
    uint64_t id, before;  /* the series, and the one it follows; 0: free */
    uint16_t entry_bytes; /* plain, the sample with it */
    uint8_t words_bytes, tag_at; /* where the last literal's tag stands, of a value and what is before it */
    union {
        uint8_t here[RW1_WORDS_HERE];
        uint8_t *far; /* more than RW1_WORDS_HERE of them */
    } words;
};

struct rw1 {
    const struct rw_outgoing *outgoing;
    struct rw_slots slots; /* of struct rw1_slot */
    uint32_t used;
    uint64_t matched; /* samples that had to be matched anew */
    /* The open body. */
    struct rw_pieces pieces;
    uint64_t plain_bytes;
    uint32_t samples;
    const struct leat_prom_series *last; /* what stands before, as an entry with one sample; NULL: other bytes, or none */
    uint64_t last_id;
    int64_t stamp_ms;
    uint8_t stamp[8]; /* a sample's timestamp field, 7 bytes */
    bool stamp_is_short;
    bool last_has_stamp;
    /* Scratch. */
    struct pb_buf entry, before, labels;
    struct rw_match match;
};

void rw1_init(struct rw1 *rw, const struct rw_outgoing *outgoing, uint32_t slots_max);
void rw1_done(struct rw1 *rw);
bool rw1_open(struct rw1 *rw, struct leat_chain *out) LEAT_MUST_CHECK; /* out: the body's, empty */
bool rw1_put(struct rw1 *rw, const struct leat_prom_sample *sample) LEAT_MUST_CHECK;
bool rw1_close(struct rw1 *rw) LEAT_MUST_CHECK;
void rw1_drop(struct rw1 *rw); /* the chain stays the caller's to free */
/* A TimeSeries as 1.0 has it, plain: what rw1_put compresses. The buffer's sticky error. */
void rw1_entry(struct pb_buf *buf, struct leat_slice labels, const struct leat_prom_sample *sample);
double rw_clean(double value); /* any NaN but the stale marker becomes the one NaN */

/* A family's metadata as a field of a body of its own, plain protobuf. */
void rw1_metadata(struct pb_buf *buf, const struct rw_outgoing *outgoing, const struct leat_prom_family *family);
