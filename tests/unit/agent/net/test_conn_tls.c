/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over loopback, with certificates made here. */
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "agent/base/counter.h"
#include "agent/net/conn.h"
#include "tests/kit/kit.h"
#include "tests/unit/agent/net/identity.h"

#define SECOND 1000000000ull

/* ---- two ends on one loop ---- */

struct end {
    struct leat_conn *conn;
    bool opened, closed, echo, hold;
    leat_rc why;
    char text[256];
    uint64_t bytes;
};

struct bed {
    struct leat_loop *loop;
    struct leat_listener *listener;
    struct leat_tls *server_tls, *client_tls;
    struct end server, client;
    struct identity ca, own, guest;
};

static void on_opened(void *ctx)
{
    ((struct end *)ctx)->opened = true;
}

static void on_bytes(void *ctx, struct leat_slice bytes)
{
    struct end *end = ctx;
    end->bytes += bytes.len;
    struct leat_chain chain = {0};
    EXPECT_OK(leat_chain_take(&chain, bytes));
    if (end->echo)
        (void)!leat_conn_write(end->conn, &chain);
    leat_chain_done(&chain);
    if (end->hold)
        leat_conn_pause(end->conn);
}

static void on_closed(void *ctx, const struct leat_err *why)
{
    struct end *end = ctx;
    end->closed = true;
    end->why = why->code;
    (void)snprintf(end->text, sizeof end->text, "%s", why->text);
}

static const struct leat_stream_events events = {.opened = on_opened, .bytes = on_bytes, .closed = on_closed};

static void on_accepted(void *ctx, int fd)
{
    struct bed *bed = ctx;
    bed->server.echo = true;
    EXPECT_OK(leat_conn_adopt(bed->loop, fd, bed->server_tls, &events, &bed->server, &bed->server.conn, NULL));
}

static void bed_open(struct bed *bed)
{
    *bed = (struct bed){0};
    bed->ca = make_identity("ca", NULL);
    bed->own = make_identity("leat.test", &bed->ca);
    bed->guest = make_identity("guest", &bed->ca);
    EXPECT_OK(leat_loop_open(leat_world_real(), &bed->loop, NULL));
    EXPECT_OK(leat_listener_open(bed->loop, "127.0.0.1:0", on_accepted, bed, &bed->listener, NULL));
}

static void bed_close(struct bed *bed)
{
    if (bed->client.conn && !bed->client.closed)
        leat_conn_close(bed->client.conn);
    if (bed->server.conn && !bed->server.closed)
        leat_conn_close(bed->server.conn);
    leat_listener_close(bed->listener);
    leat_loop_close(bed->loop);
    EXPECT(!bed->client.conn || bed->client.closed);
    EXPECT(!bed->server.conn || bed->server.closed);
    leat_tls_unref(bed->server_tls);
    leat_tls_unref(bed->client_tls);
    drop_identity(&bed->ca);
    drop_identity(&bed->own);
    drop_identity(&bed->guest);
}

static void bed_connect(struct bed *bed, const struct leat_tls_conf *server, const struct leat_tls_conf *client,
                        const char *name)
{
    char address[64];
    struct leat_err err = {0};
    EXPECT_OK_ERR(leat_tls_open(LEAT_TLS_SERVER, server, "http/1.1", &bed->server_tls, &err), &err);
    EXPECT_OK_ERR(leat_tls_open(LEAT_TLS_CLIENT, client, "http/1.1", &bed->client_tls, &err), &err);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", leat_listener_port(bed->listener));
    EXPECT_OK(leat_conn_connect(bed->loop, address, 0, bed->client_tls, name, &events, &bed->client, &bed->client.conn,
                                &err));
}

static void wait_for(struct bed *bed, const bool *a, const bool *b)
{
    for (int i = 0; i < 2000 && !(*a && *b); i++)
        (void)leat_loop_run_once(bed->loop, true);
    EXPECT(*a && *b);
}

/* Scenario:   one megabyte there and back, the reader pausing after each piece for a while.
 * Guarantees: all of it arrives, ALPN is agreed, and the server saw the handshake end. */
LEAT_TEST(tls_carries_a_megabyte_both_ways)
{
    static char text[1000000];
    struct bed bed;
    bed_open(&bed);
    struct leat_tls_conf server = {.cert_file = bed.own.cert_file, .key_file = bed.own.key_file};
    struct leat_tls_conf client = {.ca_file = bed.ca.cert_file};
    bed_connect(&bed, &server, &client, "leat.test:4318");
    wait_for(&bed, &bed.client.opened, &bed.server.opened);
    EXPECT_STR(leat_conn_alpn(bed.client.conn), "http/1.1");
    EXPECT_STR(leat_conn_alpn(bed.server.conn), "http/1.1");
    EXPECT(leat_conn_encrypted(bed.client.conn));
    struct leat_chain chain = kit_chain(text, sizeof text, 30000);
    EXPECT_OK(leat_conn_write(bed.client.conn, &chain));
    bed.client.hold = true;
    for (int i = 0; i < 200000 && bed.client.bytes < sizeof text; i++) {
        (void)leat_loop_run_once(bed.loop, false);
        if (i % 3 == 0)
            leat_conn_resume(bed.client.conn);
    }
    EXPECT_EQ(bed.server.bytes, sizeof text);
    EXPECT_EQ(bed.client.bytes, sizeof text);
    leat_conn_close(bed.client.conn);
    wait_for(&bed, &bed.client.closed, &bed.server.closed);
    EXPECT_EQ(bed.server.why, LEAT_OK);
    bed_close(&bed);
}

/* ---- a client that says what it likes ---- */

struct raw_client {
    int fd;
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;
};

static void raw_carry(struct raw_client *raw, struct bed *bed)
{
    char bytes[16384];
    for (int n; (n = BIO_read(raw->out, bytes, sizeof bytes)) > 0;)
        EXPECT_EQ(write(raw->fd, bytes, (size_t)n), n);
    for (int i = 0; i < 5; i++)
        (void)leat_loop_run_once(bed->loop, false);
    for (ssize_t n; (n = read(raw->fd, bytes, sizeof bytes)) > 0;)
        EXPECT_EQ(BIO_write(raw->in, bytes, (int)n), n);
}

static void raw_open(struct raw_client *raw, struct bed *bed)
{
    int fds[2];
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    raw->fd = fds[0];
    raw->context = SSL_CTX_new(TLS_client_method());
    raw->ssl = SSL_new(raw->context);
    raw->in = BIO_new(BIO_s_mem());
    raw->out = BIO_new(BIO_s_mem());
    SSL_set_bio(raw->ssl, raw->in, raw->out);
    SSL_set_connect_state(raw->ssl);
    EXPECT_OK(leat_conn_adopt(bed->loop, fds[1], bed->server_tls, &events, &bed->server, &bed->server.conn, NULL));
    for (int i = 0; i < 100 && !bed->server.opened; i++) {
        (void)SSL_do_handshake(raw->ssl);
        raw_carry(raw, bed);
    }
    EXPECT(bed->server.opened);
}

static void raw_close(struct raw_client *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->context);
    (void)close(raw->fd);
}

/* What is left of the shard's read page is little more than a record. */
static struct leat_mem *fill_page(void)
{
    struct leat_room room;
    EXPECT_OK(leat_pool_read_room(leat_pool_here(), 100000, &room));
    return leat_pool_read_take(leat_pool_here(), &room, room.len - 17000);
}

/* Scenario:   in one breath a client sends two records, its goodbye, and bytes after it; the server pauses in between.
 * Guarantees: the goodbye ends the connection; what stands behind it is not looked at, and nothing turns in circles. */
LEAT_TEST(tls_ends_at_the_goodbye)
{
    static char text[32768];
    struct raw_client raw;
    struct bed bed;
    bed_open(&bed);
    struct leat_tls_conf server = {.cert_file = bed.own.cert_file, .key_file = bed.own.key_file};
    EXPECT_OK(leat_tls_open(LEAT_TLS_SERVER, &server, NULL, &bed.server_tls, NULL));
    raw_open(&raw, &bed);
    bed.server.hold = true;
    struct leat_mem *page = fill_page();
    (void)alarm(20);
    EXPECT_EQ(SSL_write(raw.ssl, text, sizeof text), sizeof text);
    (void)SSL_shutdown(raw.ssl);
    EXPECT_EQ(BIO_write(raw.out, text, 100), 100);
    raw_carry(&raw, &bed);
    EXPECT_EQ(bed.server.bytes, 16384);
    bed.server.hold = false;
    leat_conn_resume(bed.server.conn);
    raw_carry(&raw, &bed);
    (void)alarm(0);
    EXPECT_EQ(bed.server.bytes, sizeof text);
    EXPECT(bed.server.closed);
    EXPECT_EQ(bed.server.why, LEAT_OK);
    leat_mem_unref(page);
    raw_close(&raw);
    bed_close(&bed);
}

/* Guarantees: an address literal is verified against the certificate's addresses. */
LEAT_TEST(tls_verifies_addresses)
{
    struct bed bed;
    bed_open(&bed);
    struct leat_tls_conf server = {.cert_file = bed.own.cert_file, .key_file = bed.own.key_file};
    struct leat_tls_conf client = {.ca_file = bed.ca.cert_file};
    bed_connect(&bed, &server, &client, "127.0.0.1:1");
    wait_for(&bed, &bed.client.opened, &bed.server.opened);
    bed_close(&bed);
}

static void expect_refusal(const struct leat_tls_conf *server, const struct leat_tls_conf *client, struct bed *bed,
                           const char *name, const char *reason)
{
    uint64_t before = leat_counters[LEAT_COUNT_TLS_HANDSHAKE_FAILED];
    bed_connect(bed, server, client, name);
    wait_for(bed, &bed->client.closed, &bed->server.closed);
    EXPECT_EQ(bed->client.why, LEAT_ETLS);
    if (!strstr(bed->client.text, reason))
        fail_msg("%s", bed->client.text);
    EXPECT(leat_counters[LEAT_COUNT_TLS_HANDSHAKE_FAILED] > before);
    bed_close(bed);
}

/* Guarantees: another name, and another CA, are refused with OpenSSL's reason. */
LEAT_TEST(tls_refuses_strangers)
{
    struct bed bed;
    bed_open(&bed);
    struct leat_tls_conf server = {.cert_file = bed.own.cert_file, .key_file = bed.own.key_file};
    struct leat_tls_conf client = {.ca_file = bed.ca.cert_file};
    expect_refusal(&server, &client, &bed, "other.test", "ostname mismatch");
    bed_open(&bed);
    server = (struct leat_tls_conf){.cert_file = bed.own.cert_file, .key_file = bed.own.key_file};
    client = (struct leat_tls_conf){.ca_file = bed.guest.cert_file};
    expect_refusal(&server, &client, &bed, "leat.test", "certificate");
}

/* Guarantees: insecure_skip_verify and server_name_override do what they say. */
LEAT_TEST(tls_names_can_be_overridden_or_ignored)
{
    for (int skip = 0; skip < 2; skip++) {
        struct bed bed;
        bed_open(&bed);
        struct leat_tls_conf server = {
            .cert_file = bed.own.cert_file, .key_file = bed.own.key_file, .min_version = "1.2", .max_version = "1.2"};
        struct leat_tls_conf client = {.insecure_skip_verify = skip};
        if (!skip) {
            client.ca_file = bed.ca.cert_file;
            client.server_name_override = "leat.test";
        }
        bed_connect(&bed, &server, &client, "other.test");
        wait_for(&bed, &bed.client.opened, &bed.server.opened);
        bed_close(&bed);
    }
}

/* Guarantees: with client_ca_file a client without a certificate is refused, one with it is taken. */
LEAT_TEST(tls_mutual)
{
    for (int with = 0; with < 2; with++) {
        struct bed bed;
        bed_open(&bed);
        struct leat_tls_conf server = {
            .cert_file = bed.own.cert_file, .key_file = bed.own.key_file, .client_ca_file = bed.ca.cert_file};
        struct leat_tls_conf client = {.ca_file = bed.ca.cert_file};
        if (with) {
            client.cert_file = bed.guest.cert_file;
            client.key_file = bed.guest.key_file;
        }
        bed_connect(&bed, &server, &client, "leat.test");
        if (with)
            wait_for(&bed, &bed.client.opened, &bed.server.opened);
        else
            wait_for(&bed, &bed.server.closed, &bed.client.closed);
        EXPECT_EQ(bed.server.opened, with);
        bed_close(&bed);
    }
}

/* Scenario:   plain text arrives at a TLS server.
 * Guarantees: that connection ends with LEAT_ETLS. */
LEAT_TEST(tls_refuses_plain_text)
{
    struct bed bed;
    char address[64];
    bed_open(&bed);
    struct leat_tls_conf server = {.cert_file = bed.own.cert_file, .key_file = bed.own.key_file};
    EXPECT_OK(leat_tls_open(LEAT_TLS_SERVER, &server, NULL, &bed.server_tls, NULL));
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", leat_listener_port(bed.listener));
    EXPECT_OK(leat_conn_connect(bed.loop, address, 0, NULL, NULL, &events, &bed.client, &bed.client.conn, NULL));
    struct leat_chain chain = {0};
    EXPECT_OK(leat_chain_take(&chain, LEAT_SLICE("GET / HTTP/1.1\r\n\r\n")));
    EXPECT_OK(leat_conn_write(bed.client.conn, &chain));
    wait_for(&bed, &bed.server.closed, &bed.client.closed);
    EXPECT_EQ(bed.server.why, LEAT_ETLS);
    bed_close(&bed);
}

/* Guarantees: a bad file is named; half a pair is refused; unknown versions, suites and curves are. */
LEAT_TEST(tls_bad_configurations)
{
    struct identity ca = make_identity("ca", NULL), other = make_identity("other", &ca);
    const char *suite = "TLS_NULL", *curve = "P1";
    const struct leat_tls_conf bad[] = {
        {.cert_file = "/nowhere", .key_file = "/nowhere"},
        {.cert_file = ca.cert_file},
        {.cert_file = ca.cert_file, .key_file = other.key_file},
        {.cert_file = ca.cert_file, .key_file = ca.key_file, .min_version = "1.4"},
        {.cert_file = ca.cert_file, .key_file = ca.key_file, .min_version = "1.3", .max_version = "1.2"},
        {.cert_file = ca.cert_file, .key_file = ca.key_file, .cipher_suites = {&suite, 1}},
        {.cert_file = ca.cert_file, .key_file = ca.key_file, .curve_preferences = {&curve, 1}},
        {.cert_file = ca.cert_file, .key_file = ca.key_file, .client_ca_file = ca.key_file},
        {0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct leat_tls *tls;
        struct leat_err err = {0};
        EXPECT_RC(leat_tls_open(LEAT_TLS_SERVER, &bad[i], NULL, &tls, &err), LEAT_ECONFIG);
        EXPECT(err.text[0] != 0);
    }
    drop_identity(&ca);
    drop_identity(&other);
}

static void copy_file(const char *from, const char *to)
{
    char text[8192];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    EXPECT(in && out);
    size_t n = fread(text, 1, sizeof text, in);
    EXPECT_EQ(fwrite(text, 1, n, out), n);
    (void)fclose(in);
    (void)fclose(out);
}

/* Scenario:   the pair is replaced by half of another one, then by all of it.
 * Guarantees: the mismatch is counted and ignored, the whole pair is taken; nothing happens before the interval. */
LEAT_TEST(tls_reloads_changed_pairs)
{
    struct identity ca = make_identity("ca", NULL), a = make_identity("a", &ca), b = make_identity("b", &ca);
    struct leat_tls_conf conf = {
        .cert_file = a.cert_file, .key_file = a.key_file, .reload_interval_ns = (int64_t)SECOND};
    struct leat_tls *tls;
    EXPECT_OK(leat_tls_open(LEAT_TLS_SERVER, &conf, NULL, &tls, NULL));
    uint64_t good = leat_counters[LEAT_COUNT_TLS_RELOADS], bad = leat_counters[LEAT_COUNT_TLS_RELOADS_BAD];
    leat_tls_refresh(tls, 1);
    (void)usleep(20000);
    copy_file(b.cert_file, a.cert_file);
    leat_tls_refresh(tls, SECOND / 2);
    EXPECT_EQ(leat_counters[LEAT_COUNT_TLS_RELOADS_BAD], bad);
    leat_tls_refresh(tls, 2 * SECOND);
    EXPECT_EQ(leat_counters[LEAT_COUNT_TLS_RELOADS_BAD], bad + 1);
    (void)usleep(20000);
    copy_file(b.key_file, a.key_file);
    leat_tls_refresh(tls, 4 * SECOND);
    EXPECT_EQ(leat_counters[LEAT_COUNT_TLS_RELOADS], good + 1);
    leat_tls_refresh(tls, 6 * SECOND);
    EXPECT_EQ(leat_counters[LEAT_COUNT_TLS_RELOADS], good + 1);
    leat_tls_unref(tls);
    drop_identity(&ca);
    drop_identity(&a);
    drop_identity(&b);
}

/* Scenario:   client_ca_file_reload without reload_interval; the file is replaced by another CA.
 * Guarantees: it is read again all the same, ten seconds later at most. */
LEAT_TEST(tls_reloads_a_changed_client_ca)
{
    struct identity ca = make_identity("ca", NULL), a = make_identity("a", &ca), other = make_identity("b", NULL);
    struct leat_tls_conf conf = {.cert_file = a.cert_file, .key_file = a.key_file, .client_ca_file = ca.cert_file,
                                 .client_ca_file_reload = true};
    struct leat_tls *tls;
    EXPECT_OK(leat_tls_open(LEAT_TLS_SERVER, &conf, NULL, &tls, NULL));
    uint64_t good = leat_counters[LEAT_COUNT_TLS_RELOADS];
    leat_tls_refresh(tls, 1);
    (void)usleep(20000);
    copy_file(other.cert_file, ca.cert_file);
    leat_tls_refresh(tls, 9 * SECOND);
    EXPECT_EQ(leat_counters[LEAT_COUNT_TLS_RELOADS], good);
    leat_tls_refresh(tls, 11 * SECOND);
    EXPECT_EQ(leat_counters[LEAT_COUNT_TLS_RELOADS], good + 1);
    leat_tls_unref(tls);
    drop_identity(&ca);
    drop_identity(&a);
    drop_identity(&other);
}
