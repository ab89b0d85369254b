/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/otlp_http/otlp_http.h"
#include "proto/otlp/otlp_json_write.h"

static leat_rc put_json(struct otlp_http_state *otlp, const struct leat_batch *batch, struct leat_request *request,
                        struct leat_err *reterr)
{
    leat_strbuf_clear(&otlp->text);
    leat_rc rc = otlp_json_write(batch->signal, &batch->payload, &otlp->text, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (otlp->text.failed || leat_chain_copy(&request->body, otlp->text.at, (uint32_t)otlp->text.len) != LEAT_OK ||
        leat_request_header(request, LEAT_SLICE("Content-Type"), LEAT_SLICE("application/json")) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    return LEAT_OK;
}

static leat_rc put_proto(const struct leat_batch *batch, struct leat_request *request, struct leat_err *reterr)
{
    if (leat_chain_share_all(&request->body, &batch->payload) != LEAT_OK ||
        leat_request_header(request, LEAT_SLICE("Content-Type"), LEAT_SLICE("application/x-protobuf")) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    return LEAT_OK;
}

leat_rc otlp_http_encode(void *state, const struct leat_batch *batch, struct leat_requests *out,
                         struct leat_err *reterr)
{
    struct otlp_http_state *otlp = state;
    struct leat_request *request = leat_requests_add(out);
    if (!request)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    request->url = otlp->url;
    request->count = batch->item_count;
    return otlp->encoding == OTLP_HTTP_JSON ? put_json(otlp, batch, request, reterr)
                                            : put_proto(batch, request, reterr);
}
