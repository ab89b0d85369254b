/* SPDX-License-Identifier: Apache-2.0 */
#include <zlib.h>

#include "agent/base/counter.h"
#include "agent/net/coding.h"
#include "tests/kit/kit.h"

static const enum leat_coding all[] = {
    LEAT_CODING_GZIP, LEAT_CODING_ZSTD,    LEAT_CODING_SNAPPY, LEAT_CODING_SNAPPY_FRAMED,
    LEAT_CODING_ZLIB, LEAT_CODING_DEFLATE, LEAT_CODING_LZ4};
#define ALL_COUNT (sizeof all / sizeof *all)

static char text[300000]; /* words and noise, so that both literals and copies occur */

static void fill_text(void)
{
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof text; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = i % 7 < 4 ? "leat"[i % 4] : (char)('a' + (seed >> 24) % 26);
    }
}

/* Guarantees: what was encoded decodes to the same bytes, however both sides are cut into slices. */
LEAT_TEST(coding_round_trips_at_any_cut)
{
    static const size_t sizes[] = {0, 1, 10, 1000, 70000, sizeof text}, pieces[] = {0, 1, 999, 65536};
    fill_text();
    for (size_t c = 0; c < ALL_COUNT; c++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
                if (pieces[p] == 1 && sizes[s] > 1000)
                    continue;
                struct leat_chain plain = kit_chain(text, sizes[s], pieces[p]), packed, again;
                EXPECT_OK(leat_encode(all[c], 0, &plain, &packed, NULL));
                char *flat = leat_alloc(packed.bytes + 1);
                uint64_t len = leat_chain_put(&packed, flat, packed.bytes);
                struct leat_chain cut = kit_chain(flat, len, pieces[p]);
                EXPECT_OK(leat_decode(all[c], &cut, sizes[s], &again, NULL));
                EXPECT(leat_chain_eq(&plain, &again));
                leat_free(flat);
                leat_chain_done(&plain);
                leat_chain_done(&packed);
                leat_chain_done(&cut);
                leat_chain_done(&again);
            }
    leat_coding_trim();
}

/* Scenario:   bodies whose last byte is the last one of the block that decoders write into.
 * Guarantees: a full block at the very end is no sign that something is missing. */
LEAT_TEST(coding_ends_with_a_full_block)
{
    uint32_t block = LEAT_PAGE_BYTES - (uint32_t)sizeof(struct leat_mem);
    uint32_t seed = 3;
    for (uint32_t i = 0; i < block; i++) /* noise: the first block is of full size */
        text[i] = (char)((seed = seed * 1664525u + 1013904223u) >> 24);
    struct leat_chain plain = kit_chain(text, block, 0), packed, again;
    for (size_t c = 0; c < ALL_COUNT; c++) {
        EXPECT_OK(leat_encode(all[c], 0, &plain, &packed, NULL));
        EXPECT_OK(leat_decode(all[c], &packed, sizeof text, &again, NULL));
        EXPECT(leat_chain_eq(&plain, &again));
        leat_chain_done(&packed);
        leat_chain_done(&again);
    }
    leat_chain_done(&plain);
    leat_coding_trim();
}

/* Scenario:   a body that grows one byte over the cap.
 * Guarantees: LEAT_ELIMIT, counted, nothing kept. */
LEAT_TEST(coding_stops_at_the_cap)
{
    fill_text();
    struct leat_chain plain = kit_chain(text, sizeof text, 0), packed, out;
    for (size_t c = 0; c < ALL_COUNT; c++) {
        uint64_t before = leat_counters[LEAT_COUNT_CODING_BOMB];
        EXPECT_OK(leat_encode(all[c], 0, &plain, &packed, NULL));
        EXPECT_RC(leat_decode(all[c], &packed, sizeof text - 1, &out, NULL), LEAT_ELIMIT);
        EXPECT_EQ(out.count, 0);
        EXPECT_EQ(leat_counters[LEAT_COUNT_CODING_BOMB], before + 1);
        leat_chain_done(&packed);
    }
    leat_chain_done(&plain);
    leat_coding_trim();
}

/* Scenario:   a good body, the same cut short at each of many places, the good one again.
 * Guarantees: a cut is LEAT_EPARSE, and a context never carries anything into the next body. */
LEAT_TEST(coding_contexts_never_mix)
{
    fill_text();
    struct leat_chain plain = kit_chain(text, 5000, 0);
    for (size_t c = 0; c < ALL_COUNT; c++) {
        struct leat_chain packed, out;
        EXPECT_OK(leat_encode(all[c], 0, &plain, &packed, NULL));
        for (uint64_t len = 0; len < packed.bytes; len += 1 + packed.bytes / 97) {
            struct leat_chain part = {0};
            EXPECT_OK(leat_chain_share_range(&part, &packed, 0, len));
            leat_rc rc = leat_decode(all[c], &part, 1000000, &out, NULL);
            if (all[c] == LEAT_CODING_SNAPPY_FRAMED && rc == LEAT_OK) /* it may end between chunks */
                leat_chain_done(&out);
            else
                EXPECT_EQ(rc, LEAT_EPARSE);
            leat_chain_done(&part);
            EXPECT_OK(leat_decode(all[c], &packed, 1000000, &out, NULL));
            EXPECT(leat_chain_eq(&plain, &out));
            leat_chain_done(&out);
        }
        leat_chain_done(&packed);
    }
    leat_chain_done(&plain);
    leat_coding_trim();
}

/* Scenario:   two gzip members by zlib, one after the other, cut at each byte.
 * Guarantees: both come out; garbage after them is refused. */
LEAT_TEST(coding_reads_gzip_members_of_zlib)
{
    uint8_t packed[400];
    uint32_t len = 0;
    for (int i = 0; i < 2; i++) {
        z_stream z = {0};
        EXPECT_EQ(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (Bytef *)(uintptr_t) "leat carries water to the mill";
        z.avail_in = 30;
        z.next_out = packed + len;
        z.avail_out = (uInt)(sizeof packed - len);
        EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
        len = (uint32_t)sizeof packed - z.avail_out;
        (void)deflateEnd(&z);
    }
    for (uint32_t cut = 0; cut <= len; cut++) {
        struct leat_chain in = kit_chain_cut(packed, len, cut), out;
        EXPECT_OK(leat_decode(LEAT_CODING_GZIP, &in, 1000, &out, NULL));
        EXPECT_EQ(out.bytes, 60);
        leat_chain_done(&in);
        leat_chain_done(&out);
    }
    packed[len] = 'x';
    struct leat_chain in = kit_chain(packed, len + 1, 0), out;
    EXPECT_RC(leat_decode(LEAT_CODING_GZIP, &in, 1000, &out, NULL), LEAT_EPARSE);
    leat_chain_done(&in);
    leat_coding_trim();
}

/* Guarantees: zlib reads what we compress, at every level. */
LEAT_TEST(coding_gzip_is_read_by_zlib)
{
    static uint8_t packed[sizeof text + 1000], plain[sizeof text];
    fill_text();
    struct leat_chain in = kit_chain(text, sizeof text, 10000), out;
    for (int level = -1; level <= 9; level++) {
        EXPECT_OK(leat_encode(LEAT_CODING_GZIP, level, &in, &out, NULL));
        z_stream z = {.next_in = packed, .next_out = plain, .avail_out = sizeof plain};
        z.avail_in = (uInt)leat_chain_put(&out, packed, sizeof packed);
        EXPECT_EQ(inflateInit2(&z, 15 + 16), Z_OK);
        EXPECT_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
        EXPECT_EQ(z.total_out, sizeof text);
        EXPECT_BYTES(plain, text, sizeof text);
        (void)inflateEnd(&z);
        leat_chain_done(&out);
    }
    leat_chain_done(&in);
    leat_coding_trim();
}

/* Guarantees: known names only, and only one coding. */
LEAT_TEST(coding_names)
{
    enum leat_coding coding;
    EXPECT(leat_coding_parse(LEAT_SLICE("GZip"), &coding) && coding == LEAT_CODING_GZIP);
    EXPECT(leat_coding_parse(LEAT_SLICE(""), &coding) && coding == LEAT_CODING_NONE);
    EXPECT(leat_coding_parse(LEAT_SLICE("identity"), &coding) && coding == LEAT_CODING_NONE);
    EXPECT(leat_coding_parse(LEAT_SLICE("x-snappy-framed"), &coding) && coding == LEAT_CODING_SNAPPY_FRAMED);
    EXPECT(!leat_coding_parse(LEAT_SLICE("gzip, gzip"), &coding));
    EXPECT(!leat_coding_parse(LEAT_SLICE("br"), &coding));
    EXPECT(!leat_coding_parse(LEAT_SLICE("none"), &coding));
}

/* Scenario:   every codec both ways while allocations fail one by one. */
LEAT_TEST_OOM(coding_survives_any_failed_allocation)
{
    leat_rc rc = LEAT_OK;
    for (size_t c = 0; c < ALL_COUNT && rc == LEAT_OK; c++) {
        struct leat_chain plain = {0}, packed = {0}, out = {0};
        rc = leat_chain_copy(&plain, "leat leat leat leat leat leat", 29);
        if (rc == LEAT_OK)
            rc = leat_encode(all[c], 0, &plain, &packed, NULL);
        if (rc == LEAT_OK)
            rc = leat_decode(all[c], &packed, 1000, &out, NULL);
        if (rc == LEAT_OK)
            EXPECT(leat_chain_eq(&plain, &out));
        leat_chain_done(&plain);
        leat_chain_done(&packed);
        leat_chain_done(&out);
    }
    leat_coding_trim();
    return rc;
}
