/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sink/tally.h"

#include <stdbool.h>
#include <string.h>

#define SEQ_END (UINT64_C(1) << 31)

static bool number(const uint8_t *at, size_t len, uint64_t *ret)
{
    const uint8_t *found = at ? memmem(at, len, "seq=", 4) : NULL;
    if (!found)
        return false;
    const uint8_t *end = at + len, *digit = found + 4;
    uint64_t value = 0;
    for (; digit < end && *digit >= '0' && *digit <= '9' && value < SEQ_END; digit++)
        value = value * 10 + (uint64_t)(*digit - '0');
    *ret = value;
    return digit > found + 4 && value < SEQ_END;
}

static bool seen(const struct bench_tally *tally, uint64_t seq)
{
    return seq / 8 < tally->map.len && (tally->map.at[seq / 8] >> (seq % 8) & 1);
}

static void grow(struct bench_tally *tally, uint64_t seq)
{
    size_t len = (size_t)(seq / 8 + 1), more = len > tally->map.len ? len - tally->map.len : 0;
    if (!more)
        return;
    bench_bytes_reserve(&tally->map, more);
    memset(tally->map.at + tally->map.len, 0, more);
    tally->map.len = len;
}

void bench_tally_line(void *context, const uint8_t *at, size_t len)
{
    struct bench_tally *tally = context;
    uint64_t seq;
    if (!number(at, len, &seq)) {
        tally->unnumbered++;
        return;
    }
    grow(tally, seq);
    if (seen(tally, seq)) {
        tally->repeated++;
        return;
    }
    tally->map.at[seq / 8] = (uint8_t)(tally->map.at[seq / 8] | 1u << (seq % 8));
    tally->distinct++;
    if ((int64_t)seq > tally->seq_max)
        tally->seq_max = (int64_t)seq;
}

void bench_tally_missing(const struct bench_tally *tally, uint64_t end, unsigned ranges_max, struct bench_bytes *out)
{
    uint64_t at = 0;
    for (unsigned ranges = 0; ranges < ranges_max;) {
        while (at < end && seen(tally, at))
            at++;
        if (at >= end)
            return;
        uint64_t first = at;
        while (at < end && !seen(tally, at))
            at++;
        bench_bytes_printf(out, "%s%llu", ranges++ ? "," : "", (unsigned long long)first);
        if (at - first > 1)
            bench_bytes_printf(out, "-%llu", (unsigned long long)(at - 1));
    }
}

void bench_tally_reset(struct bench_tally *tally)
{
    bench_bytes_done(&tally->map);
    *tally = (struct bench_tally){.seq_max = -1};
}
