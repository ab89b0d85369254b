/* SPDX-License-Identifier: Apache-2.0 */
/* ticks -- when a target is scraped: every interval, at a phase of its own, stamped with the ideal time.
 *
 * Why      targets are spread over the interval and keep their phase over restarts; equal distances compress well.
 * Threads  pure: a plain struct and clocks given by the caller.
 * Rule     phase = (hash xor seed) mod interval on the wall clock, as Prometheus. A tick that comes within min(2 ms, 1 %) of
 *          an ideal one is stamped with the ideal time, else with the time it came. Ticks that were missed are not made
 *          up for. A wall clock that was set back starts a new row of ideal times. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct leat_ticks {
    uint64_t interval_ns;
    uint64_t next_mono_ns;  /* when the next one is due */
    uint64_t ideal_unix_ns; /* where the last stamp stood; 0: none yet */
};
/* The first tick comes at the target's phase. */
void leat_ticks_start(struct leat_ticks *ticks, uint64_t interval_ns, uint64_t hash, uint64_t seed, uint64_t unix_ns,
                      uint64_t mono_ns);
/* Now is a tick: answers the time it is stamped with (unix ns) and sets next_mono_ns. */
uint64_t leat_ticks_now(struct leat_ticks *ticks, uint64_t unix_ns, uint64_t mono_ns);
/* How long to wait for next_mono_ns; 0: it is due. */
uint64_t leat_ticks_wait_ns(const struct leat_ticks *ticks, uint64_t mono_ns);
