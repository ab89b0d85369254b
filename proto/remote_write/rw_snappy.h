/* SPDX-License-Identifier: Apache-2.0 */
/* rw_snappy -- plain bytes as one snappy block in pages of the shard. */
#pragma once
#include "proto/protobuf/pb_write.h"
#include "proto/snappy/snappy_put.h"

/* False: out of memory (what is in `out` is the caller's to free). `put` is scratch. */
bool rw_snappy(struct snappy_put *put, const struct pb_buf *plain, struct leat_chain *out) LEAT_MUST_CHECK;
