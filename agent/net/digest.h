/* SPDX-License-Identifier: Apache-2.0 */
/* digest -- MD5 for those who must agree with others on it (Prometheus' hashmod); nothing secret rests on it.
 *
 * Threads  any.
 * Fails    LEAT_ENOMEM; LEAT_EUNSUPPORTED where OpenSSL's configuration forbids MD5. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"

leat_rc leat_digest_md5(struct leat_slice text, uint8_t ret_digest[16]) LEAT_MUST_CHECK;
