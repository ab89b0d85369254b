/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/debug/debug.h"

#define NS_PER_S 1000000000ull

/* As the Collector samples its own messages: the first few of each second, then every n-th. */
static bool sampled(struct debug_state *debug)
{
    const struct debug_conf *conf = debug->conf;
    uint64_t second = debug->world->mono_ns(debug->world) / NS_PER_S;
    if (second != debug->second) {
        debug->second = second;
        debug->seen = 0;
    }
    int64_t past = ++debug->seen - conf->sampling_initial;
    return past <= 0 || (conf->sampling_thereafter > 0 && past % conf->sampling_thereafter == 0);
}

leat_rc debug_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct debug_state *debug = state;
    struct leat_request *request = leat_requests_add(out);
    if (!request)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    request->count = batch->item_count;
    if (!sampled(debug))
        return LEAT_OK;
    leat_strbuf_clear(&debug->text);
    leat_rc rc = debug__print(debug, batch, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (debug->text.failed || leat_chain_copy(&request->body, debug->text.at, (uint32_t)debug->text.len) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for the text");
    return LEAT_OK;
}
