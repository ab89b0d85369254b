/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/nop/nop.h"

/* Batch -> requests. One request that covers every item; an exporter that sends something gives it a url and a body. */
leat_rc nop_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    (void)state;
    struct leat_request *request = leat_requests_add(out);
    if (!request)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    request->count = batch->item_count;
    return LEAT_OK;
}
