/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/file/file.h"
#include "tests/kit/kit.h"

static const char payload[] = "\x0a\x0a\x12\x08\x12\x06\x2a\x04\x0a\x02hi"; /* one record, body "hi" */

/* Encodes the one record and copies what is to be written to `text`. */
static leat_rc encode(enum file_format format, int compression, char text[256], size_t *ret_len)
{
    struct file_conf own = {.format = (int)format};
    struct leat_file_carrier_conf carrier = {.path = "x", .compression = compression};
    struct leat_exporter_conf conf = {.id = "file", .own = &own, .carrier = &carrier};
    struct file_state state = {0};
    struct leat_batch batch = {.signal = LEAT_LOGS, .item_count = 1};
    struct leat_requests out = {0};
    if (leat_chain_take(&batch.payload, leat_slice_of(payload, sizeof payload - 1)) != LEAT_OK)
        return LEAT_ENOMEM;
    EXPECT_OK(file_check(&conf, NULL));
    EXPECT_OK(file_open(&state, &conf, LEAT_LOGS, leat_world_real(), NULL));
    leat_rc rc = file_encode(&state, &batch, &out, NULL);
    if (rc == LEAT_OK) {
        EXPECT_EQ(out.at[0].count, 1);
        EXPECT(out.at[0].precoded);
        *ret_len = (size_t)leat_chain_put(&out.at[0].body, text, 255);
        text[*ret_len] = 0;
    }
    leat_requests_done(&out);
    leat_chain_done(&batch.payload);
    file_close(&state);
    return rc;
}

/* Guarantees: JSON is one line with its end; protobuf stands behind its length; what the carrier frames has neither. */
LEAT_TEST(file_frames_as_the_format_says)
{
    char text[256];
    size_t len;
    EXPECT_OK(encode(FILE_FORMAT_JSON, 0, text, &len));
    EXPECT(strncmp(text, "{\"resourceLogs\":[", 17) == 0);
    EXPECT(strstr(text, "\"stringValue\":\"hi\""));
    EXPECT_EQ(strchr(text, '\n') - text, (ptrdiff_t)len - 1);
    EXPECT_OK(encode(FILE_FORMAT_JSON, 1, text, &len));
    EXPECT(!strchr(text, '\n'));
    EXPECT_OK(encode(FILE_FORMAT_PROTO, 0, text, &len));
    EXPECT_EQ(len, sizeof payload - 1 + 4);
    EXPECT_BYTES(text, "\0\0\0\x0c", 4);
    EXPECT_BYTES(text + 4, payload, sizeof payload - 1);
    EXPECT_OK(encode(FILE_FORMAT_PROTO, 1, text, &len));
    EXPECT_BYTES(text, payload, sizeof payload - 1);
}

LEAT_TEST_OOM(file_survives_any_failed_allocation)
{
    char text[256];
    size_t len;
    leat_rc rc = encode(FILE_FORMAT_JSON, 0, text, &len);
    return rc == LEAT_OK ? encode(FILE_FORMAT_PROTO, 0, text, &len) : rc;
}

/* Guarantees: what the Collector refuses together is refused. */
LEAT_TEST(file_refuses_contradictions)
{
    struct file_conf own = {0};
    struct leat_file_carrier_conf carrier = {.path = "x", .append = true, .compression = 1};
    struct leat_exporter_conf conf = {.id = "file", .own = &own, .carrier = &carrier};
    EXPECT_RC(file_check(&conf, NULL), LEAT_ECONFIG);
    carrier = (struct leat_file_carrier_conf){.path = "x", .append = true, .rotation = {.present = true}};
    EXPECT_RC(file_check(&conf, NULL), LEAT_ECONFIG);
    carrier = (struct leat_file_carrier_conf){.path = ""};
    EXPECT_RC(file_check(&conf, NULL), LEAT_ECONFIG);
}

/* Guarantees: what the carrier says is written is delivered. */
LEAT_TEST(file_delivers_what_was_written)
{
    struct leat_verdict verdict = {.kind = LEAT_VERDICT_DROP};
    EXPECT_OK(file_judge(NULL, &(struct leat_reply){0}, &verdict, NULL));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_DELIVERED);
}
