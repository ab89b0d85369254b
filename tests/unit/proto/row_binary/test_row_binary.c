/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/row_binary/row_binary.h"
#include "tests/kit/kit.h"

static void expect(struct row_binary *rows, const void *bytes, size_t len)
{
    struct leat_chain out = {0};
    struct leat_slice flat;
    EXPECT(!rows->failed);
    EXPECT_OK(row_binary_take(rows, &out));
    EXPECT_EQ(out.bytes, len);
    EXPECT_OK(leat_chain_flat(&out, &flat));
    EXPECT_BYTES(flat.at, bytes, len);
    leat_mem_unref(flat.mem);
    leat_chain_done(&out);
}

/* Guarantees: each value has the bytes that ClickHouse's format says, whatever the machine's own order is. */
LEAT_TEST(row_binary_writes_each_value)
{
    struct row_binary rows = {0};
    row_binary_row(&rows);
    row_binary_u8(&rows, 0xfe);
    row_binary_u32(&rows, 0x01020304);
    row_binary_u64(&rows, 0x0102030405060708ull);
    row_binary_f64(&rows, 1.5);
    row_binary_count(&rows, 300);
    row_binary_string(&rows, LEAT_SLICE("ab"));
    row_binary_string(&rows, (struct leat_slice){0});
    row_binary_hex(&rows, LEAT_SLICE("\x01\xab"));
    row_binary_hex(&rows, leat_slice_of("\0\0\0", 3));
    row_binary_hex(&rows, (struct leat_slice){0});
    row_binary_raw(&rows, "xy", 2);
    static const char bytes[] = "\xfe\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01\0\0\0\0\0\0\xf8\x3f\xac\x02\x02"
                                "ab\0\x04"
                                "01ab\0\0xy";
    expect(&rows, bytes, sizeof bytes - 1);
}

LEAT_TEST(row_binary_writes_decimals)
{
    struct row_binary rows = {0};
    static const int64_t values[] = {0, 7, -10, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 5; i++)
        row_binary_decimal(&rows, values[i]);
    static const char bytes[] = "\x01"
                                "0\x01"
                                "7\x03-10\x13"
                                "9223372036854775807\x14-9223372036854775808";
    expect(&rows, bytes, sizeof bytes - 1);
}

/* Guarantees: a time that its type cannot hold is the type's last one, never another time. */
LEAT_TEST(row_binary_times_stop_at_the_types_end)
{
    struct row_binary rows = {0};
    row_binary_time(&rows, 1700000000123456789ull, false);
    row_binary_time(&rows, 1700000000123456789ull, true);
    row_binary_time(&rows, UINT64_MAX, false);
    row_binary_time(&rows, UINT64_MAX, true);
    static const uint8_t bytes[] = {0x15, 0xcd, 0x85, 0x3d, 0xfe, 0x9c, 0x97, 0x17, 0x00, 0xf1, 0x53, 0x65,
                                    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff};
    expect(&rows, bytes, sizeof bytes);
}

#define ROWS 3000u
#define LONG_BYTES 400000u /* of one value: more than a block */

static leat_rc fill(struct row_binary *rows, const char *text)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        row_binary_row(rows);
        row_binary_u32(rows, i);
        row_binary_string(rows, leat_slice_of(text, i == 1000 ? LONG_BYTES : i % 200));
    }
    return rows->failed ? LEAT_ENOMEM : LEAT_OK;
}

static void check_filled(struct leat_slice flat, const char *text)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t len = i == 1000 ? LONG_BYTES : i % 200;
        uint64_t read;
        EXPECT_EQ(pb_load32(flat.at + at), i);
        const uint8_t *value = pb_varint(flat.at + at + 4, flat.at + flat.len, &read);
        EXPECT_EQ(read, len);
        EXPECT_BYTES(value, text, len);
        at = (uint32_t)(value - flat.at) + len;
    }
    EXPECT_EQ(at, flat.len);
}

/* Scenario:   three thousand rows, one of them larger than a block, with any allocation failing.
 * Guarantees: no byte is lost where blocks end; blocks go back; the second batch begins anew. */
LEAT_TEST_OOM(row_binary_goes_over_blocks)
{
    char *text = leat_alloc(LONG_BYTES);
    struct row_binary rows = {0};
    struct leat_chain out = {0};
    struct leat_slice flat = {0};
    if (!text)
        return LEAT_ENOMEM;
    memset(text, 'x', LONG_BYTES);
    leat_rc rc = LEAT_OK;
    for (int round = 0; rc == LEAT_OK && round < 2; round++) {
        rc = fill(&rows, text);
        uint64_t bytes = row_binary_bytes(&rows);
        if (rc == LEAT_OK)
            rc = row_binary_take(&rows, &out);
        if (rc == LEAT_OK) {
            EXPECT_EQ(out.bytes, bytes);
            EXPECT_EQ(row_binary_bytes(&rows), 0);
            rc = leat_chain_flat(&out, &flat);
        }
        if (rc == LEAT_OK)
            check_filled(flat, text);
        leat_mem_unref(flat.mem);
        flat = (struct leat_slice){0};
        leat_chain_done(&out);
    }
    row_binary_done(&rows);
    leat_free(text);
    return rc;
}

/* Guarantees: what is kept grows, is read as one piece, and keeps its room when emptied. */
LEAT_TEST_OOM(row_binary_keeps_a_beginning)
{
    struct row_binary kept = {.kept = true};
    for (int round = 0; round < 2 && !kept.failed; round++) {
        row_binary_clear(&kept);
        for (uint32_t i = 0; i < 2000; i++)
            row_binary_u32(&kept, i);
        struct leat_slice all = row_binary_open_bytes(&kept);
        if (!kept.failed) {
            EXPECT_EQ(all.len, 8000);
            EXPECT_EQ(pb_load32(all.at + 4 * 1999), 1999);
        }
    }
    leat_rc rc = kept.failed ? LEAT_ENOMEM : LEAT_OK;
    row_binary_done(&kept);
    return rc;
}

/* Guarantees: in a column of Native a count is the sum so far, also where what is kept is written over and over. */
LEAT_TEST(row_binary_sums_offsets)
{
    struct row_binary column = {.column = true, .offsets = true}, kept = {.kept = true, .offsets = true};
    row_binary_count(&column, 2);
    row_binary_count(&column, 0);
    row_binary_count(&kept, 300);
    row_binary_repeat(&column, &kept, 2);
    row_binary_count(&column, 1);
    static const char bytes[] = "\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\x2e\1\0\0\0\0\0\0\x5a\2\0\0\0\0\0\0\x5b\2\0\0\0\0\0";
    expect(&column, bytes, sizeof bytes);
    row_binary_count(&column, 1);
    EXPECT_EQ(column.total, 1); /* anew after it was taken */
    row_binary_clear(&kept);
    EXPECT_EQ(kept.total, 0);
    row_binary_done(&column);
    row_binary_done(&kept);
}

/* Scenario:   values of no bytes, few and more than a block, each written many times into a column that begins small.
 * Guarantees: each is there as often as asked for, whole; without memory that is told. */
LEAT_TEST_OOM(row_binary_repeats)
{
    static const uint32_t lens[] = {0, 1, 7, 16384, 200000}, times[] = {5, 100000, 3, 20, 2};
    struct row_binary column = {.column = true}, kept = {.kept = true};
    struct leat_chain out = {0};
    struct leat_slice flat = {0};
    char *text = leat_alloc(200000);
    if (!text)
        return LEAT_ENOMEM;
    for (uint32_t i = 0; i < 200000; i++)
        text[i] = (char)(i % 251);
    leat_rc rc = LEAT_OK;
    for (int i = 0; rc == LEAT_OK && i < 5; i++) {
        row_binary_clear(&kept);
        row_binary_raw(&kept, text, lens[i]);
        row_binary_repeat(&column, &kept, times[i]);
        rc = kept.failed ? LEAT_ENOMEM : row_binary_take(&column, &out);
        if (rc == LEAT_OK)
            rc = leat_chain_flat(&out, &flat);
        if (rc != LEAT_OK)
            break;
        EXPECT_EQ(flat.len, lens[i] * times[i]);
        for (uint32_t k = 0; lens[i] && k < times[i]; k++)
            EXPECT_EQ(memcmp(flat.at + (size_t)k * lens[i], text, lens[i]), 0);
        leat_mem_unref(flat.mem);
        flat = (struct leat_slice){0};
        leat_chain_done(&out);
    }
    leat_chain_done(&out);
    row_binary_done(&column);
    row_binary_done(&kept);
    leat_free(text);
    return rc;
}

/* Scenario:   thirty columns that a run of rows fills with ten kilobytes each.
 * Guarantees: they share pages: no column takes one for itself before it needs it. */
LEAT_TEST(row_binary_columns_share_pages)
{
    struct row_binary columns[30] = {0}, kept = {.kept = true};
    row_binary_string(&kept, LEAT_SLICE("shop"));
    for (int i = 0; i < 30; i++) {
        columns[i].column = true;
        row_binary_repeat(&columns[i], &kept, 2000);
        EXPECT_EQ(row_binary_bytes(&columns[i]), 10000);
    }
    EXPECT(leat_pool_blocks_out(leat_pool_here()) <= 6);
    for (int i = 0; i < 30; i++)
        row_binary_done(&columns[i]);
    row_binary_done(&kept);
}
