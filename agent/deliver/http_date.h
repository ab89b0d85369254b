/* SPDX-License-Identifier: Apache-2.0 */
/* http_date -- Retry-After in its two forms; private to agent/deliver.
 * Source: RFC 9110, sections 5.6.7 and 10.2.3. */
#pragma once
#include "agent/base/slice.h"

/* "120" or "Sun, 06 Nov 1994 08:49:37 GMT"; a moment in the past is a wait of 0; at most a day. */
bool leat_deliver__retry_after(struct leat_slice text, uint64_t unix_ns, uint64_t *ret_wait_ns);
