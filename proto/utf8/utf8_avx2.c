/* SPDX-License-Identifier: Apache-2.0 */
/* Built with -mavx2; called only where the CPU has it. */
#include <immintrin.h>

#include "proto/utf8/utf8_vector.h"

static __m256i load(const uint8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

const uint8_t *utf8__high_avx2(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 64; at += 64) {
        unsigned low = (unsigned)_mm256_movemask_epi8(load(at)), high = (unsigned)_mm256_movemask_epi8(load(at + 32));
        uint64_t mask = (uint64_t)high << 32 | low;
        if (mask)
            return at + __builtin_ctzll(mask);
    }
    return utf8__high_sse2(at, end);
}
