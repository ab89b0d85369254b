/* SPDX-License-Identifier: Apache-2.0 */
/* tally -- which numbered lines arrived, and how often: a bitmap over "seq=N".
 *
 * Why      "every line at least once" is a claim about each line, not about a total.
 * Threads  one.
 * Owns     the bitmap.
 * Limits   numbers below 2^31 (256 MiB of bitmap at most, grown as numbers come); others count as unnumbered.
 * Fails    never; out of memory ends the program. */
#pragma once
#include "bench/sink/bytes.h"

struct bench_tally {
    struct bench_bytes map;
    uint64_t distinct, repeated, unnumbered;
    int64_t seq_max; /* -1: none seen */
};

void bench_tally_line(void *tally, const uint8_t *at, size_t len); /* a bench_line_fn */
/* The first numbers below `end` that did not arrive, as "1,5-9,..."; at most `ranges_max` ranges. */
void bench_tally_missing(const struct bench_tally *tally, uint64_t end, unsigned ranges_max, struct bench_bytes *out);
void bench_tally_reset(struct bench_tally *tally);
