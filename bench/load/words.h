/* SPDX-License-Identifier: Apache-2.0 */
/* words -- seeded text as services write it: words, numbers, ids and durations, so that it compresses as logs do. */
#pragma once
#include <stdint.h>
#include <stdio.h>

static inline uint64_t bench_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline const char *bench_word(uint64_t *state)
{
    static const char *const words[] = {
        "request",   "served",  "order",   "user",      "session",   "cache",    "miss",     "hit",       "upstream",
        "timeout",   "retry",   "queued",  "committed", "payment",   "invoice",  "checkout", "cart",      "lookup",
        "shard",     "replica", "leader",  "elected",   "token",     "expired",  "renewed",  "accepted",  "refused",
        "compacted", "flushed", "segment", "offset",    "partition", "consumer", "lag",      "rebalance", "handler",
        "finished",  "started", "warning", "slow",      "query",     "planner",  "index",    "scan",      "rows",
        "returned",  "bytes",   "written", "closed",    "peer"};
    return words[bench_random(state) % (sizeof words / sizeof words[0])];
}

/* One message of about `size` bytes (never more than size), answers its length. */
static inline size_t bench_message(uint64_t *state, char *at, size_t size)
{
    size_t len = 0;
    while (len + 40 < size) {
        uint64_t kind = bench_random(state) % 8, value = bench_random(state);
        int got;
        if (kind < 5)
            got = snprintf(at + len, size - len, "%s ", bench_word(state));
        else if (kind == 5)
            got = snprintf(at + len, size - len, "%s=%llu ", bench_word(state), (unsigned long long)(value % 100000));
        else if (kind == 6)
            got = snprintf(at + len, size - len, "dur=%llu.%llums ", (unsigned long long)(value % 900),
                           (unsigned long long)(value >> 32) % 1000);
        else
            got = snprintf(at + len, size - len, "id=%012llx ", (unsigned long long)(value & UINT64_C(0xffffffffffff)));
        len += (size_t)got;
    }
    return len;
}
