/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/debug/debug.h"
#include "tests/kit/kit.h"

/* A record "h\x1bi" with the attribute a=1, of a resource with b="c". */
static const char payload[] = "\x0a\x27"
                              "\x0a\x0a\x0a\x08\x0a\x01"
                              "b\x12\x03\x0a\x01"
                              "c"
                              "\x12\x19\x0a\x05\x0a\x03lib\x12\x10\x2a\x05\x0a\x03h\x1bi\x32\x07\x0a\x01"
                              "a\x12\x02\x18\x01";

static uint64_t now_ns;
static uint64_t fake_now(struct leat_world *world)
{
    (void)world;
    return now_ns;
}

static struct debug_conf own;
static struct debug_state state;

static void begin(enum debug_verbosity verbosity)
{
    static struct leat_world world;
    world = (struct leat_world){.mono_ns = fake_now, .unix_ns = fake_now};
    own = (struct debug_conf){.verbosity = (int)verbosity, .sampling_initial = 2, .sampling_thereafter = 3};
    state = (struct debug_state){0};
    now_ns = 1700000000123000000ull;
    EXPECT_OK(debug_open(&state, &(struct leat_exporter_conf){.id = "debug", .own = &own}, LEAT_LOGS, &world, NULL));
}

static leat_rc encode(char text[1024])
{
    struct leat_batch batch = {.signal = LEAT_LOGS, .item_count = 1};
    struct leat_requests out = {0};
    if (leat_chain_take(&batch.payload, leat_slice_of(payload, sizeof payload - 1)) != LEAT_OK)
        return LEAT_ENOMEM;
    leat_rc rc = debug_encode(&state, &batch, &out, NULL);
    if (rc == LEAT_OK) {
        EXPECT_EQ(out.at[0].count, 1);
        text[leat_chain_put(&out.at[0].body, text, 1023)] = 0;
    }
    leat_requests_done(&out);
    leat_chain_done(&batch.payload);
    return rc;
}

#define COUNTS                                                                                                   \
    "2023-11-14T22:13:20.123Z\tinfo\tLogs\t{\"otelcol.component.id\": \"debug\", \"otelcol.signal\": \"logs\", " \
    "\"resource logs\": 1, \"log records\": 1}\n"

/* Guarantees: each verbosity says what it promises, and no control character reaches the terminal. */
LEAT_TEST(debug_prints_by_verbosity)
{
    char text[1024];
    begin(DEBUG_BASIC);
    EXPECT_OK(encode(text));
    EXPECT_STR(text, COUNTS);
    debug_close(&state);
    begin(DEBUG_NORMAL);
    EXPECT_OK(encode(text));
    EXPECT_STR(text, COUNTS "ResourceLog #0 b=c\nScopeLogs #0 lib\nh\\x1bi a=1\n");
    debug_close(&state);
    begin(DEBUG_DETAILED);
    EXPECT_OK(encode(text));
    EXPECT(strstr(text, "LogRecord #0\n    {\"body\":"));
    EXPECT(!strchr(text, 0x1b));
    debug_close(&state);
}

/* Scenario:   nine batches in one second, then one in the next; 2 initially, then one in 3.
 * Guarantees: 1, 2, 5 and 8 are printed, and the next second begins anew. */
LEAT_TEST(debug_samples)
{
    char text[1024], seen[11] = "";
    begin(DEBUG_BASIC);
    for (int i = 0; i < 10; i++) {
        now_ns += i == 9 ? 1000000000ull : 0;
        EXPECT_OK(encode(text));
        seen[i] = text[0] ? 'x' : '.';
    }
    EXPECT_STR(seen, "xx..x..x.x");
    debug_close(&state);
}

LEAT_TEST_OOM(debug_survives_any_failed_allocation)
{
    char text[1024];
    begin(DEBUG_DETAILED);
    leat_rc rc = encode(text);
    debug_close(&state);
    return rc;
}
