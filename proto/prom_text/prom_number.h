/* SPDX-License-Identifier: Apache-2.0 */
/* prom_number -- numbers of the text formats, read and written exactly as Prometheus does.
 *
 * Why      half of a scrape's time would go into strtod; most values are short and have an exact answer in one operation.
 * Threads  pure functions; the C locale must be "C" (nobody sets another).
 * Limits   a number of more than PROM_NUMBER_BYTES_MAX bytes is malformed.
 * Fails    false: what Go's ParseFloat refuses (out of range included), hexadecimal and underscores. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PROM_NUMBER_BYTES_MAX 1024u
#define PROM_NUMBER_TEXT_MAX 32u

/* The whole of [at, end). NaN is LEAT_PROM_NAN_BITS. */
bool prom_number_parse(const uint8_t *at, const uint8_t *end, double *ret_value);
bool prom_int_parse(const uint8_t *at, const uint8_t *end, int64_t *ret_value); /* digits only */
/* Shortest text that reads back as the same; ".0" behind what would look like an integer: `le` and `quantile`. Answers its
 * length; NUL-terminated. */
uint32_t prom_number_put(double value, char to[PROM_NUMBER_TEXT_MAX]);
