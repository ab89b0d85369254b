/* SPDX-License-Identifier: Apache-2.0 */
/* ledger -- the books of one edge of the graph on one shard: in = out + held + dropped{reason}, at every moment.
 *
 * Why      promise 1 of the house: nothing is lost silently. Shown on /metrics, asserted by tests.
 * Threads  written by its shard only; read by anybody (each number is whole, the set may be a moment apart).
 * Rule     `held` is what the owner can show: owners with a queue count it themselves and compare (leat_sender_check). */
#pragma once
#include "agent/pipe/ack.h"

struct leat_ledger {
    uint64_t in, out, dropped[LEAT_DROP_COUNT];
    uint64_t held;             /* items inside now */
    uint64_t bytes_in, bytes_out;
    uint64_t refused;          /* items offered and not taken: the source still has them */
    uint64_t repeated;         /* items sent again (they count once in `in`) */
};

static inline void leat_ledger__add(uint64_t *at, uint64_t n)
{
    __atomic_store_n(at, *at + n, __ATOMIC_RELAXED);
}
static inline void leat_ledger_in(struct leat_ledger *ledger, uint64_t items, uint64_t bytes)
{
    leat_ledger__add(&ledger->in, items);
    leat_ledger__add(&ledger->held, items);
    leat_ledger__add(&ledger->bytes_in, bytes);
}
static inline void leat_ledger_out(struct leat_ledger *ledger, uint64_t items, uint64_t bytes)
{
    leat_ledger__add(&ledger->out, items);
    leat_ledger__add(&ledger->held, (uint64_t)0 - items);
    leat_ledger__add(&ledger->bytes_out, bytes);
}
static inline void leat_ledger_drop(struct leat_ledger *ledger, enum leat_drop reason, uint64_t items)
{
    leat_ledger__add(&ledger->dropped[reason], items);
    leat_ledger__add(&ledger->held, (uint64_t)0 - items);
}
static inline uint64_t leat_ledger_dropped(const struct leat_ledger *ledger)
{
    uint64_t sum = 0;
    for (int i = 0; i < LEAT_DROP_COUNT; i++)
        sum += __atomic_load_n(&ledger->dropped[i], __ATOMIC_RELAXED);
    return sum;
}
/* The identity. */
static inline bool leat_ledger_balances(const struct leat_ledger *ledger)
{
    return ledger->in == ledger->out + ledger->held + leat_ledger_dropped(ledger);
}
