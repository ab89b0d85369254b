/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/toy_form.h"

#include <stdlib.h>

/* Byte `offset` of a chain. */
static uint8_t byte_at(const struct leat_chain *chain, uint64_t offset)
{
    for (uint32_t i = 0; i < chain->count; offset -= chain->vec[i++].len)
        if (offset < chain->vec[i].len)
            return chain->vec[i].at[offset];
    abort();
}

uint32_t toy_items(const struct leat_chain *payload, struct toy_item *items, uint32_t room)
{
    uint32_t n = 0;
    for (uint64_t at = 0; at < payload->bytes; n++) {
        uint8_t len = byte_at(payload, at);
        if (len < TOY_ITEM_BYTES_MIN || at + len > payload->bytes)
            abort();
        if (n < room)
            items[n] = (struct toy_item){.len = len,
                                         .mark = (char)byte_at(payload, at + 1),
                                         .id = (uint16_t)(byte_at(payload, at + 2) | byte_at(payload, at + 3) << 8)};
        at += len;
    }
    return n;
}

static leat_rc toy_count(enum leat_signal signal, const struct leat_chain *payload, uint32_t *ret_items,
                         struct leat_err *reterr)
{
    (void)signal;
    (void)reterr;
    *ret_items = toy_items(payload, NULL, 0);
    return LEAT_OK;
}

static bool toy_can_merge(enum leat_signal signal)
{
    return signal != LEAT_PROFILES;
}

static leat_rc toy_merge(enum leat_signal signal, struct leat_chain *into, struct leat_chain *from)
{
    (void)signal;
    return leat_chain_append(into, from);
}

static leat_rc toy_cut(enum leat_signal signal, const struct leat_chain *payload, uint32_t items_max,
                       uint64_t bytes_max, struct leat_chain *ret_head, uint32_t *ret_items,
                       struct leat_chain *ret_tail, struct leat_err *reterr)
{
    (void)signal;
    (void)reterr;
    uint64_t end = 0;
    uint32_t n = 0;
    while (end < payload->bytes && (n == 0 || !items_max || n < items_max)) {
        uint8_t len = byte_at(payload, end);
        if (n && bytes_max && end + len > bytes_max)
            break;
        end += len;
        n++;
    }
    leat_rc rc = leat_chain_share_range(ret_head, payload, 0, end);
    if (rc == LEAT_OK && end < payload->bytes)
        rc = leat_chain_share_range(ret_tail, payload, end, payload->bytes - end);
    if (rc != LEAT_OK) {
        leat_chain_done(ret_head);
        leat_chain_done(ret_tail);
    }
    *ret_items = n;
    return rc;
}

static leat_rc toy_pick(enum leat_signal signal, const struct leat_chain *payload, const uint8_t *bitmap,
                        struct leat_chain *ret_picked, struct leat_err *reterr)
{
    (void)signal;
    (void)reterr;
    leat_rc rc = LEAT_OK;
    uint32_t n = 0;
    for (uint64_t at = 0; rc == LEAT_OK && at < payload->bytes; n++) {
        uint8_t len = byte_at(payload, at);
        if (leat_bitmap_get(bitmap, n))
            rc = leat_chain_share_range(ret_picked, payload, at, len);
        at += len;
    }
    if (rc != LEAT_OK)
        leat_chain_done(ret_picked);
    return rc;
}

const struct leat_form_ops toy_form = {.name = "toy", .bit = LEAT_FORM_OTLP,
                                       .count = toy_count,
                                       .can_merge = toy_can_merge,
                                       .merge = toy_merge,
                                       .cut = toy_cut,
                                       .pick = toy_pick};
const struct leat_form_ops toy_form_plain = {.name = "toy_plain", .count = toy_count, .can_merge = toy_can_merge};

struct leat_batch *toy_batch(const struct leat_form_ops *form, uint16_t id, uint32_t count, uint8_t len)
{
    struct leat_batch *batch = leat_batch_new(LEAT_LOGS, form);
    struct leat_mem *mem = batch ? leat_mem_new(count * len) : NULL;
    if (!mem) {
        leat_batch_free(batch);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *at = mem->at + (size_t)i * len;
        memset(at, '.', len);
        at[0] = len;
        at[1] = ' ';
        at[2] = (uint8_t)(id + i);
        at[3] = (uint8_t)((id + i) >> 8);
    }
    if (leat_chain_take(&batch->payload, (struct leat_slice){mem->at, count * len, mem}) != LEAT_OK) {
        leat_mem_unref(mem);
        leat_batch_free(batch);
        return NULL;
    }
    batch->item_count = count;
    return batch;
}

void toy_mark(struct leat_batch *batch, uint32_t item, char mark)
{
    uint8_t *at = (uint8_t *)(uintptr_t)batch->payload.vec[0].at;
    at[item * at[0] + 1] = (uint8_t)mark;
}
