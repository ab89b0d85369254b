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
    leat_peer_merge(open->peer, in->peer);
    open->patient |= in->patient;
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

/* What is behind the first `items` items, as a batch of its own under its own part of the same ack. NULL: it cannot be cut
 * (now), the batch is as it was. */
static struct leat_batch *cut_off(struct leat_batch *batch, uint32_t items)
{
    struct leat_chain head, tail;
    struct leat_batch *rest = batch->form->cut ? leat_batch_new(batch->signal, batch->form) : NULL;
    if (!rest)
        return NULL;
    if (batch->form->cut(batch->signal, &batch->payload, items, 0, &head, &items, &tail, NULL) != LEAT_OK) {
        leat_batch_free(rest);
        return NULL;
    }
    rest->payload = tail;
    rest->item_count = batch->item_count - items;
    rest->meta = leat_meta_ref(batch->meta);
    memcpy(rest->peer, batch->peer, sizeof rest->peer);
    rest->patient = batch->patient;
    rest->ack = batch->ack;
    rest->born_ns = batch->born_ns;
    leat_ack_split(batch->ack, 1);
    uint64_t bytes = batch->payload.bytes ? batch->payload.bytes : 1;
    uint64_t pinned = (uint64_t)((double)batch->pinned_bytes * ((double)head.bytes / (double)bytes));
    rest->pinned_bytes = batch->pinned_bytes - (pinned < batch->pinned_bytes ? pinned : batch->pinned_bytes);
    batch->pinned_bytes -= rest->pinned_bytes;
    leat_chain_done(&batch->payload);
    batch->payload = head;
    batch->item_count = items;
    return rest;
}

/* In pieces of at most `most` items (0: whole). Halves of halves: a cut walks the whole batch, and a peer chooses how many
 * items there are. */
static void push_pieces(struct batch_group *group, struct leat_batch *batch, uint32_t most)
{
    uint32_t pieces = most ? (batch->item_count + most - 1) / most : 1;
    struct leat_batch *rest = pieces > 1 ? cut_off(batch, most * (pieces / 2)) : NULL;
    if (!rest) {
        push_ready(group, batch);
        return;
    }
    push_pieces(group, batch, most);
    push_pieces(group, rest, most);
}

/* `all`: what is smaller than the trigger leaves too. */
void batch__seal(struct batch_group *group, bool all)
{
    const struct batch *batch = group->batch;
    struct leat_batch *open = group->open;
    if (open && (all || open->item_count >= batch->size)) {
        uint32_t most = (uint32_t)batch->conf->send_batch_max_size;
        uint32_t over = most ? open->item_count % most : 0;
        bool stays = over && !all && over < batch->size && over < open->item_count;
        open_with(group, stays ? cut_off(open, open->item_count - over) : NULL);
        push_pieces(group, open, most);
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
