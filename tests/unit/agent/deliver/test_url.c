/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/url.h"

#include <stdlib.h>

#include "agent/deliver/grpc_target.h"
#include "agent/deliver/http_date.h"
#include "tests/kit/kit.h"

/* Guarantees: an address is taken apart as written; what is none is refused with a sentence. */
LEAT_TEST(url_takes_addresses_apart)
{
    static const struct {
        const char *text, *address, *host, *target;
        bool encrypted;
    } table[] = {{"http://loki:3100/loki/api/v1/push", "loki:3100", "loki:3100", "/loki/api/v1/push", false},
                 {"https://x.example", "x.example:443", "x.example", "/", true},
                 {"HTTP://[::1]:80/a?b=c#d", "[::1]:80", "[::1]:80", "/a?b=c", false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_url url;
        EXPECT_OK(leat_url_parse(table[i].text, &url, NULL));
        EXPECT_STR(url.address, table[i].address);
        EXPECT_STR(url.host, table[i].host);
        EXPECT(leat_slice_is(url.target, table[i].target));
        EXPECT_EQ(url.encrypted, table[i].encrypted);
    }
    static const char *const bad[] = {
        "",           "loki:3100",   "ftp://x/",      "http://",       "http://x:0/", "http://x:70000",
        "http://x:a", "http://[::1", "http://x/a\rb", "http://u:p@x/", "http://a b/", "http://:80/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct leat_url url;
        struct leat_err err = {0};
        EXPECT_RC(leat_url_parse(bad[i], &url, &err), LEAT_ECONFIG);
        EXPECT(err.text[0]);
    }
}

static bool excluded(const char *list, const char *host)
{
    return leat_proxy_excluded(list, leat_slice_str(host), 443);
}

/* Guarantees: NO_PROXY is read as Go's clients read it. */
LEAT_TEST(proxy_leaves_out_what_no_proxy_names)
{
    EXPECT(excluded("*", "x.y"));
    EXPECT(excluded("a.b, y.z", "y.z"));
    EXPECT(excluded("y.z", "x.Y.z"));
    EXPECT(!excluded("y.z", "xy.z"));
    EXPECT(!excluded(".y.z", "y.z"));
    EXPECT(excluded("*.y.z", "x.y.z"));
    EXPECT(excluded("10.0.0.0/8", "10.1.2.3"));
    EXPECT(!excluded("10.0.0.0/9", "10.128.2.3"));
    EXPECT(excluded("10.1.2.3", "10.1.2.3"));
    EXPECT(!excluded("10.1.2.3", "10.1.2.30"));
    EXPECT(excluded("fd00::/8", "fd12::1"));
    EXPECT(excluded("y.z:443", "y.z"));
    EXPECT(!excluded("y.z:80", "y.z"));
    EXPECT(!excluded(NULL, "y.z"));
    EXPECT(!excluded("", "y.z"));
}

/* Guarantees: the configured proxy wins over the environment, loopback goes direct, other schemes are refused. */
LEAT_TEST(proxy_is_picked)
{
    char to[LEAT_PROXY_MAX];
    (void)setenv("HTTPS_PROXY", "p.example:8080", 1);
    (void)setenv("NO_PROXY", "direct.example", 1);
    EXPECT_OK(leat_proxy_pick(NULL, true, LEAT_SLICE("x.example"), 443, to, NULL));
    EXPECT_STR(to, "http://p.example:8080");
    EXPECT_OK(leat_proxy_pick(NULL, true, LEAT_SLICE("direct.example"), 443, to, NULL));
    EXPECT_STR(to, "");
    EXPECT_OK(leat_proxy_pick(NULL, true, LEAT_SLICE("127.0.0.1"), 443, to, NULL));
    EXPECT_STR(to, "");
    EXPECT_OK(leat_proxy_pick("http://q:1", true, LEAT_SLICE("direct.example"), 443, to, NULL));
    EXPECT_STR(to, "http://q:1");
    EXPECT_RC(leat_proxy_pick("socks5://q:1", true, LEAT_SLICE("x"), 443, to, NULL), LEAT_EUNSUPPORTED);
    (void)unsetenv("HTTPS_PROXY");
    (void)unsetenv("NO_PROXY");
}

/* Guarantees: every form of a gRPC endpoint leads to the address it means; one without a port is refused. */
LEAT_TEST(grpc_target_takes_every_form)
{
    static const struct {
        const char *text;
        bool insecure;
        const char *address, *authority;
        bool encrypted;
    } table[] = {{"tempo:4317", false, "tempo:4317", "tempo:4317", true},
                 {"tempo:4317", true, "tempo:4317", "tempo:4317", false},
                 {"http://tempo:4317", false, "tempo:4317", "tempo:4317", false},
                 {"https://tempo:4317/", true, "tempo:4317", "tempo:4317", true},
                 {"dns:///tempo:4317", true, "tempo:4317", "tempo:4317", false},
                 {"passthrough:///[::1]:4317", true, "[::1]:4317", "[::1]:4317", false},
                 {"unix:///run/x.sock", true, "unix:/run/x.sock", "localhost", false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_grpc_target target;
        EXPECT_OK(leat_grpc_target_parse(table[i].text, table[i].insecure, &target, NULL));
        EXPECT_STR(target.address, table[i].address);
        EXPECT_STR(target.authority, table[i].authority);
        EXPECT_EQ(target.encrypted, table[i].encrypted);
    }
    static const char *const bad[] = {"", "tempo", "tempo:", "[::1]", "tempo:4317/path", "unix:", "a b:1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct leat_grpc_target target;
        EXPECT_RC(leat_grpc_target_parse(bad[i], true, &target, NULL), LEAT_ECONFIG);
    }
}

/* Guarantees: both forms of Retry-After give the wait; the past is no wait; nonsense is none; a day is the most. */
LEAT_TEST(retry_after_is_read)
{
    uint64_t wait_ns, now = 784111777ull * 1000000000ull; /* Sun, 06 Nov 1994 08:49:37 GMT */
    EXPECT(leat_deliver__retry_after(LEAT_SLICE("120"), now, &wait_ns));
    EXPECT_EQ(wait_ns, 120000000000ull);
    EXPECT(leat_deliver__retry_after(LEAT_SLICE("Sun, 06 Nov 1994 08:50:07 GMT"), now, &wait_ns));
    EXPECT_EQ(wait_ns, 30000000000ull);
    EXPECT(leat_deliver__retry_after(LEAT_SLICE("Sun, 06 Nov 1994 08:00:00 GMT"), now, &wait_ns));
    EXPECT_EQ(wait_ns, 0);
    EXPECT(leat_deliver__retry_after(LEAT_SLICE("99999999999999999999999"), now, &wait_ns));
    EXPECT_EQ(wait_ns, 86400000000000ull);
    EXPECT(!leat_deliver__retry_after(LEAT_SLICE("soon"), now, &wait_ns));
    EXPECT(!leat_deliver__retry_after(LEAT_SLICE(""), now, &wait_ns));
}
