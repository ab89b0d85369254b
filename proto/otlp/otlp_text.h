/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_text -- an attribute's value or a body as one string, as the Collector's exporters write it.
 *
 * Why      columns, labels and index keys of text take values of any kind.
 * Threads  pure; the scratch is the caller's.
 * Owns     nothing: the answer borrows from the value, or from the scratch until it is written again.
 * Limits   nesting as the door allows (64).
 * Fails    the scratch's sticky error.
 * Form     text as it is; true, false; digits; a number's shortest digits, NaN, +Inf, -Inf; bytes as base64; arrays and
 *          maps as JSON (bytes in it as base64, what is no number as null), keys in the order they came; nothing: "". */
#pragma once
#include "agent/base/strbuf.h"
#include "proto/otlp/otlp_view.h"

struct leat_slice otlp_text_of(const struct otlp_value *value, struct leat_strbuf *scratch);
