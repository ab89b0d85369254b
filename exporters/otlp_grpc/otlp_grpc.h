/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_grpc -- batches as they are, sent to an OTLP server by unary gRPC calls.
 *
 * Why      the in-memory form is the wire form: the message shares the batch's bytes.
 * Threads  as every exporter: one state per shard.
 * Fails    a bad address is found by otlp_grpc_check, before anything runs.
 * Source   OTLP specification 1.11, "OTLP/gRPC". */
#pragma once
#include "exporters/exporter.h"

struct otlp_grpc_conf {
    bool unused; /* every key is the carrier's */
};

struct otlp_grpc_state {
    const char *method; /* "/package.Service/Export" */
};

extern const struct leat_field otlp_grpc_fields[];

leat_rc otlp_grpc_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc otlp_grpc_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                       struct leat_world *world, struct leat_err *reterr);
leat_rc otlp_grpc_encode(void *state, const struct leat_batch *batch, struct leat_requests *out,
                         struct leat_err *reterr);
leat_rc otlp_grpc_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void otlp_grpc_close(void *state);
