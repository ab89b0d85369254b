/* SPDX-License-Identifier: Apache-2.0 */
/* Taking, holding, passing on. */
#include <ctype.h>

#include "agent/base/alloc.h"
#include "processors/batch/batch.h"

#define HELD_FACTOR 4u
#define SIZE_DEFAULT 8192u

static void on_task(struct leat_task *task)
{
    batch__send(task->ctx);
}

leat_rc batch__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                    struct leat_err *reterr)
{
    (void)signal;
    struct batch *batch = state;
    batch->conf = conf;
    batch->host = host;
    batch->size = (uint64_t)batch->conf->send_batch_size;
    uint64_t most = (uint64_t)batch->conf->send_batch_max_size;
    most = most > batch->size ? most : batch->size;
    batch->items_max = HELD_FACTOR * (most ? most : SIZE_DEFAULT);
    batch->at_once = !batch->size || !batch->conf->timeout_ns;
    leat_list_init(&batch->ready);
    leat_task_init(&batch->task, on_task, batch);
    batch->keys = leat_zalloc(batch->conf->metadata_keys.count, sizeof *batch->keys);
    if (!batch->keys)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    for (uint32_t i = 0; i < batch->conf->metadata_keys.count; i++) {
        char *key = leat_strdup(batch->conf->metadata_keys.at[i]);
        if (!key)
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
        for (char *c = key; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        batch->keys[batch->key_count++] = key;
    }
    return LEAT_OK;
}

static bool over(const struct batch *batch, uint64_t items, uint64_t bytes)
{
    return batch->held_items + items > batch->items_max || batch->held_bytes + bytes > BATCH_HELD_BYTES_MAX;
}

leat_rc batch__admit(void *state, const struct leat_batch *in)
{
    struct batch *batch = state;
    /* Only what waits for room can fill it up: open batches leave by themselves. Whatever is alone is taken, or a batch
     * larger than the limit would never get through. */
    if (!leat_list_empty(&batch->ready) && over(batch, in->item_count, in->pinned_bytes))
        return LEAT_AGAIN;
    uint64_t hash = batch__hash(batch, in->meta);
    if (batch__find(batch, in->meta, hash))
        return LEAT_OK;
    if (batch->group_count >= (uint32_t)batch->conf->metadata_cardinality_limit) {
        leat_host_count(batch->host, BATCH_OVER_CARDINALITY, in->item_count);
        return LEAT_EREFUSED;
    }
    /* Made here, where refusing is still possible. */
    return batch__group_new(batch, in->meta, hash) ? LEAT_OK : LEAT_AGAIN;
}

struct leat_batch *batch__process(void *state, struct leat_batch *in)
{
    struct batch *batch = state;
    struct batch_group *group = batch__find(batch, in->meta, batch__hash(batch, in->meta));
    leat_meta_unref(in->meta);
    in->meta = leat_meta_ref(group->meta);
    batch->held_items += in->item_count;
    batch->held_bytes += in->pinned_bytes;
    batch__add(group, in);
    if (over(batch, 0, 0))
        batch__seal_all(batch); /* many groups, each below its size */
    if (!leat_list_empty(&batch->ready))
        leat_loop_defer(batch->host->loop, &batch->task);
    return NULL;
}

static void drop(struct batch *batch, struct leat_batch *held, enum leat_drop reason)
{
    leat_host_drop(batch->host, held->signal, reason, held->item_count);
    leat_batch_end(held, LEAT_DROPPED, reason);
}

void batch__send(struct batch *batch)
{
    while (!leat_list_empty(&batch->ready)) {
        struct leat_batch *first = LEAT_CONTAINER(batch->ready.next, struct leat_batch, link);
        uint64_t items = first->item_count, bytes = first->pinned_bytes;
        leat_list_remove(&first->link);
        leat_rc rc = leat_forward(batch->host, first);
        if (rc != LEAT_OK && leat_rc_fate(rc) == LEAT_FATE_RETRY) {
            leat_list_push_front(&batch->ready, &first->link);
            return;
        }
        if (rc != LEAT_OK)
            drop(batch, first, LEAT_DROP_REFUSED);
        batch->held_items -= items;
        batch->held_bytes -= bytes;
    }
}

/* Called when there may be room, and at the end over and over until nothing is held: then open batches leave too. */
bool batch__flush(void *state)
{
    struct batch *batch = state;
    if (leat_list_empty(&batch->ready))
        batch__seal_all(batch);
    batch__send(batch);
    return batch->held_items == 0;
}

uint64_t batch__held(const void *state)
{
    return ((const struct batch *)state)->held_items;
}

void batch__dump(const void *state, struct leat_strbuf *out)
{
    const struct batch *batch = state;
    leat_strbuf_printf(out, "%llu items in %llu bytes held, %u groups\n", (unsigned long long)batch->held_items,
                       (unsigned long long)batch->held_bytes, batch->group_count);
}

static void group_free(struct batch_group *group)
{
    leat_timer_stop(group->batch->host->loop, &group->timer);
    leat_meta_unref(group->meta);
    leat_free(group);
}

void batch__close(void *state)
{
    struct batch *batch = state;
    if (!batch->host)
        return;
    leat_task_cancel(&batch->task);
    batch__seal_all(batch);
    for (struct leat_list *node; (node = leat_list_pop(&batch->ready));) {
        struct leat_batch *held = LEAT_CONTAINER(node, struct leat_batch, link);
        drop(batch, held, LEAT_DROP_SHUTDOWN);
    }
    for (uint32_t i = 0; i < BATCH_BUCKETS; i++)
        for (struct batch_group *group; (group = batch->groups[i]);) {
            batch->groups[i] = group->next;
            group_free(group);
        }
    for (uint32_t i = 0; i < batch->key_count; i++)
        leat_free((void *)(uintptr_t)batch->keys[i]);
    leat_free(batch->keys);
}
