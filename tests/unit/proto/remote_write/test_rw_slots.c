/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_slots.h"

#include "tests/kit/kit.h"

static uint32_t cleared, filled;

static void clear(void *slot)
{
    cleared++;
    filled += *(uint64_t *)slot != 0;
}

/* Guarantees: a slot is where it was, however many came after it; ids slots_max apart share one; every slot is cleared. */
LEAT_TEST(slots_stay_where_they_are)
{
    struct rw_slots slots;
    cleared = filled = 0;
    rw_slots_init(&slots, 4 * RW_SEGMENT_SLOTS, sizeof(uint64_t));
    EXPECT(rw_slots_find(&slots, 1) == NULL);
    uint64_t *first = rw_slots_make(&slots, 1);
    *first = 1;
    for (uint64_t id = 2; id < 2 * RW_SEGMENT_SLOTS; id++) {
        uint64_t *slot = rw_slots_make(&slots, id);
        EXPECT_EQ(*slot, 0);
        *slot = id;
    }
    EXPECT(rw_slots_find(&slots, 1) == first && *first == 1);
    EXPECT(rw_slots_find(&slots, 1 + 4 * RW_SEGMENT_SLOTS) == first);
    EXPECT(rw_slots_find(&slots, 3 * RW_SEGMENT_SLOTS) == NULL); /* no memory for what was not asked for */
    rw_slots_done(&slots, clear);
    EXPECT_EQ(cleared, 2 * RW_SEGMENT_SLOTS);
    EXPECT_EQ(filled, 2 * RW_SEGMENT_SLOTS - 1);
    EXPECT(rw_slots_find(&slots, 1) == NULL);
}

LEAT_TEST(fewer_slots_than_a_segment_are_one_segment)
{
    struct rw_slots slots;
    cleared = 0;
    rw_slots_init(&slots, 8, sizeof(uint64_t));
    EXPECT(rw_slots_make(&slots, 7) != NULL);
    EXPECT(rw_slots_make(&slots, 15) == rw_slots_find(&slots, 7));
    rw_slots_done(&slots, clear);
    EXPECT_EQ(cleared, 8);
}

LEAT_TEST_OOM(slots_survive_failed_allocations)
{
    struct rw_slots slots;
    rw_slots_init(&slots, 2 * RW_SEGMENT_SLOTS, sizeof(uint64_t));
    bool made = rw_slots_make(&slots, 5) != NULL;
    rw_slots_done(&slots, clear);
    return made ? LEAT_OK : LEAT_ENOMEM;
}
