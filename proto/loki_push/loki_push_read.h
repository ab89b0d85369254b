/* SPDX-License-Identifier: Apache-2.0 */
/* loki_push_read -- a PushRequest read in place: entry by entry, with the labels of its stream.
 *
 * Why      tests and scripted peers look at what was sent.
 * Threads  pure functions over borrowed, flat bytes.
 * Fails    LEAT_EPARSE from `each` or a malformed message; `each` answers LEAT_OK to go on. */
#pragma once
#include "agent/base/slice.h"

struct loki_push_entry {
    struct leat_slice labels, line;
    uint64_t unix_ns;
    struct leat_slice message; /* its structured metadata: loki_push_metadata_get */
};
leat_rc loki_push_read(struct leat_slice request, leat_rc (*each)(void *ctx, const struct loki_push_entry *entry),
                       void *ctx) LEAT_MUST_CHECK;
/* at == NULL: none by that name. */
struct leat_slice loki_push_metadata_get(const struct loki_push_entry *entry, const char *name);
