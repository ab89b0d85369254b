/* SPDX-License-Identifier: Apache-2.0 */
/* host -- what the graph gives to a component instance: its loop, its place among the shards, its door out.
 *
 * Why      components open no sockets of their own, know no graph and no configuration but their own.
 * Threads  one instance per shard; every call on that shard's thread.
 * Owns     the graph owns the host and keeps it alive until the instance is closed. */
#pragma once
#include "agent/base/counter.h"
#include "agent/base/log.h"
#include "agent/pipe/stage.h"
#include "agent/pipe/storage.h"

struct leat_server_auth; /* agent/deliver/auth.h */
struct leat_host_ops;

#define LEAT_TRANSPORTS_MAX 4u
/* What came by one transport, of one signal; the ledger holds the sum of all. */
struct leat_came {
    uint64_t accepted, refused;
};

struct leat_host {
    const char *id;   /* as configured: "otlp/2" */
    struct leat_loop *loop;
    struct leat_world *world;
    struct leat_gate *gate;
    uint32_t shard, shard_count;
    uint64_t *counts;                        /* one per row of the descriptor's counters, this shard's */
    void *shared; /* receivers: shared_size bytes of the instance, one block for all shards, zeroed; outlives the loops */
    struct leat_stage *out[LEAT_SIGNAL_COUNT]; /* receivers: where each signal goes; NULL: no pipeline */
    bool waits_final[LEAT_SIGNAL_COUNT];      /* receivers: answer when the ack is final, not when it is accepted */
    bool waits_room[LEAT_SIGNAL_COUNT];       /* push receivers: keep a refused batch until there is room (block_on_overflow) */
    /* receivers: what it emits waits at its source as well as in a queue, so a destination takes no more of it than half of
     * leat::inflight_bytes; a dead one is then seen as full while the source still has something to give to the others */
    bool patient;
    struct leat_ledger ledger[LEAT_SIGNAL_COUNT];
    struct leat_came came[LEAT_TRANSPORTS_MAX][LEAT_SIGNAL_COUNT]; /* receivers: by batch->transport */
    struct leat_stage *next;                   /* processors: the next one */
    struct leat_waiter waiter;                /* woken when there may be room again; the graph's */
    const struct leat_host_ops *ops;
    void *graph;
    struct leat_ack *late;                     /* ends reached inside leat_emit, told after the current callback */
    struct leat_task tell_late;
};
/* Tells what is still to be told; before the instance is closed. */
void leat_host_done(struct leat_host *host);

struct leat_host_ops {
    /* Accepted sockets of `endpoint` are dealt over the shards: each shard's instance passes its own `adopt`. The
     * address is bound once, on shard 0. */
    leat_rc (*listen)(struct leat_host *host, const char *endpoint, void (*adopt)(void *state, int fd), void *state,
                      struct leat_err *reterr);
    /* An open client of the storage extension `extension_id`, named after the instance and `name`. */
    leat_rc (*storage)(struct leat_host *host, const char *extension_id, const char *name,
                       struct leat_storage **ret_storage, struct leat_err *reterr);
    /* The server-side authenticator `extension_id`; see agent/deliver/auth.h. */
    leat_rc (*server_auth)(struct leat_host *host, const char *extension_id, const struct leat_server_auth **ret_auth,
                           struct leat_err *reterr);
    /* A word that all instances on all shards share by name, NULL at first: who finds it NULL makes what it shall point to, and
     * its users count themselves. Instances open on one thread, shard 0 first, and close on one thread. NULL: no memory. */
    void **(*common)(struct leat_host *host, const char *name);
};

static inline void leat_host_count(struct leat_host *host, uint32_t row, uint64_t n)
{
    leat_ledger__add(&host->counts[row], n);
}

/* The one door out of a receiver. LEAT_OK: taken. LEAT_AGAIN: no room (memory or a queue): the batch is still the
 * caller's; `resume` of the receiver will be called. LEAT_EUNSUPPORTED: no pipeline takes this signal. */
leat_rc leat_emit(struct leat_host *host, struct leat_batch *batch) LEAT_MUST_CHECK;
/* Enters in the books that the receiver gave up on this batch. leat_emit does so itself whenever it does not take one, but
 * for LEAT_AGAIN where waits_room is set: what waits is refused only when its receiver says so, here. */
void leat_host_refused(struct leat_host *host, const struct leat_batch *batch);

/* ---- for processors ---- */
/* What was kept goes on. LEAT_AGAIN: still the processor's; its `flush` will be called when there may be room. */
leat_rc leat_forward(struct leat_host *host, struct leat_batch *batch) LEAT_MUST_CHECK;
/* Items it was told to leave out, for the books; the ack is the caller's to settle. */
void leat_host_drop(struct leat_host *host, enum leat_signal signal, enum leat_drop reason, uint64_t items);
