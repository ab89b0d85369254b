/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_reply -- what an OTLP server answered: partial success, or a google.rpc.Status; protobuf and JSON.
 *
 * Why      both OTLP exporters read the same few fields of every answer.
 * Threads  pure functions over borrowed bytes.
 * Owns     text points into the bytes that were read, or into the caller's scratch.
 * Limits   JSON nests at most 32 deep; texts in JSON are cut at OTLP_REPLY_TEXT_MAX bytes.
 * Fails    LEAT_EPARSE: not such a message.
 * Source   opentelemetry-proto collector/.../v1, google/rpc/status.proto */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"

#define OTLP_REPLY_TEXT_MAX 160u

struct otlp_reply {
    uint64_t rejected;      /* records, points, spans or profiles taken and refused */
    struct leat_slice text; /* error_message, or the Status' message */
    char scratch[OTLP_REPLY_TEXT_MAX];
};
/* An Export*ServiceResponse; an empty one is full success. */
leat_rc otlp_reply_read(struct leat_slice body, struct otlp_reply *ret_reply) LEAT_MUST_CHECK;
leat_rc otlp_reply_read_json(struct leat_slice body, struct otlp_reply *ret_reply) LEAT_MUST_CHECK;
/* A google.rpc.Status. */
leat_rc otlp_reply_status(struct leat_slice body, struct otlp_reply *ret_reply) LEAT_MUST_CHECK;
leat_rc otlp_reply_status_json(struct leat_slice body, struct otlp_reply *ret_reply) LEAT_MUST_CHECK;
/* Tempo's word for "later" where it gives no time: RESOURCE_EXHAUSTED without RetryInfo, or HTTP 500. The protocol's rules
 * alone would throw these spans away. */
bool otlp_reply_rate_limited(struct leat_slice text);
