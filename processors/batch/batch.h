/* SPDX-License-Identifier: Apache-2.0 */
/* batch -- many small batches become fewer large ones; private to this folder.
 *
 * Why      a request costs the same whether it carries ten records or ten thousand.
 * Threads  one state per pipeline and shard.
 * Owns     what it holds: an open batch per group (per set of metadata values) and those that wait for room behind it.
 * Limits   holds at most 4 x max(send_batch_size, send_batch_max_size) items or BATCH_HELD_BYTES_MAX, then it answers
 *          LEAT_AGAIN; metadata_cardinality_limit groups, then LEAT_EREFUSED.
 * Fails    without memory batches are passed on unmerged; nothing is lost. */
#pragma once
#include "agent/pipe/merge.h"
#include "processors/processor.h"

#define BATCH_HELD_BYTES_MAX (64ull << 20)
#define BATCH_BUCKETS 64u

enum batch_row { BATCH_SIZE_TRIGGER, BATCH_TIMEOUT_TRIGGER, BATCH_CARDINALITY, BATCH_OVER_CARDINALITY };

struct batch_conf {
    int64_t send_batch_size, send_batch_max_size, timeout_ns;
    struct leat_strings metadata_keys;
    int64_t metadata_cardinality_limit;
};

struct batch_group {
    struct batch *batch;
    struct batch_group *next; /* in its bucket */
    struct leat_meta *meta;   /* of the chosen keys only; NULL: none of them */
    uint64_t hash;
    struct leat_batch *open;
    struct leat_merge *merge; /* open's ack when it speaks for several */
    struct leat_timer timer;
};

struct batch {
    const struct batch_conf *conf;
    struct leat_host *host;
    uint64_t size, items_max; /* send_batch_size, what may be held */
    bool at_once;             /* no timeout or no size: pass on what comes */
    const char **keys;        /* metadata_keys in lower case */
    uint32_t key_count, group_count;
    struct batch_group *groups[BATCH_BUCKETS];
    struct leat_list ready; /* complete, in order; waits for room behind */
    uint64_t held_items, held_bytes;
    struct leat_task task; /* passes `ready` on: not while a batch is being taken, when room behind may be spoken for */
};

extern const struct leat_field batch_fields[];
extern const struct leat_counter_def batch_counters[];

leat_rc batch__check(const void *conf, struct leat_err *reterr);
leat_rc batch__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                    struct leat_err *reterr);
leat_rc batch__admit(void *state, const struct leat_batch *in);
struct leat_batch *batch__process(void *state, struct leat_batch *in);
bool batch__flush(void *state);
uint64_t batch__held(const void *state);
void batch__dump(const void *state, struct leat_strbuf *out);
void batch__close(void *state);

/* groups (batch_group.c) */
uint64_t batch__hash(const struct batch *batch, const struct leat_meta *meta);
struct batch_group *batch__find(const struct batch *batch, const struct leat_meta *meta, uint64_t hash);
struct batch_group *batch__group_new(struct batch *batch, const struct leat_meta *meta, uint64_t hash) LEAT_MUST_CHECK;
void batch__add(struct batch_group *group, struct leat_batch *in); /* takes it */
void batch__seal(struct batch_group *group, bool all);             /* open goes to ready, cut at the largest size */
void batch__seal_all(struct batch *batch);
void batch__send(struct batch *batch); /* what is ready goes on, as far as there is room */
