/* SPDX-License-Identifier: Apache-2.0 */
/* batch -- telemetry on its way: a payload in its wire form, how many items it holds, and whom to tell.
 *
 * Why      one struct goes from the receiver to the exporter's queue; nothing in it is a tree of objects.
 * Threads  one shard at a time.
 * Owns     one holder at a time; passing it on gives it away. The payload's bytes are shared and never changed once emitted.
 * Fails    NULL when out of memory. */
#pragma once
#include "agent/base/form.h"
#include "agent/base/list.h"
#include "agent/pipe/ack.h"

/* What came with a request: client headers (include_metadata), tenant. Refcounted, immutable, usually absent. */
struct leat_meta {
    uint32_t refs;
    uint32_t count;
    struct leat_meta_pair {
        const char *key, *value; /* keys in lower case */
    } pairs[];
};
struct leat_meta *leat_meta_new(const struct leat_meta_pair *pairs, uint32_t count) LEAT_MUST_CHECK;
struct leat_meta *leat_meta_ref(struct leat_meta *meta);
struct leat_meta *leat_meta_unref(struct leat_meta *meta);              /* always NULL */
const char *leat_meta_get(const struct leat_meta *meta, const char *key); /* NULL: none */
bool leat_meta_eq(const struct leat_meta *a, const struct leat_meta *b);  /* NULL is equal to NULL only */

#define LEAT_PEER_BYTES 16u
/* Of "10.1.2.3:4567" or "[fe80::1]:4567"; anything else has no address: all 0. */
void leat_peer_parse(const char *text, uint8_t peer[LEAT_PEER_BYTES]);
bool leat_peer_known(const uint8_t peer[LEAT_PEER_BYTES]);
/* Two batches become one: it has an address when both had the same. */
void leat_peer_merge(uint8_t into[LEAT_PEER_BYTES], const uint8_t from[LEAT_PEER_BYTES]);

struct leat_batch {
    enum leat_signal signal;
    const struct leat_form_ops *form;
    uint32_t item_count;
    bool patient;          /* its source keeps its place and can wait: see leat_host.patient */
    uint32_t transport;    /* what it came by: index into the receiver's transports; 0 where there is but one */
    uint64_t pinned_bytes; /* what it keeps alive; at least the payload */
    struct leat_chain payload;
    struct leat_meta *meta;
    uint8_t peer[LEAT_PEER_BYTES]; /* the address it came from, IPv4 mapped into IPv6; all 0: none, or several */
    struct leat_ack *ack;
    uint64_t born_ns;      /* monotonic, when it was emitted; for queue age */
    struct leat_list link; /* of whoever holds it */
};

struct leat_batch *leat_batch_new(enum leat_signal signal, const struct leat_form_ops *form) LEAT_MUST_CHECK;
/* The same bytes and meta under a new part of the same ack (the caller has split the ack). */
struct leat_batch *leat_batch_share(const struct leat_batch *batch) LEAT_MUST_CHECK;
void leat_batch_free(struct leat_batch *batch); /* without touching the ack: a caller that still owns it, or settled it */
/* All its items met this end: the ack hears it, the batch is gone. */
void leat_batch_end(struct leat_batch *batch, enum leat_outcome outcome, enum leat_drop reason);
