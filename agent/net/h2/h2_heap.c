/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/h2_heap.h"

#include <string.h>

#include "agent/base/obj.h"

struct block {
    struct leat_list link;
    size_t size;
    max_align_t bytes[];
};

static struct block *block_of(void *at)
{
    return LEAT_CONTAINER(at, struct block, bytes);
}

/* The budget is asked once a step, not once a header. */
static bool covered(struct leat_h2_heap *heap, size_t size)
{
    if (heap->bytes + size <= heap->charged)
        return true;
    uint64_t steps = (heap->bytes + size - heap->charged + LEAT_H2_HEAP_STEP - 1) / LEAT_H2_HEAP_STEP;
    if (!leat_budget_charge(heap->budget, steps * LEAT_H2_HEAP_STEP))
        return false;
    heap->charged += steps * LEAT_H2_HEAP_STEP;
    return true;
}

static void *heap_alloc(size_t size, void *ctx)
{
    struct leat_h2_heap *heap = ctx;
    bool fits = size < UINT32_MAX && covered(heap, size);
    struct block *block = fits ? leat_obj_new(sizeof *block + size) : NULL;
    if (!block) {
        heap->failed = true;
        return NULL;
    }
    block->size = size;
    heap->bytes += size;
    leat_list_push(&heap->blocks, &block->link);
    return block->bytes;
}

static void heap_free(void *at, void *ctx)
{
    struct leat_h2_heap *heap = ctx;
    if (!at)
        return;
    struct block *block = block_of(at);
    heap->bytes -= block->size;
    leat_list_remove(&block->link);
    leat_obj_free(block, sizeof *block + block->size);
}

static void *heap_zalloc(size_t count, size_t size, void *ctx)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *at = heap_alloc(total, ctx);
    return at ? memset(at, 0, total) : NULL;
}

static void *heap_realloc(void *at, size_t size, void *ctx)
{
    void *fresh = heap_alloc(size, ctx);
    if (!fresh || !at)
        return fresh;
    size_t old = block_of(at)->size;
    memcpy(fresh, at, old < size ? old : size);
    heap_free(at, ctx);
    return fresh;
}

void leat_h2__heap_init(struct leat_h2_heap *heap)
{
    *heap = (struct leat_h2_heap){.budget = leat_pool_budget(leat_pool_here())};
    leat_list_init(&heap->blocks);
}

nghttp2_mem leat_h2__heap_mem(struct leat_h2_heap *heap)
{
    return (nghttp2_mem){heap, heap_alloc, heap_free, heap_zalloc, heap_realloc};
}

void leat_h2__heap_done(struct leat_h2_heap *heap)
{
    for (struct leat_list *link; (link = leat_list_pop(&heap->blocks));) {
        struct block *block = LEAT_CONTAINER(link, struct block, link);
        leat_obj_free(block, sizeof *block + block->size);
    }
    leat_budget_discharge(heap->budget, heap->charged);
    heap->bytes = heap->charged = 0;
}
