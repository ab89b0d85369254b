/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_repair.h"

#include "agent/base/counter.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/protobuf/pb_write.h"
#include "tests/kit/kit.h"

static struct pb_buf request(const char *text, uint32_t len)
{
    struct pb_buf b = {0};
    size_t open[4];
    static const uint32_t numbers[] = {1, 2, 2, 5};
    for (int i = 0; i < 4; i++) {
        open[i] = pb_buf_open(&b, PB_TAG(numbers[i], PB_LEN));
        if (i == 2) {
            pb_buf_fixed64(&b, PB_TAG(1, PB_FIXED64), UINT64_MAX);
            pb_buf_bytes(&b, PB_TAG(3, PB_LEN), "h\xc3\xa9", 3);
        }
    }
    pb_buf_bytes(&b, PB_TAG(1, PB_LEN), text, len);
    for (int i = 3; i >= 0; i--)
        pb_buf_close(&b, open[i]);
    return b;
}

/* Scenario:   a body of 50 broken bytes between two letters (it grows over a length of one byte), cut at each byte.
 * Guarantees: each becomes U+FFFD, all lengths above are right, the rest is untouched, and one string is counted. */
LEAT_TEST(repair_mends_and_counts)
{
    char broken[52], mended[152];
    memset(broken, 0xff, sizeof broken);
    broken[0] = mended[0] = 'a';
    broken[51] = mended[151] = 'z';
    for (int i = 0; i < 50; i++)
        memcpy(mended + 1 + 3 * i, "\xef\xbf\xbd", 3);
    struct pb_buf b = request(broken, sizeof broken), wanted = request(mended, sizeof mended);
    struct leat_chain good = kit_chain(wanted.at, wanted.len, 0);
    for (size_t cut = 0; cut <= b.len; cut++) {
        struct leat_chain payload = kit_chain_cut(b.at, b.len, cut), out;
        struct otlp_counts counts;
        uint64_t before = leat_counters[LEAT_COUNT_UTF8_REPAIRED];
        EXPECT_OK(otlp_validate(LEAT_LOGS, &payload, &counts, NULL));
        EXPECT_EQ(counts.bad_utf8, 1);
        EXPECT_OK(otlp_repair(LEAT_LOGS, &payload, &out, NULL));
        EXPECT(leat_chain_eq(&out, &good));
        EXPECT_EQ(leat_counters[LEAT_COUNT_UTF8_REPAIRED], before + 1);
        leat_chain_done(&payload);
        leat_chain_done(&out);
    }
    leat_chain_done(&good);
    pb_buf_done(&b);
    pb_buf_done(&wanted);
}

LEAT_TEST_OOM(repair_survives_any_failed_allocation)
{
    struct leat_chain payload = {0}, out = {0};
    leat_rc rc = leat_chain_copy(&payload, "\x0a\x09\x12\x07\x12\x05\x2a\x03\x0a\x01\xff", 11);
    if (rc == LEAT_OK)
        rc = otlp_repair(LEAT_LOGS, &payload, &out, NULL);
    leat_chain_done(&payload);
    leat_chain_done(&out);
    return rc;
}
