/* SPDX-License-Identifier: Apache-2.0 */
/* rw_to_otlp -- scraped samples as OTLP metrics, as the Collector's prometheus receiver makes them.
 *
 * Why      a processor or destination that knows OTLP only takes what was scraped.
 * Threads  pure; memory of its own, given back before it answers.
 * Rules    series of a histogram or summary become one point; job and instance become the resource, target_info its
 *          attributes, otel_scope_ labels the scope; *_created a start time; the stale marker the flag "no recorded value".
 *          A series without metadata is a gauge. Data points are fewer than samples.
 * Fails    LEAT_ENOMEM, LEAT_EPARSE; the output is {0} then. */
#pragma once
#include "proto/prom/prom.h"

/* A row of the table of conversions; `signal` is metrics. */
leat_rc leat_prom_to_otlp(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_otlp,
                          uint32_t *ret_items, struct leat_err *reterr) LEAT_MUST_CHECK;
