/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario:   bodies in each coding, whole and cut short.
 * Guarantees: what was coded comes back; anything less is refused, never counted as something. */
#include <isa-l.h>
#include <snappy-c.h>
#include <zstd.h>

#include "bench/sink/decode.h"
#include "tests/kit/kit.h"

static uint8_t plain[100000], coded[200000];

static void plain_fill(void)
{
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 7 % 251 + i / 999);
}

static size_t gzip(void)
{
    struct isal_zstream stream;
    isal_deflate_init(&stream);
    stream.gzip_flag = IGZIP_GZIP;
    stream.end_of_stream = 1;
    stream.next_in = plain;
    stream.avail_in = sizeof plain;
    stream.next_out = coded;
    stream.avail_out = sizeof coded;
    EXPECT_EQ(isal_deflate(&stream), COMP_OK);
    return stream.total_out;
}

static void both_ways(enum bench_coding coding, size_t len)
{
    struct bench_bytes out = {0};
    EXPECT(bench_decode(coding, coded, len, &out));
    EXPECT_EQ(out.len, sizeof plain);
    EXPECT_BYTES(out.at, plain, sizeof plain);
    EXPECT(!bench_decode(coding, coded, len / 2, &out));
    EXPECT(!bench_decode(coding, plain, 100, &out));
    bench_bytes_done(&out);
}

LEAT_TEST(decode_undoes_gzip)
{
    plain_fill();
    both_ways(BENCH_GZIP, gzip());
}

LEAT_TEST(decode_undoes_zstd)
{
    plain_fill();
    both_ways(BENCH_ZSTD, ZSTD_compress(coded, sizeof coded, plain, sizeof plain, 1));
}

LEAT_TEST(decode_undoes_snappy)
{
    size_t len = sizeof coded;
    plain_fill();
    EXPECT_EQ(snappy_compress((char *)plain, sizeof plain, (char *)coded, &len), SNAPPY_OK);
    both_ways(BENCH_SNAPPY, len);
}

LEAT_TEST(decode_knows_the_names)
{
    EXPECT_EQ(bench_coding_named("", 0), BENCH_PLAIN);
    EXPECT_EQ(bench_coding_named("GZIP", 4), BENCH_GZIP);
    EXPECT_EQ(bench_coding_named("br", 2), BENCH_CODING_UNKNOWN);
}
