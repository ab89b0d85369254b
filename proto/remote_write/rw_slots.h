/* SPDX-License-Identifier: Apache-2.0 */
/* rw_slots -- one slot for a series, found by its id: what a writer remembers of it.
 *
 * Why      ids are dense, so a slot is an index away; segments are made when the first id falls into them, and nothing ever
 *          moves, so that growing never holds an old table beside a new one.
 * Threads  one shard's.
 * Owns     the segments. Ids that are `slots_max` apart share a slot: the user compares.
 * Limits   slots_max, a power of two; 0: none.
 * Fails    rw_slots_make: NULL when out of memory. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "agent/base/rc.h"

#define RW_SEGMENT_SLOTS 4096u

struct rw_slots {
    uint8_t **segments; /* by the upper bits of an id */
    uint32_t slots_max;
    uint32_t slot_bytes;
};
void rw_slots_init(struct rw_slots *slots, uint32_t slots_max, uint32_t slot_bytes);
void rw_slots_done(struct rw_slots *slots, void (*clear)(void *slot)); /* every slot of every segment; then empty */

static inline void *rw_slots_find(const struct rw_slots *slots, uint64_t id) /* NULL: nothing was ever there */
{
    uint64_t at = id & (slots->slots_max - 1u);
    uint8_t *segment = slots->segments ? slots->segments[at / RW_SEGMENT_SLOTS] : NULL;
    return segment ? segment + at % RW_SEGMENT_SLOTS * slots->slot_bytes : NULL;
}
void *rw_slots_make(struct rw_slots *slots, uint64_t id) LEAT_MUST_CHECK; /* the same; zeroed when new */
