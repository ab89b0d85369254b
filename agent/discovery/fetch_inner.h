/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_inner -- what one fetcher keeps: its TLS context, its credentials, its headers; private to agent/discovery. */
#pragma once
#include "agent/base/secret_file.h"
#include "agent/base/strbuf.h"
#include "agent/deliver/url.h"
#include "agent/discovery/fetch.h"

#define LEAT_FETCH_HEADERS_MAX 48u

/* One header that the configuration adds. */
struct leat_fetch_header {
    const char *name, *value;     /* value NULL: of the file */
    struct leat_secret_file file; /* path NULL: none */
};

struct leat_fetcher {
    struct leat_fetcher_opts opts;
    struct leat_tls *tls; /* made with the first https site */
    struct leat_secret_file username, password, credentials;
    struct leat_fetch_header *added;
    uint32_t added_count;
};

/* Shared by all fetchers of the process with equal settings. */
leat_rc leat_fetch__tls_open(const struct leat_fetch_conf *conf, struct leat_tls **ret_tls,
                             struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_fetch__tls_close(struct leat_tls *tls);
/* How many headers http_headers adds; at `to` (NULL: only checked). */
leat_rc leat_fetch__added_headers(const struct leat_fetch_conf *conf, struct leat_fetch_header *to, uint32_t *ret_count,
                                  struct leat_err *reterr) LEAT_MUST_CHECK;
/* "Basic ..." or "Bearer ...", nothing when there are no credentials. */
leat_rc leat_fetch__authorization(struct leat_fetcher *fetcher, struct leat_strbuf *out,
                                  struct leat_err *reterr) LEAT_MUST_CHECK;
/* Location of an answer from `base`, as an absolute URL. */
leat_rc leat_fetch__resolve(const char *base, struct leat_slice location, struct leat_strbuf *out,
                            struct leat_err *reterr) LEAT_MUST_CHECK;
