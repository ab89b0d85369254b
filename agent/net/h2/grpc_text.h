/* SPDX-License-Identifier: Apache-2.0 */
/* grpc_text -- gRPC's small notations: percent-encoded messages, base64 details, timeouts, encodings, statuses.
 *
 * Why      both sides speak them; private to agent/net/h2.
 * Threads  pure functions over borrowed bytes.
 * Limits   messages are cut at LEAT_GRPC_TEXT_MAX, details at LEAT_GRPC_DETAILS_MAX: a head must stay small.
 * Fails    a malformed notation is answered with false; nothing here allocates. */
#pragma once
#include "agent/net/h2/grpc.h"

#define LEAT_GRPC_TEXT_MAX 1024u
#define LEAT_GRPC_DETAILS_MAX 4096u

/* Bytes outside %x20-7E, and '%', become %XX. Answers the length; `to` holds 3 * LEAT_GRPC_TEXT_MAX. */
uint32_t leat_grpc__percent_encode(struct leat_slice text, char *to);
/* In place over a copy at `to` (text.len bytes of room); a broken escape stays as it is. */
uint32_t leat_grpc__percent_decode(struct leat_slice text, uint8_t *to);

/* Standard alphabet, no padding. `to` holds (len + 2) / 3 * 4. */
uint32_t leat_grpc__base64_encode(struct leat_slice bytes, char *to);
/* Padding may be missing. `to` holds text.len / 4 * 3 + 3. */
bool leat_grpc__base64_decode(struct leat_slice text, uint8_t *to, uint32_t *ret_len);

bool leat_grpc__timeout_parse(struct leat_slice text, uint64_t *ret_ns); /* "10S", at most 8 digits */
uint32_t leat_grpc__timeout_print(uint64_t ns, char to[24]);

bool leat_grpc__is_grpc(struct leat_slice content_type);
bool leat_grpc__coding_parse(struct leat_slice name, enum leat_coding *ret_coding);
const char *leat_grpc__coding_name(enum leat_coding coding); /* NULL: gRPC has no word for it */

bool leat_grpc__code_parse(struct leat_slice text, int *ret_code); /* decimal; beyond 16 is UNKNOWN */
int leat_grpc__code_of_http(int http_status);
int leat_grpc__code_of_reset(uint32_t h2_error);
/* The RetryInfo among the details of a serialized google.rpc.Status. */
bool leat_grpc__retry_info(struct leat_slice details, uint64_t *ret_delay_ns);
