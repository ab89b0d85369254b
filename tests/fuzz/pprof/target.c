/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/base/check.h"
#include "proto/pprof/pprof_delta.h"
#include "proto/pprof/pprof_form.h"
#include "proto/pprof/pprof_from_otlp.h"
#include "proto/pprof/pprof_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

/* What is open can be written again, and that is a profile too: nothing grew between it and itself. */
static void profile(struct leat_slice bytes)
{
    struct pprof pprof, again;
    struct pprof_delta delta = {0};
    struct pprof_delta_said said;
    struct pb_buf out = {0};
    int64_t totals[PPROF_TYPES_MAX];
    if (pprof_open(bytes, &pprof, NULL) != LEAT_OK)
        return;
    pprof_totals(&pprof, totals);
    for (int i = 0; i < 2; i++) {
        out.len = 0;
        if (pprof_delta_run(&delta, &pprof, &out, &said) != LEAT_OK || !said.cumulative)
            break;
        LEAT_CHECK(pprof_open(leat_slice_of(out.at, (uint32_t)out.len), &again, NULL) == LEAT_OK);
        LEAT_CHECK(again.sample_count == said.samples && again.string_count == pprof.string_count);
        pprof_close(&again);
        pprof_delta_keep(&delta);
    }
    pb_buf_done(&out);
    pprof_delta_done(&delta);
    pprof_close(&pprof);
}

static leat_rc take(void *ctx, const struct pprof_made *made)
{
    struct pprof pprof;
    (void)ctx;
    leat_rc rc = pprof_open(made->profile, &pprof, NULL);
    LEAT_CHECK(rc != LEAT_ELIMIT);
    if (rc == LEAT_OK)
        pprof_close(&pprof);
    return LEAT_OK;
}

static leat_rc reject(void *ctx, uint32_t item, const char *reason)
{
    (void)ctx;
    (void)item;
    LEAT_CHECK(reason != NULL);
    return LEAT_OK;
}

static void payload(const struct leat_chain *chain)
{
    struct pprof_push push;
    struct pprof_series series;
    uint32_t items, read = 0;
    struct pprof_sink sink = {.take = take, .reject = reject, .now_ns = 1};
    pprof_push_open(&push, chain);
    while (pprof_push_next(&push, &series)) {
        struct leat_slice name, value;
        while (pprof_push_label_next(&series.labels, &name, &value))
            ;
        LEAT_CHECK(series.profile_at + series.profile_len <= chain->bytes);
        read++;
    }
    if (pprof_push_close(&push, NULL) == LEAT_OK)
        LEAT_CHECK(pprof_form.count(LEAT_PROFILES, chain, &items, NULL) == LEAT_OK && items == read);
    LEAT_CHECK(pprof_from_otlp(chain, &sink, NULL) < LEAT_RC_COUNT);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1); /* exactly sized */
    struct leat_chain chain = {0};
    if (copy && len && len < UINT32_MAX) {
        memcpy(copy, at, len);
        profile(leat_slice_of(copy, (uint32_t)len));
        if (leat_chain_take(&chain, leat_slice_of(copy, (uint32_t)len)) == LEAT_OK)
            payload(&chain);
    }
    leat_chain_done(&chain);
    free(copy);
    return 0;
}
