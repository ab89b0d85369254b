/* SPDX-License-Identifier: Apache-2.0 */
#include <emmintrin.h>

#include "proto/utf8/utf8.h"
#include "proto/utf8/utf8_vector.h"

const uint8_t *utf8__high_sse2(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 16; at += 16) {
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)at));
        if (mask)
            return at + __builtin_ctz(mask);
    }
    return utf8_high_scalar(at, end);
}

const uint8_t *(*utf8_high)(const uint8_t *at, const uint8_t *end) = utf8__high_sse2;

__attribute__((constructor)) static void choose(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2"))
        utf8_high = utf8__high_avx2;
}
