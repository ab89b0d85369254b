/* SPDX-License-Identifier: Apache-2.0 */
/* A chunk: samples grow up from the front, what few of them have in addition grows down from the end. */
#include "agent/base/check.h"
#include "proto/prom/prom.h"

#define CHUNK_BYTES (LEAT_PAGE_BYTES - 256u) /* one page of the pool with its own head */
#define ALIGN 16u

struct chunk {
    void (*release)(struct leat_mem *mem); /* the block's own way home */
    uint32_t used;                         /* samples */
    uint32_t floor;                        /* offset in the block where the extras begin */
    _Alignas(ALIGN) struct leat_prom_sample samples[];
};

static struct chunk *of(const struct leat_mem *mem) { return (struct chunk *)(void *)mem->at; }

static void give_back(struct leat_mem *mem)
{
    struct chunk *chunk = of(mem);
    for (uint32_t i = 0; i < chunk->used; i++)
        leat_prom_series_unref(chunk->samples[i].series);
    mem->release = chunk->release;
    mem->release(mem);
}

static struct leat_mem *chunk_new(uint64_t extra_bytes)
{
    uint64_t size = sizeof(struct chunk) + sizeof(struct leat_prom_sample) + extra_bytes + ALIGN;
    if (size > UINT32_MAX / 2)
        return NULL;
    struct leat_mem *mem = leat_mem_new(size > CHUNK_BYTES ? (uint32_t)size : CHUNK_BYTES);
    if (!mem)
        return NULL;
    LEAT_DCHECK((uintptr_t)mem->at % sizeof(void *) == 0);
    struct chunk *chunk = of(mem);
    chunk->release = mem->release;
    chunk->used = 0;
    chunk->floor = mem->size & ~(ALIGN - 1);
    mem->release = give_back;
    return mem;
}

static uint32_t ceiling(const struct chunk *chunk) /* offset where the next sample would end */
{
    return (uint32_t)(offsetof(struct chunk, samples) + (chunk->used + 1) * sizeof(struct leat_prom_sample));
}

/* Room for the extra and all it points to; NULL: the chunk is full. */
static void *room(struct leat_mem *mem, uint64_t bytes)
{
    struct chunk *chunk = of(mem);
    bytes = (bytes + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
    if (ceiling(chunk) + bytes > chunk->floor)
        return NULL;
    chunk->floor -= (uint32_t)bytes;
    return mem->at + chunk->floor;
}

static uint64_t extra_bytes(const struct leat_prom_extra *extra)
{
    uint64_t bytes = sizeof *extra + extra->exemplar_count * sizeof(struct leat_prom_exemplar) + extra->histogram_bytes;
    for (uint32_t i = 0; i < extra->exemplar_count; i++)
        bytes += extra->exemplars[i].label_bytes;
    return bytes;
}

static const struct leat_prom_extra *extra_copy(void *to, const struct leat_prom_extra *extra)
{
    struct leat_prom_extra *copy = to;
    struct leat_prom_exemplar *exemplars = (struct leat_prom_exemplar *)(copy + 1);
    uint8_t *at = (uint8_t *)(exemplars + extra->exemplar_count);
    *copy = *extra;
    copy->exemplars = exemplars;
    for (uint32_t i = 0; i < extra->exemplar_count; i++) {
        exemplars[i] = extra->exemplars[i];
        if (exemplars[i].label_bytes)
            memcpy(at, extra->exemplars[i].labels, exemplars[i].label_bytes);
        exemplars[i].labels = at;
        at += exemplars[i].label_bytes;
    }
    copy->histogram = at;
    if (extra->histogram_bytes)
        memcpy(at, extra->histogram, extra->histogram_bytes);
    return copy;
}

/* The open chunk's samples go into the chain. */
static leat_rc close_part(struct leat_prom_builder *builder)
{
    struct chunk *chunk = of(builder->chunk);
    uint32_t count = chunk->used - builder->first;
    struct leat_slice part = {.at = (const uint8_t *)&chunk->samples[builder->first],
                              .len = count * (uint32_t)sizeof(struct leat_prom_sample), .mem = builder->chunk};
    leat_rc rc = leat_chain_share(&builder->chain, part);
    if (rc == LEAT_OK)
        builder->first = chunk->used;
    return rc;
}

static bool fits(struct leat_prom_builder *builder, const struct leat_prom_extra *extra, uint64_t bytes, void **ret_room)
{
    if (!builder->chunk)
        return false;
    if (extra)
        return (*ret_room = room(builder->chunk, bytes)) != NULL;
    return ceiling(of(builder->chunk)) <= of(builder->chunk)->floor;
}

leat_rc leat_prom_builder_add(struct leat_prom_builder *builder, struct leat_prom_series *series, int64_t time_ms, double value,
                              const struct leat_prom_extra *extra)
{
    uint64_t bytes = extra ? extra_bytes(extra) : 0;
    void *place = NULL;
    if (!fits(builder, extra, bytes, &place)) {
        struct leat_mem *fresh = chunk_new(bytes);
        if (!fresh || (builder->chunk && close_part(builder) != LEAT_OK)) {
            leat_mem_unref(fresh);
            return LEAT_ENOMEM;
        }
        leat_mem_unref(builder->chunk);
        builder->chunk = fresh;
        builder->first = 0;
        if (extra)
            place = room(fresh, bytes);
    }
    struct chunk *chunk = of(builder->chunk);
    chunk->samples[chunk->used++] = (struct leat_prom_sample){.series = leat_prom_series_ref(series), .time_ms = time_ms,
                                                             .value = value, .extra = extra ? extra_copy(place, extra) : NULL};
    builder->items++;
    return LEAT_OK;
}

leat_rc leat_prom_builder_take(struct leat_prom_builder *builder, struct leat_chain *ret_payload, uint32_t *ret_items)
{
    leat_rc rc = builder->chunk && builder->first < of(builder->chunk)->used ? close_part(builder) : LEAT_OK;
    if (rc != LEAT_OK)
        return rc;
    *ret_payload = builder->chain;
    *ret_items = builder->items;
    builder->chain = (struct leat_chain){0};
    builder->items = 0;
    return LEAT_OK;
}

bool leat_prom_builder_goes_on(const struct leat_prom_builder *builder, const struct leat_prom_series *series)
{
    const struct chunk *chunk = builder->chunk ? of(builder->chunk) : NULL;
    return chunk && chunk->used > builder->first && leat_prom_same_point(chunk->samples[chunk->used - 1].series, series);
}

void leat_prom_builder_done(struct leat_prom_builder *builder)
{
    leat_chain_done(&builder->chain);
    leat_mem_unref(builder->chunk);
    *builder = (struct leat_prom_builder){0};
}
