/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL on leat's heap: what idle connections cost, and handshakes without memory. */
#include <malloc.h>

#include "agent/net/conn.h"
#include "tests/unit/agent/net/identity.h"

#define PAIRS 20
#define IDLE_BYTES_MAX 65536u

static bool ours;
__attribute__((constructor)) static void take_heap(void)
{
    ours = leat_tls_own_memory();
}

struct end {
    struct leat_conn *conn;
    bool opened, closed;
};
struct bed {
    struct leat_loop *loop;
    struct leat_listener *listener;
    struct leat_tls *server_tls, *client_tls;
    struct end servers[PAIRS], clients[PAIRS];
    uint32_t accepted;
    bool refused;
};

static void on_opened(void *ctx)
{
    ((struct end *)ctx)->opened = true;
}
static void on_bytes(void *ctx, struct leat_slice bytes)
{
    (void)ctx;
    (void)bytes;
}
static void on_closed(void *ctx, const struct leat_err *why)
{
    (void)why;
    ((struct end *)ctx)->closed = true;
}
static const struct leat_stream_events events = {.opened = on_opened, .bytes = on_bytes, .closed = on_closed};

static void on_accepted(void *ctx, int fd)
{
    struct bed *bed = ctx;
    struct end *end = &bed->servers[bed->accepted++];
    if (leat_conn_adopt(bed->loop, fd, bed->server_tls, &events, end, &end->conn, NULL) != LEAT_OK) {
        end->conn = NULL;
        bed->refused = true;
    }
}

static void bed_open(struct bed *bed)
{
    struct identity ca = make_identity("ca", NULL), own = make_identity("leat.test", &ca);
    *bed = (struct bed){0};
    struct leat_tls_conf server = {.cert_file = own.cert_file, .key_file = own.key_file},
                         client = {.ca_file = ca.cert_file};
    EXPECT_OK(leat_tls_open(LEAT_TLS_SERVER, &server, NULL, &bed->server_tls, NULL));
    EXPECT_OK(leat_tls_open(LEAT_TLS_CLIENT, &client, NULL, &bed->client_tls, NULL));
    drop_identity(&ca);
    drop_identity(&own);
    EXPECT_OK(leat_loop_open(leat_world_real(), &bed->loop, NULL));
    EXPECT_OK(leat_listener_open(bed->loop, "127.0.0.1:0", on_accepted, bed, &bed->listener, NULL));
}

static void close_end(struct end *end)
{
    if (end->conn && !end->closed)
        leat_conn_close(end->conn);
}

static void bed_close(struct bed *bed)
{
    for (int i = 0; i < PAIRS; i++) {
        close_end(&bed->clients[i]);
        close_end(&bed->servers[i]);
    }
    leat_listener_close(bed->listener);
    leat_loop_close(bed->loop);
    leat_tls_unref(bed->server_tls);
    leat_tls_unref(bed->client_tls);
}

static leat_rc connect_one(struct bed *bed, uint32_t i)
{
    char address[64];
    struct end *client = &bed->clients[i], *server = &bed->servers[i];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", leat_listener_port(bed->listener));
    leat_rc rc =
        leat_conn_connect(bed->loop, address, 0, bed->client_tls, "leat.test", &events, client, &client->conn, NULL);
    if (rc != LEAT_OK) {
        client->conn = NULL;
        return rc;
    }
    for (int turn = 0;
         turn < 2000 && !bed->refused && !(client->opened && server->opened) && !client->closed && !server->closed;
         turn++)
        (void)leat_loop_run_once(bed->loop, true);
    return client->opened && server->opened ? LEAT_OK : LEAT_ENOMEM;
}

static void turn_idle(struct bed *bed)
{
    for (int i = 0; i < 50; i++)
        (void)leat_loop_run_once(bed->loop, false);
}

/* Scenario:   twenty connections stand and say nothing.
 * Guarantees: an end costs 64 KiB at most, OpenSSL's part of it is known, and closing gives all of it back. */
LEAT_TEST(an_idle_connection_costs_little)
{
    static struct bed bed;
    bed_open(&bed);
    EXPECT(ours);
    EXPECT_OK(connect_one(&bed, 0)); /* what is made once */
    turn_idle(&bed);
    uint64_t tls = leat_tls_memory_bytes(), heap = mallinfo2().uordblks;
    EXPECT(tls > 0);
    for (uint32_t i = 1; i < PAIRS; i++)
        EXPECT_OK(connect_one(&bed, i));
    turn_idle(&bed);
    uint64_t tls_each = (leat_tls_memory_bytes() - tls) / (2 * (PAIRS - 1));
    uint64_t heap_each = (mallinfo2().uordblks - heap) / (2 * (PAIRS - 1)); /* 0 under a sanitizer's heap */
    print_message("an idle end: OpenSSL %llu bytes, heap %llu bytes\n", (unsigned long long)tls_each,
                  (unsigned long long)heap_each);
    EXPECT(tls_each > 1000); /* OpenSSL really asks us */
    EXPECT(tls_each <= IDLE_BYTES_MAX);
    EXPECT(heap_each <= IDLE_BYTES_MAX);
    bed_close(&bed);
    EXPECT(leat_tls_memory_bytes() < tls);
}

/* Scenario:   a handshake, each allocation of both ends, OpenSSL's included, failing in turn.
 * Guarantees: the connection ends or stands; nothing crashes, nothing leaks. */
LEAT_TEST_OOM(handshakes_without_memory)
{
    static struct bed bed;
    static bool open;
    if (!open) { /* contexts are made once: this is about connections */
        bed_open(&bed);
        open = true;
    }
    memset(bed.clients, 0, sizeof bed.clients);
    memset(bed.servers, 0, sizeof bed.servers);
    bed.accepted = 0;
    bed.refused = false;
    leat_rc rc = connect_one(&bed, 0);
    close_end(&bed.clients[0]);
    close_end(&bed.servers[0]);
    turn_idle(&bed);
    if (!leat_alloc_failed() && rc == LEAT_OK) { /* the plain run, and the last */
        static int runs;
        if (runs++) {
            bed_close(&bed);
            open = false;
        }
    }
    return rc;
}
