/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS half of a connection: OpenSSL between two custom BIOs, the stream outside, the owner inside.
 *
 * Ciphertext is read into the stream's lent scratch buffer and decrypted straight into the shard's read page, so that
 * plaintext lies as dense as without TLS; what is written is encrypted at most ENCRYPT_AHEAD bytes before it leaves. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/net/conn_inner.h"
#include "agent/net/tls_inner.h"

#define HANDSHAKE_NS 10000000000ull
#define RECORD_BYTES 16384u
#define ENCRYPT_AHEAD 262144u

struct leat_conn_tls {
    SSL *ssl;
    enum leat_tls_side side;
    bool stands, paused, failed, shut;
    const uint8_t *in; /* ciphertext in hand, lent */
    uint32_t in_len;
    struct leat_chain kept;    /* ciphertext that came while paused */
    struct leat_chain waiting; /* plaintext not yet encrypted */
    struct leat_chain out;     /* ciphertext not yet given to the stream */
    struct leat_timer timer;
    struct leat_task again;
    struct leat_err why;
};

static _Thread_local uint8_t joined[RECORD_BYTES]; /* small pieces become one record */

/* ---- the two BIOs in one: OpenSSL reads `in` and writes `out` ---- */

static int bio_read(BIO *bio, char *to, int room)
{
    struct leat_conn_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->in_len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    uint32_t n = tls->in_len < (uint32_t)room ? tls->in_len : (uint32_t)room;
    memcpy(to, tls->in, n);
    tls->in += n;
    tls->in_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *from, int len)
{
    struct leat_conn_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    for (uint32_t done = 0, n; done < (uint32_t)len; done += n) {
        n = (uint32_t)len - done < LEAT_SMALL_BYTES_MAX ? (uint32_t)len - done : LEAT_SMALL_BYTES_MAX;
        if (leat_chain_copy(&tls->out, from + done, n) != LEAT_OK)
            return -1;
    }
    return len;
}

static long bio_control(BIO *bio, int command, long number, void *at)
{
    (void)bio;
    (void)number;
    (void)at;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "leat chain");
    if (!method)
        return;
    (void)BIO_meth_set_read(method, bio_read);
    (void)BIO_meth_set_write(method, bio_write);
    (void)BIO_meth_set_ctrl(method, bio_control);
}

static BIO *bio_new(struct leat_conn_tls *tls)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (!bio)
        return NULL;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}

/* ---- failing ---- */

static void flush(struct leat_conn *conn)
{
    if (conn->tls->out.bytes && leat_stream_write(conn->stream, &conn->tls->out) != LEAT_OK)
        leat_chain_done(&conn->tls->out); /* the stream is ending and says so in `closed` */
}

static void fail(struct leat_conn *conn, leat_rc code, const char *reason)
{
    struct leat_conn_tls *tls = conn->tls;
    if (tls->failed)
        return;
    tls->failed = true;
    leat_timer_stop(conn->loop, &tls->timer);
    (void)LEAT_RAISE(&tls->why, code, 0, "TLS%s: %s", tls->stands ? "" : " handshake", reason);
    if (!tls->stands)
        leat_count(LEAT_COUNT_TLS_HANDSHAKE_FAILED, 1);
    flush(conn); /* the alert */
    leat_stream_close_flushed(conn->stream);
}

static void fail_ssl(struct leat_conn *conn)
{
    long verdict = SSL_get_verify_result(conn->tls->ssl);
    const char *reason = leat_tls__reason();
    fail(conn, LEAT_ETLS, verdict == X509_V_OK ? reason : X509_verify_cert_error_string(verdict));
}

static void too_late(struct leat_timer *timer)
{
    fail(timer->ctx, LEAT_ETIMEOUT, "not done in time");
}

/* ---- writing ---- */

static int encrypt_front(struct leat_conn_tls *tls) /* bytes taken from `waiting`; <= 0: OpenSSL's answer */
{
    const struct leat_slice *front = &tls->waiting.vec[0];
    if (front->len >= RECORD_BYTES / 2 || tls->waiting.count == 1)
        return SSL_write(tls->ssl, front->at, (int)(front->len < RECORD_BYTES ? front->len : RECORD_BYTES));
    return SSL_write(tls->ssl, joined, (int)leat_chain_put(&tls->waiting, joined, sizeof joined));
}

static void encrypt(struct leat_conn *conn, uint64_t ahead)
{
    struct leat_conn_tls *tls = conn->tls;
    while (tls->stands && !tls->failed && tls->waiting.bytes &&
           leat_stream_unsent(conn->stream) + tls->out.bytes < ahead) {
        int n = encrypt_front(tls);
        if (n <= 0) {
            fail_ssl(conn);
            return;
        }
        leat_chain_eat(&tls->waiting, (uint64_t)n);
    }
    flush(conn);
}

leat_rc leat_conn__tls_write(struct leat_conn *conn, struct leat_chain *chain)
{
    struct leat_conn_tls *tls = conn->tls;
    leat_rc rc = tls->failed || tls->shut ? LEAT_ENET : leat_chain_append(&tls->waiting, chain);
    if (rc != LEAT_OK) {
        leat_chain_done(chain);
        if (rc == LEAT_ENOMEM)
            fail(conn, rc, "out of memory");
        return rc;
    }
    encrypt(conn, ENCRYPT_AHEAD);
    return tls->failed ? LEAT_ETLS : LEAT_OK;
}

uint64_t leat_conn__tls_waiting(const struct leat_conn *conn)
{
    return conn->tls->waiting.bytes;
}

/* ---- reading ---- */

static void shake(struct leat_conn *conn)
{
    struct leat_conn_tls *tls = conn->tls;
    ERR_clear_error();
    int rc = SSL_do_handshake(tls->ssl);
    if (rc != 1) {
        if (SSL_get_error(tls->ssl, rc) != SSL_ERROR_WANT_READ)
            fail_ssl(conn);
        flush(conn);
        return;
    }
    tls->stands = true;
    leat_timer_stop(conn->loop, &tls->timer);
    encrypt(conn, ENCRYPT_AHEAD);
    if (conn->events.opened)
        conn->events.opened(conn->ctx);
}

/* Fills one room with plaintext: as many records as it holds. False: nothing more to be had now. */
static bool fill_room(struct leat_conn *conn, const struct leat_room *room, uint32_t *ret_used)
{
    struct leat_conn_tls *tls = conn->tls;
    uint32_t used = 0;
    int n = 1;
    while (room->len - used >= RECORD_BYTES / 4 && n > 0) {
        n = SSL_read(tls->ssl, room->at + used, (int)(room->len - used));
        used += n > 0 ? (uint32_t)n : 0;
    }
    *ret_used = used;
    if (n > 0)
        return true;
    int error = SSL_get_error(tls->ssl, n);
    if (error == SSL_ERROR_ZERO_RETURN) { /* the peer said goodbye: what stands behind it is never read */
        tls->shut = true;
        leat_stream_close(conn->stream);
    } else if (error != SSL_ERROR_WANT_READ)
        fail_ssl(conn);
    return false;
}

static void decrypt(struct leat_conn *conn)
{
    struct leat_conn_tls *tls = conn->tls;
    struct leat_pool *pool = leat_pool_here();
    for (bool more = true; more && !tls->paused && !tls->failed && !tls->shut;) {
        struct leat_room room;
        uint32_t used;
        if (leat_pool_read_room(pool, RECORD_BYTES, &room) != LEAT_OK) {
            fail(conn, LEAT_ENOMEM, "out of memory");
            return;
        }
        ERR_clear_error();
        more = fill_room(conn, &room, &used);
        if (used)
            conn->events.bytes(conn->ctx, (struct leat_slice){room.at, used, leat_pool_read_take(pool, &room, used)});
    }
    if (!tls->failed)
        flush(conn); /* what OpenSSL answers by itself: key updates, close_notify */
}

static void digest(struct leat_conn *conn)
{
    struct leat_conn_tls *tls = conn->tls;
    if (!tls->stands)
        shake(conn);
    if (tls->stands)
        decrypt(conn);
}

static void keep(struct leat_conn *conn, const uint8_t *at, uint32_t len)
{
    if (leat_chain_copy(&conn->tls->kept, at, len) != LEAT_OK)
        fail(conn, LEAT_ENOMEM, "out of memory");
}

static void digest_kept(struct leat_conn *conn)
{
    struct leat_conn_tls *tls = conn->tls;
    while (tls->kept.count && !tls->paused && !tls->failed && !tls->shut) {
        struct leat_slice front = tls->kept.vec[0];
        tls->in = front.at;
        tls->in_len = front.len;
        digest(conn);
        uint32_t left = tls->in_len;
        tls->in_len = 0;
        leat_chain_eat(&tls->kept, front.len - left);
    }
}

static void again(struct leat_task *task)
{
    struct leat_conn *conn = task->ctx;
    if (conn->tls->kept.count)
        digest_kept(conn);
    else if (!conn->tls->paused && !conn->tls->failed && !conn->tls->shut)
        digest(conn); /* OpenSSL may hold a decrypted rest */
}

void leat_conn__tls_pause(struct leat_conn *conn, bool paused)
{
    conn->tls->paused = paused;
    if (!paused && !conn->tls->failed)
        leat_loop_defer(conn->loop, &conn->tls->again);
}

/* ---- the stream's events ---- */

static void outer_opened(void *ctx)
{
    struct leat_conn *conn = ctx;
    leat_timer_start(conn->loop, &conn->tls->timer, HANDSHAKE_NS);
    shake(conn);
}

static void outer_bytes(void *ctx, struct leat_slice bytes)
{
    struct leat_conn *conn = ctx;
    struct leat_conn_tls *tls = conn->tls;
    if (tls->failed || tls->shut)
        return;
    if (tls->kept.count) {
        keep(conn, bytes.at, bytes.len);
        digest_kept(conn);
        return;
    }
    tls->in = bytes.at;
    tls->in_len = bytes.len;
    digest(conn);
    uint32_t left = tls->in_len;
    tls->in_len = 0;
    if (left && !tls->failed && !tls->shut)
        keep(conn, bytes.at + bytes.len - left, left);
}

static void outer_drained(void *ctx)
{
    struct leat_conn *conn = ctx;
    encrypt(conn, ENCRYPT_AHEAD);
    if (conn->tls->stands && leat_conn_unsent(conn) == 0 && conn->events.drained)
        conn->events.drained(conn->ctx);
}

static void outer_closed(void *ctx, const struct leat_err *why)
{
    struct leat_conn *conn = ctx;
    struct leat_conn_tls *tls = conn->tls;
    struct leat_err reason = tls->failed ? tls->why : *why;
    if (!tls->failed && !tls->stands && !tls->shut) {
        leat_count(LEAT_COUNT_TLS_HANDSHAKE_FAILED, 1);
        if (reason.code == LEAT_OK)
            (void)LEAT_RAISE(&reason, LEAT_ETLS, 0, "TLS handshake: closed by peer");
    }
    conn->events.closed(conn->ctx, &reason);
    leat_conn__unsecure(conn);
    leat_free(conn);
}

const struct leat_stream_events leat_conn__tls_events = {
    .opened = outer_opened, .bytes = outer_bytes, .drained = outer_drained, .closed = outer_closed};

/* ---- life ---- */

/* "name:443", "[::1]:443", "name" -> what a certificate carries. */
static void bare_name(const char *name, char *to, size_t room)
{
    const char *end = strrchr(name, ':');
    size_t len = end && (name[0] == '[' || strchr(name, ':') == end) ? (size_t)(end - name) : strlen(name);
    if (len >= 2 && name[0] == '[' && name[len - 1] == ']') {
        name++;
        len -= 2;
    }
    len = len < room ? len : room - 1;
    memcpy(to, name, len);
    to[len] = 0;
}

static bool set_name(SSL *ssl, const char *given, bool verify)
{
    char name[256];
    bare_name(given, name, sizeof name);
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    ERR_clear_error();
    bool is_ip = ip != NULL;
    ASN1_OCTET_STRING_free(ip);
    if (is_ip)
        return !verify || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    return SSL_set_tlsext_host_name(ssl, name) == 1 && (!verify || SSL_set1_host(ssl, name) == 1);
}

static bool prepare(struct leat_conn *conn, struct leat_tls *tls, const char *server_name)
{
    struct leat_conn_tls *own = conn->tls;
    SSL_CTX *context = leat_tls__context(tls);
    own->ssl = SSL_new(context);
    SSL_CTX_free(context);
    BIO *bio = own->ssl ? bio_new(own) : NULL;
    if (!bio)
        return false;
    SSL_set_bio(own->ssl, bio, bio);
    if (own->side == LEAT_TLS_SERVER) {
        SSL_set_accept_state(own->ssl);
        return true;
    }
    SSL_set_connect_state(own->ssl);
    const char *name = leat_tls__name_override(tls) ? leat_tls__name_override(tls) : server_name;
    return !name || !*name || set_name(own->ssl, name, leat_tls__verifies(tls));
}

leat_rc leat_conn__secure(struct leat_conn *conn, struct leat_tls *tls, enum leat_tls_side side,
                          const char *server_name, struct leat_err *reterr)
{
    conn->tls = leat_zalloc(1, sizeof *conn->tls);
    if (!conn->tls)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "TLS: out of memory");
    conn->tls->side = side;
    conn->tls->timer = (struct leat_timer){.fire = too_late, .ctx = conn};
    leat_task_init(&conn->tls->again, again, conn);
    if (prepare(conn, tls, server_name))
        return LEAT_OK;
    leat_rc rc = LEAT_RAISE(reterr, LEAT_ETLS, 0, "TLS: %s", leat_tls__reason());
    leat_conn__unsecure(conn);
    return rc;
}

void leat_conn__unsecure(struct leat_conn *conn)
{
    struct leat_conn_tls *tls = conn->tls;
    if (!tls)
        return;
    leat_timer_stop(conn->loop, &tls->timer);
    leat_task_cancel(&tls->again);
    SSL_free(tls->ssl);
    leat_chain_done(&tls->kept);
    leat_chain_done(&tls->waiting);
    leat_chain_done(&tls->out);
    leat_free(tls);
    conn->tls = NULL;
}

void leat_conn__secured(struct leat_conn *conn)
{
    if (!conn->tls)
        return;
    leat_stream_borrow(conn->stream);
    if (conn->tls->side == LEAT_TLS_SERVER)
        leat_timer_start(conn->loop, &conn->tls->timer, HANDSHAKE_NS);
}

void leat_conn__tls_shut(struct leat_conn *conn, bool flushed)
{
    struct leat_conn_tls *tls = conn->tls;
    if (tls->shut || tls->failed)
        return;
    if (flushed)
        encrypt(conn, UINT64_MAX);
    tls->shut = true;
    leat_timer_stop(conn->loop, &tls->timer);
    if (tls->stands && !tls->failed && tls->waiting.bytes == 0) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl);
        flush(conn);
    }
}

const char *leat_conn__tls_alpn(const struct leat_conn *conn)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(conn->tls->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0         ? "h2"
           : len == 8 && memcmp(name, "http/1.1", 8) == 0 ? "http/1.1"
                                                          : "";
}
