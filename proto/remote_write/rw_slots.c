/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_slots.h"

#include "agent/base/alloc.h"
#include "agent/base/check.h"

static uint32_t segment_slots(const struct rw_slots *slots)
{
    return slots->slots_max < RW_SEGMENT_SLOTS ? slots->slots_max : RW_SEGMENT_SLOTS;
}

static uint32_t segment_count(const struct rw_slots *slots)
{
    return slots->slots_max / segment_slots(slots);
}

void rw_slots_init(struct rw_slots *slots, uint32_t slots_max, uint32_t slot_bytes)
{
    LEAT_CHECK((slots_max & (slots_max - 1)) == 0);
    *slots = (struct rw_slots){.slots_max = slots_max, .slot_bytes = slot_bytes};
}

void rw_slots_done(struct rw_slots *slots, void (*clear)(void *slot))
{
    for (uint32_t s = 0; slots->segments && s < segment_count(slots); s++) {
        uint8_t *segment = slots->segments[s];
        for (uint32_t i = 0; segment && i < segment_slots(slots); i++)
            clear(segment + (size_t)i * slots->slot_bytes);
        leat_free(segment);
    }
    leat_free(slots->segments);
    slots->segments = NULL;
}

void *rw_slots_make(struct rw_slots *slots, uint64_t id)
{
    if (slots->slots_max == 0)
        return NULL;
    uint64_t at = id & (slots->slots_max - 1u);
    if (!slots->segments && !(slots->segments = leat_zalloc(segment_count(slots), sizeof *slots->segments)))
        return NULL;
    uint8_t **segment = &slots->segments[at / RW_SEGMENT_SLOTS];
    if (!*segment && !(*segment = leat_zalloc(segment_slots(slots), slots->slot_bytes)))
        return NULL;
    return *segment + at % RW_SEGMENT_SLOTS * slots->slot_bytes;
}
