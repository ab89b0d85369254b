/* SPDX-License-Identifier: Apache-2.0 */
/* The input is a list of puts: a byte below 0x80 puts so many of the bytes that follow it, any other repeats what lies
 * some way back. libsnappy reads the block. */
#include <snappy-c.h>
#include <stdlib.h>

#include "agent/base/check.h"
#include "proto/snappy/snappy_put.h"

#define PLAIN_MAX (1u << 18)
#define PUTS_MAX 4096u

struct one {
    uint32_t len, distance; /* 0: a match */
};

static uint8_t plain[PLAIN_MAX];
static struct one list[PUTS_MAX];
static uint32_t plain_len, put_count;

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static const uint8_t *read_match(const uint8_t *at, const uint8_t *end)
{
    uint32_t n = *at++;
    if (n > (uint32_t)(end - at))
        n = (uint32_t)(end - at);
    memcpy(plain + plain_len, at, n);
    plain_len += n;
    list[put_count++] = (struct one){.len = n};
    return at + n;
}

static const uint8_t *read_repeat(const uint8_t *at)
{
    uint32_t n = (uint32_t)(at[0] & 0x7f) << (at[1] & 7), distance = 1 + ((uint32_t)at[2] << (at[1] >> 4));
    if (distance <= plain_len && plain_len + n <= PLAIN_MAX) {
        for (uint32_t i = 0; i < n; i++, plain_len++)
            plain[plain_len] = plain[plain_len - distance];
        list[put_count++] = (struct one){n, distance};
    }
    return at + 3;
}

static void read_puts(const uint8_t *at, const uint8_t *end)
{
    plain_len = put_count = 0;
    while (at < end && put_count < PUTS_MAX && plain_len + 0x80 <= PLAIN_MAX)
        if (*at < 0x80)
            at = read_match(at, end);
        else if (end - at >= 3)
            at = read_repeat(at);
        else
            break;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static struct snappy_put put;
    read_puts(at, at + len);
    size_t bound = snappy_put_bound(plain_len), back_len = PLAIN_MAX;
    uint8_t *room = malloc(bound), *exact = malloc(plain_len ? plain_len : 1); /* its end is guarded by a sanitizer */
    char *back = malloc(PLAIN_MAX);
    if (room && exact && back) {
        memcpy(exact, plain, plain_len);
        snappy_put_open(&put, exact, plain_len, room);
        for (uint32_t i = 0; i < put_count; i++)
            if (list[i].distance)
                snappy_put_repeat(&put, list[i].len, list[i].distance);
            else
                snappy_put_match(&put, list[i].len);
        struct leat_slice block = snappy_put_close(&put);
        LEAT_CHECK(block.at >= room && block.at + block.len <= room + bound);
        LEAT_CHECK(snappy_uncompress((const char *)block.at, block.len, back, &back_len) == SNAPPY_OK);
        LEAT_CHECK(back_len == plain_len && memcmp(back, plain, plain_len) == 0);
    }
    free(room);
    free(exact);
    free(back);
    return 0;
}
