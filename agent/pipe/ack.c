/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/ack.h"

#include "agent/base/check.h"

static const char *const labels[] = {
#define X(id, label) label,
    LEAT_DROP_TABLE(X)
#undef X
};

const char *leat_drop_label(enum leat_drop reason) { return labels[reason]; }

void leat_ack_init(struct leat_ack *ack, void (*final)(struct leat_ack *ack))
{
    *ack = (struct leat_ack){.open = 1, .final = final};
}

void leat_ack_split(struct leat_ack *ack, uint32_t more_parts)
{
    if (!ack)
        return;
    LEAT_CHECK(ack->open > 0);
    ack->open += more_parts;
}

void leat_ack_settle(struct leat_ack *ack, enum leat_outcome outcome, enum leat_drop reason, uint64_t items)
{
    if (!ack)
        return;
    LEAT_CHECK(ack->open > 0);
    if (outcome == LEAT_DELIVERED)
        ack->delivered += items;
    else if (outcome == LEAT_PERSISTED)
        ack->persisted += items;
    else
        ack->dropped[reason] += items;
}

void leat_ack_close(struct leat_ack *ack)
{
    if (!ack)
        return;
    LEAT_CHECK(ack->open > 0);
    if (--ack->open == 0 && ack->final)
        ack->final(ack);
}

uint64_t leat_ack_dropped(const struct leat_ack *ack)
{
    uint64_t sum = 0;
    for (int i = 0; i < LEAT_DROP_COUNT; i++)
        sum += ack->dropped[i];
    return sum;
}
