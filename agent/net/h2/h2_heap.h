/* SPDX-License-Identifier: Apache-2.0 */
/* h2_heap -- the memory of one nghttp2 session, every block on a list; private to agent/net/h2.
 *
 * Why      bookworm's nghttp2 is not sound after an allocation of its own failed (a DATA item is freed twice): such a
 *          session is not touched again, and its blocks are freed from the list. The list also says what a
 *          connection costs.
 * Limits   charged to the shard's budget in steps of LEAT_H2_HEAP_STEP, until the session ends.
 * Fails    `failed` stays true after the first allocation that failed. */
#pragma once
#include <nghttp2/nghttp2.h>

#include <stdint.h>

#include "agent/base/list.h"
#include "agent/base/mem.h"

#define LEAT_H2_HEAP_STEP 4096u

struct leat_h2_heap {
    struct leat_list blocks;
    struct leat_budget *budget;
    uint64_t bytes, charged;
    bool failed;
};

void leat_h2__heap_init(struct leat_h2_heap *heap);
nghttp2_mem leat_h2__heap_mem(struct leat_h2_heap *heap);
void leat_h2__heap_done(struct leat_h2_heap *heap); /* frees what is left */
