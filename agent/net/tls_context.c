/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "agent/net/tls_inner.h"

#define LIST_BYTES_MAX 2048u

static leat_rc bad(struct leat_err *reterr, const char *what)
{
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s: %s", what, leat_tls__reason());
}

/* ---- versions, suites, curves ---- */

static leat_rc version_of(const char *text, int deflt, int *ret_version, struct leat_err *reterr)
{
    static const struct {
        const char *text;
        int version;
    } versions[] = {{"1.0", TLS1_VERSION}, {"1.1", TLS1_1_VERSION}, {"1.2", TLS1_2_VERSION}, {"1.3", TLS1_3_VERSION}};
    *ret_version = deflt;
    if (!text || !*text)
        return LEAT_OK;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (strcmp(versions[i].text, text) != 0)
            continue;
        *ret_version = versions[i].version;
        return LEAT_OK;
    }
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "unknown TLS version \"%s\": 1.0, 1.1, 1.2 or 1.3", text);
}

static leat_rc set_versions(SSL_CTX *context, const struct leat_tls_conf *conf, struct leat_err *reterr)
{
    int min, max;
    leat_rc rc = version_of(conf->min_version, TLS1_2_VERSION, &min, reterr);
    if (rc == LEAT_OK)
        rc = version_of(conf->max_version, 0, &max, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (max && max < min)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "min_version is above max_version");
    if (min < TLS1_2_VERSION)
        SSL_CTX_set_security_level(context, 0); /* what the user asked for; OpenSSL hides 1.0 and 1.1 otherwise */
    if (!SSL_CTX_set_min_proto_version(context, min) || !SSL_CTX_set_max_proto_version(context, max))
        return bad(reterr, "TLS version");
    return LEAT_OK;
}

/* OpenSSL knows a suite's IANA name only backwards: from the suite. */
static const char *suite_of(SSL_CTX *context, const char *iana)
{
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(context);
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(all, i);
        const char *name = SSL_CIPHER_standard_name(cipher);
        if (name && strcmp(name, iana) == 0)
            return SSL_CIPHER_get_name(cipher);
    }
    return NULL;
}

static bool join(char *list, const char *name)
{
    size_t at = strlen(list);
    int n = snprintf(list + at, LIST_BYTES_MAX - at, "%s%s", at ? ":" : "", name);
    return n > 0 && (size_t)n < LIST_BYTES_MAX - at;
}

static leat_rc set_suites(SSL_CTX *context, const struct leat_tls_conf *conf, struct leat_err *reterr)
{
    char list[LIST_BYTES_MAX] = "";
    for (uint32_t i = 0; i < conf->cipher_suites.count; i++) {
        const char *iana = conf->cipher_suites.at[i];
        const char *name = suite_of(context, iana);
        if (!name || !join(list, name))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "unknown or insecure cipher suite \"%s\"", iana);
    }
    if (conf->cipher_suites.count && !SSL_CTX_set_cipher_list(context, list))
        return bad(reterr, "cipher_suites");
    return LEAT_OK;
}

static leat_rc set_curves(SSL_CTX *context, const struct leat_tls_conf *conf, struct leat_err *reterr)
{
    static const char *const names[][2] = {
        {"X25519", "X25519"}, {"P256", "P-256"}, {"P384", "P-384"}, {"P521", "P-521"}};
    char list[LIST_BYTES_MAX] = "";
    for (uint32_t i = 0; i < conf->curve_preferences.count; i++) {
        const char *name = NULL;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(names[k][0], conf->curve_preferences.at[i]) == 0)
                name = names[k][1];
        if (!name || !join(list, name))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "unknown curve \"%s\": X25519, P256, P384 or P521",
                              conf->curve_preferences.at[i]);
    }
    if (conf->curve_preferences.count && !SSL_CTX_set1_groups_list(context, list))
        return bad(reterr, "curve_preferences");
    return LEAT_OK;
}

/* ---- certificates ---- */

/* A leaf and the chain after it, from text. */
static bool use_chain(SSL_CTX *context, BIO *bio)
{
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    bool ok = leaf && SSL_CTX_use_certificate(context, leaf) == 1;
    X509_free(leaf);
    (void)SSL_CTX_clear_chain_certs(context);
    for (X509 *link; ok && (link = PEM_read_bio_X509(bio, NULL, NULL, NULL));)
        if (!SSL_CTX_add0_chain_cert(context, link)) {
            X509_free(link);
            ok = false;
        }
    if (ok)
        ERR_clear_error(); /* the end of the text is an error to the reader */
    return ok;
}

static bool use_key(SSL_CTX *context, BIO *bio)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    bool ok = key && SSL_CTX_use_PrivateKey(context, key) == 1;
    EVP_PKEY_free(key);
    return ok;
}

static bool trust(SSL_CTX *context, BIO *bio)
{
    uint32_t count = 0;
    for (X509 *ca; (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL)); count++) {
        int ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca);
        X509_free(ca);
        if (!ok)
            return false;
    }
    if (count)
        ERR_clear_error();
    return count > 0;
}

static leat_rc from_pem(SSL_CTX *context, const char *file, const char *pem, bool (*use)(SSL_CTX *context, BIO *bio),
                        const char *what, struct leat_err *reterr)
{
    BIO *bio = file ? BIO_new_file(file, "r") : BIO_new_mem_buf(pem, -1);
    bool ok = bio && use(context, bio);
    BIO_free(bio);
    if (ok)
        return LEAT_OK;
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s %s: %s", what, file ? file : "(as text)", leat_tls__reason());
}

static leat_rc set_own(SSL_CTX *context, const struct leat_tls_conf *conf, struct leat_err *reterr)
{
    bool cert = conf->cert_file || conf->cert_pem, key = conf->key_file || conf->key_pem;
    if (!cert && !key)
        return LEAT_OK;
    if (!cert || !key)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "a certificate and its key must be given together");
    leat_rc rc = from_pem(context, conf->cert_file, conf->cert_pem, use_chain, "certificate", reterr);
    if (rc == LEAT_OK)
        rc = from_pem(context, conf->key_file, conf->key_pem, use_key, "key", reterr);
    if (rc == LEAT_OK && SSL_CTX_check_private_key(context) != 1)
        return bad(reterr, "the key does not belong to the certificate");
    return rc;
}

static leat_rc set_client_trust(SSL_CTX *context, const struct leat_tls_conf *conf, struct leat_err *reterr)
{
    bool own = conf->ca_file || conf->ca_pem;
    SSL_CTX_set_verify(context, conf->insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (own) {
        leat_rc rc = from_pem(context, conf->ca_file, conf->ca_pem, trust, "ca", reterr);
        if (rc != LEAT_OK)
            return rc;
    }
    if (conf->insecure_skip_verify || (own && !conf->include_system_ca_certs_pool))
        return LEAT_OK;
    return SSL_CTX_set_default_verify_paths(context) == 1 ? LEAT_OK : bad(reterr, "the system's certificates");
}

static leat_rc set_server_trust(SSL_CTX *context, const struct leat_tls_conf *conf, struct leat_err *reterr)
{
    if (!conf->cert_file && !conf->cert_pem)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "a TLS server needs cert_file and key_file");
    if (!conf->client_ca_file)
        return LEAT_OK;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(conf->client_ca_file);
    SSL_CTX_set_client_CA_list(context, names); /* NULL is none; `trust` below says what is wrong */
    return from_pem(context, conf->client_ca_file, NULL, trust, "client_ca_file", reterr);
}

/* ---- ALPN ---- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned int in_len, void *ctx)
{
    (void)ssl;
    const char *wanted = ctx;
    size_t len = strlen(wanted);
    for (unsigned int i = 0; i < in_len && in[i] < in_len - i; i += in[i] + 1u)
        if (in[i] == len && memcmp(in + i + 1, wanted, len) == 0) {
            *out = in + i + 1;
            *out_len = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_NOACK; /* older clients speak without it */
}

static leat_rc set_alpn(SSL_CTX *context, enum leat_tls_side side, const char *alpn, struct leat_err *reterr)
{
    unsigned char wire[64];
    if (!alpn)
        return LEAT_OK;
    if (side == LEAT_TLS_SERVER) {
        SSL_CTX_set_alpn_select_cb(context, choose_alpn, (void *)(uintptr_t)alpn);
        return LEAT_OK;
    }
    size_t len = strlen(alpn);
    if (len == 0 || len >= sizeof wire)
        return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "bad ALPN name");
    wire[0] = (unsigned char)len;
    memcpy(wire + 1, alpn, len);
    return SSL_CTX_set_alpn_protos(context, wire, (unsigned)len + 1) == 0 ? LEAT_OK : bad(reterr, "ALPN");
}

leat_rc leat_tls__context_new(enum leat_tls_side side, const struct leat_tls_conf *conf, const char *alpn,
                              SSL_CTX **ret_context, struct leat_err *reterr)
{
    SSL_CTX *context = SSL_CTX_new(side == LEAT_TLS_SERVER ? TLS_server_method() : TLS_client_method());
    if (!context)
        return bad(reterr, "TLS");
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets do it without memory of ours */
    (void)SSL_CTX_set_session_id_context(context, (const unsigned char *)"leat", 4);
    leat_rc rc = set_versions(context, conf, reterr);
    if (rc == LEAT_OK)
        rc = set_suites(context, conf, reterr);
    if (rc == LEAT_OK)
        rc = set_curves(context, conf, reterr);
    if (rc == LEAT_OK)
        rc = set_own(context, conf, reterr);
    if (rc == LEAT_OK)
        rc =
            side == LEAT_TLS_SERVER ? set_server_trust(context, conf, reterr) : set_client_trust(context, conf, reterr);
    if (rc == LEAT_OK)
        rc = set_alpn(context, side, alpn, reterr);
    if (rc != LEAT_OK) {
        SSL_CTX_free(context);
        return rc;
    }
    *ret_context = context;
    return LEAT_OK;
}
