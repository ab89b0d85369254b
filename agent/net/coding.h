/* SPDX-License-Identifier: Apache-2.0 */
/* coding -- content codings both ways: gzip, deflate, zlib, zstd, snappy (block and framed), lz4.
 *
 * Why      receivers undo them under a hard cap, exporters apply them; contexts are kept per shard and reset.
 * Threads  any shard; contexts are per thread (leat_coding_trim frees them).
 * Owns     inputs are borrowed; outputs are fresh pages.
 * Limits   bytes_max bounds what comes out, over all members, before it is produced; zstd windows up to 8 MiB; one level.
 * Fails    LEAT_ELIMIT over the cap, LEAT_EPARSE when corrupt or truncated, LEAT_ENOMEM; out is {0} then. Counted. */
#pragma once
#include "agent/net/http.h"

/* From a Content-Encoding value ("" and "identity" are none); false: unknown or more than one. */
bool leat_coding_parse(struct leat_slice name, enum leat_coding *ret_coding);
leat_rc leat_decode(enum leat_coding coding, const struct leat_chain *in, uint64_t bytes_max, struct leat_chain *ret_out,
                    struct leat_err *reterr) LEAT_MUST_CHECK;
/* level 0: the coding's default (gzip 1, zstd 1). */
leat_rc leat_encode(enum leat_coding coding, int level, const struct leat_chain *in, struct leat_chain *ret_out,
                    struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_coding_trim(void); /* frees this thread's contexts */
const char *leat_coding_library(void); /* "zstd 1.5.4" */
