/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loki_push/loki_push_put.h"
#include "proto/loki_push/loki_push_read.h"
#include "tests/kit/kit.h"

struct seen {
    unsigned count;
    struct loki_push_entry at[4];
};

static leat_rc note(void *ctx, const struct loki_push_entry *entry)
{
    struct seen *seen = ctx;
    if (seen->count < 4)
        seen->at[seen->count] = *entry;
    seen->count++;
    return LEAT_OK;
}

static void put_two_streams(struct loki_push *push, struct leat_slice line)
{
    loki_push_stream_open(push, LEAT_SLICE("{a=\"b\"}"));
    loki_push_entry_open(push, 1700000000123456789ull, line);
    loki_push_metadata(push, LEAT_SLICE("k8s.pod/x"), LEAT_SLICE("v"));
    loki_push_metadata_number(push, LEAT_SLICE("n"), INT64_MIN);
    loki_push_entry_close(push);
    loki_push_stream_close(push);
    loki_push_stream_open(push, LEAT_SLICE("{c=\"d\"}"));
    loki_push_entry_open(push, 0, LEAT_SLICE(""));
    loki_push_metadata_hex(push, LEAT_SLICE("id"), LEAT_SLICE("\x00\xff"));
    loki_push_entry_close(push);
    loki_push_stream_close(push);
}

/* Scenario:   a short line and one of megabytes, whose length needs more room than was held open.
 * Guarantees: both are read back as they were put. */
LEAT_TEST(loki_push_is_read_back)
{
    static char large[3 << 20];
    memset(large, 'x', sizeof large);
    const struct leat_slice lines[] = {LEAT_SLICE("hello"), leat_slice_of(large, sizeof large)};
    for (int i = 0; i < 2; i++) {
        struct loki_push push = {0};
        struct seen seen = {0};
        put_two_streams(&push, lines[i]);
        EXPECT(!push.failed);
        EXPECT_OK(loki_push_read(leat_slice_of(push.at, (uint32_t)push.len), note, &seen));
        EXPECT_EQ(seen.count, 2);
        EXPECT(leat_slice_eq(seen.at[0].line, lines[i]));
        EXPECT_EQ(seen.at[0].unix_ns, 1700000000123456789ull);
        EXPECT(leat_slice_is(loki_push_metadata_get(&seen.at[0], "k8s_pod_x"), "v"));
        EXPECT(leat_slice_is(loki_push_metadata_get(&seen.at[0], "n"), "-9223372036854775808"));
        EXPECT(leat_slice_is(seen.at[1].labels, "{c=\"d\"}"));
        EXPECT(leat_slice_is(loki_push_metadata_get(&seen.at[1], "id"), "00ff"));
        EXPECT(!loki_push_metadata_get(&seen.at[1], "n").at);
        loki_push_done(&push);
    }
}

/* Guarantees: a request that is cut short anywhere is either refused or has fewer entries, and is never read past its
 * end. */
LEAT_TEST(loki_push_read_stays_inside)
{
    struct loki_push push = {0};
    put_two_streams(&push, LEAT_SLICE("hello"));
    for (uint32_t len = 0; len < push.len; len++) {
        struct leat_chain cut = kit_chain(push.at, len, 0);
        struct seen seen = {0};
        struct leat_slice part = len ? cut.vec[0] : (struct leat_slice){0};
        leat_rc rc = loki_push_read(part, note, &seen);
        EXPECT(rc == LEAT_EPARSE || seen.count < 2);
        leat_chain_done(&cut);
    }
    loki_push_done(&push);
}

LEAT_TEST_OOM(loki_push_survives_any_failed_allocation)
{
    struct loki_push push = {0};
    put_two_streams(&push, LEAT_SLICE("hello"));
    leat_rc rc = push.failed ? LEAT_ENOMEM : LEAT_OK;
    loki_push_done(&push);
    return rc;
}
