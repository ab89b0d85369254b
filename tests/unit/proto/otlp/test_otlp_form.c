/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_form.h"

#include "agent/base/alloc.h"
#include "proto/otlp/otlp_validate.h"
#include "tests/kit/kit.h"
#include "tests/unit/proto/otlp/otlp_random.h"

static uint32_t items_of(enum leat_signal signal, const struct leat_chain *chain)
{
    struct otlp_counts counts;
    uint32_t n;
    struct leat_err err = {0};
    EXPECT_OK_ERR(otlp_validate(signal, chain, &counts, &err), &err);
    EXPECT_OK(otlp_form.count(signal, chain, &n, NULL));
    EXPECT_EQ(n, counts.items);
    return n;
}

/* What a request is made of, as a list: for each item the fields of its containers and itself. */
static void list_items(const struct otlp_msg *msg, struct pb_flat in, const struct pb_buf *above, struct pb_buf *out)
{
    struct pb_buf heads = {0};
    struct pb_field f;
    pb_buf_raw(&heads, above->at, above->len);
    for (struct pb_flat all = in; pb_next(&all, &f) == 1;) {
        const struct otlp_field *known = otlp_field_by_number(msg, f.number);
        if (!known || !(known->flags & (OTLP_ITEM | OTLP_CONTAINER)))
            pb_buf_raw(&heads, f.tag, (size_t)(all.at - f.tag));
    }
    while (pb_next(&in, &f) == 1) {
        const struct otlp_field *known = otlp_field_by_number(msg, f.number);
        if (known && known->flags & OTLP_CONTAINER)
            list_items(known->msg, pb_sub(&f), &heads, out);
        if (known && known->flags & OTLP_ITEM) {
            pb_buf_bytes(out, PB_TAG(1, PB_LEN), heads.at, (uint32_t)heads.len);
            pb_buf_bytes(out, PB_TAG(2, PB_LEN), f.at, f.len);
        }
    }
    pb_buf_done(&heads);
}

static struct pb_buf items_list(enum leat_signal signal, const struct leat_chain *chain)
{
    struct pb_buf none = {0}, out = {0};
    struct leat_slice flat;
    EXPECT_OK(leat_chain_flat(chain, &flat));
    list_items(otlp_request_of(signal), pb_flat_of(flat.at, flat.len), &none, &out);
    leat_mem_unref(flat.mem);
    return out;
}

static void expect_concat(const struct pb_buf *whole, const struct pb_buf *a, const struct pb_buf *b)
{
    EXPECT_EQ(whole->len, a->len + b->len);
    if (a->len)
        EXPECT_BYTES(whole->at, a->at, a->len);
    if (b->len)
        EXPECT_BYTES(whole->at + a->len, b->at, b->len);
}

static void cut_once(enum leat_signal signal, const struct leat_chain *payload, uint32_t items, uint32_t n)
{
    struct leat_chain head, tail;
    uint32_t got;
    EXPECT_OK(otlp_form.cut(signal, payload, n, 0, &head, &got, &tail, NULL));
    EXPECT_EQ(got, n < items ? n : items);
    EXPECT_EQ(items_of(signal, &head), got);
    EXPECT_EQ(items_of(signal, &tail), items - got);
    if (items <= n)
        EXPECT_EQ(tail.bytes, 0);
    struct pb_buf whole = items_list(signal, payload), a = items_list(signal, &head), b = items_list(signal, &tail);
    expect_concat(&whole, &a, &b);
    pb_buf_done(&whole);
    pb_buf_done(&a);
    pb_buf_done(&b);
    leat_chain_done(&head);
    leat_chain_done(&tail);
}

/* Scenario:   random requests of every signal in pieces of several sizes, cut after every number of items.
 * Guarantees: both halves are valid, keep every item with all fields of its resource, scope and metric, in order. */
LEAT_TEST(form_cuts_after_any_item)
{
    for (unsigned signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        for (uint64_t seed = 1; seed <= 15; seed++) {
            struct otlp_random r = {.state = seed};
            struct pb_buf b = random_request(&r, signal);
            struct leat_chain payload = kit_chain(b.at, b.len, seed % 3 ? seed * 7 : 0);
            EXPECT_EQ(items_of(signal, &payload), r.items);
            for (uint32_t n = 1; n <= r.items + 1; n++)
                cut_once(signal, &payload, r.items, n);
            leat_chain_done(&payload);
            pb_buf_done(&b);
        }
}

/* Scenario:   the same request, cut by bytes, again and again until nothing is left.
 * Guarantees: never less than one item at a time, no head over the limit by more than an item, all items come. */
LEAT_TEST(form_cuts_by_bytes)
{
    struct otlp_random r = {.state = 7};
    struct pb_buf b = random_request(&r, LEAT_LOGS);
    struct leat_chain rest = kit_chain(b.at, b.len, 100);
    uint32_t total = 0, heads = 0;
    const uint64_t limit = b.len / 6;
    while (rest.bytes) {
        struct leat_chain head, tail;
        uint32_t got;
        EXPECT_OK(otlp_form.cut(LEAT_LOGS, &rest, 0, limit, &head, &got, &tail, NULL));
        EXPECT(got >= 1 || tail.bytes == 0);
        EXPECT(head.bytes <= limit || got <= 1);
        total += got;
        heads++;
        leat_chain_done(&rest);
        leat_chain_done(&head);
        rest = tail;
    }
    EXPECT_EQ(total, r.items);
    EXPECT(heads > 2);
    leat_chain_done(&rest);
    pb_buf_done(&b);
}

/* Scenario:   every third item is picked, then none, then all.
 * Guarantees: exactly those come, with their heads; containers left empty are gone. */
LEAT_TEST(form_picks_what_the_bitmap_names)
{
    for (unsigned signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        for (uint64_t seed = 1; seed <= 15; seed++) {
            struct otlp_random r = {.state = seed};
            struct pb_buf b = random_request(&r, signal);
            struct leat_chain payload = kit_chain(b.at, b.len, 50), picked;
            uint8_t *bitmap = leat_zalloc(r.items / 8 + 1, 1);
            struct pb_buf whole = items_list(signal, &payload), wanted = {0};
            struct pb_flat list = pb_flat_of(whole.at, (uint32_t)whole.len);
            uint32_t kept = 0, i = 0;
            for (struct pb_field head, item; pb_next(&list, &head) == 1; i++) {
                EXPECT_EQ(pb_next(&list, &item), 1);
                if (i % 3 != 1)
                    continue;
                leat_bitmap_set(bitmap, i);
                kept++;
                pb_buf_raw(&wanted, head.tag, (size_t)(list.at - head.tag));
            }
            EXPECT_OK(otlp_form.pick(signal, &payload, bitmap, &picked, NULL));
            EXPECT_EQ(items_of(signal, &picked), kept);
            struct pb_buf got = items_list(signal, &picked), none = {0};
            expect_concat(&got, &wanted, &none);
            leat_chain_done(&picked);
            leat_chain_done(&payload);
            leat_free(bitmap);
            pb_buf_done(&whole);
            pb_buf_done(&wanted);
            pb_buf_done(&got);
            pb_buf_done(&b);
        }
}

/* Guarantees: two requests behind each other are one; profiles never are; frozen bytes thaw to the same. */
LEAT_TEST(form_merges_and_freezes)
{
    struct otlp_random r = {.state = 3};
    struct pb_buf a = random_request(&r, LEAT_TRACES), b = random_request(&r, LEAT_TRACES);
    struct leat_chain into = kit_chain(a.at, a.len, 11), from = kit_chain(b.at, b.len, 13), frozen, thawed;
    EXPECT(otlp_form.can_merge(LEAT_TRACES));
    EXPECT(!otlp_form.can_merge(LEAT_PROFILES));
    EXPECT_RC(otlp_form.merge(LEAT_PROFILES, &into, &from), LEAT_EINVAL);
    EXPECT_OK(otlp_form.merge(LEAT_TRACES, &into, &from));
    EXPECT_EQ(from.bytes, 0);
    EXPECT_EQ(items_of(LEAT_TRACES, &into), r.items);
    EXPECT_OK(otlp_form.freeze(LEAT_TRACES, &into, &frozen));
    EXPECT_OK(otlp_form.thaw(LEAT_TRACES, &frozen, &thawed, NULL));
    EXPECT(leat_chain_eq(&into, &thawed));
    leat_chain_done(&into);
    leat_chain_done(&from);
    leat_chain_done(&frozen);
    leat_chain_done(&thawed);
    pb_buf_done(&a);
    pb_buf_done(&b);
}

/* Scenario:   a payload whose scope claims more bytes than there are.
 * Guarantees: LEAT_EPARSE and empty outputs. */
LEAT_TEST(form_refuses_a_broken_payload)
{
    struct leat_chain bad = kit_chain("\x0a\x04\x12\x40xx", 6, 1), head, tail;
    uint32_t n;
    uint8_t bitmap[1] = {1};
    EXPECT_RC(otlp_form.count(LEAT_LOGS, &bad, &n, NULL), LEAT_EPARSE);
    EXPECT_RC(otlp_form.cut(LEAT_LOGS, &bad, 1, 0, &head, &n, &tail, NULL), LEAT_EPARSE);
    EXPECT_EQ(head.count + tail.count, 0);
    EXPECT_RC(otlp_form.pick(LEAT_LOGS, &bad, bitmap, &head, NULL), LEAT_EPARSE);
    EXPECT_EQ(head.count, 0);
    leat_chain_done(&bad);
}

LEAT_TEST_OOM(form_survives_any_failed_allocation)
{
    struct otlp_random r = {.state = 5};
    struct pb_buf b = random_request(&r, LEAT_METRICS);
    struct leat_chain payload = {0}, head = {0}, tail = {0}, picked = {0};
    uint32_t n;
    uint8_t bitmap[64] = {0x55, 0x12, 0x34};
    leat_rc rc = b.failed ? LEAT_ENOMEM : leat_chain_copy(&payload, b.at, (uint32_t)b.len);
    if (rc == LEAT_OK)
        rc = otlp_form.cut(LEAT_METRICS, &payload, r.items / 2 + 1, 0, &head, &n, &tail, NULL);
    if (rc == LEAT_OK)
        rc = otlp_form.pick(LEAT_METRICS, &payload, bitmap, &picked, NULL);
    leat_chain_done(&payload);
    leat_chain_done(&head);
    leat_chain_done(&tail);
    leat_chain_done(&picked);
    pb_buf_done(&b);
    return rc;
}
