/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/tls.h"

#include <openssl/err.h>
#include <pthread.h>
#include <sys/stat.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/base/log.h"
#include "agent/net/tls_context.h"
#include "agent/net/tls_inner.h"

#define CA_LOOK_NS 10000000000ull /* client_ca_file_reload without reload_interval */

enum { FILES = 4 };

struct leat_tls {
    uint32_t refs; /* atomic */
    enum leat_tls_side side;
    struct leat_tls_conf conf; /* its strings are kept in `text` */
    char *text;
    const char **lists;
    const char *alpn;
    pthread_mutex_t lock; /* guards context, next_look_ns and stamps */
    SSL_CTX *context;
    uint64_t next_look_ns; /* 0: never */
    struct timespec stamps[FILES];
};

/* ---- the configuration, kept ---- */

struct keeper {
    char *to; /* NULL: only measures */
    size_t bytes;
};

static const char *keep(struct keeper *keeper, const char *text)
{
    if (!text)
        return NULL;
    size_t len = strlen(text) + 1;
    char *at = keeper->to ? memcpy(keeper->to + keeper->bytes, text, len) : NULL;
    keeper->bytes += len;
    return at;
}

static void keep_all(struct leat_tls *tls, const struct leat_tls_conf *conf, const char *alpn, struct keeper *keeper)
{
    tls->conf = *conf;
    tls->alpn = keep(keeper, alpn);
    tls->conf.ca_file = keep(keeper, conf->ca_file);
    tls->conf.ca_pem = keep(keeper, conf->ca_pem);
    tls->conf.cert_file = keep(keeper, conf->cert_file);
    tls->conf.cert_pem = keep(keeper, conf->cert_pem);
    tls->conf.key_file = keep(keeper, conf->key_file);
    tls->conf.key_pem = keep(keeper, conf->key_pem);
    tls->conf.min_version = keep(keeper, conf->min_version);
    tls->conf.max_version = keep(keeper, conf->max_version);
    tls->conf.server_name_override = keep(keeper, conf->server_name_override);
    tls->conf.client_ca_file = keep(keeper, conf->client_ca_file);
    uint32_t suites = conf->cipher_suites.count;
    for (uint32_t i = 0; i < suites + conf->curve_preferences.count; i++) {
        const char *text = i < suites ? conf->cipher_suites.at[i] : conf->curve_preferences.at[i - suites];
        const char *kept = keep(keeper, text);
        if (tls->lists)
            tls->lists[i] = kept;
    }
    tls->conf.cipher_suites.at = tls->lists;
    tls->conf.curve_preferences.at = tls->lists ? tls->lists + suites : NULL;
}

static leat_rc keep_conf(struct leat_tls *tls, const struct leat_tls_conf *conf, const char *alpn)
{
    struct keeper keeper = {0};
    keep_all(tls, conf, alpn, &keeper);
    tls->text = leat_alloc(keeper.bytes);
    tls->lists = leat_zalloc(conf->cipher_suites.count + conf->curve_preferences.count, sizeof *tls->lists);
    if (!tls->text || !tls->lists)
        return LEAT_ENOMEM;
    keeper = (struct keeper){.to = tls->text};
    keep_all(tls, conf, alpn, &keeper);
    return LEAT_OK;
}

/* ---- reloading ---- */

static uint64_t look_every_ns(const struct leat_tls *tls) /* 0: never */
{
    if (tls->conf.reload_interval_ns > 0)
        return (uint64_t)tls->conf.reload_interval_ns;
    return tls->conf.client_ca_file_reload && tls->conf.client_ca_file ? CA_LOOK_NS : 0;
}

static void stamp(const struct leat_tls *tls, struct timespec ret_stamps[FILES])
{
    const struct leat_tls_conf *conf = &tls->conf;
    bool all = conf->reload_interval_ns > 0;
    const char *files[FILES] = {all ? conf->ca_file : NULL, all ? conf->cert_file : NULL, all ? conf->key_file : NULL,
                                conf->client_ca_file_reload ? conf->client_ca_file : NULL};
    for (int i = 0; i < FILES; i++) {
        struct stat st;
        ret_stamps[i] = files[i] && stat(files[i], &st) == 0 ? st.st_mtim : (struct timespec){0};
    }
}

static void reload(struct leat_tls *tls) /* locked */
{
    struct timespec stamps[FILES];
    stamp(tls, stamps);
    if (memcmp(stamps, tls->stamps, sizeof stamps) == 0)
        return;
    memcpy(tls->stamps, stamps, sizeof stamps); /* a bad pair is looked at once, not at every interval */
    struct leat_err err = {0};
    SSL_CTX *fresh;
    if (leat_tls__context_new(tls->side, &tls->conf, tls->alpn, &fresh, &err) != LEAT_OK) {
        leat_count(LEAT_COUNT_TLS_RELOADS_BAD, 1);
        leat_log(LEAT_LOG_WARN, "tls", "changed files ignored, the old ones stay in use: %s", err.text);
        return;
    }
    leat_count(LEAT_COUNT_TLS_RELOADS, 1);
    SSL_CTX_free(tls->context);
    tls->context = fresh;
}

void leat_tls_refresh(struct leat_tls *tls, uint64_t mono_ns)
{
    uint64_t every_ns = look_every_ns(tls);
    if (every_ns == 0)
        return;
    (void)pthread_mutex_lock(&tls->lock);
    if (tls->next_look_ns == 0)
        tls->next_look_ns = mono_ns + every_ns;
    if (mono_ns >= tls->next_look_ns) {
        tls->next_look_ns = mono_ns + every_ns;
        reload(tls);
    }
    (void)pthread_mutex_unlock(&tls->lock);
}

/* ---- life ---- */

static void tls_free(struct leat_tls *tls)
{
    SSL_CTX_free(tls->context);
    (void)pthread_mutex_destroy(&tls->lock);
    leat_free(tls->text);
    leat_free(tls->lists);
    leat_free(tls);
}

leat_rc leat_tls_open(enum leat_tls_side side, const struct leat_tls_conf *conf, const char *alpn,
                      struct leat_tls **ret_tls, struct leat_err *reterr)
{
    struct leat_tls *tls = leat_zalloc(1, sizeof *tls);
    if (!tls)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "TLS: out of memory");
    tls->refs = 1;
    tls->side = side;
    (void)pthread_mutex_init(&tls->lock, NULL);
    leat_rc rc = keep_conf(tls, conf, alpn);
    if (rc != LEAT_OK)
        (void)LEAT_RAISE(reterr, rc, 0, "TLS: out of memory");
    else
        rc = leat_tls__context_new(side, &tls->conf, tls->alpn, &tls->context, reterr);
    if (rc != LEAT_OK) {
        tls_free(tls);
        return rc;
    }
    stamp(tls, tls->stamps);
    *ret_tls = tls;
    return LEAT_OK;
}

struct leat_tls *leat_tls_ref(struct leat_tls *tls)
{
    __atomic_add_fetch(&tls->refs, 1, __ATOMIC_RELAXED);
    return tls;
}

struct leat_tls *leat_tls_unref(struct leat_tls *tls)
{
    if (tls && __atomic_sub_fetch(&tls->refs, 1, __ATOMIC_ACQ_REL) == 0)
        tls_free(tls);
    return NULL;
}

/* ---- for connections ---- */

SSL_CTX *leat_tls__context(struct leat_tls *tls)
{
    (void)pthread_mutex_lock(&tls->lock);
    SSL_CTX *context = tls->context;
    (void)SSL_CTX_up_ref(context);
    (void)pthread_mutex_unlock(&tls->lock);
    return context;
}

const char *leat_tls__name_override(const struct leat_tls *tls)
{
    return tls->conf.server_name_override;
}
bool leat_tls__verifies(const struct leat_tls *tls)
{
    return !tls->conf.insecure_skip_verify;
}

const char *leat_tls__reason(void)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    return reason ? reason : "TLS failure";
}
