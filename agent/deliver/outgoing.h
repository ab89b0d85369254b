/* SPDX-License-Identifier: Apache-2.0 */
/* outgoing -- the headers of one request on its way out, put together from four sources; private to agent/deliver.
 *
 * Why      HTTP and gRPC carriers build the same list: the exporter's, the configured ones, then the authenticator's,
 *          each replacing what came before it.
 * Threads  one shard's.
 * Owns     copies of what the authenticator puts; the rest is borrowed until _done.
 * Limits   LEAT_OUTGOING_MAX headers; names and values that could break out of their line are refused. */
#pragma once
#include "agent/base/field.h"
#include "agent/deliver/auth.h"
#include "agent/deliver/request.h"

#define LEAT_OUTGOING_MAX 64u

struct leat_outgoing {
    struct leat_header_sink sink; /* what an authenticator sees; first */
    bool lower;                   /* names are put in lower case (HTTP/2) */
    uint32_t count;
    struct leat_header at[LEAT_OUTGOING_MAX];
    void *copies; /* list of blocks */
};
void leat_deliver__outgoing_init(struct leat_outgoing *out, bool lower);
void leat_deliver__outgoing_done(struct leat_outgoing *out);
/* Borrows both. Replaces an earlier one by that name. */
leat_rc leat_deliver__outgoing_set(struct leat_outgoing *out, struct leat_slice name, struct leat_slice value,
                                   struct leat_err *reterr) LEAT_MUST_CHECK;
/* The request's own, then the configured, then the authenticator's. */
leat_rc leat_deliver__outgoing_fill(struct leat_outgoing *out, const struct leat_request *request,
                                    const struct leat_map *configured, const struct leat_client_auth *auth,
                                    const struct leat_meta *meta, struct leat_err *reterr) LEAT_MUST_CHECK;
/* At start: may these be sent at all? */
leat_rc leat_deliver__headers_check(const struct leat_map *configured, struct leat_err *reterr) LEAT_MUST_CHECK;
