/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/labels.h"

#include <stdio.h>

#include "agent/base/alloc.h"
#include "tests/kit/kit.h"

static void put(struct leat_label_edit *edit, const char *name, const char *value)
{
    leat_label_edit_put(edit, leat_slice_str(name), leat_slice_str(value));
}

static const char *get(const struct leat_label_edit *edit, const char *name)
{
    static char text[64];
    struct leat_slice value = leat_label_edit_get(edit, leat_slice_str(name));
    (void)snprintf(text, sizeof text, "%.*s", LEAT_SLICE_ARGS(value));
    return text;
}

/* Guarantees: a set is sorted, holds each name once, and an empty value is no label. */
LEAT_TEST(labels_stay_sorted_and_unique)
{
    struct leat_label_edit edit = {0};
    put(&edit, "b", "2");
    put(&edit, "a", "1");
    put(&edit, "c", "3");
    put(&edit, "ab", "x");
    put(&edit, "b", "22");
    EXPECT_EQ(edit.count, 4);
    EXPECT(leat_slice_is(edit.at[0].name, "a") && leat_slice_is(edit.at[1].name, "ab"));
    EXPECT(leat_slice_is(edit.at[2].name, "b") && leat_slice_is(edit.at[3].name, "c"));
    EXPECT_STR(get(&edit, "b"), "22");
    put(&edit, "ab", "");
    leat_label_edit_remove(&edit, LEAT_SLICE("nope"));
    EXPECT_EQ(edit.count, 3);
    EXPECT_STR(get(&edit, "ab"), "");
    leat_label_edit_done(&edit);
}

/* Guarantees: copies compare and hash alike; cuts between name and value matter. */
LEAT_TEST(labels_compare_copy_and_hash)
{
    struct leat_label_edit edit = {0};
    struct leat_labels copy, other;
    put(&edit, "ab", "c");
    EXPECT_OK(leat_labels_copy(leat_label_edit_view(&edit), &copy));
    leat_label_edit_clear(&edit);
    put(&edit, "a", "bc");
    EXPECT_OK(leat_labels_copy(leat_label_edit_view(&edit), &other));
    EXPECT(!leat_labels_eq(copy, other));
    EXPECT(leat_labels_hash(copy, 1) != leat_labels_hash(other, 1));
    EXPECT(leat_labels_compare(copy, other) > 0 && leat_labels_compare(other, copy) < 0);
    leat_label_edit_borrow(&edit, copy);
    EXPECT(leat_labels_eq(copy, leat_label_edit_view(&edit)));
    EXPECT_EQ(leat_labels_hash(copy, 7), leat_labels_hash(leat_label_edit_view(&edit), 7));
    EXPECT_EQ(leat_labels_compare(copy, leat_label_edit_view(&edit)), 0);
    leat_free((void *)(uintptr_t)copy.at);
    leat_free((void *)(uintptr_t)other.at);
    leat_label_edit_done(&edit);
}

/* Scenario:   an edit is used a thousand times for sets of ordinary size.
 * Guarantees: after the first, no allocation. */
LEAT_TEST(labels_edit_again_without_malloc)
{
    struct leat_label_edit edit = {0};
    uint64_t before = 0;
    for (uint32_t round = 0; round < 1000; round++) {
        leat_label_edit_clear(&edit);
        for (char name = 'a'; name <= 'z'; name++)
            leat_label_edit_put(&edit, leat_slice_of(&name, 1), LEAT_SLICE("some value"));
        if (round == 0)
            before = leat_alloc_count();
    }
    EXPECT_EQ(leat_alloc_count(), before);
    leat_label_edit_done(&edit);
}

/* Guarantees: more labels or text than the limits end in LEAT_ELIMIT, which sticks until the edit is cleared. */
LEAT_TEST(labels_have_limits)
{
    struct leat_label_edit edit = {0};
    char name[16], *big = leat_zalloc(1, 1u << 20);
    memset(big, 'x', 1u << 20);
    for (uint32_t i = 0; i <= LEAT_LABELS_MAX; i++) {
        (void)snprintf(name, sizeof name, "l%u", i);
        put(&edit, name, "v");
    }
    EXPECT_EQ(edit.failed, LEAT_ELIMIT);
    EXPECT_EQ(edit.count, LEAT_LABELS_MAX);
    leat_label_edit_clear(&edit);
    EXPECT_EQ(edit.failed, LEAT_OK);
    for (uint32_t i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "l%u", i);
        leat_label_edit_put(&edit, leat_slice_str(name), leat_slice_of(big, 1u << 20));
    }
    EXPECT_EQ(edit.failed, LEAT_ELIMIT);
    leat_free(big);
    leat_label_edit_done(&edit);
}

LEAT_TEST(label_names_are_checked)
{
    EXPECT(leat_label_name_is_classic(LEAT_SLICE("_a9")) && !leat_label_name_is_classic(LEAT_SLICE("9a")));
    EXPECT(!leat_label_name_is_classic(LEAT_SLICE("a.b")) && !leat_label_name_is_classic(LEAT_SLICE("")));
    EXPECT(leat_label_name_is_utf8(LEAT_SLICE("a.b")) && leat_label_name_is_utf8(LEAT_SLICE("9")));
    EXPECT(!leat_label_name_is_utf8(LEAT_SLICE("")) && !leat_label_name_is_utf8(LEAT_SLICE("\xff")));
}

LEAT_TEST_OOM(labels_survive_failed_allocations)
{
    struct leat_label_edit edit = {0};
    struct leat_labels copy = {0};
    char name[16];
    for (uint32_t i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "label%u", i);
        put(&edit, name, "some value that is not short, so that text blocks fill up quickly enough");
    }
    leat_rc rc = edit.failed;
    if (rc == LEAT_OK)
        rc = leat_labels_copy(leat_label_edit_view(&edit), &copy);
    leat_free((void *)(uintptr_t)copy.at);
    leat_label_edit_done(&edit);
    return rc;
}
