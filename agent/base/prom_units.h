/* SPDX-License-Identifier: Apache-2.0 */
/* prom_units -- durations and sizes as a Prometheus configuration writes them: "1h30m", "7d", "10MB".
 *
 * Threads  pure functions.
 * Fails    LEAT_ECONFIG with a sentence, Prometheus' own where it has one. */
#pragma once
#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/strbuf.h"

/* Whole numbers of y, w, d, h, m, s, ms, in this order; or 0. */
leat_rc leat_prom_duration(const char *text, int64_t *ret_ns, struct leat_err *reterr);
/* In as few units as Prometheus shows it: 90d, 1w, 1m30s; whole milliseconds. */
void leat_prom_duration_text(int64_t ns, struct leat_strbuf *out);
/* Powers of 1024, whether written KB or KiB; a bare number is bytes. */
leat_rc leat_prom_size(const char *text, int64_t *ret_bytes, struct leat_err *reterr);
