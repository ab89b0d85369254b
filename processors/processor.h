/* SPDX-License-Identifier: Apache-2.0 */
/* processor -- a batch in, a batch out; one instance per pipeline and shard.
 *
 * Why      editing processors rewrite bytes, holding ones (batch) pass on later, refusing ones (memory_limiter) say so
 *          before anything was taken.
 * Threads  the shard's.
 * Owns     `process` takes the batch and gives one back (the same or another), or NULL: it keeps it and will pass it on
 *          with leat_forward, or it ended it (leat_host_drop, then leat_batch_end).
 *          Payload bytes are shared and must not be changed: an edit makes new bytes.
 * Rule     the ack goes along with the items: a processor that merges batches tells each of their acks. */
#pragma once
#include "agent/base/field.h"
#include "agent/base/strbuf.h"
#include "agent/pipe/host.h"

struct leat_processor_type {
    const char *name, *summary;
    const char *const *aliases;
    uint32_t signals, forms;
    uint32_t conf_size, state_size;
    const struct leat_field *fields;
    const struct leat_default *defaults; /* other defaults for shared tables; NULL: none */
    const struct leat_counter_def *counters;
    bool accepts_on_take; /* it answers for what it holds: receivers do not wait for `final` behind it (batch) */
    leat_rc (*check)(const void *conf, struct leat_err *reterr);
    leat_rc (*open)(void *state, const void *conf, enum leat_signal signal, struct leat_host *host, struct leat_err *reterr);
    leat_rc (*admit)(void *state, const struct leat_batch *batch); /* NULL: always; LEAT_AGAIN refuses */
    struct leat_batch *(*process)(void *state, struct leat_batch *batch);
    /* Pass on what is held, now; true when nothing is held any more (else it is called again when there is room). */
    bool (*flush)(void *state); /* NULL: holds nothing */
    uint64_t (*held)(const void *state); /* items; NULL: none */
    void (*dump)(const void *state, struct leat_strbuf *out);
    void (*close)(void *state);
};

#define LEAT_PROCESSOR(folder, ...) \
    const struct leat_processor_type leat_processor_##folder = {.name = #folder, __VA_ARGS__}
