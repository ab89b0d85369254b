/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics that the door lets in become samples, and the samples OTLP again: each point is a row or a reject, and what comes
 * back is what the door lets in. First byte: which names. */
#include <stdlib.h>

#include "agent/base/check.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/remote_write/rw1_put.h"
#include "proto/remote_write/rw2_put.h"
#include "proto/remote_write/rw_otlp.h"
#include "proto/remote_write/rw_to_otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check_items(const struct rw_rows *rows, uint32_t items)
{
    uint8_t *seen = calloc(items + 1, 1);
    LEAT_CHECK(seen && rows->item_count == items);
    for (uint32_t i = 0; i < rows->reject_count; i++)
        for (uint32_t k = 0; k < rows->rejects[i].count; k++)
            LEAT_CHECK(seen[rows->rejects[i].item + k]++ == 0);
    for (uint32_t i = 0; i < rows->count; i++) {
        LEAT_CHECK(i == 0 || rows->at[i - 1].time_ms <= rows->at[i].time_ms);
        if (rows->items[i] != RW_NO_ITEM) {
            LEAT_CHECK(seen[rows->items[i]] != 1);
            seen[rows->items[i]] = 2;
        }
    }
    for (uint32_t i = 0; i < items; i++)
        LEAT_CHECK(seen[i]);
    free(seen);
}

static void write_both(const struct rw_rows *rows)
{
    static const struct rw_outgoing outgoing;
    struct rw1 *one = calloc(1, sizeof *one);
    struct rw2 *two = calloc(1, sizeof *two);
    struct leat_chain body = {0}, body_2 = {0};
    LEAT_CHECK(one && two);
    rw1_init(one, &outgoing, 1024);
    rw2_init(two, &outgoing, 1024);
    LEAT_CHECK(rw1_open(one, &body));
    rw2_open(two);
    for (uint32_t i = 0; i < rows->count; i++)
        LEAT_CHECK(rw1_put(one, &rows->at[i]) && rw2_put(two, &rows->at[i]));
    LEAT_CHECK(rw1_close(one) && rw2_close(two, &body_2));
    leat_chain_done(&body);
    leat_chain_done(&body_2);
    rw1_done(one);
    rw2_done(two);
    free(one);
    free(two);
}

static void back(const struct rw_rows *rows)
{
    struct leat_prom_builder builder = {0};
    struct leat_chain payload = {0}, otlp = {0};
    struct otlp_counts counts = {0};
    uint32_t items, made = 0;
    for (uint32_t i = 0; i < rows->count; i++)
        LEAT_CHECK(leat_prom_builder_add(&builder, rows->at[i].series, rows->at[i].time_ms, rows->at[i].value, rows->at[i].extra) == LEAT_OK);
    LEAT_CHECK(leat_prom_builder_take(&builder, &payload, &items) == LEAT_OK);
    LEAT_CHECK(leat_prom_to_otlp(LEAT_METRICS, &payload, &otlp, &made, NULL) == LEAT_OK);
    LEAT_CHECK(otlp_validate(LEAT_METRICS, &otlp, &counts, NULL) == LEAT_OK && counts.items == made);
    leat_chain_done(&otlp);
    leat_chain_done(&payload);
    leat_prom_builder_done(&builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    if (len < 2 || len > 65536)
        return 0;
    struct rw_otlp_conf conf = {.namer = {.suffixes = at[0] & 1, .utf8 = at[0] >> 1 & 1}, .target_info = at[0] >> 2 & 1,
                                .scope_labels = at[0] >> 3 & 1, .resource_labels = at[0] >> 4 & 1, .series_max = 64};
    struct leat_chain chain = {0};
    struct otlp_counts counts = {0};
    struct rw_otlp *otlp = calloc(1, sizeof *otlp);
    LEAT_CHECK(otlp && leat_chain_copy(&chain, at + 1, (uint32_t)len - 1) == LEAT_OK);
    if (otlp_validate(LEAT_METRICS, &chain, &counts, NULL) == LEAT_OK) {
        rw_otlp_init(otlp, &conf);
        for (int round = 0; round < 2; round++) { /* new, then from what is remembered */
            LEAT_CHECK(rw_otlp_read(otlp, &chain, NULL) == LEAT_OK);
            check_items(&otlp->rows, (uint32_t)counts.items);
        }
        write_both(&otlp->rows);
        back(&otlp->rows);
        rw_otlp_done(otlp);
    }
    leat_chain_done(&chain);
    free(otlp);
    return 0;
}
