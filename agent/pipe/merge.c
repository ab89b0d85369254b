/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/merge.h"

#include "agent/base/alloc.h"
#include "agent/base/list.h"

static uint64_t take(uint64_t *from, uint64_t most)
{
    uint64_t n = *from < most ? *from : most;
    *from -= n;
    return n;
}

/* What is left of the ends goes to this part, losses first, up to the number of its items. */
static void tell(struct leat_ack *ends, const struct leat_merge_part *part)
{
    uint64_t left = part->items;
    for (int reason = 0; reason < LEAT_DROP_COUNT; reason++) {
        uint64_t n = take(&ends->dropped[reason], left);
        leat_ack_settle(part->ack, LEAT_DROPPED, (enum leat_drop)reason, n);
        left -= n;
    }
    uint64_t persisted = take(&ends->persisted, left);
    leat_ack_settle(part->ack, LEAT_PERSISTED, 0, persisted);
    leat_ack_settle(part->ack, LEAT_DELIVERED, 0, take(&ends->delivered, left - persisted));
    leat_ack_close(part->ack);
}

static void on_final(struct leat_ack *ack)
{
    struct leat_merge *merge = LEAT_CONTAINER(ack, struct leat_merge, ack);
    struct leat_ack ends = *ack;
    for (uint32_t i = 0; i < merge->count; i++)
        if (merge->parts[i].ack)
            tell(&ends, &merge->parts[i]);
    leat_merge_free(merge);
}

struct leat_merge *leat_merge_new(void)
{
    struct leat_merge *merge = leat_zalloc(1, sizeof *merge);
    if (merge)
        leat_ack_init(&merge->ack, on_final);
    return merge;
}

leat_rc leat_merge_add(struct leat_merge *merge, struct leat_ack *ack, uint64_t items)
{
    if (merge->count == merge->room) {
        uint32_t room = merge->room ? merge->room * 2 : 8;
        struct leat_merge_part *parts = leat_realloc(merge->parts, room * sizeof *parts);
        if (!parts)
            return LEAT_ENOMEM;
        merge->parts = parts;
        merge->room = room;
    }
    merge->parts[merge->count++] = (struct leat_merge_part){ack, items};
    return LEAT_OK;
}

void leat_merge_free(struct leat_merge *merge)
{
    leat_free(merge->parts);
    leat_free(merge);
}
