/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/otlp_grpc/otlp_grpc.h"

leat_rc otlp_grpc_encode(void *state, const struct leat_batch *batch, struct leat_requests *out,
                         struct leat_err *reterr)
{
    const struct otlp_grpc_state *otlp = state;
    struct leat_request *request = leat_requests_add(out);
    if (!request || leat_chain_share_all(&request->body, &batch->payload) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    request->url = otlp->method;
    request->count = batch->item_count;
    return LEAT_OK;
}
