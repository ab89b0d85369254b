/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_json_write -- OTLP/JSON text of protobuf bytes, as the Collector writes it.
 *
 * Why      files, the debug exporter and servers that are told `encoding: json`.
 * Threads  pure; the output is the caller's.
 * Limits   nesting as the door allows.
 * Fails    LEAT_EPARSE for bytes the door would not let in, LEAT_ENOMEM.
 * Form     lowerCamelCase, fields in the order of their numbers, ids hex, other bytes base64, 64-bit integers as
 * strings, enums as integers, doubles "NaN", "Infinity", "-Infinity" as strings; what is zero or empty is left out. */
#pragma once
#include "agent/base/strbuf.h"
#include "proto/otlp/otlp_schema.h"

leat_rc otlp_json_write(enum leat_signal signal, const struct leat_chain *payload, struct leat_strbuf *out,
                        struct leat_err *reterr) LEAT_MUST_CHECK;
/* One message of the tables: an AnyValue for a log line, a response ... */
leat_rc otlp_json_write_message(const struct otlp_msg *msg, struct leat_slice bytes, struct leat_strbuf *out,
                                struct leat_err *reterr) LEAT_MUST_CHECK;
