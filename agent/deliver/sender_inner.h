/* SPDX-License-Identifier: Apache-2.0 */
/* sender_inner -- the structs of the sender; included inside agent/deliver only.
 *
 * A load is what left the queue at once: parts of one or more batches, each with its ack. A shipment is a payload made
 * of items of one load (all of them at first; halves, single parts or picked items after a refusal). A shot is one
 * request of a shipment:
 *
 *   READY -> OUT -> (judged) DONE | BACKOFF -> READY | HELD -> READY
 *
 * READY waits for its turn or, while its timer runs, for memory to leave. A shipment has shots or, while its timer
 * runs, waits to be encoded: for memory, or for the time its peer wants. It ends with its last shot, a load with its last
 * shipment; then its queue credit goes back.
 *
 * Requests with an order key go in the order of sender->shipments: those of new loads stand at the end, what is made anew of
 * a request before the shipment it was in, whose first of its key it was. */
#pragma once
#include "agent/base/log.h"
#include "agent/deliver/backoff.h"
#include "agent/deliver/sender.h"

/* Reservations that were not put or cancelled yet, innermost last: a holding processor may offer a batch of its own while
 * the one that made it do so is still being handed round a fan-out. Several of one size are ways of the same batch. */
#define LEAT_SENDER__NESTED_MAX 8u
struct leat_sender__reserved {
    uint32_t depth;
    struct {
        int64_t units;
        uint32_t count;
    } at[LEAT_SENDER__NESTED_MAX];
};

struct leat_sender__part {
    struct leat_ack *ack;
    uint32_t first, left; /* first item of the load; items whose end is not known */
};

struct leat_sender__load {
    struct leat_sender *sender;
    struct leat_list link;
    uint64_t bytes; /* of this struct, parts included */
    uint32_t shipments;
    uint64_t token;           /* its name, by chance; see leat_origin */
    int64_t units;            /* queue credit it holds */
    uint64_t payload_bytes;
    uint32_t item_count;
    uint32_t isolate_left;    /* requests that may still be spent on finding the bad item */
    struct leat_meta *meta;
    uint32_t part_count;
    struct leat_sender__part parts[];
};

/* Memory that was not there when it was needed. Zeroed: it never happened. */
#define LEAT_SENDER__SHARE_MAX 8u /* more than one part in so many of all memory is no batch's */
struct leat_sender__want {
    uint32_t failures; /* in a row, while there was nobody whose end would make room */
    uint64_t began_ns; /* the first time; later by the time on hold */
};

enum leat_sender__state { LEAT_SHOT_READY, LEAT_SHOT_OUT, LEAT_SHOT_BACKOFF, LEAT_SHOT_HELD, LEAT_SHOT_DONE };

struct leat_sender__shipment;
struct leat_sender__shot {
    struct leat_sender__shipment *shipment;
    struct leat_request *request;
    struct leat_parcel parcel;
    struct leat_timer timer;
    struct leat_backoff backoff;
    enum leat_sender__state state;
    bool coded, canceled;
    struct leat_sender__want want; /* to compress it */
    uint32_t preparations;         /* the sender's when it was encoded */
    struct leat_list link;         /* sender->shots */
};

struct leat_sender__shipment {
    struct leat_sender__load *load;
    struct leat_batch batch;    /* what encode sees; owns the payload */
    uint32_t first;             /* item i of the batch is item first+i of the load, or map[i] */
    uint32_t *map;
    struct leat_requests requests;
    struct leat_sender__shot *shots;
    uint32_t shots_open;
    uint64_t order_key;            /* of the request it was a part of; 0: it may have any */
    struct leat_timer timer;       /* encode at that time; until then what comes after it in its order waits as well */
    struct leat_sender__want want; /* to encode it */
    struct leat_backoff backoff;
    struct leat_list link;         /* sender->shipments: their order is that of order keys */
};

struct leat_sender__preparation;

struct leat_sender {
    struct leat_stage node;
    struct leat_loop *loop;
    struct leat_gate *gate;
    const char *id;
    enum leat_signal signal;
    const struct leat_deliver_conf *conf;
    struct leat_codec codec;
    struct leat_carrier *carrier;
    enum leat_coding coding;
    int coding_level;
    struct leat_sender_totals *totals;
    struct leat_ledger ledger;

    struct leat_list queue;                 /* batches, oldest first */
    uint64_t queued_batches, queued_items, queued_bytes, out_bytes; /* out: of the loads under way */
    bool refused_patient;                   /* until it is down to half of what it takes of patient sources */
    struct leat_sender__reserved reserved;

    struct leat_list loads, shipments, shots;
    uint32_t loads_out;
    double concurrency;
    uint64_t slowed_ns;

    struct leat_task pump;
    struct leat_timer flush;                /* batcher's flush_timeout; also: a load could not be made for want of memory */
    uint64_t flush_due;                     /* so many of the oldest batches leave however few they are */

    bool held;
    bool encoded, keyed;                    /* its requests have order keys: known once one was encoded */
    uint64_t pace_bytes, moved_ns;          /* when something was last delivered */
    uint64_t hold_probe_ns;
    struct leat_timer probe;

    struct leat_sender__preparation *preparation; /* under way; NULL: not begun, or done */
    uint32_t preparations;                        /* that ended well */
    bool prepared, draining, abandoned;
    void (*drained)(void *ctx);
    void *drained_ctx;
    struct leat_log_limit complaint;
    uint64_t in_flight, requests_sent, requests_failed, retries, splits; /* read by other threads */
};

/* sender_queue.c */
extern const struct leat_stage_ops leat_sender__node_ops;
bool leat_sender__reserve(struct leat_sender_totals *totals, struct leat_sender__reserved *reserved, int64_t units);
int64_t leat_sender__unreserve(struct leat_sender__reserved *reserved); /* the units of one reservation */
void leat_sender__put_reserved(struct leat_sender *sender, struct leat_batch *batch, int64_t units);
int64_t leat_sender__units(const struct leat_sender *sender, const struct leat_batch *batch);
struct leat_sender__load *leat_sender__take(struct leat_sender *sender, struct leat_sender__shipment **ret_shipment);
void leat_sender__drop_queue(struct leat_sender *sender, enum leat_drop reason);

/* sender_prepare.c */
bool leat_sender__prepare(struct leat_sender *sender); /* the queue may be served */
void leat_sender__prepare_abandon(struct leat_sender *sender);
void leat_sender__prepare_end(struct leat_sender *sender);

/* sender_settle.c */
void leat_sender__settle(struct leat_sender__shipment *shipment, uint32_t item, uint32_t count,
                         enum leat_outcome outcome, enum leat_drop reason);
void leat_sender__settle_request(struct leat_sender__shot *shot, uint32_t delivered, enum leat_drop rest);
uint32_t leat_sender__item(const struct leat_request *request, uint32_t k); /* k-th item of a request, as batch item */
uint32_t leat_sender__item_after(const struct leat_request *request, uint32_t item); /* the next one; there is one */

/* dead_letter.c: items of a shipment on their way out of the books as dropped. `bits` over its batch. */
void leat_sender__bury(struct leat_sender__shipment *shipment, const uint8_t *bits, uint32_t count, enum leat_drop reason,
                       const char *why);
void leat_sender__bury_rejects(struct leat_sender__shipment *shipment);
void leat_sender__bury_request(struct leat_sender__shot *shot, enum leat_drop reason, const char *why);

/* sender_ship.c */
struct leat_sender__shipment *leat_sender__shipment_new(struct leat_sender__load *load);
void leat_sender__shipment_start(struct leat_sender__shipment *shipment);
void leat_sender__shipment_end(struct leat_sender__shipment *shipment);
void leat_sender__shot_go(struct leat_sender__shot *shot);
void leat_sender__shot_end(struct leat_sender__shot *shot);
uint64_t leat_sender__wait(struct leat_sender__shot *shot, uint64_t peer_wait_ns); /* UINT64_MAX: no more tries */
void leat_sender__shot_again(struct leat_sender__shot *shot, uint64_t wait_ns); /* or its end, when there are none */
void leat_sender__shot_retry(struct leat_sender__shot *shot, uint64_t peer_wait_ns); /* both */
void leat_sender__shot_hold(struct leat_sender__shot *shot);
void leat_sender__release_held(struct leat_sender *sender);
void leat_sender__complain(struct leat_sender *sender, enum leat_level level, const char *what, const char *text);

/* sender_want.c */
/* There was no memory once more for what has `parts` or not. True: no wait has helped, or it was as long as anything is tried. */
bool leat_sender__in_vain(struct leat_sender *sender, struct leat_sender__want *want, bool parts);

/* sender_judge.c */
/* Two shipments instead of one of two items at least that has no requests and can be picked from, the second later.
 * False: it stays as it was. */
bool leat_sender__shipment_halve(struct leat_sender__shipment *shipment, uint64_t apart_ns);
/* Its halves instead of it; one item is dropped for that reason. False: no memory for halves, it stays as it was. */
bool leat_sender__shot_split(struct leat_sender__shot *shot, enum leat_drop reason, const char *text);
bool leat_sender__shot_outdated(const struct leat_sender__shot *shot); /* encoded before the last preparation */
/* Its items are encoded anew instead of it. False: no memory for that, it stays as it was. */
bool leat_sender__shot_renew(struct leat_sender__shot *shot);
void leat_sender__judge(struct leat_sender__shot *shot, const struct leat_reply *reply);
