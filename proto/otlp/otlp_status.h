/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_status -- the answers of an OTLP server: partial success, and google.rpc.Status with RetryInfo.
 *
 * Why      both ends need them, in protobuf and in JSON.
 * Threads  pure.
 * Owns     texts read are copied into the struct, cut at its size.
 * Fails    readers answer false for malformed bytes; writers leave the buffer's sticky error. */
#pragma once
#include "agent/base/form.h"
#include "agent/base/strbuf.h"
#include "proto/protobuf/pb_write.h"

#define OTLP_MESSAGE_BYTES 256u

/* ---- Export*ServiceResponse ---- */

struct otlp_partial {
    int64_t rejected;
    char message[OTLP_MESSAGE_BYTES];
};
/* Nothing rejected and no message: an empty response. */
void otlp_partial_put(struct pb_buf *out, int64_t rejected, const char *message);
void otlp_partial_put_json(struct leat_strbuf *out, enum leat_signal signal, int64_t rejected, const char *message);
bool otlp_partial_of(struct leat_slice response, struct otlp_partial *ret_partial);
bool otlp_partial_of_json(enum leat_signal signal, struct leat_slice response, struct otlp_partial *ret_partial);

/* ---- google.rpc.Status ---- */

struct otlp_status {
    int32_t code;     /* a gRPC code */
    int64_t retry_ns; /* RetryInfo; -1: none */
    char message[OTLP_MESSAGE_BYTES];
};
void otlp_status_put(struct pb_buf *out, int32_t code, const char *message, int64_t retry_ns);
void otlp_status_put_json(struct leat_strbuf *out, int32_t code, const char *message, int64_t retry_ns);
bool otlp_status_of(struct leat_slice bytes, struct otlp_status *ret_status);
bool otlp_status_of_json(struct leat_slice text, struct otlp_status *ret_status);
