/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp_edit/otlp_append.h"
#include "tests/kit/kit.h"

/* A container: resource {1: "ab"}, and again {1: "c"}, then a field 2; and one without a resource. */
static const uint8_t request[] = {0x0a, 15, 0x0a, 4, 0x0a, 2, 'a', 'b', 0x12, 2, 'x', 'y', 0x0a, 3, 0x0a, 1, 'c', 0x0a, 2, 0x12, 0};
static const uint8_t all_of_it[] = {0x0a, 17, 0x0a, 11, 0x0a, 2, 'a', 'b', 0x0a, 1, 'c', 0x0a, 2, 'z', 'z', 0x12, 2, 'x', 'y',
                                    0x0a, 8, 0x0a, 4, 0x0a, 2, 'z', 'z', 0x12, 0};
static const uint8_t one_cut[] = {0x0a, 13, 0x0a, 7, 0x0a, 1, 'c', 0x0a, 2, 'z', 'z', 0x12, 2, 'x', 'y',
                                  0x0a, 8, 0x0a, 4, 0x0a, 2, 'z', 'z', 0x12, 0};

static leat_rc add(void *ctx, struct leat_slice resource, struct otlp_append *ret)
{
    static const uint8_t block[] = {0x0a, 2, 'z', 'z'};
    ret->block = leat_slice_of(block, sizeof block);
    if (*(bool *)ctx && resource.len) {
        ret->cuts[0] = (struct otlp_cut){0, 4};
        ret->cut_count = 1;
    }
    return LEAT_OK;
}

static leat_rc nothing(void *ctx, struct leat_slice resource, struct otlp_append *ret)
{
    (void)resource;
    (void)ret;
    return *(leat_rc *)ctx;
}

static void expect(const struct leat_chain *made, const uint8_t *want, size_t len)
{
    uint8_t flat[64];
    EXPECT_EQ(made->bytes, len);
    EXPECT_EQ(leat_chain_put(made, flat, sizeof flat), len);
    EXPECT_BYTES(flat, want, len);
}

/* Scenario:   a resource in two fields, and none; with and without something left out; the payload cut at each byte.
 * Guarantees: the block stands behind what was there, all lengths are right. */
LEAT_TEST(blocks_stand_behind_resources)
{
    struct otlp_flat flat = {0};
    for (size_t cut = 0; cut < sizeof request; cut++)
        for (int with_cut = 0; with_cut < 2; with_cut++) {
            bool cuts = with_cut;
            struct leat_chain made, payload = kit_chain_cut(request, sizeof request, cut);
            EXPECT_OK(otlp_append_resources(&payload, &flat, add, &cuts, &made, NULL));
            expect(&made, cuts ? one_cut : all_of_it, cuts ? sizeof one_cut : sizeof all_of_it);
            leat_chain_done(&made);
            leat_chain_done(&payload);
        }
    otlp_append_done(&flat);
}

/* Scenario:   nothing to add; and an answer that is an error.
 * Guarantees: the payload itself; the error, and nothing made. */
LEAT_TEST(nothing_is_no_work)
{
    struct otlp_flat flat = {0};
    leat_rc answer = LEAT_OK;
    struct leat_chain made, payload = kit_chain(request, sizeof request, 0);
    EXPECT_OK(otlp_append_resources(&payload, &flat, nothing, &answer, &made, NULL));
    expect(&made, request, sizeof request);
    EXPECT_EQ(made.count, 1);
    leat_chain_done(&made);
    answer = LEAT_EBUSY;
    EXPECT_RC(otlp_append_resources(&payload, &flat, nothing, &answer, &made, NULL), LEAT_EBUSY);
    EXPECT_EQ(made.count, 0);
    leat_chain_done(&payload);
    otlp_append_done(&flat);
}
