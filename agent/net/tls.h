/* SPDX-License-Identifier: Apache-2.0 */
/* tls -- one OpenSSL context per distinct TLS configuration, shared by every connection that uses it.
 *
 * Why      each SSL_CTX with its CA store costs most of a megabyte; files are re-read when they change.
 * Threads  a context is made before the shards start and is then used by all of them (OpenSSL locks inside);
 *          reloads swap an inner pointer under a lock that handshakes alone take.
 * Owns     the caller owns one reference from leat_tls_open.
 * Fails    LEAT_ECONFIG with the file and OpenSSL's reason. A bad pair at reload is ignored, counted and logged; the
 *          old one stays. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/field.h"

struct leat_tls;

/* The Collector's keys (client and server blocks). */
struct leat_tls_conf {
    bool present; /* the block was written */
    bool insecure, insecure_skip_verify, include_system_ca_certs_pool;
    const char *ca_file, *ca_pem, *cert_file, *cert_pem, *key_file, *key_pem;
    const char *min_version, *max_version;
    struct leat_strings cipher_suites, curve_preferences;
    int64_t reload_interval_ns;
    const char *server_name_override;   /* client */
    const char *client_ca_file;         /* server: asks for and verifies client certificates */
    bool client_ca_file_reload;
};
extern const struct leat_field leat_tls_client_fields[], leat_tls_server_fields[];

enum leat_tls_side { LEAT_TLS_CLIENT, LEAT_TLS_SERVER };
/* `alpn` in wire order, e.g. "h2" or "http/1.1"; NULL: none. */
leat_rc leat_tls_open(enum leat_tls_side side, const struct leat_tls_conf *conf, const char *alpn,
                      struct leat_tls **ret_tls, struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_tls *leat_tls_ref(struct leat_tls *tls);
struct leat_tls *leat_tls_unref(struct leat_tls *tls); /* always NULL */
/* Re-reads changed files when reload_interval has passed; called by each new connection, costs a clock read. */
void leat_tls_refresh(struct leat_tls *tls, uint64_t mono_ns);

/* OpenSSL's allocations go through agent/base/alloc.h from here on; before its first use, at the start of main. False: it
 * is too late. */
bool leat_tls_own_memory(void);
uint64_t leat_tls_memory_bytes(void); /* held by OpenSSL now; any thread */
const char *leat_tls_library(void);   /* "OpenSSL 3.0.15 3 Sep 2024" */
