/* SPDX-License-Identifier: Apache-2.0 */
/* nop -- takes everything and sends it nowhere: the exporter to measure the rest against, and the one to copy.
 *
 * Threads  as every exporter: one state per shard.
 * Fails    only when out of memory. */
#pragma once
#include "exporters/exporter.h"

/* Filled in by config from nop_fields; read-only from then on. */
struct nop_conf {
    bool unused; /* C wants a member; an exporter with keys has one per row of its fields */
};

struct nop_state {
    enum leat_signal signal;
};

extern const struct leat_field nop_fields[];

leat_rc nop_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                 struct leat_err *reterr);
leat_rc nop_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
leat_rc nop_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void nop_close(void *state);
