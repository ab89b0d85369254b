/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/loop/resolve.h"

#include "tests/kit/kit.h"

struct answer {
    int told;
    uint32_t count;
    char first[64];
    leat_rc rc;
};

static void found(void *ctx, const char *const *addresses, uint32_t count, const struct leat_err *err)
{
    struct answer *answer = ctx;
    answer->told++;
    answer->count = count;
    answer->rc = err ? err->code : LEAT_OK;
    if (count)
        (void)strncpy(answer->first, addresses[0], sizeof answer->first - 1);
}

static struct answer ask(const char *address, bool cancel)
{
    struct answer answer = {0};
    struct leat_loop *loop;
    struct leat_resolve *resolve;
    EXPECT_OK(leat_loop_open(leat_world_real(), &loop, NULL));
    EXPECT_OK(leat_resolve_open(loop, address, found, &answer, &resolve, NULL));
    EXPECT_EQ(answer.told, 0);
    if (cancel)
        leat_resolve_cancel(resolve);
    while (!cancel && !answer.told)
        (void)leat_loop_run_once(loop, true);
    leat_loop_close(loop);
    return answer;
}

/* Scenario:   literals of both families, a unix path, a name of this machine.
 * Guarantees: each comes back once, later, as it can be connected to. */
LEAT_TEST(resolve_finds_addresses)
{
    struct answer v4 = ask("127.0.0.1:4317", false), v6 = ask("[::1]:4317", false);
    struct answer path = ask("unix:/tmp/x", false), name = ask("localhost:1", false);
    EXPECT_STR(v4.first, "127.0.0.1:4317");
    EXPECT_EQ(v4.count, 1);
    EXPECT_STR(v6.first, "[::1]:4317");
    EXPECT_STR(path.first, "unix:/tmp/x");
    EXPECT_EQ(path.told, 1);
    EXPECT(name.count >= 1);
}

/* Scenario:   a literal that is none; an address without port; a cancelled look-up.
 * Guarantees: LEAT_ENET later; an error at once; silence. */
LEAT_TEST(resolve_fails_and_is_cancelled)
{
    struct answer bad = ask("no-such-host.invalid:1", false);
    EXPECT_EQ(bad.rc, LEAT_ENET);
    EXPECT_EQ(bad.count, 0);
    EXPECT_EQ(ask("127.0.0.1:1", true).told, 0);
    EXPECT_EQ(ask("unix:/tmp/x", true).told, 0);
    struct leat_loop *loop;
    struct leat_resolve *resolve;
    EXPECT_OK(leat_loop_open(leat_world_real(), &loop, NULL));
    EXPECT(leat_resolve_open(loop, "no-port", found, NULL, &resolve, NULL) != LEAT_OK);
    leat_loop_close(loop);
}
