/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sink/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *at)
{
    if (!at) {
        fputs("bench_sink: out of memory\n", stderr);
        exit(3);
    }
    return at;
}

void *bench_alloc(size_t size)
{
    return must(calloc(1, size));
}

void bench_bytes_reserve(struct bench_bytes *bytes, size_t more)
{
    if (bytes->room - bytes->len >= more)
        return;
    size_t room = bytes->room ? bytes->room : 4096;
    while (room - bytes->len < more)
        room *= 2;
    bytes->at = must(realloc(bytes->at, room));
    bytes->room = room;
}

void bench_bytes_add(struct bench_bytes *bytes, const void *at, size_t len)
{
    bench_bytes_reserve(bytes, len);
    if (len)
        memcpy(bytes->at + bytes->len, at, len);
    bytes->len += len;
}

void bench_bytes_printf(struct bench_bytes *bytes, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof text)
        abort(); /* every caller's text is bounded */
    bench_bytes_add(bytes, text, (size_t)len);
}

void bench_bytes_eat(struct bench_bytes *bytes, size_t len)
{
    bytes->len -= len;
    if (len && bytes->len)
        memmove(bytes->at, bytes->at + len, bytes->len);
}

void bench_bytes_done(struct bench_bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bench_bytes){0};
}
