/* SPDX-License-Identifier: Apache-2.0 */
/* judge -- takes one request body, counts it, says what to answer.
 *
 * Why      HTTP/1.1 and gRPC differ in frames, not in what is counted and not in the faults they are told to make.
 * Threads  one.
 * Owns     the counts, and one buffer for decoded bodies.
 * Limits   those of decode.h and tally.h.
 * Fails    a body that does not decode is answered 400 and counted as broken. */
#pragma once
#include <stdbool.h>

#include "bench/sink/decode.h"
#include "bench/sink/tally.h"
#include "bench/sink/walk.h"

struct bench_judge_options {
    bool verify;           /* look at every line's number */
    uint64_t status_every; /* every n-th request is answered `status` (0: none) ... */
    int status;            /* ... an HTTP status, or up to 16 a gRPC one, and is not counted as accepted */
    uint64_t delay_ms;     /* every answer waits this long */
};

struct bench_judge {
    struct bench_judge_options options;
    uint64_t requests, refused, broken,
        json; /* all; answered a fault; undecodable; JSON, whose items are not counted */
    uint64_t bytes, bytes_decoded, items, connections;
    struct bench_tally tally;
    struct bench_bytes decoded;
};

struct bench_request {
    enum bench_form form;
    enum bench_coding coding;
    bool json;
    const uint8_t *at;
    size_t len;
};

int bench_judge_take(struct bench_judge *judge, const struct bench_request *request); /* HTTP status */
void bench_judge_stats(const struct bench_judge *judge, struct bench_bytes *out);     /* JSON */
void bench_judge_reset(struct bench_judge *judge);
