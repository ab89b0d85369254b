/* SPDX-License-Identifier: Apache-2.0 */
/* rw_text -- values as label text: numbers as Go prints them, attributes as the Collector's AsString does. */
#pragma once
#include "agent/base/strbuf.h"
#include "proto/otlp/otlp_view.h"

void rw_put_plain(struct leat_strbuf *out, double value); /* the shortest digits, never an exponent: of le and quantile */
void rw_put_value(struct leat_strbuf *out, const struct otlp_value *value);
