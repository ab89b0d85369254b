/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/file/file.h"

/* A reply comes only when the bytes are in the file; failures are local errors and tried again by their code. */
leat_rc file_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)state;
    (void)reply;
    (void)reterr;
    return leat_verdict_delivered(out, 0);
}
