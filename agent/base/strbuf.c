/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>

#include "agent/base/alloc.h"

static bool grow(struct leat_strbuf *buf, size_t more)
{
    if (buf->failed)
        return false;
    size_t want = buf->len + more + 1;
    if (want <= buf->room)
        return true;
    size_t room = buf->room ? buf->room : 128;
    while (room < want)
        room *= 2;
    char *at = leat_realloc(buf->at, room);
    if (!at) {
        buf->failed = true;
        return false;
    }
    buf->at = at;
    buf->room = room;
    return true;
}

void leat_strbuf_put(struct leat_strbuf *buf, const void *at, size_t len)
{
    if (!grow(buf, len))
        return;
    if (len)
        memcpy(buf->at + buf->len, at, len);
    buf->len += len;
    buf->at[buf->len] = 0;
}

void leat_strbuf_puts(struct leat_strbuf *buf, const char *text) { leat_strbuf_put(buf, text, strlen(text)); }
void leat_strbuf_putc(struct leat_strbuf *buf, char c) { leat_strbuf_put(buf, &c, 1); }

void leat_strbuf_printf(struct leat_strbuf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len >= 0 && grow(buf, (size_t)len)) {
        (void)vsnprintf(buf->at + buf->len, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

static void json_char(struct leat_strbuf *buf, unsigned char c)
{
    static const char short_of[] = {['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
                                    ['\b'] = 'b', ['\f'] = 'f'};
    if (c < sizeof short_of && short_of[c])
        leat_strbuf_printf(buf, "\\%c", short_of[c]);
    else if (c < 0x20 || c == 0x7f)
        leat_strbuf_printf(buf, "\\u%04x", c);
    else
        leat_strbuf_putc(buf, (char)c);
}

void leat_strbuf_json(struct leat_strbuf *buf, const void *at, size_t len)
{
    leat_strbuf_putc(buf, '"');
    for (size_t i = 0; i < len; i++)
        json_char(buf, ((const unsigned char *)at)[i]);
    leat_strbuf_putc(buf, '"');
}

void leat_strbuf_base64(struct leat_strbuf *buf, const void *at, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = at;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t word = (uint32_t)from[i] << 16 | (n > 1 ? (uint32_t)from[i + 1] << 8 : 0) | (n > 2 ? (uint32_t)from[i + 2] : 0);
        char four[4] = {digits[word >> 18], digits[word >> 12 & 63], n > 1 ? digits[word >> 6 & 63] : '=',
                        n > 2 ? digits[word & 63] : '='};
        leat_strbuf_put(buf, four, sizeof four);
    }
}

void leat_strbuf_clear(struct leat_strbuf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->at)
        buf->at[0] = 0;
}

void leat_strbuf_done(struct leat_strbuf *buf)
{
    leat_free(buf->at);
    *buf = (struct leat_strbuf){0};
}

char *leat_strbuf_steal(struct leat_strbuf *buf)
{
    char *at = NULL;
    if (!buf->failed && grow(buf, 0)) {
        buf->at[buf->len] = 0;
        at = buf->at;
        *buf = (struct leat_strbuf){0};
    } else {
        leat_strbuf_done(buf);
    }
    return at;
}
