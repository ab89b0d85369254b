/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/nop/nop.h"

/* Reply -> verdict: the one place that knows what the peer's statuses mean. */
leat_rc nop_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)state;
    (void)reply;
    (void)reterr;
    return leat_verdict_delivered(out, 0);
}
