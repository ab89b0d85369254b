/* SPDX-License-Identifier: Apache-2.0 */
/* tls_inner -- the OpenSSL context inside a leat_tls, for conn_tls.c; private to agent/net. */
#pragma once
#include <openssl/ssl.h>

#include "agent/net/tls.h"

/* The context new handshakes use: a reference of its own (SSL_CTX_free). */
SSL_CTX *leat_tls__context(struct leat_tls *tls);
const char *leat_tls__name_override(const struct leat_tls *tls); /* NULL: none */
bool leat_tls__verifies(const struct leat_tls *tls);
/* OpenSSL's reason for what just failed on this thread; empties its queue. */
const char *leat_tls__reason(void);
