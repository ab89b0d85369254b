/* SPDX-License-Identifier: Apache-2.0 */
/* h2_heap -- the memory of one nghttp2 session, every block on a list; private to agent/net/h2.
 *
 * Why      bookworm's nghttp2 is not sound after an allocation of its own failed (a DATA item is freed twice): such a
 *          session is not touched again, and its blocks are freed from the list. The list also says what a
 *          connection costs.
 * Fails    `failed` stays true after the first allocation that failed. */
#pragma once
#include <nghttp2/nghttp2.h>

#include <stdint.h>

#include "agent/base/list.h"

struct leat_h2_heap {
    struct leat_list blocks;
    uint64_t bytes;
    bool failed;
};

void leat_h2__heap_init(struct leat_h2_heap *heap);
nghttp2_mem leat_h2__heap_mem(struct leat_h2_heap *heap);
void leat_h2__heap_done(struct leat_h2_heap *heap); /* frees what is left */
