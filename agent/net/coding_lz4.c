/* SPDX-License-Identifier: Apache-2.0 */
#include <lz4frame.h>

#include "agent/base/alloc.h"
#include "agent/net/coding_inner.h"

#define PIECE_BYTES 65536u

static _Thread_local LZ4F_dctx *decoder;
static _Thread_local LZ4F_cctx *encoder;

void leat_coding__lz4_trim(void)
{
    (void)LZ4F_freeDecompressionContext(decoder);
    (void)LZ4F_freeCompressionContext(encoder);
    decoder = NULL;
    encoder = NULL;
}

/* ---- decoding ---- */

static leat_rc unlz4_slice(struct leat_slice slice, size_t *io_left, struct leat_sink *sink)
{
    for (uint32_t done = 0;;) {
        uint8_t *to;
        uint32_t room;
        leat_rc rc = leat_sink__room(sink, &to, &room);
        if (rc != LEAT_OK)
            return rc;
        size_t made = room, read = slice.len - done;
        *io_left = LZ4F_decompress(decoder, to, &made, slice.at + done, &read, NULL);
        if (LZ4F_isError(*io_left))
            return LEAT_EPARSE;
        rc = leat_sink__took(sink, (uint32_t)made);
        if (rc != LEAT_OK)
            return rc;
        done += (uint32_t)read;
        if (done == slice.len && (made < room || *io_left == 0)) /* else more is waiting inside */
            return LEAT_OK;
    }
}

leat_rc leat_coding__unlz4(const struct leat_chain *in, struct leat_sink *sink)
{
    if (!decoder && LZ4F_isError(LZ4F_createDecompressionContext(&decoder, LZ4F_VERSION)))
        return LEAT_ENOMEM;
    LZ4F_resetDecompressionContext(decoder);
    size_t left = 1;
    for (uint32_t i = 0; i < in->count; i++) {
        leat_rc rc = unlz4_slice(in->vec[i], &left, sink);
        if (rc != LEAT_OK)
            return rc;
    }
    return left == 0 ? LEAT_OK : LEAT_EPARSE;
}

/* ---- encoding ---- */

static leat_rc put_made(struct leat_sink *sink, const uint8_t *at, size_t made)
{
    return LZ4F_isError(made) ? LEAT_ENOMEM : leat_sink__put(sink, at, made);
}

static leat_rc lz4_slice(struct leat_slice slice, uint8_t *scratch, size_t room, struct leat_sink *sink)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t done = 0, n; done < slice.len && rc == LEAT_OK; done += n) {
        n = slice.len - done < PIECE_BYTES ? slice.len - done : PIECE_BYTES;
        rc = put_made(sink, scratch, LZ4F_compressUpdate(encoder, scratch, room, slice.at + done, n, NULL));
    }
    return rc;
}

leat_rc leat_coding__lz4(int level, const struct leat_chain *in, struct leat_sink *sink)
{
    LZ4F_preferences_t how = {.frameInfo = {.blockSizeID = LZ4F_max64KB, .contentSize = in->bytes},
                              .compressionLevel = level};
    size_t room = LZ4F_compressBound(PIECE_BYTES, &how) + LZ4F_HEADER_SIZE_MAX;
    if (!encoder && LZ4F_isError(LZ4F_createCompressionContext(&encoder, LZ4F_VERSION)))
        return LEAT_ENOMEM;
    struct leat_mem *scratch = leat_mem_new((uint32_t)room);
    if (!scratch)
        return LEAT_ENOMEM;
    leat_rc rc = put_made(sink, scratch->at, LZ4F_compressBegin(encoder, scratch->at, room, &how));
    for (uint32_t i = 0; i < in->count && rc == LEAT_OK; i++)
        rc = lz4_slice(in->vec[i], scratch->at, room, sink);
    if (rc == LEAT_OK)
        rc = put_made(sink, scratch->at, LZ4F_compressEnd(encoder, scratch->at, room, NULL));
    leat_mem_unref(scratch);
    return rc;
}
