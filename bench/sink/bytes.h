/* SPDX-License-Identifier: Apache-2.0 */
/* bytes -- a growing run of bytes, the one buffer type of the sink.
 *
 * Why      the sink stands alone: it measures the agent and shares no code with it, not even its allocator.
 * Threads  one.
 * Owns     the memory; bench_bytes_done gives it back.
 * Limits   none of its own; the reader of requests bounds what it collects.
 * Fails    out of memory ends the program with a word: a sink that goes on half blind would spoil a measurement. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct bench_bytes {
    uint8_t *at;
    size_t len, room;
};

void bench_bytes_reserve(struct bench_bytes *bytes, size_t more); /* room for `more` after len */
void bench_bytes_add(struct bench_bytes *bytes, const void *at, size_t len);
void bench_bytes_printf(struct bench_bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bench_bytes_eat(struct bench_bytes *bytes, size_t len); /* from the front */
void bench_bytes_done(struct bench_bytes *bytes);
void *bench_alloc(size_t size); /* zeroed */
