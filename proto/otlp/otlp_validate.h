/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_validate -- one pass over an Export*ServiceRequest that refuses garbage and counts what is in it.
 *
 * Why      what has passed the door may be walked by everybody behind it without a second thought; and an item must be
 *          counted before it is admitted.
 * Threads  pure, over a borrowed chain, however it is cut. Allocates nothing.
 * Limits   AnyValue nested OTLP_DEPTH_MAX deep; trace ids of 0 or 16 bytes, span ids of 0 or 8; no groups.
 * Fails    LEAT_EPARSE, and the text names the place: "resource_logs[3].scope_logs[0].log_records[7].trace_id: 15
 * bytes". Note     unknown fields are kept as they are; invalid UTF-8 is counted and no error
 * (proto/otlp/otlp_repair.h). */
#pragma once
#include "agent/base/form.h"

#define OTLP_DEPTH_MAX 64u

struct otlp_counts {
    uint32_t items;    /* log records, data points, spans, profiles */
    uint32_t samples;  /* of profiles */
    uint32_t bad_utf8; /* strings that are not UTF-8 */
};

leat_rc otlp_validate(enum leat_signal signal, const struct leat_chain *payload, struct otlp_counts *ret_counts,
                      struct leat_err *reterr) LEAT_MUST_CHECK;
