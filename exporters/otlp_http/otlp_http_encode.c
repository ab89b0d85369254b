/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/otlp_http/otlp_http.h"

leat_rc otlp_http_encode(void *state, const struct leat_batch *batch, struct leat_requests *out,
                         struct leat_err *reterr)
{
    const struct otlp_http_state *otlp = state;
    struct leat_request *request = leat_requests_add(out);
    if (!request || leat_chain_share_all(&request->body, &batch->payload) != LEAT_OK ||
        leat_request_header(request, LEAT_SLICE("Content-Type"), LEAT_SLICE("application/x-protobuf")) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    request->url = otlp->url;
    request->count = batch->item_count;
    return LEAT_OK;
}
