/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/snappy/snappy_put.h"

#include <snappy-c.h>

#include "tests/kit/kit.h"

#define PLAIN_MAX (400u * 1024u)

static uint8_t plain[PLAIN_MAX], room[PLAIN_MAX + PLAIN_MAX / 32 + 128], back[PLAIN_MAX];
static struct snappy_put put;
static uint32_t plain_len;

static void put_text(const char *text)
{
    memcpy(plain + plain_len, text, strlen(text));
    plain_len += (uint32_t)strlen(text);
}

static uint32_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* The block reads back as what was put, by another's reader, and kept within its bound. Answers its length. */
static uint32_t close_and_read(void)
{
    struct leat_slice block = snappy_put_close(&put);
    size_t len = sizeof back;
    EXPECT(block.at >= room && block.at + block.len <= room + snappy_put_bound(plain_len));
    EXPECT_EQ(snappy_validate_compressed_buffer((const char *)block.at, block.len), SNAPPY_OK);
    EXPECT_EQ(snappy_uncompress((const char *)block.at, block.len, (char *)back, &len), SNAPPY_OK);
    EXPECT_EQ(len, plain_len);
    EXPECT_BYTES(back, plain, plain_len ? plain_len : 1);
    return block.len;
}

static uint32_t match_all(void)
{
    snappy_put_open(&put, plain, plain_len, room);
    snappy_put_match(&put, plain_len);
    return close_and_read();
}

/* Guarantees: blocks of every small length read back, those that repeat and those that do not. */
LEAT_TEST(snappy_put_writes_every_small_length)
{
    uint64_t seed = 1;
    for (unsigned period = 1; period <= 300; period += period < 20 ? 1 : 40)
        for (plain_len = 0; plain_len <= 300; plain_len++) {
            for (uint32_t i = 0; i < plain_len; i++)
                plain[i] = i < period ? (uint8_t)next(&seed) : plain[i - period];
            (void)match_all();
        }
}

/* Guarantees: literals of each length of head, and noise stays within the bound. */
LEAT_TEST(snappy_put_writes_noise)
{
    static const uint32_t lens[] = {59, 60, 61, 255, 256, 257, 258, 65535, 65536, 65537, 70000, PLAIN_MAX};
    uint64_t seed = 2;
    for (uint32_t i = 0; i < PLAIN_MAX; i++)
        plain[i] = (uint8_t)(next(&seed) >> 11);
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        plain_len = lens[i];
        EXPECT(match_all() >= plain_len);
    }
}

/* Guarantees: a matcher that works: text shrinks to less than half, one long run to nearly nothing. */
LEAT_TEST(snappy_put_shrinks_text)
{
    static const char *const words[] = {"planner ", "upstream ", "payment ", "index ", "queued ", "segment "};
    uint64_t seed = 3;
    for (plain_len = 0; plain_len < 100000;)
        put_text(words[next(&seed) % 6]);
    EXPECT(match_all() < plain_len / 2);
    memset(plain, 'x', plain_len);
    EXPECT(match_all() < plain_len / 16);
}

/* Guarantees: a word seen within the reach of a copy is found, further away it is not mistaken for near. */
LEAT_TEST(snappy_put_keeps_to_its_reach)
{
    static const char word[] = "a-word-of-some-length";
    uint64_t seed = 4;
    for (uint32_t gap = 65490; gap < 65560; gap++) {
        for (uint32_t i = 0; i < gap + 100; i++)
            plain[i] = (uint8_t)(next(&seed) >> 9);
        memcpy(plain + 1, word, sizeof word);
        memcpy(plain + 1 + gap, word, sizeof word);
        plain_len = gap + 100;
        (void)match_all();
    }
}

struct entry {
    uint32_t fresh, repeated;
};

/* Lines with fresh parts of random length, and a block that is each time that of `back_by` entries before. */
static uint32_t entries_of(struct entry *list, uint32_t count, uint32_t block, uint64_t *seed)
{
    plain_len = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t fresh = i == 0 ? block + 1 : next(seed) % 200;
        if (plain_len + fresh + block > PLAIN_MAX)
            return i;
        for (uint32_t k = 0; k < fresh; k++)
            plain[plain_len++] = (uint8_t)('a' + next(seed) % 20);
        list[i] = (struct entry){fresh, i ? block : 0};
        for (uint32_t k = 0; i && k < block; k++, plain_len++)
            plain[plain_len] = plain[plain_len - list[i].fresh - block];
    }
    return count;
}

/* Scenario:   entries that each end with the block of the one before, of lengths around those of copies.
 * Guarantees: they read back, and a block costs three bytes for each 64 of it. */
LEAT_TEST(snappy_put_repeats_what_it_is_told_to)
{
    static struct entry list[1000];
    uint64_t seed = 5;
    for (uint32_t block = 1; block < 400; block += block < 140 ? 1 : 37) {
        uint32_t count = entries_of(list, 200, block, &seed), fresh = 0;
        snappy_put_open(&put, plain, plain_len, room);
        for (uint32_t i = 0; i < count; i++) {
            snappy_put_match(&put, list[i].fresh);
            if (list[i].repeated)
                snappy_put_repeat(&put, block, list[i].fresh + block);
            fresh += list[i].fresh;
        }
        uint32_t len = close_and_read();
        if (block >= 12)
            EXPECT(len <= fresh + fresh / 60 + count * (3 * ((block + 63) / 64) + 2) + 16);
    }
}

/* Guarantees: repeats from further back than 64 KiB and repeats that overlap themselves read back. */
LEAT_TEST(snappy_put_repeats_from_far_and_from_near)
{
    uint64_t seed = 6;
    for (uint32_t distance = 65530; distance < 300000; distance += distance < 65540 ? 1 : 77777)
        for (uint32_t len = 1; len < 300; len += len < 70 ? 1 : 50) {
            for (plain_len = 0; plain_len < distance; plain_len++)
                plain[plain_len] = (uint8_t)next(&seed);
            memcpy(plain + distance, plain, len);
            plain_len = distance + len;
            snappy_put_open(&put, plain, plain_len, room);
            snappy_put_match(&put, distance);
            snappy_put_repeat(&put, len, distance);
            (void)close_and_read();
        }
    for (uint32_t distance = 1; distance < 20; distance++) {
        for (plain_len = 0; plain_len < 1000; plain_len++)
            plain[plain_len] = plain_len < distance ? (uint8_t)next(&seed) : plain[plain_len - distance];
        snappy_put_open(&put, plain, plain_len, room);
        snappy_put_match(&put, distance);
        snappy_put_repeat(&put, plain_len - distance, distance);
        EXPECT(close_and_read() < 90);
    }
}

/* Puts entries into rooms of `room_len` bytes, one behind the other in `room`. */
static uint32_t put_in_pieces(const struct entry *list, uint32_t count, uint32_t block, size_t room_len)
{
    static uint8_t piece[2048];
    uint8_t *end = room;
    struct leat_slice written;
    snappy_put_open(&put, plain, plain_len, piece);
    for (uint32_t i = 0; i < count; i++) {
        if ((size_t)(piece + room_len - put.to) < snappy_put_need(&put, list[i].fresh + list[i].repeated)) {
            written = snappy_put_turn(&put, piece);
            memcpy(end, written.at, written.len);
            end += written.len;
            memset(piece, 0xee, sizeof piece);
        }
        snappy_put_match(&put, list[i].fresh);
        if (list[i].repeated)
            snappy_put_repeat(&put, block, list[i].fresh + block);
        EXPECT(snappy_put_need(&put, 0) <= (size_t)(piece + room_len - put.to));
    }
    written = snappy_put_close(&put);
    EXPECT(written.len <= room_len);
    memcpy(end, written.at, written.len);
    return (uint32_t)(end + written.len - room);
}

/* Guarantees: a block written into many small rooms reads back, and needs no more room than it says. */
LEAT_TEST(snappy_put_goes_on_in_another_room)
{
    static struct entry list[1000];
    uint64_t seed = 8;
    for (uint32_t block = 1; block < 300; block += 23) {
        uint32_t count = entries_of(list, 200, block, &seed);
        for (size_t room_len = 700; room_len <= 2000; room_len += 100) {
            uint32_t whole = put_in_pieces(list, count, block, room_len);
            size_t len = sizeof back;
            EXPECT_EQ(snappy_uncompress((const char *)room, whole, (char *)back, &len), SNAPPY_OK);
            EXPECT_EQ(len, plain_len);
            EXPECT_BYTES(back, plain, plain_len);
        }
    }
}
