/* SPDX-License-Identifier: Apache-2.0 */
#define ZSTD_STATIC_LINKING_ONLY /* contexts from our own allocator */
#include <stdio.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "agent/base/alloc.h"
#include "agent/net/coding_inner.h"

#define WINDOW_LOG_MAX 23 /* 8 MiB: what RFC 8878, 3.1.1.1.2, tells decoders to take, and no more */
#define LEVEL_DEFAULT 1

static _Thread_local ZSTD_DCtx *decoder;
static _Thread_local ZSTD_CCtx *encoder;

static void *get(void *ctx, size_t size)
{
    (void)ctx;
    return leat_alloc(size);
}

static void put_back(void *ctx, void *at)
{
    (void)ctx;
    leat_free(at);
}

static const ZSTD_customMem own_memory = {.customAlloc = get, .customFree = put_back};

void leat_coding__zstd_trim(void)
{
    (void)ZSTD_freeDCtx(decoder);
    (void)ZSTD_freeCCtx(encoder);
    decoder = NULL;
    encoder = NULL;
}

static leat_rc code_of(size_t answer)
{
    if (!ZSTD_isError(answer))
        return LEAT_OK;
    return ZSTD_getErrorCode(answer) == ZSTD_error_memory_allocation ? LEAT_ENOMEM : LEAT_EPARSE;
}

/* ---- decoding ---- */

/* *io_left: 0 when a frame ended with what was read. */
static leat_rc unzstd_slice(struct leat_slice slice, size_t *io_left, struct leat_sink *sink)
{
    ZSTD_inBuffer in = {.src = slice.at, .size = slice.len};
    for (;;) {
        uint8_t *to;
        uint32_t room;
        leat_rc rc = leat_sink__room(sink, &to, &room);
        if (rc != LEAT_OK)
            return rc;
        ZSTD_outBuffer out = {.dst = to, .size = room};
        *io_left = ZSTD_decompressStream(decoder, &out, &in);
        rc = code_of(*io_left);
        if (rc == LEAT_OK)
            rc = leat_sink__took(sink, (uint32_t)out.pos);
        if (rc != LEAT_OK)
            return rc;
        if (in.pos == in.size && out.pos < out.size)
            return LEAT_OK; /* room was left: nothing more is waiting inside */
        if (in.pos == in.size && *io_left == 0)
            return LEAT_OK;
    }
}

leat_rc leat_coding__unzstd(const struct leat_chain *in, struct leat_sink *sink)
{
    if (!decoder)
        decoder = ZSTD_createDCtx_advanced(own_memory);
    if (!decoder)
        return LEAT_ENOMEM;
    (void)ZSTD_DCtx_reset(decoder, ZSTD_reset_session_only);
    (void)ZSTD_DCtx_setParameter(decoder, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    size_t left = 1; /* nothing at all is cut short, too */
    for (uint32_t i = 0; i < in->count; i++) {
        leat_rc rc = unzstd_slice(in->vec[i], &left, sink);
        if (rc != LEAT_OK)
            return rc;
    }
    return left == 0 ? LEAT_OK : LEAT_EPARSE;
}

/* ---- encoding ---- */

static leat_rc zstd_slice(struct leat_slice slice, bool last, struct leat_sink *sink)
{
    ZSTD_inBuffer in = {.src = slice.at, .size = slice.len};
    for (size_t left = 1; last ? left != 0 : in.pos < in.size;) {
        uint8_t *to;
        uint32_t room;
        leat_rc rc = leat_sink__room(sink, &to, &room);
        if (rc != LEAT_OK)
            return rc;
        ZSTD_outBuffer out = {.dst = to, .size = room};
        left = ZSTD_compressStream2(encoder, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        rc = code_of(left);
        if (rc == LEAT_OK)
            rc = leat_sink__took(sink, (uint32_t)out.pos);
        if (rc != LEAT_OK)
            return rc;
    }
    return LEAT_OK;
}

leat_rc leat_coding__zstd(int level, const struct leat_chain *in, struct leat_sink *sink)
{
    if (!encoder)
        encoder = ZSTD_createCCtx_advanced(own_memory);
    if (!encoder)
        return LEAT_ENOMEM;
    (void)ZSTD_CCtx_reset(encoder, ZSTD_reset_session_and_parameters);
    (void)ZSTD_CCtx_setParameter(encoder, ZSTD_c_compressionLevel, level ? level : LEVEL_DEFAULT);
    (void)ZSTD_CCtx_setPledgedSrcSize(encoder, in->bytes);
    for (uint32_t i = 0; i + 1 < in->count; i++) {
        leat_rc rc = zstd_slice(in->vec[i], false, sink);
        if (rc != LEAT_OK)
            return rc;
    }
    return zstd_slice(in->count ? in->vec[in->count - 1] : (struct leat_slice){0}, true, sink);
}

const char *leat_coding_library(void)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "zstd %s", ZSTD_versionString());
    return text;
}
