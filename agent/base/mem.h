/* SPDX-License-Identifier: Apache-2.0 */
/* mem -- refcounted blocks of bytes, and the per-shard pool they come from.
 *
 * Why      payload is never copied on its way through: everybody holds references to the block it was read into.
 * Threads  reference counts are plain integers: a block is used and released on the shard that made it.
 *          Another shard gets the bytes through loop/handoff, which brings the release back home.
 * Owns     the holder of a reference owns one count; the last one gives the block back to its pool.
 * Limits   every pool charges whole blocks to one budget shared by all shards (leat::memory::limit).
 * Fails    NULL when the heap says no or the budget's hard limit is reached; nothing aborts. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/rc.h"

#define LEAT_PAGE_BYTES 131072u /* one page: block header and bytes together */

struct leat_pool;

struct leat_mem {
    uint32_t refs;
    uint32_t size;      /* bytes usable at `at` */
    uint32_t charged;   /* bytes the budget counts for it */
    uint8_t *at;
    struct leat_pool *pool;                  /* the shard's pool it goes back to */
    void (*release)(struct leat_mem *mem);   /* how the last reference ends it */
    void *ctx;                               /* for foreign bytes: the owner's word */
};

/* ---- budget: one per process, shared by all pools (atomic inside) ---- */

struct leat_budget {
    uint64_t soft_bytes, hard_bytes; /* 0: no limit */
    uint64_t used_bytes;             /* atomic */
    uint64_t refused;                /* atomic: blocks refused at the hard limit */
    uint64_t peak_bytes;             /* atomic */
};

bool leat_budget_above_soft(const struct leat_budget *budget); /* receivers answer AGAIN */
/* For memory that is no block (a library's own): false at the hard limit, counted. NULL: no budget, always true. */
bool leat_budget_charge(struct leat_budget *budget, uint64_t bytes) LEAT_MUST_CHECK;
void leat_budget_discharge(struct leat_budget *budget, uint64_t bytes);

/* ---- pool: one per shard; bound to the thread that runs the shard ---- */

leat_rc leat_pool_open(struct leat_budget *budget, struct leat_pool **ret_pool) LEAT_MUST_CHECK;
struct leat_pool *leat_pool_close(struct leat_pool *pool); /* always NULL; every block must be back */
void leat_pool_bind(struct leat_pool *pool);               /* this thread's blocks come from it; NULL unbinds */
struct leat_pool *leat_pool_here(void);                    /* the bound one; a default without budget if none */
struct leat_budget *leat_pool_budget(struct leat_pool *pool);
uint32_t leat_pool_blocks_out(const struct leat_pool *pool); /* blocks not yet given back; tests assert 0 */
void leat_pool_trim(struct leat_pool *pool);                 /* gives cached pages back to the system */

/* ---- blocks ---- */

struct leat_mem *leat_mem_new(uint32_t size) LEAT_MUST_CHECK; /* a page when it fits one, else the heap */
/* Foreign bytes (a mapping, another library's buffer): `release(mem)` is told when the last reference goes and must
 * then call leat_mem_wrap_free(mem). */
struct leat_mem *leat_mem_wrap(const void *at, uint32_t size, void (*release)(struct leat_mem *mem),
                               void *ctx) LEAT_MUST_CHECK;
void leat_mem_wrap_free(struct leat_mem *mem);

static inline struct leat_mem *leat_mem_ref(struct leat_mem *mem)
{
    if (mem)
        mem->refs++;
    return mem;
}

static inline struct leat_mem *leat_mem_unref(struct leat_mem *mem) /* always NULL; NULL is a no-op */
{
    if (mem && --mem->refs == 0)
        mem->release(mem);
    return NULL;
}

/* ---- room for what comes next: bump allocation inside the shard's current pages ----
 *
 * Readers: ask for room, let the kernel fill it, then take what was filled as a slice-to-be. Connections share the
 * page one after the other, so that an idle one holds none and payloads lie dense.
 * Room is valid until the next call on the same pool; only one reader is between room and take at a time. */
struct leat_room {
    uint8_t *at;
    uint32_t len;
    struct leat_mem *mem; /* borrowed */
};
leat_rc leat_pool_read_room(struct leat_pool *pool, uint32_t len_min, struct leat_room *ret_room) LEAT_MUST_CHECK;
/* `used` bytes of the room are kept: the answer carries a reference of its own for the caller. */
struct leat_mem *leat_pool_read_take(struct leat_pool *pool, const struct leat_room *room, uint32_t used);

/* Small pieces made by us (rewritten heads, headers, ids): `len` <= LEAT_SMALL_BYTES_MAX come from a shared page. The
 * answer is a reference for the caller; NULL when out of memory. */
#define LEAT_SMALL_BYTES_MAX 16384u
struct leat_mem *leat_pool_small(struct leat_pool *pool, uint32_t len, uint8_t **ret_at) LEAT_MUST_CHECK;

/* ---- what was copied: the zero-copy claim is a number (leat_payload_copied_bytes_total) ---- */
void leat_copied(uint64_t bytes); /* payload bytes copied in user space, this thread */
uint64_t leat_copied_bytes(void); /* sum over all threads */
