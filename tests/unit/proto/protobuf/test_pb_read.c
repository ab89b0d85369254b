/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/protobuf/pb_read.h"

#include "proto/protobuf/pb_write.h"
#include "tests/kit/kit.h"

/* Guarantees: each varint is read back from flat and from cut bytes; its size is told right. */
LEAT_TEST(varints_there_and_back_at_any_cut)
{
    for (unsigned bit = 0; bit <= 64; bit++)
        for (int less = 0; less < 2; less++) {
            uint64_t v = (bit < 64 ? (uint64_t)1 << bit : 0) - (uint64_t)less, got;
            uint8_t bytes[10];
            uint32_t len = (uint32_t)(pb_put_varint(bytes, v) - bytes);
            EXPECT_EQ(len, pb_varint_size(v));
            EXPECT(pb_varint(bytes, bytes + len, &got) == bytes + len && got == v);
            EXPECT(pb_varint(bytes, bytes + len - 1, &got) == NULL);
            for (uint32_t cut = 0; cut <= len; cut++) {
                struct leat_chain chain = kit_chain_cut(bytes, len, cut);
                struct pb_cursor c = pb_cursor_at_start(&chain);
                EXPECT(pb_cursor_varint(&c, len, &got) && got == v && pb_cursor_offset(&c) == len);
                EXPECT(!pb_cursor_varint(&c, len, &got));
                c = pb_cursor_at_start(&chain);
                EXPECT(!pb_cursor_varint(&c, len - 1, &got));
                leat_chain_done(&chain);
            }
        }
}

/* Guarantees: eleven bytes, or ten with more than 64 bits, are no varint. */
LEAT_TEST(varints_have_ten_bytes_at_most)
{
    static const char eleven[] = "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
                      big[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
    const char *const texts[] = {eleven, big};
    for (int i = 0; i < 2; i++) {
        uint32_t len = i ? 10 : 11;
        uint64_t v;
        EXPECT(pb_varint((const uint8_t *)texts[i], (const uint8_t *)texts[i] + len, &v) == NULL);
        for (uint32_t cut = 0; cut < len; cut++) {
            struct leat_chain chain = kit_chain_cut(texts[i], len, cut);
            struct pb_cursor c = pb_cursor_at_start(&chain);
            EXPECT(!pb_cursor_varint(&c, len, &v));
            leat_chain_done(&chain);
        }
    }
}

/* Guarantees: groups, number 0, numbers over 29 bits, truncated fields and lengths over the end are malformed. */
LEAT_TEST(malformed_fields_are_refused)
{
    static const struct {
        const char *bytes;
        uint32_t len;
    } bad[] = {{"\x0b", 1},
               {"\x0c", 1},
               {"\x0e\x00", 2},
               {"\x00\x01", 2},
               {"\x08", 1},
               {"\x09\x01\x02", 3},
               {"\x0d\x01", 2},
               {"\x0a\x05xxxx", 6},
               {"\x0a", 1},
               {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},
               {"\x80\x80\x80\x80\x10\x00", 6}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pb_flat in = pb_flat_of(bad[i].bytes, bad[i].len);
        struct pb_field f;
        EXPECT_EQ(pb_next(&in, &f), -1);
        for (uint32_t cut = 0; cut <= bad[i].len; cut++) {
            struct leat_chain chain = kit_chain_cut(bad[i].bytes, bad[i].len, cut);
            struct pb_cursor c = pb_cursor_at_start(&chain);
            uint32_t tag;
            EXPECT(!pb_cursor_tag(&c, bad[i].len, &tag) || !pb_cursor_skip_field(&c, bad[i].len, tag & 7));
            leat_chain_done(&chain);
        }
    }
}

/* Guarantees: each kind of field is read with its value, and what the cursor shares is what it passed. */
LEAT_TEST(fields_are_read_and_shared)
{
    struct pb_buf b = {0};
    pb_buf_varint(&b, PB_TAG(1, PB_VARINT), 300);
    pb_buf_fixed64(&b, PB_TAG(2, PB_FIXED64), UINT64_MAX - 1);
    pb_buf_fixed32(&b, PB_TAG(3, PB_FIXED32), 7);
    pb_buf_bytes(&b, PB_TAG(16, PB_LEN), "text", 4);
    struct pb_flat in = pb_flat_of(b.at, (uint32_t)b.len);
    struct pb_field f;
    EXPECT(pb_next(&in, &f) == 1 && f.number == 1 && f.value == 300);
    EXPECT(pb_next(&in, &f) == 1 && f.number == 2 && f.value == UINT64_MAX - 1);
    EXPECT(pb_next(&in, &f) == 1 && f.number == 3 && f.value == 7);
    EXPECT(pb_next(&in, &f) == 1 && f.number == 16 && f.len == 4 && memcmp(f.at, "text", 4) == 0);
    EXPECT_EQ(pb_next(&in, &f), 0);
    for (uint32_t from = 0; from < b.len; from++) {
        struct leat_chain chain = kit_chain(b.at, b.len, 3), part = {0},
                          wanted = kit_chain(b.at + from, b.len - from, 0);
        struct pb_cursor c = pb_cursor_at_start(&chain);
        pb_cursor_skip(&c, from);
        EXPECT_OK(pb_cursor_share(&c, b.len - from, &part));
        EXPECT(leat_chain_eq(&part, &wanted));
        leat_chain_done(&chain);
        leat_chain_done(&part);
        leat_chain_done(&wanted);
    }
    EXPECT_EQ(pb_zigzag(1), -1);
    EXPECT_EQ(pb_zigzag(UINT32_MAX - 1), INT32_MAX);
    pb_buf_done(&b);
}
