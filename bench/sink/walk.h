/* SPDX-License-Identifier: Apache-2.0 */
/* walk -- counts the items of a protobuf body and shows each item's line, looking at nothing else.
 *
 * Why      the sink must cost less than the agent it measures: it steps over records by their length.
 * Threads  any; no state.
 * Owns     nothing; the lines shown point into the body.
 * Limits   none; the depth is fixed by the form.
 * Fails    answers -1 for a body that is not what it should be. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum bench_form {
    BENCH_OTLP, /* logs, spans and metrics nest alike: 1 (resource), 2 (scope), 2 (item) */
    BENCH_LOKI, /* 1 (stream), 2 (entry) */
    BENCH_WRITE_1, /* remote write: 1 (series), 2 (sample) */
    BENCH_WRITE_2, /* of 2.0: 5 (series), 2 (sample) */
};

/* `at` is NULL when an item has no text for its line. */
typedef void bench_line_fn(void *context, const uint8_t *at, size_t len);

/* Items in the body. `line` may be NULL: count only. */
int64_t bench_walk(enum bench_form form, const uint8_t *at, size_t len, bench_line_fn *line, void *context);
