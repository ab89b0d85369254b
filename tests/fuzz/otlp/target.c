/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: the signal; second: how the rest is cut. What the door lets in must survive everything behind it. */
#include <stdlib.h>

#include "agent/base/check.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_write.h"
#include "proto/otlp/otlp_repair.h"
#include "proto/otlp_reply/otlp_reply.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/otlp/otlp_view.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static struct leat_chain chain_of(const uint8_t *at, size_t len, size_t piece)
{
    struct leat_chain chain = {0};
    for (size_t done = 0; done < len; done += piece) {
        uint32_t n = (uint32_t)(len - done < piece ? len - done : piece);
        struct leat_mem *mem = leat_mem_new(n); /* exactly sized: a read past a cut is seen */
        LEAT_CHECK(mem != NULL);
        memcpy(mem->at, at + done, n);
        LEAT_CHECK(leat_chain_take(&chain, (struct leat_slice){mem->at, n, mem}) == LEAT_OK);
    }
    return chain;
}

static struct otlp_counts valid(enum leat_signal signal, const struct leat_chain *chain)
{
    struct otlp_counts counts = {0};
    LEAT_CHECK(otlp_validate(signal, chain, &counts, NULL) == LEAT_OK);
    return counts;
}

static void cut(enum leat_signal signal, const struct leat_chain *chain, uint32_t items)
{
    struct leat_chain head, tail;
    uint32_t got;
    LEAT_CHECK(otlp_form.cut(signal, chain, items / 2 + 1, 0, &head, &got, &tail, NULL) == LEAT_OK);
    LEAT_CHECK(valid(signal, &head).items == got && valid(signal, &tail).items == items - got);
    leat_chain_done(&head);
    leat_chain_done(&tail);
}

static void pick(enum leat_signal signal, const struct leat_chain *chain, uint32_t items)
{
    struct leat_chain picked;
    uint8_t *bitmap = calloc(items / 8 + 1, 1);
    uint32_t wanted = 0;
    LEAT_CHECK(bitmap != NULL);
    for (uint32_t i = 0; i < items; i += 2, wanted++)
        leat_bitmap_set(bitmap, i);
    LEAT_CHECK(otlp_form.pick(signal, chain, bitmap, &picked, NULL) == LEAT_OK);
    LEAT_CHECK(valid(signal, &picked).items == wanted);
    leat_chain_done(&picked);
    free(bitmap);
}

static void repair(enum leat_signal signal, const struct leat_chain *chain, uint32_t items)
{
    struct leat_chain mended;
    LEAT_CHECK(otlp_repair(signal, chain, &mended, NULL) == LEAT_OK);
    struct otlp_counts counts = valid(signal, &mended);
    LEAT_CHECK(counts.items == items && counts.bad_utf8 == 0);
    leat_chain_done(&mended);
}

static void read_all(enum leat_signal signal, const struct leat_chain *chain)
{
    struct otlp_walk walk;
    struct otlp_log log;
    struct otlp_attribute a;
    otlp_walk_open(&walk, signal, chain);
    while (otlp_walk_next(&walk))
        if (signal == LEAT_LOGS && otlp_log_of(walk.item, &log))
            while (otlp_attribute_next(&log.attributes, 6, &a))
                ;
    LEAT_CHECK(otlp_walk_close(&walk, NULL) == LEAT_OK);
    struct leat_strbuf text = {0};
    LEAT_CHECK(otlp_json_write(signal, chain, &text, NULL) == LEAT_OK);
    leat_strbuf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    if (len < 2)
        return 0;
    enum leat_signal signal = (enum leat_signal)(at[0] % LEAT_SIGNAL_COUNT);
    struct leat_chain chain = chain_of(at + 2, len - 2, 1u + at[1]), flat = chain_of(at + 2, len - 2, len);
    struct otlp_counts counts = {0}, again = {0};
    struct leat_err err = {0}, same = {0};
    leat_rc rc = otlp_validate(signal, &chain, &counts, &err);
    LEAT_CHECK(otlp_validate(signal, &flat, &again, &same) == rc);
    LEAT_CHECK(counts.items == again.items && counts.samples == again.samples && counts.bad_utf8 == again.bad_utf8);
    LEAT_CHECK(strcmp(err.text, same.text) == 0);
    if (rc == LEAT_OK) {
        cut(signal, &chain, counts.items);
        pick(signal, &chain, counts.items);
        repair(signal, &chain, counts.items);
        read_all(signal, &chain);
    }
    struct otlp_reply reply;
    (void)!otlp_reply_status(leat_slice_of(at, (uint32_t)len), &reply);
    (void)!otlp_reply_read(leat_slice_of(at, (uint32_t)len), &reply);
    leat_chain_done(&chain);
    leat_chain_done(&flat);
    return 0;
}
