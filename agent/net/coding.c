/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/coding.h"

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/net/coding_inner.h"

#define BLOCK_BYTES (LEAT_PAGE_BYTES - 4096u) /* becomes a page */
#define BLOCK_BYTES_MIN 1024u
#define GROWTH_GUESS 4u

/* ---- sink ---- */

static leat_rc next_block(struct leat_sink *sink)
{
    if (sink->mem) {
        leat_rc rc = leat_chain_take(&sink->out, (struct leat_slice){sink->mem->at, sink->used, sink->mem});
        if (rc != LEAT_OK)
            return rc;
        sink->mem = NULL;
    }
    sink->mem = leat_mem_new(sink->bytes ? BLOCK_BYTES : sink->first_bytes);
    sink->used = 0;
    return sink->mem ? LEAT_OK : LEAT_ENOMEM;
}

leat_rc leat_sink__room(struct leat_sink *sink, uint8_t **ret_at, uint32_t *ret_len)
{
    if (sink->bytes > sink->bytes_max)
        return LEAT_ELIMIT;
    if (!sink->mem || sink->used == sink->mem->size) {
        leat_rc rc = next_block(sink);
        if (rc != LEAT_OK)
            return rc;
    }
    uint64_t left = sink->bytes_max - sink->bytes + 1; /* one too many shows that there is more */
    uint32_t room = sink->mem->size - sink->used;
    *ret_at = sink->mem->at + sink->used;
    *ret_len = left < room ? (uint32_t)left : room;
    return LEAT_OK;
}

leat_rc leat_sink__took(struct leat_sink *sink, uint32_t bytes)
{
    sink->used += bytes;
    sink->bytes += bytes;
    return sink->bytes > sink->bytes_max ? LEAT_ELIMIT : LEAT_OK;
}

leat_rc leat_sink__put(struct leat_sink *sink, const void *at, uint64_t len)
{
    for (uint64_t done = 0; done < len;) {
        uint8_t *to;
        uint32_t room;
        leat_rc rc = leat_sink__room(sink, &to, &room);
        if (rc != LEAT_OK)
            return rc;
        uint32_t n = len - done < room ? (uint32_t)(len - done) : room;
        memcpy(to, (const uint8_t *)at + done, n);
        if ((rc = leat_sink__took(sink, n)) != LEAT_OK)
            return rc;
        done += n;
    }
    return LEAT_OK;
}

static uint32_t first_block(uint64_t guess)
{
    return guess < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : guess < BLOCK_BYTES ? (uint32_t)guess : BLOCK_BYTES;
}

static leat_rc finish(struct leat_sink *sink, leat_rc rc, struct leat_chain *ret_out)
{
    if (rc == LEAT_OK && sink->mem) {
        rc = leat_chain_take(&sink->out, (struct leat_slice){sink->mem->at, sink->used, sink->mem});
        if (rc == LEAT_OK)
            sink->mem = NULL;
    }
    leat_mem_unref(sink->mem);
    if (rc != LEAT_OK)
        leat_chain_done(&sink->out);
    *ret_out = sink->out;
    return rc;
}

/* ---- names ---- */

bool leat_coding_parse(struct leat_slice name, enum leat_coding *ret_coding)
{
    if (name.len == 0 || leat_slice_ieq(name, LEAT_SLICE("identity"))) {
        *ret_coding = LEAT_CODING_NONE;
        return true;
    }
    if (leat_slice_ieq(name, LEAT_SLICE("x-gzip"))) { /* RFC 9110, 8.4.1.3: the same */
        *ret_coding = LEAT_CODING_GZIP;
        return true;
    }
    for (int i = LEAT_CODING_NONE + 1; leat_coding_names[i]; i++)
        if (leat_slice_ieq(name, leat_slice_str(leat_coding_names[i]))) {
            *ret_coding = (enum leat_coding)i;
            return true;
        }
    return false;
}

/* ---- decoding ---- */

static leat_rc decode(enum leat_coding coding, const struct leat_chain *in, struct leat_sink *sink)
{
    switch (coding) {
    case LEAT_CODING_NONE:
        if (in->bytes > sink->bytes_max)
            return LEAT_ELIMIT;
        return leat_chain_share_all(&sink->out, in);
    case LEAT_CODING_GZIP:
    case LEAT_CODING_ZLIB:
    case LEAT_CODING_DEFLATE:
        return leat_coding__inflate(coding, in, sink);
    case LEAT_CODING_ZSTD:
        return leat_coding__unzstd(in, sink);
    case LEAT_CODING_LZ4:
        return leat_coding__unlz4(in, sink);
    case LEAT_CODING_SNAPPY:
        return leat_coding__unsnappy(in, sink);
    default:
        return leat_coding__unsnappy_framed(in, sink);
    }
}

leat_rc leat_decode(enum leat_coding coding, const struct leat_chain *in, uint64_t bytes_max,
                    struct leat_chain *ret_out, struct leat_err *reterr)
{
    struct leat_sink sink = {.bytes_max = bytes_max, .first_bytes = first_block(in->bytes * GROWTH_GUESS)};
    leat_rc rc = finish(&sink, decode(coding, in, &sink), ret_out);
    const char *name = leat_coding_names[coding];
    switch (rc) {
    case LEAT_OK:
        return LEAT_OK;
    case LEAT_ELIMIT:
        leat_count(LEAT_COUNT_CODING_BOMB, 1);
        return LEAT_RAISE(reterr, rc, 0, "%s: more than %llu bytes when decompressed", name,
                          (unsigned long long)bytes_max);
    case LEAT_EPARSE:
        leat_count(LEAT_COUNT_CODING_CORRUPT, 1);
        return LEAT_RAISE(reterr, rc, 0, "%s: corrupt or cut short", name);
    default:
        return LEAT_RAISE(reterr, rc, 0, "%s: %s", name, leat_rc_text(rc));
    }
}

/* ---- encoding ---- */

static leat_rc encode(enum leat_coding coding, int level, const struct leat_chain *in, struct leat_sink *sink)
{
    switch (coding) {
    case LEAT_CODING_NONE:
        return leat_chain_share_all(&sink->out, in);
    case LEAT_CODING_GZIP:
    case LEAT_CODING_ZLIB:
    case LEAT_CODING_DEFLATE:
        return leat_coding__deflate(coding, level, in, sink);
    case LEAT_CODING_ZSTD:
        return leat_coding__zstd(level, in, sink);
    case LEAT_CODING_LZ4:
        return leat_coding__lz4(level, in, sink);
    case LEAT_CODING_SNAPPY:
        return leat_coding__snappy(in, sink);
    default:
        return leat_coding__snappy_framed(in, sink);
    }
}

leat_rc leat_encode(enum leat_coding coding, int level, const struct leat_chain *in, struct leat_chain *ret_out,
                    struct leat_err *reterr)
{
    struct leat_sink sink = {.bytes_max = UINT64_MAX - 1, .first_bytes = first_block(in->bytes / GROWTH_GUESS)};
    leat_rc rc = finish(&sink, encode(coding, level, in, &sink), ret_out);
    return rc == LEAT_OK ? rc : LEAT_RAISE(reterr, rc, 0, "%s: %s", leat_coding_names[coding], leat_rc_text(rc));
}

void leat_coding_trim(void)
{
    leat_coding__inflate_trim();
    leat_coding__zstd_trim();
    leat_coding__lz4_trim();
}
