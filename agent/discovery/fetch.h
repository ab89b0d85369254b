/* SPDX-License-Identifier: Apache-2.0 */
/* fetch -- GET of one URL with Prometheus' HTTP client settings: the scrape client, also behind http_sd.
 *
 * Why      authorization files, redirects, proxies, gzip under a cap: once, for every receiver that pulls.
 * Threads  one shard's; a fetcher (one per job and shard) outlives its sites (one per target).
 * Owns     a call is the caller's struct, in use from _send until `done`, which comes exactly once and never from inside
 *          _send. The reply's body chain is the callee's to take (leave {0}) or to leave.
 * Limits   body_bytes_max after decompression (fails when the body is that long or longer, as Prometheus does), headers as
 *          http1_client; 10 redirects; one connection a site, kept between calls.
 * Fails    done with err: LEAT_ENET, LEAT_ETIMEOUT, LEAT_ETLS, LEAT_EPARSE, LEAT_ELIMIT (the body), LEAT_ECANCELED,
 *          LEAT_EAUTH (a credentials file cannot be read), LEAT_EREFUSED (redirects without end, or a long body under another
 *          status than 200; sys: the status). Any other answer is no error here, whatever its status. */
#pragma once
#include "agent/base/field.h"
#include "agent/loop/loop.h"
#include "agent/net/http.h"

struct leat_fetch_conf { /* Prometheus' http_client_config; INLINE it */
    struct {
        bool present;
        const char *username, *username_file, *password, *password_file;
    } basic_auth;
    struct {
        bool present;
        const char *type, *credentials, *credentials_file;
    } authorization;
    const char *bearer_token, *bearer_token_file;
    struct {
        bool present;
        const char *ca, *cert, *key, *ca_file, *cert_file, *key_file, *server_name, *min_version, *max_version;
        bool insecure_skip_verify;
    } tls;
    const char *proxy_url, *no_proxy;
    bool proxy_from_environment;
    bool follow_redirects;
    struct leat_value http_headers; /* name: {values, secrets, files} */
};
extern const struct leat_field leat_fetch_fields[];
leat_rc leat_fetch_check(const struct leat_fetch_conf *conf, struct leat_err *reterr);

struct leat_fetcher;
struct leat_fetcher_opts {
    struct leat_loop *loop;
    const struct leat_fetch_conf *conf; /* borrowed */
    const char *user_agent;
    bool enable_compression;   /* Accept-Encoding: gzip, else identity */
    uint64_t body_bytes_max;   /* 0: none but LEAT_FETCH_BODY_BYTES_MAX */
    uint64_t idle_ns_max;      /* how long a site's connection waits for its next call; 0: 5 min */
};
#define LEAT_FETCH_BODY_BYTES_MAX (1u << 30)
#define LEAT_FETCH_REDIRECTS_MAX 10u
leat_rc leat_fetcher_open(const struct leat_fetcher_opts *opts, struct leat_fetcher **ret_fetcher,
                          struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_fetcher *leat_fetcher_close(struct leat_fetcher *fetcher); /* always NULL; after its sites */

struct leat_fetch_site; /* one target: its URL and its connection */
leat_rc leat_fetch_site_open(struct leat_fetcher *fetcher, struct leat_slice url, struct leat_fetch_site **ret_site,
                             struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_fetch_site *leat_fetch_site_close(struct leat_fetch_site *site); /* always NULL; a call under way is
                                                                               cancelled: done comes inside */

struct leat_fetch_reply {
    int status;
    struct leat_headers headers; /* of the last answer; valid during `done` */
    struct leat_chain body;      /* decoded; the callee may take it (leave {0}) */
    uint64_t wire_bytes;         /* of the body, before decompression */
};
struct leat_fetch {
    struct leat_headers headers; /* beside the configured ones (Accept ...); borrowed until done */
    uint64_t timeout_ns;         /* redirects and body included; 0: none */
    void (*done)(struct leat_fetch *fetch, struct leat_fetch_reply *reply, const struct leat_err *err);
    void *ctx;
    void *inner; /* the site's from here */
};
/* One call at a time per site. */
void leat_fetch_send(struct leat_fetch_site *site, struct leat_fetch *fetch);
void leat_fetch_cancel(struct leat_fetch_site *site); /* done follows later, LEAT_ECANCELED */
