/* SPDX-License-Identifier: Apache-2.0 */
/* exporter -- two pure functions: batch -> requests, reply -> verdict; all else is agent/deliver, once for all.
 *
 * Why      an exporter opens no socket, starts no timer, spawns no thread, never retries and never logs per record.
 * Threads  one state per exporter id, signal and shard.
 * Owns     `encode` borrows the batch; shared bytes go into requests by reference. `close` takes a half-open state.
 * Copy     exporters/nop is the one to start from (`./dev new exporter NAME`). */
#pragma once
#include "agent/base/counter.h"
#include "agent/base/field.h"
#include "agent/base/strbuf.h"
#include "agent/deliver/carrier.h"
#include "agent/deliver/conf.h"
#include "agent/deliver/request.h"

/* All that was configured for one instance. */
struct leat_exporter_conf {
    const char *id;
    const void *own;                        /* the exporter's fields */
    const struct leat_deliver_conf *deliver; /* NULL for carriers without a network */
    uint64_t *counts;                       /* one per row of the descriptor's counters, this shard's; NULL in check */
    const void *carrier;                    /* leat_http_client_conf, leat_grpc_client_conf, leat_file_carrier_conf, NULL */
};

struct leat_exporter_type {
    const char *name, *summary;       /* name = folder */
    const char *const *aliases;       /* NULL-ended; a deprecated one warns once */
    uint32_t signals, forms;          /* bits of what it takes natively */
    enum leat_carrier_kind carrier;
    bool carrier_section;             /* HTTP: the client's keys stand under `http`, not beside the exporter's own */
    uint32_t conf_size, state_size;
    const struct leat_field *fields;
    const struct leat_default *defaults; /* other defaults for shared tables; NULL: none */
    const struct leat_field *delivery;   /* rows over struct leat_deliver_conf instead of the shared ones; NULL: those */
    bool ordered; /* the order of batches matters across shards too: one of them sends for all */
    const struct leat_counter_def *counters;
    leat_rc (*check)(const struct leat_exporter_conf *conf, struct leat_err *reterr); /* cross-field rules */
    leat_rc (*open)(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                    struct leat_err *reterr);
    /* LEAT_CARRIER_OWN alone: after open; the sender closes it before `close`. */
    leat_rc (*carrier_open)(void *state, struct leat_loop *loop, struct leat_carrier **ret_carrier, struct leat_err *reterr);
    leat_rc (*prepare)(void *state, struct leat_requests *out, struct leat_err *reterr); /* must succeed before the first batch */
    leat_rc (*encode)(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
    leat_rc (*judge)(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
    void (*dump)(const void *state, struct leat_strbuf *out);
    void (*close)(void *state);
};

#define LEAT_EXPORTER(folder, ...) \
    const struct leat_exporter_type leat_exporter_##folder = {.name = #folder, __VA_ARGS__}
