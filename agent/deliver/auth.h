/* SPDX-License-Identifier: Apache-2.0 */
/* auth -- who may come in, and how we show who we are; extensions provide both sides.
 *
 * Threads  one instance per shard, called on its shard.
 * Owns     header values given to a request are copied by the callee's sink. */
#pragma once
#include "agent/base/err.h"
#include "agent/net/http.h"
#include "agent/pipe/batch.h"

/* Client side: puts headers on an outgoing request. `put` replaces an earlier value by that name. */
struct leat_header_sink {
    leat_rc (*put)(struct leat_header_sink *sink, struct leat_slice name, struct leat_slice value);
    leat_rc (*remove)(struct leat_header_sink *sink, struct leat_slice name);
    bool (*has)(struct leat_header_sink *sink, struct leat_slice name);
};
struct leat_client_auth {
    void *state;
    leat_rc (*apply)(void *state, const struct leat_meta *meta, struct leat_header_sink *sink, struct leat_err *reterr);
};

/* Server side: LEAT_OK lets the request in; LEAT_EAUTH refuses it (401, UNAUTHENTICATED). */
struct leat_server_auth {
    void *state;
    leat_rc (*check)(void *state, struct leat_headers headers, struct leat_err *reterr);
    const char *challenge; /* WWW-Authenticate, NULL: none */
};
