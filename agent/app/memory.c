/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/app/memory.h"

static uint64_t amount_of(const struct leat_amount *amount, uint64_t whole)
{
    return amount->percent > 0 ? (uint64_t)((double)whole * amount->percent / 100) : amount->bytes;
}

void leat_memory_limits(const struct leat_settings *settings, uint64_t available, uint64_t *ret_hard, uint64_t *ret_soft)
{
    *ret_hard = amount_of(&settings->memory_limit, available);
    *ret_soft = amount_of(&settings->memory_soft_limit, *ret_hard);
}
