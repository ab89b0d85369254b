/* SPDX-License-Identifier: Apache-2.0 */
/* carrier -- a peer made of paper: each request is answered as a script says, on the loop's clock; and a toy codec.
 *
 * Why      everything the sender decides is decided by replies; here they come exactly when and as a test wants them.
 * Threads  the loop's.
 * Rule     steps are used in order, then `otherwise`; `decide`, when set, chooses by what is in the request. */
#pragma once
#include "agent/deliver/carrier.h"
#include "tests/kit/toy_form.h"

enum kit_step_kind { KIT_REPLY, KIT_ERR, KIT_NEVER };
struct kit_step {
    enum kit_step_kind kind;
    int status;  /* KIT_REPLY; see kit_judge */
    leat_rc err; /* KIT_ERR */
    uint64_t delay_ns;
    uint64_t retry_after_ns;
    const char *body; /* static */
};

#define KIT_SENT_MAX 8192u
struct kit_sent { /* one request, as the peer saw it */
    uint64_t at_ns, order_key;
    uint32_t items, attempt, first_id;
    enum leat_coding coding;
    int status; /* what it was answered; 0: an error */
};

struct kit_parcel;
struct kit_carrier {
    struct leat_carrier base;
    struct leat_loop *loop;
    const struct kit_step *steps;
    uint32_t step_count, next;
    struct kit_step otherwise;
    void (*decide)(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step);
    void (*answering)(struct kit_carrier *carrier, const struct leat_parcel *parcel,
                      const struct kit_step *step); /* or NULL */
    void *ctx;
    bool cancels_at_once; /* done from inside cancel */
    bool opaque;          /* bodies are not toys: do not look inside */
    struct kit_sent sent[KIT_SENT_MAX];
    uint32_t sent_count, out, out_max, key_clashes;
    uint32_t flushes, closes;
    struct kit_parcel *parcels;
    uint32_t taken[65536]; /* how often each item id was taken (status 200, 207 'd') */
};
void kit_carrier_init(struct kit_carrier *carrier, struct leat_loop *loop); /* answers 200 at once */

/* A codec over toy payloads. Statuses:
 *   200 delivered (body "r3": three rejected)   207 per item, body of d(elivered) a(gain) r(efused)
 *   400 refused, isolate   422 refused   413 too large   401 hold   426 encode again   429, 503 busy   499 judge fails
 */
struct kit_codec {
    uint32_t items_per_request; /* 0: all */
    uint32_t order_keys;        /* 0: none; else key = 1 + first id % order_keys */
    bool by_bitmap;             /* odd ids and even ids apart */
    bool reject_marked;         /* items marked '!' have no form here */
    uint32_t fail_encodes;      /* so many first calls answer `fail_rc` */
    leat_rc fail_rc;
    uint32_t encodes;
};
struct leat_codec kit_codec(struct kit_codec *state);
