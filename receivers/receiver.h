/* SPDX-License-Identifier: Apache-2.0 */
/* receiver -- where telemetry comes in; one door out: leat_emit(host, batch).
 *
 * Why      a receiver asks its host for sockets (leat_host_ops.listen), files (host->world->disk), timers (host->loop).
 * Threads  one state per receiver id and shard; one instance serves all signals and pipelines it is named in.
 * Owns     the state is zeroed memory of state_size; conf is the plan's and outlives it.
 * Rule     leat_emit answers AGAIN: keep the batch, return; `resume` comes when there may be room. `pause`: emit nothing
 *          new (memory, shutdown). `stop`: no more work; what was emitted and not acked may still come back; `close`
 *          follows when every ack of this instance is final. */
#pragma once
#include "agent/base/field.h"
#include "agent/base/strbuf.h"
#include "agent/pipe/host.h"

struct leat_receiver_type {
    const char *name, *summary;
    const char *const *aliases;
    uint32_t signals, forms;   /* bits of what it may emit */
    uint32_t conf_size, state_size, shared_size; /* shared_size: host->shared, for what counts over all shards (atomic) */
    const struct leat_field *fields;
    const struct leat_default *defaults; /* other defaults for shared tables; NULL: none */
    const struct leat_counter_def *counters;
    bool patient;              /* it keeps its place and can wait (tailed files); see leat_host.patient */
    const char *const *transports; /* what batch->transport counts: the label of otelcol_receiver_* metrics; NULL: "" */
    leat_rc (*check)(const void *conf, struct leat_err *reterr);
    leat_rc (*start)(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
    void (*pause)(void *state);
    void (*resume)(void *state);
    /* Take no new input. Calls `stopped` (maybe at once) when every batch it emitted is final. */
    void (*stop)(void *state, void (*stopped)(void *ctx), void *ctx);
    void (*dump)(const void *state, struct leat_strbuf *out);
    void (*close)(void *state);
};

#define LEAT_RECEIVER(folder, ...) \
    const struct leat_receiver_type leat_receiver_##folder = {.name = #folder, __VA_ARGS__}
