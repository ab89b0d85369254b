/* SPDX-License-Identifier: Apache-2.0 */
/* One open batch per set of metadata values: what is put together, and when it is complete. */
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "processors/batch/batch.h"

/* ---- finding ---- */

uint64_t batch__hash(const struct batch *batch, const struct leat_meta *meta)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < batch->key_count; i++) {
        const char *value = leat_meta_get(meta, batch->keys[i]);
        hash = XXH3_64bits_withSeed(value ? value : "", value ? strlen(value) + 1 : 0, hash + 1);
    }
    return hash;
}

static bool same_value(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_of(const struct batch *batch, const struct batch_group *group, const struct leat_meta *meta)
{
    for (uint32_t i = 0; i < batch->key_count; i++)
        if (!same_value(leat_meta_get(group->meta, batch->keys[i]), leat_meta_get(meta, batch->keys[i])))
            return false;
    return true;
}

struct batch_group *batch__find(const struct batch *batch, const struct leat_meta *meta, uint64_t hash)
{
    struct batch_group *group = batch->groups[hash % BATCH_BUCKETS];
    while (group && (group->hash != hash || !is_of(batch, group, meta)))
        group = group->next;
    return group;
}

static void on_timer(struct leat_timer *timer);

/* The chosen keys only. */
static bool chosen(const struct batch *batch, const struct leat_meta *meta, struct leat_meta **ret_meta)
{
    uint32_t count = 0;
    *ret_meta = NULL;
    if (!meta || !batch->key_count)
        return true;
    struct leat_meta_pair *pairs = leat_zalloc(batch->key_count, sizeof *pairs);
    if (!pairs)
        return false;
    for (uint32_t i = 0; i < batch->key_count; i++) {
        const char *value = leat_meta_get(meta, batch->keys[i]);
        if (value)
            pairs[count++] = (struct leat_meta_pair){batch->keys[i], value};
    }
    if (count)
        *ret_meta = leat_meta_new(pairs, count);
    leat_free(pairs);
    return !count || *ret_meta;
}

struct batch_group *batch__group_new(struct batch *batch, const struct leat_meta *meta, uint64_t hash)
{
    struct batch_group *group = leat_zalloc(1, sizeof *group);
    if (!group || !chosen(batch, meta, &group->meta)) {
        leat_free(group);
        return NULL;
    }
    group->batch = batch;
    group->hash = hash;
    group->timer = (struct leat_timer){.fire = on_timer, .ctx = group};
    group->next = batch->groups[hash % BATCH_BUCKETS];
    batch->groups[hash % BATCH_BUCKETS] = group;
    batch->group_count++;
    if (batch->key_count)
        leat_host_count(batch->host, BATCH_CARDINALITY, 1);
    return group;
}

/* ---- putting together ---- */

/* `in`'s ack becomes one of those that the open batch's ack speaks for. */
static leat_rc join_acks(struct batch_group *group, const struct leat_batch *in)
{
    struct leat_batch *open = group->open;
    if (!group->merge && !open->ack && !in->ack)
        return LEAT_OK; /* nobody waits */
    if (group->merge)
        return leat_merge_add(group->merge, in->ack, in->item_count);
    struct leat_merge *merge = leat_merge_new();
    if (!merge)
        return LEAT_ENOMEM;
    if (leat_merge_add(merge, open->ack, open->item_count) != LEAT_OK ||
        leat_merge_add(merge, in->ack, in->item_count) != LEAT_OK) {
        leat_merge_free(merge);
        return LEAT_ENOMEM;
    }
    group->merge = merge;
    open->ack = &merge->ack;
    return LEAT_OK;
}

static bool mergeable(const struct leat_batch *batch)
{
    return batch->form->merge && batch->form->can_merge && batch->form->can_merge(batch->signal);
}

/* `in` goes into the open batch; false: it could not, nothing has changed. */
static bool join(struct batch_group *group, struct leat_batch *in)
{
    struct leat_batch *open = group->open;
    if (open->form != in->form || !mergeable(in) || in->item_count > UINT32_MAX - open->item_count)
        return false;
    if (leat_chain_reserve(&open->payload, in->payload.count) != LEAT_OK || join_acks(group, in) != LEAT_OK)
        return false;
    if (in->form->merge(in->signal, &open->payload, &in->payload) != LEAT_OK) {
        if (group->merge)
            group->merge->count--; /* the ack is in's again */
        return false;
    }
    open->item_count += in->item_count;
    open->pinned_bytes += in->pinned_bytes;
    leat_batch_free(in);
    return true;
}

/* ---- completing ---- */

static void push_ready(struct batch_group *group, struct leat_batch *batch)
{
    leat_list_push(&group->batch->ready, &batch->link);
}

static void open_with(struct batch_group *group, struct leat_batch *batch)
{
    group->open = batch;
    group->merge = NULL;
}

/* The head of at most `most` items leaves, the rest stays open under its own part of the same ack. False: it cannot be
 * cut, or is no larger. */
static bool cut_head(struct batch_group *group, uint32_t most)
{
    struct leat_batch *open = group->open;
    struct leat_chain head, tail;
    uint32_t items;
    if (open->item_count <= most || !open->form->cut)
        return false;
    struct leat_batch *rest = leat_batch_new(open->signal, open->form);
    if (!rest)
        return false;
    if (open->form->cut(open->signal, &open->payload, most, 0, &head, &items, &tail, NULL) != LEAT_OK) {
        leat_batch_free(rest);
        return false;
    }
    rest->payload = tail;
    rest->item_count = open->item_count - items;
    rest->meta = leat_meta_ref(open->meta);
    rest->ack = open->ack;
    rest->born_ns = open->born_ns;
    leat_ack_split(open->ack, 1);
    uint64_t bytes = open->payload.bytes ? open->payload.bytes : 1;
    uint64_t pinned = (uint64_t)((double)open->pinned_bytes * ((double)head.bytes / (double)bytes));
    rest->pinned_bytes = open->pinned_bytes - (pinned < open->pinned_bytes ? pinned : open->pinned_bytes);
    open->pinned_bytes -= rest->pinned_bytes;
    leat_chain_done(&open->payload);
    open->payload = head;
    open->item_count = items;
    push_ready(group, open);
    open_with(group, rest);
    return true;
}

/* `all`: what is smaller than the trigger leaves too. */
void batch__seal(struct batch_group *group, bool all)
{
    const struct batch *batch = group->batch;
    uint32_t most = (uint32_t)batch->conf->send_batch_max_size;
    while (group->open && (all || group->open->item_count >= batch->size)) {
        if (most && cut_head(group, most))
            continue;
        push_ready(group, group->open);
        open_with(group, NULL);
    }
    if (!group->open)
        leat_timer_stop(batch->host->loop, &group->timer);
}

void batch__seal_all(struct batch *batch)
{
    for (uint32_t i = 0; i < BATCH_BUCKETS; i++)
        for (struct batch_group *group = batch->groups[i]; group; group = group->next)
            batch__seal(group, true);
}

static void on_timer(struct leat_timer *timer)
{
    struct batch_group *group = timer->ctx;
    if (!group->open)
        return;
    leat_host_count(group->batch->host, BATCH_TIMEOUT_TRIGGER, 1);
    batch__seal(group, true);
    batch__send(group->batch);
}

void batch__add(struct batch_group *group, struct leat_batch *in)
{
    const struct batch *batch = group->batch;
    if (group->open && !join(group, in))
        batch__seal(group, true); /* cannot be put together: one after the other */
    else if (group->open)
        in = NULL;
    if (in)
        open_with(group, in);
    bool now = batch->at_once || !mergeable(group->open);
    if (now || group->open->item_count >= batch->size) {
        leat_host_count(batch->host, BATCH_SIZE_TRIGGER, 1);
        batch__seal(group, now);
    }
    if (group->open && !leat_timer_runs(&group->timer))
        leat_timer_start(batch->host->loop, &group->timer, (uint64_t)batch->conf->timeout_ns);
}
