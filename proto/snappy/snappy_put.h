/* SPDX-License-Identifier: Apache-2.0 */
/* snappy_put -- one raw snappy block, written by one who knows which of its bytes repeat.
 *
 * Why      each entry of a push repeats the metadata of the one before. A matcher finds that out by hashing; here the
 *          caller says so and the copies are written at once. The rest goes through an ordinary hash matcher.
 * Threads  one shard's.
 * Owns     nothing: the plain bytes and the room are the caller's, and stay where they are from open to close.
 * Limits   blocks of less than 4 GiB; matches reach 64 KiB back, repeats as far as the block does.
 * Fails    never: snappy_put_bound() and snappy_put_need() say what room is enough for whatever is put.
 * Source   google/snappy format_description.txt: the length as a varint, then literals and copies
 *
 *   snappy_put_open(&put, plain, len, room);
 *   snappy_put_match(&put, n); snappy_put_repeat(&put, n, distance); ...   in the order of the plain bytes, to their
 * end block = snappy_put_close(&put);                                        from the room's begin
 *
 * With less room than snappy_put_bound(len): ask snappy_put_need() before each put and when the room is too short, take
 * what is written and go on elsewhere with snappy_put_turn().
 *
 * Measured against libsnappy 1.1.9 on container logs: see "snappy" in bench/RESULTS.md. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "agent/base/slice.h"

#define SNAPPY_PUT_TABLE 4096u

struct snappy_put {
    const uint8_t *plain;
    uint32_t len, at;                 /* of the plain bytes; how many of them were put */
    uint32_t literal;                 /* from here to `at` they are still to be written, as a literal */
    uint8_t *room, *to;               /* where the caller's room begins, where the next byte goes */
    uint32_t table[SNAPPY_PUT_TABLE]; /* where bytes with this hash were last seen */
};

size_t snappy_put_bound(uint32_t len);
void snappy_put_open(struct snappy_put *put, const uint8_t *plain, uint32_t len, uint8_t *room);
/* The next `len` plain bytes are whatever they are. */
void snappy_put_match(struct snappy_put *put, uint32_t len);
/* The next `len` plain bytes are those that begin `distance` before them: 1 <= distance <= bytes put so far. */
void snappy_put_repeat(struct snappy_put *put, uint32_t len, uint32_t distance);
/* The most that a put of `len` bytes and the turn or close behind it write from put->to on; in a new room this is
 * snappy_put_bound(len). */
size_t snappy_put_need(const struct snappy_put *put, uint32_t len);
/* All that was put since the last turn; the next goes into `room`. */
struct leat_slice snappy_put_turn(struct snappy_put *put, uint8_t *room);
struct leat_slice snappy_put_close(struct snappy_put *put); /* what was written into the last room */
