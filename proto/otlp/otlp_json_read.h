/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_json_read -- OTLP/JSON into protobuf bytes, for all four signals.
 *
 * Why      browsers and scripts post JSON; behind the door there is one form only.
 * Threads  pure; borrows the text.
 * Limits   AnyValue nested OTLP_DEPTH_MAX deep; does not recurse.
 * Fails    LEAT_EPARSE with the offset: bad syntax, invalid UTF-8, a value of the wrong type, an id of the wrong
 * length. Rules    ids hex in any case, other bytes base64, 64-bit integers as numbers or strings, unknown fields
 * ignored, null is absent. As the Collector is, it is lenient beyond the specification: snake_case names and enum names
 * are taken too (an unknown name is 0). Of a scalar given twice the last wins; lists given twice are joined. */
#pragma once
#include "proto/otlp/otlp_schema.h"
#include "proto/protobuf/pb_write.h"

leat_rc otlp_json_read(enum leat_signal signal, const struct leat_chain *json, struct leat_chain *ret_payload,
                       struct leat_err *reterr) LEAT_MUST_CHECK;
/* One message of the tables, behind what `out` holds. */
leat_rc otlp_json_read_message(const struct otlp_msg *msg, struct leat_slice json, struct pb_buf *out,
                               struct leat_err *reterr) LEAT_MUST_CHECK;
