/* SPDX-License-Identifier: Apache-2.0 */
/* convert -- a stage that turns one form of telemetry into another before a component that takes only the other.
 *
 * Why      components declare the forms they take; the graph places this stage where a form arrives that is not among
 *          them, and nobody else knows (print-config shows it). A batch in a form that is taken passes untouched.
 * Factor   items before and after differ (four series of a histogram are one data point): the edge before counts the one,
 *          the edge behind the other, and the source hears of its own items: a loss is scaled up, never rounded away.
 * Threads  one shard's.
 * Owns     what `reserve` made, until `put` or `cancel`.
 * Fails    reserve: LEAT_AGAIN when memory is short, LEAT_EREFUSED for a payload that has no other form (counted). */
#pragma once
#include "agent/pipe/stage.h"

struct leat_conversion {
    uint32_t from, to; /* enum leat_form_bit */
    const struct leat_form_ops *form; /* of what comes out */
    /* Everything of the payload, as `to`. *ret_items may be 0 (nothing of it has that form); outputs {0} on failure. */
    leat_rc (*run)(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_payload,
                   uint32_t *ret_items, struct leat_err *reterr);
};

struct leat_convert {
    struct leat_stage node;
    struct leat_stage *next;
    uint32_t takes;                                /* forms of what stands behind */
    const struct leat_conversion *table;           /* ended by from == 0 */
    struct leat_batch *made; /* between reserve and put */
    uint64_t converted_in, converted_out, refused; /* items; read by anybody */
};
void leat_convert_init(struct leat_convert *convert, struct leat_stage *next, uint32_t takes,
                       const struct leat_conversion *table);
/* The row that turns `form` into one of `takes`; NULL: none, or not needed. */
const struct leat_conversion *leat_conversion_find(const struct leat_conversion *table, uint32_t form, uint32_t takes);
