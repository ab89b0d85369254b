/* SPDX-License-Identifier: Apache-2.0 */
/* Snappy: the block format of remote write and Loki, and the framed one. */
#include <isa-l.h>
#include <snappy-c.h>

#include "agent/net/coding_inner.h"

#define FRAME_BYTES_MAX 65536u /* of data in one chunk */

enum { CHUNK_COMPRESSED = 0x00, CHUNK_PLAIN = 0x01, CHUNK_SKIP_FIRST = 0x80, CHUNK_STREAM = 0xff };
static const uint8_t stream_header[] = {CHUNK_STREAM, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};

/* A block whose size is known beforehand goes out in one piece. */
static leat_rc take_whole(struct leat_sink *sink, struct leat_mem *mem, size_t len)
{
    leat_rc rc = leat_chain_take(&sink->out, (struct leat_slice){mem->at, (uint32_t)len, mem});
    if (rc != LEAT_OK)
        leat_mem_unref(mem);
    return rc;
}

static leat_rc unsnappy_flat(struct leat_slice in, struct leat_sink *sink)
{
    size_t len;
    const char *from = (const char *)in.at;
    if (snappy_uncompressed_length(from, in.len, &len) != SNAPPY_OK)
        return LEAT_EPARSE;
    if (len > sink->bytes_max || len > UINT32_MAX)
        return LEAT_ELIMIT;
    if (len / 64 > in.len) /* no block grows 64-fold: a lie about the size costs no memory */
        return LEAT_EPARSE;
    struct leat_mem *mem = leat_mem_new((uint32_t)len);
    if (!mem)
        return LEAT_ENOMEM;
    if (snappy_uncompress(from, in.len, (char *)mem->at, &len) != SNAPPY_OK) {
        leat_mem_unref(mem);
        return LEAT_EPARSE;
    }
    return take_whole(sink, mem, len);
}

leat_rc leat_coding__unsnappy(const struct leat_chain *in, struct leat_sink *sink)
{
    struct leat_slice flat;
    leat_rc rc = leat_chain_flat(in, &flat);
    if (rc != LEAT_OK)
        return rc;
    rc = unsnappy_flat(flat, sink);
    leat_mem_unref(flat.mem);
    return rc;
}

leat_rc leat_coding__snappy(const struct leat_chain *in, struct leat_sink *sink)
{
    struct leat_slice flat;
    leat_rc rc = leat_chain_flat(in, &flat);
    if (rc != LEAT_OK)
        return rc;
    size_t len = snappy_max_compressed_length(flat.len);
    struct leat_mem *mem = len <= UINT32_MAX ? leat_mem_new((uint32_t)len) : NULL;
    if (mem && snappy_compress((const char *)flat.at, flat.len, (char *)mem->at, &len) == SNAPPY_OK)
        rc = take_whole(sink, mem, len);
    else
        rc = LEAT_ENOMEM;
    leat_mem_unref(flat.mem);
    return rc;
}

/* ---- framed ---- */

static uint32_t masked_crc(const uint8_t *at, size_t len)
{
    uint32_t crc = ~crc32_iscsi((unsigned char *)(uintptr_t)at, (int)len, 0xffffffffu);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static uint32_t read_le32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void write_le(uint8_t *to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static leat_rc take_data(const uint8_t *body, uint32_t len, bool compressed, uint8_t *scratch, struct leat_sink *sink)
{
    const uint8_t *data = body + 4;
    size_t bytes = len - 4;
    if (compressed) {
        if (snappy_uncompressed_length((const char *)data, len - 4, &bytes) != SNAPPY_OK || bytes > FRAME_BYTES_MAX ||
            snappy_uncompress((const char *)data, len - 4, (char *)scratch, &bytes) != SNAPPY_OK)
            return LEAT_EPARSE;
        data = scratch;
    }
    if (bytes > FRAME_BYTES_MAX || masked_crc(data, bytes) != read_le32(body))
        return LEAT_EPARSE;
    return leat_sink__put(sink, data, bytes);
}

static leat_rc take_chunk(uint8_t type, const uint8_t *body, uint32_t len, uint8_t *scratch, struct leat_sink *sink)
{
    if (type == CHUNK_STREAM)
        return len == 6 && memcmp(body, stream_header + 4, 6) == 0 ? LEAT_OK : LEAT_EPARSE;
    if (type >= CHUNK_SKIP_FIRST)
        return LEAT_OK;
    if (type > CHUNK_PLAIN || len < 4)
        return LEAT_EPARSE;
    return take_data(body, len, type == CHUNK_COMPRESSED, scratch, sink);
}

static leat_rc take_chunks(struct leat_slice in, uint8_t *scratch, struct leat_sink *sink)
{
    if (in.len < 4 || in.at[0] != CHUNK_STREAM)
        return LEAT_EPARSE;
    for (uint32_t at = 0; at < in.len;) {
        if (in.len - at < 4)
            return LEAT_EPARSE;
        uint32_t head = read_le32(in.at + at), len = head >> 8;
        if (len > in.len - at - 4)
            return LEAT_EPARSE;
        leat_rc rc = take_chunk((uint8_t)head, in.at + at + 4, len, scratch, sink);
        if (rc != LEAT_OK)
            return rc;
        at += 4 + len;
    }
    return LEAT_OK;
}

leat_rc leat_coding__unsnappy_framed(const struct leat_chain *in, struct leat_sink *sink)
{
    struct leat_slice flat;
    leat_rc rc = leat_chain_flat(in, &flat);
    if (rc != LEAT_OK)
        return rc;
    struct leat_mem *scratch = leat_mem_new(FRAME_BYTES_MAX);
    rc = scratch ? take_chunks(flat, scratch->at, sink) : LEAT_ENOMEM;
    leat_mem_unref(scratch);
    leat_mem_unref(flat.mem);
    return rc;
}

static leat_rc put_chunk(const uint8_t *data, uint32_t len, uint8_t *scratch, struct leat_sink *sink)
{
    size_t made = snappy_max_compressed_length(len);
    if (snappy_compress((const char *)data, len, (char *)scratch + 8, &made) != SNAPPY_OK)
        return LEAT_EINVAL;
    bool smaller = made < len;
    uint32_t body = 4 + (smaller ? (uint32_t)made : len);
    scratch[0] = smaller ? CHUNK_COMPRESSED : CHUNK_PLAIN;
    write_le(scratch + 1, body, 3);
    write_le(scratch + 4, masked_crc(data, len), 4);
    leat_rc rc = leat_sink__put(sink, scratch, smaller ? 8 + made : 8);
    return rc == LEAT_OK && !smaller ? leat_sink__put(sink, data, len) : rc;
}

leat_rc leat_coding__snappy_framed(const struct leat_chain *in, struct leat_sink *sink)
{
    struct leat_mem *scratch = leat_mem_new(8 + (uint32_t)snappy_max_compressed_length(FRAME_BYTES_MAX));
    if (!scratch)
        return LEAT_ENOMEM;
    leat_rc rc = leat_sink__put(sink, stream_header, sizeof stream_header);
    for (uint32_t i = 0; i < in->count; i++) {
        struct leat_slice s = in->vec[i];
        for (uint32_t done = 0, n; done < s.len && rc == LEAT_OK; done += n) {
            n = s.len - done < FRAME_BYTES_MAX ? s.len - done : FRAME_BYTES_MAX;
            rc = put_chunk(s.at + done, n, scratch->at, sink);
        }
    }
    leat_mem_unref(scratch);
    return rc;
}
