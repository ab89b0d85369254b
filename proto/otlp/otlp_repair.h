/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_repair -- a validated request with every broken string mended: what is not UTF-8 becomes U+FFFD.
 *
 * Why      a strict back end refuses a whole merged request for one broken string, and with it the neighbours.
 * Threads  on the shard that owns the payload.
 * Owns     the output is a payload of its own; the input stays the caller's. Rewritten once, counted as copied, the
 *          strings as leat_utf8_repaired_total.
 * Fails    LEAT_EPARSE when the payload was not validated, LEAT_ENOMEM; *ret_payload is then {0}. */
#pragma once
#include "agent/base/form.h"

leat_rc otlp_repair(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_payload,
                    struct leat_err *reterr) LEAT_MUST_CHECK;
