/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sink/decode.h"

#include <isa-l.h>
#include <snappy-c.h>
#include <string.h>
#include <zstd.h>

#define DECODED_MAX ((size_t)64 << 20)

enum bench_coding bench_coding_named(const char *at, size_t len)
{
    static const char *const names[] = {[BENCH_PLAIN] = "identity", "gzip", "zstd", "snappy"};
    for (enum bench_coding coding = BENCH_PLAIN; coding < BENCH_CODING_UNKNOWN; coding++)
        if (strlen(names[coding]) == len && strncasecmp(names[coding], at, len) == 0)
            return coding;
    return len ? BENCH_CODING_UNKNOWN : BENCH_PLAIN;
}

static bool gunzip(const uint8_t *at, size_t len, struct bench_bytes *out)
{
    static struct inflate_state state;
    isal_inflate_init(&state);
    state.crc_flag = ISAL_GZIP;
    state.next_in = (uint8_t *)(uintptr_t)at;
    state.avail_in = (uint32_t)len;
    while (state.block_state != ISAL_BLOCK_FINISH && out->len < DECODED_MAX) {
        bench_bytes_reserve(out, len * 4 + 4096);
        size_t room = out->room - out->len;
        state.next_out = out->at + out->len;
        state.avail_out = (uint32_t)room;
        if (isal_inflate(&state) != ISAL_DECOMP_OK)
            return false;
        size_t made = room - state.avail_out;
        out->len += made;
        if (made == 0 && state.avail_in == 0 && state.block_state != ISAL_BLOCK_FINISH)
            return false; /* cut short */
    }
    return state.block_state == ISAL_BLOCK_FINISH;
}

static bool unzstd(const uint8_t *at, size_t len, struct bench_bytes *out)
{
    static ZSTD_DCtx *context;
    if (!context && !(context = ZSTD_createDCtx()))
        return false;
    ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
    ZSTD_inBuffer in = {at, len, 0};
    for (size_t left = 1; left && out->len < DECODED_MAX;) {
        bench_bytes_reserve(out, len * 4 + 4096);
        ZSTD_outBuffer to = {out->at + out->len, out->room - out->len, 0};
        left = ZSTD_decompressStream(context, &to, &in);
        if (ZSTD_isError(left))
            return false;
        out->len += to.pos;
        if (left == 0 && in.pos == in.size)
            return true;
        if (left && to.pos == 0 && in.pos == in.size)
            return false; /* cut short */
    }
    return false;
}

static bool unsnappy(const uint8_t *at, size_t len, struct bench_bytes *out)
{
    size_t size;
    if (snappy_uncompressed_length((const char *)at, len, &size) != SNAPPY_OK || size > DECODED_MAX)
        return false;
    bench_bytes_reserve(out, size);
    if (snappy_uncompress((const char *)at, len, (char *)out->at, &size) != SNAPPY_OK)
        return false;
    out->len = size;
    return true;
}

bool bench_decode(enum bench_coding coding, const uint8_t *at, size_t len, struct bench_bytes *out)
{
    out->len = 0;
    switch (coding) {
    case BENCH_PLAIN:
        bench_bytes_add(out, at, len);
        return true;
    case BENCH_GZIP:
        return gunzip(at, len, out);
    case BENCH_ZSTD:
        return unzstd(at, len, out);
    case BENCH_SNAPPY:
        return unsnappy(at, len, out);
    case BENCH_CODING_UNKNOWN:
        break;
    }
    return false;
}
