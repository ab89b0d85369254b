/* SPDX-License-Identifier: Apache-2.0 */
#include <emmintrin.h>

#include "proto/json/json_scan.h"

const char *json__special(const char *at, const char *end)
{
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), last = _mm_set1_epi8(0x1f);
    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi8(_mm_min_epu8(v, last), v)); /* v <= 0x1f */
        unsigned mask = (unsigned)_mm_movemask_epi8(bad);
        if (mask)
            return at + __builtin_ctz(mask);
    }
    return json__special_scalar(at, end);
}
