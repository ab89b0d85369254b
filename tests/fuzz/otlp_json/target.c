/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: the signal; the rest is JSON. What is read must pass the door, and come back the same. */
#include "agent/base/check.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_json_write.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/otlp_reply/otlp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void write_and_read(enum leat_signal signal, const struct leat_chain *payload)
{
    struct otlp_counts counts, again;
    LEAT_CHECK(otlp_validate(signal, payload, &counts, NULL) == LEAT_OK && counts.bad_utf8 == 0);
    struct leat_strbuf text = {0};
    struct leat_chain json = {0}, back = {0};
    LEAT_CHECK(otlp_json_write(signal, payload, &text, NULL) == LEAT_OK);
    LEAT_CHECK(leat_chain_copy(&json, text.at, (uint32_t)text.len) == LEAT_OK);
    LEAT_CHECK(otlp_json_read(signal, &json, &back, NULL) == LEAT_OK);
    LEAT_CHECK(otlp_validate(signal, &back, &again, NULL) == LEAT_OK && again.items == counts.items);
    leat_chain_done(&json);
    leat_chain_done(&back);
    leat_strbuf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    if (len == 0)
        return 0;
    enum leat_signal signal = (enum leat_signal)(at[0] % LEAT_SIGNAL_COUNT);
    struct leat_slice text = leat_slice_of(at + 1, (uint32_t)len - 1);
    struct leat_chain json = {0}, payload = {0};
    LEAT_CHECK(leat_chain_copy(&json, text.at, text.len) == LEAT_OK);
    if (otlp_json_read(signal, &json, &payload, NULL) == LEAT_OK)
        write_and_read(signal, &payload);
    struct otlp_reply reply;
    (void)!otlp_reply_status_json(text, &reply);
    (void)!otlp_reply_read_json(text, &reply);
    leat_chain_done(&json);
    leat_chain_done(&payload);
    return 0;
}
