/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/http1_body.h"

#define SIZE_DIGITS_MAX 15u

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LF, OVER };

void leat_http1__body_begin(struct leat_http1_body *body, enum leat_http1_mode mode, uint64_t length)
{
    *body = (struct leat_http1_body){.mode = mode, .left = mode == LEAT_BODY_LENGTH ? length : 0};
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct leat_slice bite(struct leat_slice *io_in, uint64_t len)
{
    uint32_t n = len < io_in->len ? (uint32_t)len : io_in->len;
    struct leat_slice piece = leat_slice_sub(*io_in, 0, n);
    *io_in = leat_slice_sub(*io_in, n, io_in->len - n);
    return piece;
}

static bool take_size_char(struct leat_http1_body *body, uint8_t c)
{
    int digit = hex_of(c);
    if (digit >= 0) {
        body->left = body->left * 16 + (uint64_t)digit;
        return ++body->digits <= SIZE_DIGITS_MAX;
    }
    body->state = c == ';' ? EXTENSION : SIZE_LF;
    return body->digits > 0 && (c == ';' || c == '\r');
}

static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool take_trailer_char(struct leat_http1_body *body, uint8_t c)
{
    if (c == '\r') {
        body->state = TRAILER_LF;
        return true;
    }
    body->line++;
    bool folded = body->line == 1 && (c == ' ' || c == '\t');
    return is_text(c) && !folded && ++body->extra <= LEAT_CHUNK_EXTRA_MAX;
}

static bool end_size_line(struct leat_http1_body *body, uint8_t c)
{
    body->digits = 0;
    body->line = 0;
    body->state = body->left ? DATA : TRAILER;
    return c == '\n';
}

static bool end_trailer_line(struct leat_http1_body *body, uint8_t c)
{
    body->state = body->line ? TRAILER : OVER;
    body->line = 0;
    return c == '\n';
}

/* One byte of what surrounds the data; false: malformed. */
static bool take_char(struct leat_http1_body *body, uint8_t c)
{
    switch (body->state) {
    case SIZE:
        return take_size_char(body, c);
    case EXTENSION:
        if (c == '\r')
            body->state = SIZE_LF;
        return c == '\r' || (is_text(c) && ++body->extra <= LEAT_CHUNK_EXTRA_MAX);
    case SIZE_LF:
        return end_size_line(body, c);
    case DATA_CR:
        body->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        body->state = SIZE;
        return c == '\n';
    case TRAILER:
        return take_trailer_char(body, c);
    default:
        return end_trailer_line(body, c);
    }
}

static enum leat_http1_step next_of_chunks(struct leat_http1_body *body, struct leat_slice *io_in,
                                           struct leat_slice *ret_piece)
{
    while (body->state != OVER) {
        if (io_in->len == 0)
            return LEAT_BODY_MORE;
        if (body->state == DATA) {
            *ret_piece = bite(io_in, body->left);
            body->left -= ret_piece->len;
            if (body->left == 0)
                body->state = DATA_CR;
            return LEAT_BODY_PIECE;
        }
        if (!take_char(body, bite(io_in, 1).at[0]))
            return LEAT_BODY_BAD;
    }
    return LEAT_BODY_END;
}

enum leat_http1_step leat_http1__body_next(struct leat_http1_body *body, struct leat_slice *io_in,
                                           struct leat_slice *ret_piece)
{
    if (body->mode == LEAT_BODY_CHUNKED)
        return next_of_chunks(body, io_in, ret_piece);
    bool ends = body->mode != LEAT_BODY_TO_END;
    if (ends && body->left == 0)
        return LEAT_BODY_END;
    if (io_in->len == 0)
        return LEAT_BODY_MORE;
    *ret_piece = bite(io_in, ends ? body->left : UINT64_MAX);
    if (ends)
        body->left -= ret_piece->len;
    return LEAT_BODY_PIECE;
}
