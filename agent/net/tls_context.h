/* SPDX-License-Identifier: Apache-2.0 */
/* tls_context -- from the Collector's tls block to an OpenSSL context; private to agent/net.
 *
 * Fails    LEAT_ECONFIG with the file and OpenSSL's reason. */
#pragma once
#include <openssl/ssl.h>

#include "agent/net/tls.h"

leat_rc leat_tls__context_new(enum leat_tls_side side, const struct leat_tls_conf *conf, const char *alpn,
                              SSL_CTX **ret_context, struct leat_err *reterr) LEAT_MUST_CHECK;
