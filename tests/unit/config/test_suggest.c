/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"
#include "tests/kit/kit.h"

/* Scenario:   words that differ by an insert, a delete, a change, a swap.
 * Guarantees: each counts one. */
LEAT_TEST(suggest_counts_edits)
{
    EXPECT_EQ(leat_suggest_distance("grpc", "grpc"), 0);
    EXPECT_EQ(leat_suggest_distance("grp", "grpc"), 1);
    EXPECT_EQ(leat_suggest_distance("grpcs", "grpc"), 1);
    EXPECT_EQ(leat_suggest_distance("grxc", "grpc"), 1);
    EXPECT_EQ(leat_suggest_distance("grcp", "grpc"), 1);
    EXPECT_EQ(leat_suggest_distance("", "abc"), 3);
    EXPECT_EQ(leat_suggest_distance("kitten", "sitting"), 3);
}

/* Scenario:   a typo, a word far from all, a word too long to compare.
 * Guarantees: the nearest known word, or none. */
LEAT_TEST(suggest_offers_only_what_is_near)
{
    struct leat_suggest near = leat_suggest_for("endpiont");
    leat_suggest_offer(&near, "headers");
    leat_suggest_offer(&near, "endpoints");
    leat_suggest_offer(&near, "endpoint");
    EXPECT_STR(near.best, "endpoint");
    near = leat_suggest_for("foo");
    leat_suggest_offer(&near, "endpoint");
    EXPECT(near.best == NULL);
    near = leat_suggest_for("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    leat_suggest_offer(&near, "endpoint");
    EXPECT(near.best == NULL);
}
