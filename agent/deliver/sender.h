/* SPDX-License-Identifier: Apache-2.0 */
/* sender -- queue, batcher, compression, carrier, judge, retry: one per exporter, signal and shard.
 *
 *   put -> queue -> load (1..n batches) -> encode -> requests -> carrier -> judge -+-> ack
 *                                              ^                                   |
 *                                              +---- retry, split, pick, halve <---+
 *
 * Why      everything between a batch and its verdict is done once, for all exporters.
 * Threads  one shard's; limits that are totals over shards are atomic credits (struct leat_sender_totals).
 * Owns     every batch from put to its end; the codec's state stays its opener's.
 * Limits   queue_size (in sizer units, in-flight included), num_consumers, all of the Collector's keys (conf.h).
 * Fails    reserve answers LEAT_AGAIN when the queue is full; after that every item ends delivered or dropped{reason}. */
#pragma once
#include "agent/deliver/carrier.h"
#include "agent/deliver/conf.h"
#include "agent/pipe/stage.h"

/* Shared by the senders of one exporter and signal on all shards; made before they start. */
struct leat_sender_totals {
    int64_t queue_left;     /* atomic, in sizer units */
    int64_t queue_size;
    uint32_t consumers_max; /* per shard */
};
void leat_sender_totals_init(struct leat_sender_totals *totals, const struct leat_deliver_conf *conf, uint32_t shards);

struct leat_sender;
struct leat_sender_opts {
    struct leat_loop *loop;
    struct leat_gate *gate;
    const char *id;
    enum leat_signal signal;
    const struct leat_deliver_conf *conf;
    const struct leat_codec *codec;        /* copied */
    struct leat_carrier *carrier;          /* the sender's from here */
    enum leat_coding coding;               /* of the carrier's conf; requests that are precoded are left alone */
    int coding_level;
    struct leat_sender_totals *totals;
    uint64_t pace_bytes;                   /* sources that wait keep no more than this queued while the peer takes; 0: off */
    uint64_t hold_probe_ns;                /* 0: 30 s */
};
leat_rc leat_sender_open(const struct leat_sender_opts *opts, struct leat_sender **ret_sender) LEAT_MUST_CHECK;
struct leat_stage *leat_sender_node(struct leat_sender *sender);
struct leat_ledger *leat_sender_ledger(struct leat_sender *sender);

struct leat_sender_stats { /* gauges and counters for /metrics; may be read on any thread */
    uint64_t queue_size, queue_capacity; /* sizer units, all shards together */
    uint32_t in_flight;                  /* requests out */
    uint64_t requests_sent, requests_failed, retries, splits;
    bool held;                           /* waiting for credentials or an address */
};
void leat_sender_stats(const struct leat_sender *sender, struct leat_sender_stats *ret_stats);

/* No more will be put: send what is here, without waiting for batches to fill; `drained` when nothing is left. Retries go
 * on until leat_sender_abandon, which drops what is left as dropped{shutdown} and then calls drained. */
void leat_sender_drain(struct leat_sender *sender, void (*drained)(void *ctx), void *ctx);
void leat_sender_abandon(struct leat_sender *sender);
struct leat_sender *leat_sender_close(struct leat_sender *sender); /* always NULL; drained before */
bool leat_sender_check(const struct leat_sender *sender); /* the ledger agrees with what is really here */

/* ---- a door to a sender whose home is another shard: batches cross by hand-off, their blocks are released at home ---- */
struct leat_sender_door;
leat_rc leat_sender_door_open(struct leat_sender *home, struct leat_loop *here,
                              struct leat_sender_door **ret_door) LEAT_MUST_CHECK;
struct leat_stage *leat_sender_door_node(struct leat_sender_door *door);
struct leat_sender_door *leat_sender_door_close(struct leat_sender_door *door); /* always NULL; nothing under way */
