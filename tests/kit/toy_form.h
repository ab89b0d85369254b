/* SPDX-License-Identifier: Apache-2.0 */
/* toy_form -- a form of telemetry small enough to count by eye: an item is its length, a mark and its id.
 *
 *   [len 1][mark 1][id 2, little endian][len - 4 times '.']
 *
 * Why      the core knows payloads through leat_form_ops alone; a toy shows that, and tests read every item back. */
#pragma once
#include "agent/pipe/batch.h"

#define TOY_ITEM_BYTES_MIN 4u

extern const struct leat_form_ops toy_form;
extern const struct leat_form_ops toy_form_plain; /* the same without merge, cut and pick */

struct toy_item {
    uint16_t id;
    char mark;
    uint8_t len;
};
/* A batch of items id..id+count-1 of `len` bytes each, marked ' '. NULL: out of memory. */
struct leat_batch *toy_batch(const struct leat_form_ops *form, uint16_t id, uint32_t count,
                             uint8_t len) LEAT_MUST_CHECK;
void toy_mark(struct leat_batch *batch, uint32_t item, char mark); /* of a batch that nobody else has seen */
/* Reads a payload back; answers how many items, of which at most `room` are written. */
uint32_t toy_items(const struct leat_chain *payload, struct toy_item *items, uint32_t room);
