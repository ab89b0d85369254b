/* SPDX-License-Identifier: Apache-2.0 */
/* decode -- undoes a request's coding.
 *
 * Why      items are counted in what was meant, not in what travelled.
 * Threads  one; the decoder's state is kept between calls.
 * Owns     its states for the life of the program.
 * Limits   64 MiB decoded.
 * Fails    answers false for bytes that do not decode, or too many of them. */
#pragma once
#include <stdbool.h>

#include "bench/sink/bytes.h"

enum bench_coding { BENCH_PLAIN, BENCH_GZIP, BENCH_ZSTD, BENCH_SNAPPY, BENCH_CODING_UNKNOWN };

enum bench_coding bench_coding_named(const char *at, size_t len);
/* Into `out`, which is emptied first. */
bool bench_decode(enum bench_coding coding, const uint8_t *at, size_t len, struct bench_bytes *out);
