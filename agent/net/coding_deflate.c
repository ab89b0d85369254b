/* SPDX-License-Identifier: Apache-2.0 */
/* gzip, zlib and raw deflate, by ISA-L. */
#include <isa-l.h>

#include "agent/base/alloc.h"
#include "agent/net/coding_inner.h"

static _Thread_local struct inflate_state *inflater;
static _Thread_local struct isal_zstream *deflater;
static _Thread_local uint8_t *level_buf;
static _Thread_local uint32_t level_buf_size;

void leat_coding__inflate_trim(void)
{
    leat_free(inflater);
    leat_free(deflater);
    leat_free(level_buf);
    inflater = NULL;
    deflater = NULL;
    level_buf = NULL;
    level_buf_size = 0;
}

/* ---- reading a chain by absolute position: ISA-L may give back bytes of an earlier slice ---- */

struct place {
    const struct leat_chain *chain;
    uint64_t at; /* of the next byte */
    uint32_t index;
    uint64_t base; /* where slice `index` begins */
};

static struct leat_slice rest_of_slice(struct place *place)
{
    while (place->at < place->base)
        place->base -= place->chain->vec[--place->index].len;
    while (place->index < place->chain->count && place->at >= place->base + place->chain->vec[place->index].len)
        place->base += place->chain->vec[place->index++].len;
    if (place->index == place->chain->count)
        return (struct leat_slice){0};
    struct leat_slice s = place->chain->vec[place->index];
    uint32_t skip = (uint32_t)(place->at - place->base);
    return leat_slice_sub(s, skip, s.len - skip);
}

/* ---- inflating ---- */

static uint32_t wrapper_of(enum leat_coding coding, const struct leat_chain *in)
{
    uint8_t head[2] = {0};
    if (coding != LEAT_CODING_DEFLATE)
        return coding == LEAT_CODING_GZIP ? ISAL_GZIP : ISAL_ZLIB;
    (void)leat_chain_put(in, head, 2); /* "deflate" means zlib, but some send it bare */
    bool is_zlib = (head[0] & 0x0f) == 8 && ((unsigned)head[0] << 8 | head[1]) % 31 == 0;
    return is_zlib ? ISAL_ZLIB : ISAL_DEFLATE;
}

static void begin_member(struct inflate_state *state, uint32_t wrapper)
{
    isal_inflate_init(state);
    state->crc_flag = wrapper;
}

static leat_rc inflate_some(struct inflate_state *state, struct place *place, struct leat_sink *sink)
{
    struct leat_slice in = rest_of_slice(place);
    uint8_t *to;
    uint32_t room;
    leat_rc rc = leat_sink__room(sink, &to, &room);
    if (rc != LEAT_OK)
        return rc;
    state->next_in = (uint8_t *)(uintptr_t)in.at;
    state->avail_in = in.len;
    state->next_out = to;
    state->avail_out = room;
    int answer = isal_inflate(state);
    uint32_t made = room - state->avail_out;
    place->at += (uint64_t)in.len - state->avail_in; /* wraps back rightly when bytes were given back */
    if (answer != ISAL_DECOMP_OK && answer != ISAL_END_INPUT && answer != ISAL_OUT_OVERFLOW)
        return LEAT_EPARSE;
    rc = leat_sink__took(sink, made);
    bool stuck = made == 0 && state->avail_in == in.len && state->block_state != ISAL_BLOCK_FINISH;
    return rc == LEAT_OK && stuck && in.len == 0 ? LEAT_EPARSE : rc;
}

/* Whole bytes left in the bit buffer at the end belong to what follows. */
static void give_back(struct inflate_state *state, struct place *place)
{
    if (state->read_in_length > 0)
        place->at -= (uint64_t)state->read_in_length / 8;
    state->read_in_length = 0;
}

leat_rc leat_coding__inflate(enum leat_coding coding, const struct leat_chain *in, struct leat_sink *sink)
{
    if (!inflater)
        inflater = leat_zalloc(1, sizeof *inflater);
    if (!inflater)
        return LEAT_ENOMEM;
    struct place place = {.chain = in};
    uint32_t wrapper = wrapper_of(coding, in);
    do {
        begin_member(inflater, wrapper);
        while (inflater->block_state != ISAL_BLOCK_FINISH) {
            leat_rc rc = inflate_some(inflater, &place, sink);
            if (rc != LEAT_OK)
                return rc;
        }
        give_back(inflater, &place);
    } while (coding == LEAT_CODING_GZIP && place.at < in->bytes);
    return place.at == in->bytes ? LEAT_OK : LEAT_EPARSE;
}

/* ---- deflating ---- */

static uint32_t isal_level(int level) /* zlib's 1 to 9 on ISA-L's 1 to 3 */
{
    return level <= 1 ? 1 : level <= 5 ? 2 : 3;
}

static leat_rc prepare(uint32_t level)
{
    static const uint32_t sizes[] = {ISAL_DEF_LVL0_DEFAULT, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                     ISAL_DEF_LVL3_DEFAULT};
    if (!deflater)
        deflater = leat_alloc(sizeof *deflater);
    if (deflater && level_buf_size < sizes[level]) {
        leat_free(level_buf);
        level_buf = leat_alloc(sizes[level]);
        level_buf_size = level_buf ? sizes[level] : 0;
    }
    return deflater && level_buf ? LEAT_OK : LEAT_ENOMEM;
}

static leat_rc deflate_slice(struct isal_zstream *stream, struct leat_slice in, bool last, struct leat_sink *sink)
{
    stream->next_in = (uint8_t *)(uintptr_t)in.at;
    stream->avail_in = in.len;
    stream->end_of_stream = last;
    do {
        uint8_t *to;
        uint32_t room;
        leat_rc rc = leat_sink__room(sink, &to, &room);
        if (rc != LEAT_OK)
            return rc;
        stream->next_out = to;
        stream->avail_out = room;
        if (isal_deflate(stream) != COMP_OK)
            return LEAT_EINVAL;
        rc = leat_sink__took(sink, room - stream->avail_out);
        if (rc != LEAT_OK)
            return rc;
    } while (stream->avail_in || (last && stream->internal_state.state != ZSTATE_END));
    return LEAT_OK;
}

leat_rc leat_coding__deflate(enum leat_coding coding, int level, const struct leat_chain *in, struct leat_sink *sink)
{
    uint32_t own_level = isal_level(level);
    leat_rc rc = prepare(own_level);
    if (rc != LEAT_OK)
        return rc;
    isal_deflate_init(deflater);
    deflater->gzip_flag = coding == LEAT_CODING_GZIP ? IGZIP_GZIP : IGZIP_ZLIB;
    deflater->level = own_level;
    deflater->level_buf = level_buf;
    deflater->level_buf_size = level_buf_size;
    for (uint32_t i = 0; i + 1 < in->count && rc == LEAT_OK; i++)
        rc = deflate_slice(deflater, in->vec[i], false, sink);
    struct leat_slice last = in->count ? in->vec[in->count - 1] : (struct leat_slice){0};
    return rc == LEAT_OK ? deflate_slice(deflater, last, true, sink) : rc;
}
