/* SPDX-License-Identifier: Apache-2.0 */
/* The page of own metrics over loopback. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/mem.h"
#include "agent/loop/stream.h"
#include "agent/self/self.h"
#include "tests/kit/kit.h"

#define BUDGET (16ull << 20)
#define PAGE_TEXT 300000u /* larger than any block at hand */

static void render(void *ctx, struct leat_strbuf *out)
{
    (void)ctx;
    while (out->len < PAGE_TEXT && !out->failed)
        leat_strbuf_puts(out, "leat_test 1\n");
}

static void nobody(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
}

static uint16_t free_port(struct leat_loop *loop) /* it was, a moment ago */
{
    struct leat_listener *listener;
    EXPECT_OK(leat_listener_open(loop, "127.0.0.1:0", nobody, NULL, &listener, NULL));
    uint16_t port = leat_listener_port(listener);
    leat_listener_close(listener);
    return port;
}

/* The answer's bytes up to the end of the connection; a reader that needs no block of ours. */
static size_t ask(struct leat_loop *loop, uint16_t port, char *to, size_t room)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: leat\r\nConnection: close\r\n\r\n";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0;
    EXPECT_EQ(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    EXPECT_EQ(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    for (ssize_t got = -1; got != 0;) {
        (void)leat_loop_run_once(loop, false);
        got = recv(fd, to + len, room - 1 - len, MSG_DONTWAIT);
        len += got > 0 ? (size_t)got : 0;
        EXPECT(got >= 0 || errno == EAGAIN);
    }
    to[len] = 0;
    (void)close(fd);
    return len;
}

/* Scenario:   the memory budget is used up to the last byte by something else.
 * Guarantees: the page is still served: it is what tells of it. */
LEAT_TEST(own_metrics_need_nothing_of_the_budget)
{
    struct leat_budget budget = {.hard_bytes = BUDGET};
    struct leat_pool *pool;
    struct leat_loop *loop;
    struct leat_self *self;
    static char answer[2 * PAGE_TEXT];
    char address[64];
    EXPECT_OK(leat_pool_open(&budget, &pool));
    leat_pool_bind(pool);
    EXPECT_OK(leat_loop_open(leat_world_real(), &loop, NULL));
    uint16_t port = free_port(loop);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    EXPECT_OK(leat_self_open(loop, address, render, NULL, &self, NULL));
    (void)ask(loop, port, answer, sizeof answer); /* pages to read into are at hand then, as in any process that runs */
    uint64_t rest = BUDGET - budget.used_bytes;
    EXPECT(leat_budget_charge(&budget, rest));
    size_t len = ask(loop, port, answer, sizeof answer);
    EXPECT(strncmp(answer, "HTTP/1.1 200 ", 13) == 0);
    EXPECT(len > PAGE_TEXT && strcmp(answer + len - 12, "leat_test 1\n") == 0);
    EXPECT_EQ(budget.refused, 0);
    leat_budget_discharge(&budget, rest);
    leat_self_close(self);
    leat_loop_close(loop);
    leat_pool_bind(NULL);
    (void)leat_pool_close(pool);
    EXPECT_EQ(budget.used_bytes, 0);
}
