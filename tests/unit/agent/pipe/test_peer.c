/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/batch.h"
#include "tests/kit/kit.h"
#include "tests/kit/toy_form.h"

/* Scenario:   addresses as streams write them, and what is none.
 * Guarantees: IPv4 is IPv4 mapped into IPv6, however it came; anything else is no address. */
LEAT_TEST(peer_is_an_address_or_nothing)
{
    static const struct {
        const char *text;
        uint8_t peer[LEAT_PEER_BYTES];
    } rows[] = {{"10.1.2.3:4567", {[10] = 255, 255, 10, 1, 2, 3}},
                {"[::ffff:10.1.2.3]:4567", {[10] = 255, 255, 10, 1, 2, 3}},
                {"[fe80::1%eth0]:1", {0xfe, 0x80, [15] = 1}},
                {"[::1]:80", {[15] = 1}}};
    static const char *const none[] = {NULL, "", ":", "unix", "[]:1", "[::1:80", "10.1.2:80", "10.1.2.3", "example:80", "::1:80",
        "0000000000000000000000000000000000000000000000000000000000000000000000000000000000:1"};
    uint8_t peer[LEAT_PEER_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        leat_peer_parse(rows[i].text, peer);
        EXPECT_BYTES(peer, rows[i].peer, sizeof peer);
        EXPECT(leat_peer_known(peer));
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        leat_peer_parse(none[i], peer);
        EXPECT(!leat_peer_known(peer));
    }
}

/* Scenario:   a batch is shared, and merged with one from the same place, then with one from another.
 * Guarantees: the address goes along as long as it is true of every item. */
LEAT_TEST(peer_stays_while_it_is_true)
{
    struct leat_batch *batch = toy_batch(&toy_form, 1, 3, 8);
    leat_peer_parse("10.0.0.7:1", batch->peer);
    struct leat_batch *twin = leat_batch_share(batch);
    EXPECT_BYTES(twin->peer, batch->peer, LEAT_PEER_BYTES);
    leat_peer_merge(batch->peer, twin->peer);
    EXPECT(leat_peer_known(batch->peer));
    leat_peer_parse("10.0.0.8:1", twin->peer);
    leat_peer_merge(batch->peer, twin->peer);
    EXPECT(!leat_peer_known(batch->peer));
    leat_peer_merge(batch->peer, twin->peer);
    EXPECT(!leat_peer_known(batch->peer));
    leat_batch_free(twin);
    leat_batch_free(batch);
}
