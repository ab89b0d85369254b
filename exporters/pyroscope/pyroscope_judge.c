/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a Connect server: the status says the code, the body (JSON) says why. A request is one profile, so that what is
 * refused is refused alone. */
#include "exporters/pyroscope/pyroscope.h"

#define TEXT(reply) (int)((reply)->body.len < 128 ? (reply)->body.len : 128), (const char *)(reply)->body.at

leat_rc pyroscope_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)state;
    (void)reterr;
    switch (reply->status) {
    case 401: /* unauthenticated: no tenant, no credentials */
    case 403:
    case 404: /* no such service: the address is not Pyroscope's */
    case 501:
        return leat_verdict_hold(out, "status %d: %.*s", reply->status, TEXT(reply));
    case 413:
        return leat_verdict_split(out, "status %d: %.*s", reply->status, TEXT(reply));
    case 408:
    case 409: /* aborted */
    case 429: /* resource_exhausted: over the tenant's rate */
    case 499: /* canceled, by a server that stops */
        (void)leat_verdict_retry(out, "status %d: %.*s", reply->status, TEXT(reply));
        out->slow_down = true;
        return LEAT_OK;
    default:
        break;
    }
    if (reply->status / 100 == 2)
        return leat_verdict_delivered(out, 0);
    if (reply->status / 100 == 3)
        return leat_verdict_hold(out, "status %d: the address has moved", reply->status);
    if (reply->status / 100 == 5) {
        (void)leat_verdict_retry(out, "status %d: %.*s", reply->status, TEXT(reply));
        out->slow_down = true;
        return LEAT_OK;
    }
    return leat_verdict_drop(out, false, "status %d: %.*s", reply->status, TEXT(reply));
}
