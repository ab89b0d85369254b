/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/backoff.h"

#define WAIT_NS_MIN 1000000ull           /* intervals may be 0: even so no loop that burns a core */
#define WAIT_NS_MAX 31536000000000000ull /* a year: UINT64_MAX is the word for "no more" */

static double unit(struct leat_world *world)
{
    return (double)(world->random(world) >> 11) * 0x1p-53;
}

static uint64_t jittered(uint64_t interval_ns, const struct leat_retry_conf *conf, struct leat_world *world)
{
    if (conf->full_jitter)
        return (uint64_t)((double)interval_ns * unit(world));
    double share = 1 - conf->randomization_factor + 2 * conf->randomization_factor * unit(world);
    return (uint64_t)((double)interval_ns * share);
}

uint64_t leat_backoff_next(struct leat_backoff *backoff, const struct leat_retry_conf *conf, struct leat_world *world,
                           uint64_t peer_wait_ns)
{
    uint64_t now = world->mono_ns(world), max = (uint64_t)conf->max_interval_ns;
    if (backoff->began_ns == 0)
        backoff->began_ns = now ? now : 1;
    if (backoff->interval_ns == 0) {
        backoff->interval_ns = (uint64_t)conf->initial_interval_ns;
    } else {
        double next = (double)backoff->interval_ns * conf->multiplier;
        backoff->interval_ns = next < (double)max ? (uint64_t)next : max;
    }
    uint64_t wait = jittered(backoff->interval_ns, conf, world);
    if (wait < peer_wait_ns)
        wait = peer_wait_ns;
    uint64_t elapsed_max = (uint64_t)conf->max_elapsed_time_ns;
    if (wait < WAIT_NS_MIN)
        wait = WAIT_NS_MIN;
    if (elapsed_max && (wait > elapsed_max || now - backoff->began_ns > elapsed_max - wait))
        return UINT64_MAX;
    return wait < WAIT_NS_MAX ? wait : WAIT_NS_MAX;
}
