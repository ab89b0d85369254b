/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/mem.h"

#include <string.h>
#include <sys/mman.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/base/obj.h"

#define PAGE_ROOM (LEAT_PAGE_BYTES - (uint32_t)sizeof(struct leat_mem))
#define CACHE_PAGES_MAX 64u /* pages kept for reuse: 8 MiB a shard */

/* A pool hands out pages and counts what is out. `reading` and `small` are the pages that the next bytes go to; the
 * pool holds one reference on each. */
struct leat_pool {
    struct leat_budget *budget;
    struct leat_mem *cached[CACHE_PAGES_MAX];
    uint32_t cached_count;
    uint32_t blocks_out;
    struct leat_mem *reading, *small;
    uint32_t reading_used, small_used;
};

static _Thread_local struct leat_pool *bound;
static _Thread_local struct leat_pool fallback;
static uint64_t copied_total; /* atomic */

/* ---- budget ---- */

bool leat_budget_charge(struct leat_budget *budget, uint64_t bytes)
{
    if (!budget)
        return true;
    uint64_t used = __atomic_add_fetch(&budget->used_bytes, bytes, __ATOMIC_RELAXED);
    if (budget->hard_bytes && used > budget->hard_bytes) {
        __atomic_sub_fetch(&budget->used_bytes, bytes, __ATOMIC_RELAXED);
        __atomic_add_fetch(&budget->refused, 1, __ATOMIC_RELAXED);
        return false;
    }
    if (used > __atomic_load_n(&budget->peak_bytes, __ATOMIC_RELAXED))
        __atomic_store_n(&budget->peak_bytes, used, __ATOMIC_RELAXED);
    return true;
}

void leat_budget_discharge(struct leat_budget *budget, uint64_t bytes)
{
    if (budget)
        __atomic_sub_fetch(&budget->used_bytes, bytes, __ATOMIC_RELAXED);
}

bool leat_budget_above_soft(const struct leat_budget *budget)
{
    return budget && budget->soft_bytes &&
           __atomic_load_n(&budget->used_bytes, __ATOMIC_RELAXED) > budget->soft_bytes;
}

/* ---- pages ---- */

static void page_unmap(struct leat_mem *page) { (void)munmap(page, LEAT_PAGE_BYTES); }

static void page_release(struct leat_mem *page)
{
    struct leat_pool *pool = page->pool;
    LEAT_DCHECK(pool == leat_pool_here());
    pool->blocks_out--;
    leat_budget_discharge(pool->budget, page->charged);
    if (pool->cached_count < CACHE_PAGES_MAX)
        pool->cached[pool->cached_count++] = page;
    else
        page_unmap(page);
}

static struct leat_mem *page_map(void)
{
    void *at = mmap(NULL, LEAT_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static struct leat_mem *page_new(struct leat_pool *pool)
{
    if (!leat_budget_charge(pool->budget, LEAT_PAGE_BYTES))
        return NULL;
    struct leat_mem *page = pool->cached_count ? pool->cached[--pool->cached_count] : page_map();
    if (!page) {
        leat_budget_discharge(pool->budget, LEAT_PAGE_BYTES);
        return NULL;
    }
    *page = (struct leat_mem){.refs = 1, .size = PAGE_ROOM, .charged = LEAT_PAGE_BYTES, .at = (uint8_t *)(page + 1),
                              .pool = pool, .release = page_release};
    pool->blocks_out++;
    return page;
}

/* ---- pool ---- */

leat_rc leat_pool_open(struct leat_budget *budget, struct leat_pool **ret_pool)
{
    struct leat_pool *pool = leat_zalloc(1, sizeof *pool);
    if (!pool)
        return LEAT_ENOMEM;
    pool->budget = budget;
    *ret_pool = pool;
    return LEAT_OK;
}

static void let_go_of_current(struct leat_pool *pool)
{
    pool->reading = leat_mem_unref(pool->reading);
    pool->small = leat_mem_unref(pool->small);
    pool->reading_used = pool->small_used = 0;
}

struct leat_pool *leat_pool_close(struct leat_pool *pool)
{
    if (!pool)
        return NULL;
    struct leat_pool *before = bound;
    bound = pool;
    let_go_of_current(pool);
    LEAT_CHECK(pool->blocks_out == 0);
    leat_pool_trim(pool);
    bound = before == pool ? NULL : before;
    leat_free(pool);
    return NULL;
}

void leat_pool_bind(struct leat_pool *pool) { bound = pool; }
struct leat_pool *leat_pool_here(void) { return bound ? bound : &fallback; }
struct leat_budget *leat_pool_budget(struct leat_pool *pool) { return pool->budget; }

uint32_t leat_pool_blocks_out(const struct leat_pool *pool)
{
    return pool->blocks_out - (pool->reading ? pool->reading->refs == 1 : 0u) -
           (pool->small ? pool->small->refs == 1 : 0u);
}

void leat_pool_trim(struct leat_pool *pool)
{
    if (pool->reading && pool->reading->refs == 1)
        pool->reading = leat_mem_unref(pool->reading);
    if (pool->small && pool->small->refs == 1)
        pool->small = leat_mem_unref(pool->small);
    while (pool->cached_count)
        page_unmap(pool->cached[--pool->cached_count]);
}

/* ---- blocks ---- */

static void heap_release(struct leat_mem *mem)
{
    LEAT_DCHECK(mem->pool == leat_pool_here());
    mem->pool->blocks_out--;
    leat_budget_discharge(mem->pool->budget, mem->charged);
    leat_obj_free(mem, mem->charged);
}

struct leat_mem *leat_mem_new(uint32_t size)
{
    struct leat_pool *pool = leat_pool_here();
    if (size <= PAGE_ROOM && size > PAGE_ROOM / 2)
        return page_new(pool);
    if (size > UINT32_MAX - (uint32_t)sizeof(struct leat_mem))
        return NULL;
    uint32_t charged = size + (uint32_t)sizeof(struct leat_mem);
    if (!leat_budget_charge(pool->budget, charged))
        return NULL;
    struct leat_mem *mem = charged > LEAT_OBJ_BYTES_MAX ? leat_alloc(charged) : leat_obj_new(charged);
    if (!mem) {
        leat_budget_discharge(pool->budget, charged);
        return NULL;
    }
    *mem = (struct leat_mem){.refs = 1, .size = size, .charged = charged, .at = (uint8_t *)(mem + 1), .pool = pool,
                             .release = heap_release};
    pool->blocks_out++;
    return mem;
}

struct leat_mem *leat_mem_wrap(const void *at, uint32_t size, void (*release)(struct leat_mem *mem), void *ctx)
{
    struct leat_mem *mem = leat_alloc(sizeof *mem);
    if (!mem)
        return NULL;
    struct leat_pool *pool = leat_pool_here();
    *mem = (struct leat_mem){.refs = 1, .size = size, .at = (uint8_t *)(uintptr_t)at, .pool = pool,
                             .release = release, .ctx = ctx};
    pool->blocks_out++;
    return mem;
}

void leat_mem_wrap_free(struct leat_mem *mem)
{
    mem->pool->blocks_out--;
    leat_free(mem);
}

/* ---- room ---- */

/* Makes *page a page with at least len_min bytes after *used. A page that nobody else holds starts over. */
static leat_rc ensure(struct leat_pool *pool, struct leat_mem **page, uint32_t *used, uint32_t len_min)
{
    if (*page && (*page)->refs == 1)
        *used = 0;
    if (*page && (*page)->size - *used >= len_min)
        return LEAT_OK;
    struct leat_mem *fresh = page_new(pool);
    if (!fresh)
        return LEAT_ENOMEM;
    leat_mem_unref(*page);
    *page = fresh;
    *used = 0;
    return LEAT_OK;
}

leat_rc leat_pool_read_room(struct leat_pool *pool, uint32_t len_min, struct leat_room *ret_room)
{
    LEAT_DCHECK(len_min <= PAGE_ROOM);
    leat_rc rc = ensure(pool, &pool->reading, &pool->reading_used, len_min);
    if (rc != LEAT_OK)
        return rc;
    *ret_room = (struct leat_room){.at = pool->reading->at + pool->reading_used,
                                   .len = pool->reading->size - pool->reading_used, .mem = pool->reading};
    return LEAT_OK;
}

struct leat_mem *leat_pool_read_take(struct leat_pool *pool, const struct leat_room *room, uint32_t used)
{
    LEAT_DCHECK(room->mem == pool->reading && used <= room->len);
    pool->reading_used += used;
    return leat_mem_ref(pool->reading);
}

struct leat_mem *leat_pool_small(struct leat_pool *pool, uint32_t len, uint8_t **ret_at)
{
    LEAT_CHECK(len <= LEAT_SMALL_BYTES_MAX);
    if (ensure(pool, &pool->small, &pool->small_used, len) != LEAT_OK)
        return NULL;
    *ret_at = pool->small->at + pool->small_used;
    pool->small_used += len;
    return leat_mem_ref(pool->small);
}

/* ---- the copy counter ---- */

void leat_copied(uint64_t bytes) { __atomic_add_fetch(&copied_total, bytes, __ATOMIC_RELAXED); }
uint64_t leat_copied_bytes(void) { return __atomic_load_n(&copied_total, __ATOMIC_RELAXED); }
