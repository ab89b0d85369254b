/* SPDX-License-Identifier: Apache-2.0 */
/* debug -- what passes, as text on standard error.
 *
 * Why      to see whether anything arrives, and what.
 * Threads  as every exporter: one state per shard.
 * Limits   sampling_initial messages a second, then one in sampling_thereafter.
 * Fails    only when out of memory. */
#pragma once
#include "exporters/exporter.h"
#include "proto/otlp/otlp_view.h"

enum debug_verbosity { DEBUG_BASIC, DEBUG_NORMAL, DEBUG_DETAILED };

struct debug_conf {
    int verbosity; /* enum debug_verbosity */
    int64_t sampling_initial, sampling_thereafter;
};

struct debug_state {
    const char *id;
    const struct debug_conf *conf;
    struct leat_world *world;
    enum leat_signal signal;
    uint64_t second; /* of the messages counted */
    int64_t seen;
    struct leat_strbuf text;
};

extern const struct leat_field debug_fields[];

leat_rc debug_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc debug_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                   struct leat_world *world, struct leat_err *reterr);
leat_rc debug_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
leat_rc debug_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void debug_close(void *state);

/* The whole text of a batch. */
leat_rc debug__print(struct debug_state *debug, const struct leat_batch *batch, struct leat_err *reterr);
