/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: the signal; second: how the rest is cut. Any bytes are edited or refused; what the door lets in is
 * edited, and the result is let in again with as many items. */
#include "agent/base/check.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/otlp_edit/otlp_edit.h"

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

static struct otlp_edit *program(void)
{
    static struct otlp_edit_action_conf actions[] = {
        {.action = OTLP_EDIT_UPSERT, .key = "x", .value = {.kind = LEAT_VALUE_STRING, .text = "new"}},
        {.action = OTLP_EDIT_EXTRACT, .key = "a", .pattern = "(?P<x>.)(?P<y>.*)"},
        {.action = OTLP_EDIT_CONVERT, .key = "y", .converted_type = 0},
        {.action = OTLP_EDIT_HASH, .pattern = "^h"},
        {.action = OTLP_EDIT_DELETE, .key = "d"}};
    static struct otlp_edit *edit;
    if (!edit)
        LEAT_CHECK(otlp_edit_open(&(struct leat_items){actions, 5}, &edit, NULL) == LEAT_OK);
    return edit;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static const struct otlp_edit_context none;
    if (len < 2)
        return 0;
    enum leat_signal signal = (enum leat_signal)(at[0] % LEAT_SIGNAL_COUNT);
    struct leat_chain payload = chain_of(at + 2, len - 2, at[1] ? at[1] : len), out[2];
    struct otlp_counts before = {0}, after = {0};
    bool valid = otlp_validate(signal, &payload, &before, NULL) == LEAT_OK;
    leat_rc rc[2] = {otlp_edit_resources(program(), signal, &payload, &none, &out[0], NULL),
                     otlp_edit_records(program(), NULL, NULL, signal, &payload, &none, &out[1], NULL)};
    for (int i = 0; i < 2; i++) {
        LEAT_CHECK(!valid || rc[i] == LEAT_OK);
        LEAT_CHECK(rc[i] == LEAT_OK || out[i].count == 0);
        if (valid) {
            LEAT_CHECK(otlp_validate(signal, &out[i], &after, NULL) == LEAT_OK);
            LEAT_CHECK(after.items == before.items);
        }
        leat_chain_done(&out[i]);
    }
    leat_chain_done(&payload);
    return 0;
}
