/* SPDX-License-Identifier: Apache-2.0 */
/* slice -- some bytes of a refcounted block, passed by value; chain -- a vector of slices read as one string of bytes.
 *
 * Why      a message arrives in frames and leaves through writev; between the two nobody lays it out flat.
 * Threads  one shard, as the blocks they point into (agent/base/mem.h).
 * Owns     a slice inside a chain owns one reference (none when mem is NULL: static bytes). A bare slice owns what its
 *          giver says: "take" moves a reference in, "share" adds one, a view borrows.
 * Limits   2^32-1 slices, 2^64-1 bytes; the makers of input bound it earlier.
 * Fails    LEAT_ENOMEM: the chain is as before and the caller still owns what it offered. */
#pragma once
#include <string.h>
#include <sys/uio.h>

#include "agent/base/mem.h"

struct leat_slice {
    const uint8_t *at;
    uint32_t len;
    struct leat_mem *mem;
};

struct leat_chain {
    struct leat_slice *vec;
    uint32_t count, room; /* slices in use, slices allocated */
    uint64_t bytes;       /* sum of their lengths */
};

#define LEAT_SLICE(text) ((struct leat_slice){(const uint8_t *)(text), sizeof(text) - 1, NULL}) /* a literal */
#define LEAT_SLICE_ARGS(s) (int)(s).len, (const char *)(s).at                                  /* for "%.*s" */

static inline struct leat_slice leat_slice_of(const void *at, uint32_t len) /* borrows, no block */
{
    return (struct leat_slice){.at = at, .len = len, .mem = NULL};
}
static inline struct leat_slice leat_slice_str(const char *text) { return leat_slice_of(text, (uint32_t)strlen(text)); }
static inline struct leat_slice leat_slice_sub(struct leat_slice s, uint32_t offset, uint32_t len) /* borrows */
{
    return (struct leat_slice){.at = s.at + offset, .len = len, .mem = s.mem};
}
static inline bool leat_slice_eq(struct leat_slice a, struct leat_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}
static inline bool leat_slice_is(struct leat_slice a, const char *text) { return leat_slice_eq(a, leat_slice_str(text)); }
bool leat_slice_ieq(struct leat_slice a, struct leat_slice b); /* ASCII letters alike */

/* {0} is an empty chain. Empty slices are never kept. */
leat_rc leat_chain_take(struct leat_chain *chain, struct leat_slice slice) LEAT_MUST_CHECK;  /* moves the ref in */
leat_rc leat_chain_share(struct leat_chain *chain, struct leat_slice slice) LEAT_MUST_CHECK; /* adds a ref */
leat_rc leat_chain_copy(struct leat_chain *chain, const void *at, uint32_t len) LEAT_MUST_CHECK; /* into our pages;
                                        NOT counted as payload copied: the caller calls leat_copied() when it is */
leat_rc leat_chain_reserve(struct leat_chain *chain, uint32_t more) LEAT_MUST_CHECK;   /* room for `more` slices */
leat_rc leat_chain_append(struct leat_chain *chain, struct leat_chain *from) LEAT_MUST_CHECK; /* moves all; from is {0} */
leat_rc leat_chain_share_all(struct leat_chain *chain, const struct leat_chain *from) LEAT_MUST_CHECK;
/* Bytes [offset, offset+len) of `from`, by reference. */
leat_rc leat_chain_share_range(struct leat_chain *chain, const struct leat_chain *from, uint64_t offset,
                               uint64_t len) LEAT_MUST_CHECK;

uint32_t leat_chain_iov(const struct leat_chain *chain, struct iovec *iov, uint32_t iov_max);
void leat_chain_eat(struct leat_chain *chain, uint64_t bytes); /* from the front, after writev; drops refs */
void leat_chain_done(struct leat_chain *chain);                /* drops all; the struct stays the caller's and is {0} */
uint64_t leat_chain_put(const struct leat_chain *chain, void *to, uint64_t room); /* copies out; bytes written */
/* One slice with all bytes, borrowed when the chain is one slice, else a fresh block; the answer owns a reference. A
 * copy is counted (leat_copied). */
leat_rc leat_chain_flat(const struct leat_chain *chain, struct leat_slice *ret_slice) LEAT_MUST_CHECK;
bool leat_chain_eq(const struct leat_chain *a, const struct leat_chain *b); /* the same bytes, however cut */
