/* SPDX-License-Identifier: Apache-2.0 */
/* http1_body -- cuts a message's body out of the bytes of a connection; private to agent/net.
 *
 * Why      pure: bytes in, pieces of the body out, as slices of the same bytes; server, client and fuzzers share it.
 * Limits   chunk sizes below 2^60, extensions and trailers together LEAT_CHUNK_EXTRA_MAX bytes a message.
 * Fails    LEAT_BODY_BAD; nothing after it can be trusted. */
#pragma once
#include "agent/base/slice.h"

#define LEAT_CHUNK_EXTRA_MAX 8192u

enum leat_http1_mode { LEAT_BODY_NONE, LEAT_BODY_LENGTH, LEAT_BODY_CHUNKED, LEAT_BODY_TO_END };

struct leat_http1_body {
    enum leat_http1_mode mode;
    uint64_t left; /* of the length, or of the chunk */
    int state;     /* of the chunk parser */
    uint32_t digits, extra, line; /* of the size; of extensions and trailers; of the trailer line */
};
enum leat_http1_step { LEAT_BODY_MORE, LEAT_BODY_PIECE, LEAT_BODY_END, LEAT_BODY_BAD };

void leat_http1__body_begin(struct leat_http1_body *body, enum leat_http1_mode mode, uint64_t length);
/* Eats from the front of *io_in (borrowed); PIECE: *ret_piece is part of it. MORE only when *io_in is empty. */
enum leat_http1_step leat_http1__body_next(struct leat_http1_body *body, struct leat_slice *io_in,
                                           struct leat_slice *ret_piece);
