/* SPDX-License-Identifier: Apache-2.0 */
/* coding_inner -- where codecs put their output, and the codecs themselves; private to agent/net.
 *
 * Limits   a sink takes bytes_max bytes and refuses the next one, so that no bomb is blown up beyond a byte. */
#pragma once
#include "agent/base/err.h"
#include "agent/net/coding.h"

struct leat_sink {
    struct leat_chain out;
    struct leat_mem *mem; /* the block being filled */
    uint32_t used;
    uint64_t bytes_max, bytes; /* bytes: in all */
    uint32_t first_bytes;      /* size of the first block, from what the input promises */
};
/* Somewhere to write, at least one byte; LEAT_ELIMIT when bytes_max + 1 were written already. */
leat_rc leat_sink__room(struct leat_sink *sink, uint8_t **ret_at, uint32_t *ret_len) LEAT_MUST_CHECK;
leat_rc leat_sink__took(struct leat_sink *sink, uint32_t bytes) LEAT_MUST_CHECK; /* LEAT_ELIMIT: one too many */
leat_rc leat_sink__put(struct leat_sink *sink, const void *at, uint64_t len) LEAT_MUST_CHECK;

/* Decoders answer LEAT_EPARSE for corrupt and truncated input alike. */
leat_rc leat_coding__inflate(enum leat_coding coding, const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__deflate(enum leat_coding coding, int level, const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__unzstd(const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__zstd(int level, const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__unlz4(const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__lz4(int level, const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__unsnappy(const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__snappy(const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__unsnappy_framed(const struct leat_chain *in, struct leat_sink *sink);
leat_rc leat_coding__snappy_framed(const struct leat_chain *in, struct leat_sink *sink);
void leat_coding__inflate_trim(void);
void leat_coding__zstd_trim(void);
void leat_coding__lz4_trim(void);
