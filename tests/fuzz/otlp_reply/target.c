/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of OTLP servers. The first byte chooses the reader; what is read lies in the input or in the scratch, and
 * text is never longer than what it came from. */
#include "agent/base/check.h"
#include "proto/otlp_reply/otlp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check_text(const struct otlp_reply *reply, struct leat_slice body)
{
    struct leat_slice text = reply->text;
    if (text.len == 0)
        return;
    const uint8_t *scratch = (const uint8_t *)reply->scratch;
    bool in_body = text.at >= body.at && text.at + text.len <= body.at + body.len;
    bool in_scratch = text.at >= scratch && text.at + text.len <= scratch + sizeof reply->scratch;
    LEAT_CHECK(in_body || in_scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static leat_rc (*const readers[])(struct leat_slice, struct otlp_reply *) = {
        otlp_reply_read, otlp_reply_read_json, otlp_reply_status, otlp_reply_status_json};
    if (len < 1)
        return 0;
    struct leat_slice body = leat_slice_of(at + 1, (uint32_t)len - 1);
    struct otlp_reply reply = {0};
    leat_rc rc = readers[at[0] & 3](body, &reply);
    LEAT_CHECK(rc == LEAT_OK || rc == LEAT_EPARSE);
    if (rc == LEAT_OK)
        check_text(&reply, body);
    return 0;
}
