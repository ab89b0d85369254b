/* SPDX-License-Identifier: Apache-2.0 */
/* counter -- what the core counts about itself, one row each in counters.def; shown on /metrics by agent/self.
 *
 * Threads  any: relaxed atomic adds, never per record.
 * Note     a component's own counters are rows of its descriptor, and items in flight are in the ledger (agent/pipe). */
#pragma once
#include <stdint.h>

enum leat_counter {
#define X(id, name, labels, help) LEAT_COUNT_##id,
#include "agent/base/counters.def"
#undef X
    LEAT_COUNTER_COUNT
};

extern uint64_t leat_counters[LEAT_COUNTER_COUNT];

static inline void leat_count(enum leat_counter counter, uint64_t n)
{
    __atomic_add_fetch(&leat_counters[counter], n, __ATOMIC_RELAXED);
}

/* A row of a component's own table: `name` without the leat_ prefix; ended by a row without name. */
struct leat_counter_def {
    const char *name, *labels, *help;
};
