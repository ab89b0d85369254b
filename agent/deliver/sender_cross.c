/* SPDX-License-Identifier: Apache-2.0 */
/* The door to a sender that lives on another shard (a file, an ordered destination).
 *
 * A courier carries the batch over: the home shard sees its bytes through one foreign block and settles a stand-in ack.
 * When both are done with, the courier goes home and tells the real ack there, where the blocks are released too. */
#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/deliver/sender_inner.h"

struct leat_sender_door {
    struct leat_stage node;
    struct leat_loop *here; /* the shard of the callers */
    struct leat_sender *home;
    struct leat_sender__reserved reserved;
    struct courier *couriers; /* one per reservation, so that put needs no memory */
};

struct courier {
    struct leat_message message;
    struct leat_loop *origin;
    struct leat_sender *home;
    struct leat_batch *batch; /* the origin's */
    int64_t units;
    struct leat_ack stand_in; /* the home shard's */
    bool acked, released;
    struct courier *next; /* door->couriers */
};

static void come_home(struct leat_message *message)
{
    struct courier *courier = LEAT_CONTAINER(message, struct courier, message);
    struct leat_ack *ack = courier->batch->ack;
    leat_ack_settle(ack, LEAT_DELIVERED, 0, courier->stand_in.delivered);
    leat_ack_settle(ack, LEAT_PERSISTED, 0, courier->stand_in.persisted);
    for (int i = 0; i < LEAT_DROP_COUNT; i++)
        leat_ack_settle(ack, LEAT_DROPPED, (enum leat_drop)i, courier->stand_in.dropped[i]);
    leat_batch_free(courier->batch);
    leat_ack_close(ack);
    leat_free(courier);
}

static void maybe_return(struct courier *courier)
{
    if (!courier->acked || !courier->released)
        return;
    courier->message.arrive = come_home;
    leat_handoff_post(courier->origin, &courier->message);
}

static void on_final(struct leat_ack *ack)
{
    struct courier *courier = LEAT_CONTAINER(ack, struct courier, stand_in);
    courier->acked = true;
    maybe_return(courier);
}

static void on_release(struct leat_mem *mem)
{
    struct courier *courier = mem->ctx;
    leat_mem_wrap_free(mem);
    courier->released = true;
    maybe_return(courier);
}

/* The same bytes, each slice holding the one foreign block. */
static struct leat_batch *twin_of(struct courier *courier)
{
    const struct leat_batch *from = courier->batch;
    struct leat_mem *mem = leat_mem_wrap(NULL, 0, on_release, courier);
    struct leat_batch *twin = leat_batch_new(from->signal, from->form);
    leat_rc rc = mem && twin ? leat_chain_reserve(&twin->payload, from->payload.count) : LEAT_ENOMEM;
    if (rc == LEAT_OK && from->meta)
        rc = (twin->meta = leat_meta_new(from->meta->pairs, from->meta->count)) ? LEAT_OK : LEAT_ENOMEM;
    if (rc != LEAT_OK) {
        leat_batch_free(twin);
        if (mem)
            leat_mem_wrap_free(mem);
        return NULL;
    }
    for (uint32_t i = 0; i < from->payload.count; i++) {
        struct leat_slice slice = from->payload.vec[i];
        slice.mem = mem;
        LEAT_CHECK(leat_chain_share(&twin->payload, slice) == LEAT_OK);
    }
    leat_mem_unref(mem);
    twin->item_count = from->item_count;
    twin->pinned_bytes = from->pinned_bytes;
    twin->born_ns = from->born_ns;
    twin->ack = &courier->stand_in;
    return twin;
}

static void arrive(struct leat_message *message)
{
    struct courier *courier = LEAT_CONTAINER(message, struct courier, message);
    struct leat_batch *twin = twin_of(courier);
    if (twin) {
        leat_sender__put_reserved(courier->home, twin, courier->units);
        return;
    }
    leat_ledger_in(&courier->home->ledger, courier->batch->item_count, courier->batch->payload.bytes);
    leat_ledger_drop(&courier->home->ledger, LEAT_DROP_MEMORY, courier->batch->item_count);
    __atomic_add_fetch(&courier->home->totals->queue_left, courier->units, __ATOMIC_RELAXED);
    courier->released = true;
    leat_ack_settle(&courier->stand_in, LEAT_DROPPED, LEAT_DROP_MEMORY, courier->batch->item_count);
    leat_ack_close(&courier->stand_in);
}

static leat_rc door_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    struct leat_sender_door *door = LEAT_CONTAINER(node, struct leat_sender_door, node);
    struct courier *courier = leat_zalloc(1, sizeof *courier);
    if (!courier || !leat_sender__reserve(door->home->totals, &door->reserved, leat_sender__units(door->home, batch))) {
        leat_free(courier);
        return LEAT_AGAIN;
    }
    courier->next = door->couriers;
    door->couriers = courier;
    return LEAT_OK;
}

static struct courier *pop(struct leat_sender_door *door)
{
    struct courier *courier = door->couriers;
    courier->units = leat_sender__unreserve(&door->reserved);
    door->couriers = courier->next;
    return courier;
}

static void door_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    struct leat_sender_door *door = LEAT_CONTAINER(node, struct leat_sender_door, node);
    struct courier *courier = pop(door);
    __atomic_add_fetch(&door->home->totals->queue_left, courier->units, __ATOMIC_RELAXED);
    leat_free(courier);
}

static void door_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct leat_sender_door *door = LEAT_CONTAINER(node, struct leat_sender_door, node);
    struct courier *courier = pop(door);
    *courier = (struct courier){.message = {.arrive = arrive},
                                .origin = door->here,
                                .home = door->home,
                                .batch = batch,
                                .units = courier->units};
    leat_ack_init(&courier->stand_in, on_final);
    leat_handoff_post(door->home->loop, &courier->message);
}

static bool door_drained(const struct leat_stage *node)
{
    const struct leat_sender_door *door = LEAT_CONTAINER(node, const struct leat_sender_door, node);
    return door->home->node.ops->drained(&door->home->node);
}

static const struct leat_stage_ops door_ops = {door_reserve, door_cancel, door_put, door_drained};

leat_rc leat_sender_door_open(struct leat_sender *home, struct leat_loop *here, struct leat_sender_door **ret_door)
{
    struct leat_sender_door *door = leat_zalloc(1, sizeof *door);
    if (!door)
        return LEAT_ENOMEM;
    *door = (struct leat_sender_door){.node = {&door_ops}, .here = here, .home = home};
    *ret_door = door;
    return LEAT_OK;
}

struct leat_stage *leat_sender_door_node(struct leat_sender_door *door)
{
    return &door->node;
}

struct leat_sender_door *leat_sender_door_close(struct leat_sender_door *door)
{
    leat_free(door);
    return NULL;
}
