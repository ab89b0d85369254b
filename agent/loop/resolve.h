/* SPDX-License-Identifier: Apache-2.0 */
/* resolve -- every address a name stands for, for callers that keep a connection to each of them.
 *
 * Threads  the loop's own (the look-up itself runs in a helper thread).
 * Owns     a look-up ends with `found`, once, later; a cancelled one tells nobody.
 * Limits   LEAT_RESOLVED_MAX addresses; more are left out.
 * Fails    `found` with count 0 and err. */
#pragma once
#include "agent/loop/loop.h"

#define LEAT_RESOLVED_MAX 64u

struct leat_resolve;

/* `addresses` are numeric, "10.1.2.3:4317" or "[::1]:4317", each once; a unix address comes back as it is. */
leat_rc leat_resolve_open(struct leat_loop *loop, const char *address,
                          void (*found)(void *ctx, const char *const *addresses, uint32_t count,
                                        const struct leat_err *err),
                          void *ctx, struct leat_resolve **ret_resolve, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_resolve_cancel(struct leat_resolve *resolve);
