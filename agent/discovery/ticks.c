/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/ticks.h"

#define TOLERANCE_NS_MAX 2000000u

void leat_ticks_start(struct leat_ticks *ticks, uint64_t interval_ns, uint64_t hash, uint64_t seed, uint64_t unix_ns,
                      uint64_t mono_ns)
{
    uint64_t phase = (hash ^ seed) % interval_ns, now = unix_ns % interval_ns;
    *ticks = (struct leat_ticks){.interval_ns = interval_ns};
    ticks->next_mono_ns = mono_ns + (phase >= now ? phase - now : phase + interval_ns - now);
}

uint64_t leat_ticks_now(struct leat_ticks *ticks, uint64_t unix_ns, uint64_t mono_ns)
{
    uint64_t interval = ticks->interval_ns;
    uint64_t tolerance = interval / 100 < TOLERANCE_NS_MAX ? interval / 100 : TOLERANCE_NS_MAX;
    uint64_t stamp = unix_ns;
    if (ticks->next_mono_ns > mono_ns) /* called before its time: the row stays where it is */
        mono_ns = ticks->next_mono_ns;
    ticks->next_mono_ns += (mono_ns - ticks->next_mono_ns) / interval * interval + interval;
    if (ticks->ideal_unix_ns == 0 || unix_ns + tolerance < ticks->ideal_unix_ns + interval) {
        ticks->ideal_unix_ns = unix_ns;
        return stamp;
    }
    ticks->ideal_unix_ns += (unix_ns + tolerance - ticks->ideal_unix_ns) / interval * interval;
    uint64_t ideal = ticks->ideal_unix_ns;
    uint64_t away = unix_ns > ideal ? unix_ns - ideal : ideal - unix_ns;
    return away <= tolerance ? ideal : stamp;
}

uint64_t leat_ticks_wait_ns(const struct leat_ticks *ticks, uint64_t mono_ns)
{
    return ticks->next_mono_ns > mono_ns ? ticks->next_mono_ns - mono_ns : 0;
}
