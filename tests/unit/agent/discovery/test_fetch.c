/* SPDX-License-Identifier: Apache-2.0 */
/* The scrape client against a server that does what a path says, over loopback. */
#include "agent/discovery/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/strbuf.h"
#include "agent/loop/stream.h"
#include "agent/net/coding.h"
#include "tests/kit/kit.h"

#define SECOND 1000000000ull

/* ---- the server: one answer a request, as raw bytes ---- */

struct peer {
    struct bed *bed;
    struct leat_stream *stream;
    struct leat_strbuf in;
    struct peer *next;
};
struct bed {
    struct leat_loop *loop;
    struct leat_listener *listener;
    struct peer *peers;
    uint32_t connections, requests;
    char last[4096]; /* head of the last request */
    char base[64];
    struct leat_fetch_conf conf;
    struct leat_fetcher *fetcher;
    struct leat_fetch_site *site;
    struct leat_fetch fetch;
    /* what came */
    bool done;
    int status;
    struct leat_err err;
    char *body;
    uint64_t body_bytes, wire_bytes;
    uint32_t pieces;
    char type[64];
    bool closes_site;
};

static void answer(struct peer *peer, const char *head, const void *body, size_t len)
{
    struct leat_chain out = {0};
    struct leat_strbuf text = {0};
    leat_strbuf_printf(&text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, len);
    EXPECT_OK(leat_chain_copy(&out, text.at, (uint32_t)text.len));
    if (len)
        EXPECT_OK(leat_chain_copy(&out, body, (uint32_t)len));
    leat_strbuf_done(&text);
    EXPECT_OK(leat_stream_write(peer->stream, &out));
}

static void answer_gzip(struct peer *peer, const char *head, size_t zeros)
{
    static char page[1 << 16];
    struct leat_chain plain = {0}, packed = {0};
    memset(page, 'x', sizeof page);
    for (size_t done = 0; done < zeros; done += sizeof page)
        EXPECT_OK(leat_chain_take(&plain, leat_slice_of(page, zeros - done < sizeof page ? (uint32_t)(zeros - done) : sizeof page)));
    EXPECT_OK(leat_encode(LEAT_CODING_GZIP, 0, &plain, &packed, NULL));
    struct leat_slice flat;
    EXPECT_OK(leat_chain_flat(&packed, &flat));
    answer(peer, head, flat.at, flat.len);
    leat_mem_unref(flat.mem);
    leat_chain_done(&plain);
    leat_chain_done(&packed);
}

/* A chunk a byte. */
static void answer_crumbs(struct peer *peer)
{
    struct leat_chain out = {0};
    EXPECT_OK(leat_chain_take(&out, LEAT_SLICE("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")));
    for (uint32_t i = 0; i < 20000; i++)
        EXPECT_OK(leat_chain_take(&out, LEAT_SLICE("1\r\nx\r\n")));
    EXPECT_OK(leat_chain_take(&out, LEAT_SLICE("0\r\n\r\n")));
    EXPECT_OK(leat_stream_write(peer->stream, &out));
}

static void serve(struct peer *peer, const char *path)
{
    static const char text[] = "200 OK\r\nContent-Type: text/plain; version=0.0.4";
    char head[256];
    if (strncmp(path, "/loop", 5) == 0) {
        (void)snprintf(head, sizeof head, "302 Found\r\nLocation: /loop%d", atoi(path + 5) + 1);
        answer(peer, head, "gone", 4);
    } else if (strcmp(path, "/a/moved") == 0)
        answer(peer, "308 Moved\r\nLocation: ../b/./page?x=1#part", "", 0);
    else if (strcmp(path, "/elsewhere") == 0) {
        (void)snprintf(head, sizeof head, "301 Moved\r\nLocation: http://localhost:%s/page", strrchr(peer->bed->base, ':') + 1);
        answer(peer, head, "", 0);
    } else if (strcmp(path, "/gzip") == 0)
        answer_gzip(peer, "200 OK\r\nContent-Encoding: gzip", 100000);
    else if (strcmp(path, "/bomb") == 0)
        answer_gzip(peer, "200 OK\r\nContent-Encoding: gzip", 50u << 20);
    else if (strcmp(path, "/notgzip") == 0)
        answer(peer, "200 OK\r\nContent-Encoding: gzip", "plain", 5);
    else if (strcmp(path, "/half") == 0) {
        struct leat_chain out = {0};
        EXPECT_OK(leat_chain_take(&out, LEAT_SLICE("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")));
        EXPECT_OK(leat_stream_write(peer->stream, &out));
        leat_stream_close_flushed(peer->stream);
    } else if (strcmp(path, "/slow") == 0)
        return;
    else if (strcmp(path, "/heads") == 0) {
        struct leat_strbuf many = {0};
        leat_strbuf_puts(&many, "200 OK");
        for (uint32_t i = 0; i < 5000; i++)
            leat_strbuf_printf(&many, "\r\nx-%u: 0123456789", i);
        answer(peer, many.at, "page", 4);
        leat_strbuf_done(&many);
    }
    else if (strcmp(path, "/crumbs") == 0)
        answer_crumbs(peer);
    else if (strcmp(path, "/big") == 0 || strcmp(path, "/404") == 0) {
        static char big[100000];
        memset(big, 'y', sizeof big);
        answer(peer, path[1] == 'b' ? "200 OK" : "404 Not Found", big, sizeof big);
    } else if (strcmp(path, "/guarded") == 0 && !strstr(peer->bed->last, "Authorization: Bearer second\r\n"))
        answer(peer, "401 Unauthorized", "no", 2);
    else if (strcmp(path, "/500") == 0)
        answer(peer, "500 Broken", "words", 5);
    else if (strcmp(path, "/noplace") == 0)
        answer(peer, "302 Found", "words", 5);
    else
        answer(peer, text, path, strlen(path));
}

static void peer_bytes(void *ctx, struct leat_slice bytes)
{
    struct peer *peer = ctx;
    leat_strbuf_put(&peer->in, bytes.at, bytes.len);
    leat_mem_unref(bytes.mem);
    char *end = strstr(peer->in.at, "\r\n\r\n"), path[128];
    if (!end || sscanf(peer->in.at, "GET %127s HTTP/1.1", path) != 1)
        return;
    (void)snprintf(peer->bed->last, sizeof peer->bed->last, "%s", peer->in.at);
    peer->bed->requests++;
    leat_strbuf_clear(&peer->in);
    serve(peer, path);
}

static void peer_closed(void *ctx, const struct leat_err *why)
{
    (void)why;
    struct peer *peer = ctx;
    for (struct peer **at = &peer->bed->peers; *at; at = &(*at)->next)
        if (*at == peer) {
            *at = peer->next;
            break;
        }
    leat_strbuf_done(&peer->in);
    free(peer);
}

static void accepted(void *ctx, int fd)
{
    static const struct leat_stream_events events = {.bytes = peer_bytes, .closed = peer_closed};
    struct bed *bed = ctx;
    struct peer *peer = calloc(1, sizeof *peer);
    peer->bed = bed;
    peer->next = bed->peers;
    bed->peers = peer;
    bed->connections++;
    EXPECT_OK(leat_stream_adopt(bed->loop, fd, &events, peer, &peer->stream, NULL));
}

/* ---- the bed ---- */

static void came(struct leat_fetch *fetch, struct leat_fetch_reply *reply, const struct leat_err *err)
{
    struct bed *bed = fetch->ctx;
    bed->done = true;
    bed->status = reply ? reply->status : 0;
    bed->err = err ? *err : (struct leat_err){0};
    free(bed->body);
    bed->body = NULL;
    if (reply) {
        bed->body_bytes = reply->body.bytes;
        bed->wire_bytes = reply->wire_bytes;
        bed->pieces = reply->body.count;
        bed->body = calloc(1, reply->body.bytes + 1);
        (void)leat_chain_put(&reply->body, bed->body, reply->body.bytes);
        struct leat_slice type = leat_headers_get(reply->headers, "content-type");
        (void)snprintf(bed->type, sizeof bed->type, "%.*s", LEAT_SLICE_ARGS(type));
    }
    if (bed->closes_site)
        bed->site = leat_fetch_site_close(bed->site);
}

static struct bed *bed_new(void)
{
    struct bed *bed = calloc(1, sizeof *bed);
    bed->conf.follow_redirects = true;
    EXPECT_OK(leat_loop_open(leat_world_real(), &bed->loop, NULL));
    EXPECT_OK(leat_listener_open(bed->loop, "127.0.0.1:0", accepted, bed, &bed->listener, NULL));
    (void)snprintf(bed->base, sizeof bed->base, "http://127.0.0.1:%u", leat_listener_port(bed->listener));
    return bed;
}

static leat_rc bed_open(struct bed *bed, const char *path, uint64_t bytes_max)
{
    struct leat_fetcher_opts opts = {.loop = bed->loop, .conf = &bed->conf, .user_agent = "test/1", .enable_compression = true,
                                     .body_bytes_max = bytes_max};
    char url[256];
    (void)snprintf(url, sizeof url, "%s%s", bed->base, path);
    leat_rc rc = leat_fetcher_open(&opts, &bed->fetcher, &bed->err);
    return rc == LEAT_OK ? leat_fetch_site_open(bed->fetcher, leat_slice_str(url), &bed->site, &bed->err) : rc;
}

static void bed_send(struct bed *bed, uint64_t timeout_ns)
{
    static const struct leat_header accept[] = {{LEAT_SLICE("Accept"), LEAT_SLICE("*/*")}};
    bed->done = false;
    bed->fetch = (struct leat_fetch){.headers = {accept, 1}, .timeout_ns = timeout_ns, .done = came, .ctx = bed};
    leat_fetch_send(bed->site, &bed->fetch);
    EXPECT(!bed->done);
}

static void bed_get(struct bed *bed, uint64_t timeout_ns)
{
    bed_send(bed, timeout_ns);
    while (!bed->done)
        (void)leat_loop_run_once(bed->loop, true);
}

static void bed_shut(struct bed *bed) /* what a test may reopen */
{
    bed->site = leat_fetch_site_close(bed->site);
    bed->fetcher = leat_fetcher_close(bed->fetcher);
}

static void bed_free(struct bed *bed)
{
    bed_shut(bed);
    leat_listener_close(bed->listener);
    for (struct peer *peer = bed->peers; peer; peer = peer->next)
        leat_stream_close(peer->stream);
    while (leat_loop_run_once(bed->loop, false))
        ;
    bed->loop = leat_loop_close(bed->loop);
    leat_coding_trim();
    free(bed->body);
    free(bed);
}

static void get(struct bed *bed, const char *path, uint64_t bytes_max, uint64_t timeout_ns)
{
    EXPECT_OK_ERR(bed_open(bed, path, bytes_max), &bed->err);
    bed_get(bed, timeout_ns);
    bed_shut(bed);
}

/* ---- tests ---- */

/* Guarantees: headers as Prometheus sends them, the answer's type and body, one connection for many calls. */
LEAT_TEST(fetch_gets_pages_over_one_connection)
{
    struct bed *bed = bed_new();
    EXPECT_OK(bed_open(bed, "/metrics?a=b", 0));
    for (uint32_t i = 0; i < 3; i++) {
        bed_get(bed, 5 * SECOND);
        EXPECT_EQ(bed->status, 200);
        EXPECT_STR(bed->body, "/metrics?a=b");
        EXPECT_STR(bed->type, "text/plain; version=0.0.4");
    }
    EXPECT_EQ(bed->connections, 1);
    EXPECT(strstr(bed->last, "Accept: */*\r\n") && strstr(bed->last, "Accept-Encoding: gzip\r\n"));
    EXPECT(strstr(bed->last, "User-Agent: test/1\r\n") && !strstr(bed->last, "Authorization"));
    bed_free(bed);
}

/* Guarantees: redirects are followed to the resolved place, ten at most; not at all when told so. */
LEAT_TEST(fetch_follows_redirects)
{
    struct bed *bed = bed_new();
    get(bed, "/a/moved", 0, 5 * SECOND);
    EXPECT_STR(bed->body, "/b/page?x=1");
    bed->requests = 0;
    get(bed, "/loop0", 0, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_EREFUSED);
    EXPECT(strstr(bed->err.text, "10 redirects") != NULL);
    EXPECT_EQ(bed->requests, 11);
    get(bed, "/noplace", 0, 5 * SECOND);
    EXPECT_EQ(bed->status, 302);
    bed->conf.follow_redirects = false;
    get(bed, "/a/moved", 0, 5 * SECOND);
    EXPECT_EQ(bed->status, 308);
    bed_free(bed);
}

/* Guarantees: credentials and configured headers reach the target and not the host it points to. */
LEAT_TEST(fetch_keeps_credentials_at_home)
{
    struct bed *bed = bed_new();
    struct leat_value secret = {.kind = LEAT_VALUE_STRING, .text = "s3cret"};
    struct leat_value list = {.kind = LEAT_VALUE_LIST, .items = &secret, .count = 1};
    struct leat_value set = {.kind = LEAT_VALUE_MAP, .items = &list, .keys = (const char *[]){"secrets"}, .count = 1};
    bed->conf.http_headers =
        (struct leat_value){.kind = LEAT_VALUE_MAP, .items = &set, .keys = (const char *[]){"X-Scope"}, .count = 1};
    bed->conf.basic_auth.present = true;
    bed->conf.basic_auth.username = "user";
    bed->conf.basic_auth.password = "pass";
    EXPECT_OK(leat_fetch_check(&bed->conf, &bed->err));
    get(bed, "/page", 0, 5 * SECOND);
    EXPECT(strstr(bed->last, "Authorization: Basic dXNlcjpwYXNz\r\n") != NULL);
    EXPECT(strstr(bed->last, "X-Scope: s3cret\r\n") != NULL);
    get(bed, "/elsewhere", 0, 5 * SECOND);
    EXPECT_EQ(bed->status, 200);
    EXPECT(strstr(bed->last, "Host: localhost") != NULL);
    EXPECT(strstr(bed->last, "Authorization") == NULL && strstr(bed->last, "X-Scope") == NULL);
    bed_free(bed);
}

/* Guarantees: gzip is undone; the cap holds for what comes out and for what comes in, at exactly the limit. */
LEAT_TEST(fetch_decodes_under_the_cap)
{
    struct bed *bed = bed_new();
    get(bed, "/gzip", 0, 5 * SECOND);
    EXPECT_EQ(bed->body_bytes, 100000);
    EXPECT(bed->wire_bytes > 0 && bed->wire_bytes < 2000);
    get(bed, "/gzip", 100001, 5 * SECOND);
    EXPECT_EQ(bed->status, 200);
    get(bed, "/gzip", 100000, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_ELIMIT);
    get(bed, "/bomb", 1 << 20, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_ELIMIT);
    get(bed, "/big", 100001, 5 * SECOND);
    EXPECT_EQ(bed->status, 200);
    get(bed, "/big", 100000, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_ELIMIT);
    EXPECT(strstr(bed->err.text, "body_size_limit") != NULL);
    get(bed, "/notgzip", 0, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_EPARSE);
    bed_free(bed);
}

/* Guarantees: no answer, half an answer and nobody there end in an error in time, and the next call is fine. A refusal is one however much
 *             it says; a body that comes in crumbs does not cost more than its bytes. */
LEAT_TEST(fetch_survives_bad_servers)
{
    struct bed *bed = bed_new();
    get(bed, "/slow", 0, SECOND / 10);
    EXPECT_EQ(bed->err.code, LEAT_ETIMEOUT);
    get(bed, "/half", 0, 5 * SECOND);
    EXPECT(bed->err.code == LEAT_ENET || bed->err.code == LEAT_EPARSE);
    get(bed, "/500", 0, 5 * SECOND);
    EXPECT_EQ(bed->status, 500);
    EXPECT_STR(bed->body, "words");
    get(bed, "/404", 0, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_EREFUSED);
    EXPECT(strstr(bed->err.text, "status 404") != NULL);
    get(bed, "/heads", 0, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_EPARSE); /* not its body is too long */
    get(bed, "/crumbs", 0, 5 * SECOND);
    EXPECT_EQ(bed->body_bytes, 20000);
    EXPECT(bed->pieces < 100);
    get(bed, "/page", 0, 5 * SECOND);
    EXPECT_EQ(bed->status, 200);
    (void)snprintf(bed->base, sizeof bed->base, "http://127.0.0.1:1");
    get(bed, "/page", 0, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_ENET);
    bed_free(bed);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    EXPECT(file && fputs(text, file) >= 0);
    (void)fclose(file);
}

/* Scenario:   the token file is missing, then holds a token the server refuses, then the right one.
 * Guarantees: no request without credentials, the refusal is told, the new token is taken from the file. */
LEAT_TEST(fetch_reads_the_token_again)
{
    struct bed *bed = bed_new();
    char path[] = "/tmp/leat_fetch_XXXXXX";
    int fd = mkstemp(path);
    EXPECT(fd >= 0);
    (void)close(fd);
    (void)unlink(path);
    bed->conf.authorization.present = true;
    bed->conf.authorization.type = "Bearer";
    bed->conf.authorization.credentials_file = path;
    EXPECT_OK(bed_open(bed, "/guarded", 0));
    bed_get(bed, 5 * SECOND);
    EXPECT_EQ(bed->err.code, LEAT_EAUTH);
    EXPECT_EQ(bed->requests, 0);
    write_file(path, "first\n");
    usleep(1100000);
    bed_get(bed, 5 * SECOND);
    EXPECT_EQ(bed->status, 401);
    write_file(path, "second\n");
    usleep(1100000);
    bed_get(bed, 5 * SECOND);
    EXPECT_EQ(bed->status, 200);
    (void)unlink(path);
    bed_free(bed);
}

/* Guarantees: a cancelled call is told so later; a closed site ends its call inside; `done` may close the site. */
LEAT_TEST(fetch_ends_exactly_once)
{
    struct bed *bed = bed_new();
    EXPECT_OK(bed_open(bed, "/slow", 0));
    bed_send(bed, 0);
    for (uint32_t i = 0; i < 20 && bed->requests == 0; i++)
        (void)leat_loop_run_once(bed->loop, true);
    leat_fetch_cancel(bed->site);
    EXPECT(!bed->done);
    while (!bed->done)
        (void)leat_loop_run_once(bed->loop, true);
    EXPECT_EQ(bed->err.code, LEAT_ECANCELED);
    bed_send(bed, 0);
    (void)leat_loop_run_once(bed->loop, false);
    bed_shut(bed);
    EXPECT(bed->done);
    EXPECT_EQ(bed->err.code, LEAT_ECANCELED);
    EXPECT_OK(bed_open(bed, "/elsewhere", 0));
    bed->closes_site = true;
    bed_get(bed, 5 * SECOND);
    EXPECT_EQ(bed->status, 200);
    EXPECT(bed->site == NULL);
    bed_free(bed);
}

/* Guarantees: combinations that Prometheus refuses are refused, in its words. */
LEAT_TEST(fetch_refuses_bad_settings)
{
    struct leat_err err = {0};
    const struct {
        struct leat_fetch_conf conf;
        const char *says;
    } cases[] = {
        {{.bearer_token = "a", .bearer_token_file = "b"}, "at most one of bearer_token"},
        {{.basic_auth.present = true, .authorization.present = true}, "at most one of basic_auth"},
        {{.basic_auth = {true, "a", "b", NULL, NULL}}, "username & username_file"},
        {{.basic_auth = {true, "a", NULL, "c", "d"}}, "password & password_file"},
        {{.authorization = {true, "Bearer", "a", "b"}}, "credentials & credentials_file"},
        {{.authorization = {true, "BASIC", "a", NULL}}, "use \"basic_auth\""},
        {{.authorization.present = true, .bearer_token = "x"}, "not compatible with bearer_token"},
        {{.proxy_from_environment = true, .proxy_url = "http://a:1"}, "proxy_url must not"},
        {{.no_proxy = "a"}, "proxy_url must also"},
        {{.proxy_url = "socks5://a:1"}, "only http://"},
        {{.tls.cert_file = "a"}, "exactly one of key or key_file"},
        {{.tls.ca = "a", .tls.ca_file = "b"}, "at most one of ca and ca_file"},
        {{.tls.min_version = "1.2"}, "unknown TLS version"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT(leat_rc_fate(leat_fetch_check(&cases[i].conf, &err)) == LEAT_FATE_FATAL);
        if (!strstr(err.text, cases[i].says))
            print_message("%s\n", err.text);
        EXPECT(strstr(err.text, cases[i].says) != NULL);
    }
    static const char *const names[] = {"Host", "authorization", "a b", "", "X-Prometheus-Scrape-Timeout-Seconds"};
    for (size_t i = 0; i < 5; i++) {
        struct leat_value none = {.kind = LEAT_VALUE_MAP};
        struct leat_fetch_conf conf = {
            .http_headers = {.kind = LEAT_VALUE_MAP, .items = &none, .keys = (const char *[]){names[i]}, .count = 1}};
        EXPECT_RC(leat_fetch_check(&conf, &err), LEAT_ECONFIG);
    }
}

LEAT_TEST_OOM(fetch_opens_under_failed_allocations)
{
    struct leat_fetch_conf conf = {.follow_redirects = true};
    struct leat_fetcher *fetcher = NULL;
    struct leat_fetch_site *site = NULL;
    struct leat_loop *loop = NULL;
    leat_rc rc = leat_loop_open(leat_world_real(), &loop, NULL);
    if (rc != LEAT_OK)
        return rc;
    struct leat_fetcher_opts opts = {.loop = loop, .conf = &conf, .user_agent = "test/1"};
    rc = leat_fetcher_open(&opts, &fetcher, NULL);
    if (rc == LEAT_OK)
        rc = leat_fetch_site_open(fetcher, LEAT_SLICE("https://localhost:1/x"), &site, NULL);
    site = leat_fetch_site_close(site);
    fetcher = leat_fetcher_close(fetcher);
    loop = leat_loop_close(loop);
    return rc;
}
