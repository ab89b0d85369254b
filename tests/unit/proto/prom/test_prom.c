/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom/prom.h"

#include "tests/kit/kit.h"

/* {__name__="up"} and so on, as the labels of a TimeSeries. */
static const char up_labels[] = "\x0a\x0e\x0a\x08__name__\x12\x02up" "\x0a\x08\x0a\x03job\x12\x01j";
#define UP leat_slice_of(up_labels, sizeof up_labels - 1)

static struct leat_prom_series *series_of(struct leat_prom_family *family)
{
    return leat_prom_series_new(UP, 2, NULL, family);
}

static uint32_t items_of(const struct leat_chain *payload)
{
    uint32_t n;
    EXPECT_OK(leat_prom_form.count(LEAT_METRICS, payload, &n, NULL));
    return n;
}

static double value_at(const struct leat_chain *payload, uint32_t item)
{
    for (uint32_t s = 0, n; s < payload->count; s++, item -= n) {
        const struct leat_prom_sample *samples = leat_prom_samples(&payload->vec[s], &n);
        if (item < n)
            return samples[item].value;
    }
    fail();
    return 0;
}

/* `families` families of `each` samples, numbered from 0. */
static leat_rc page(struct leat_prom_builder *builder, uint32_t families, uint32_t each)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t f = 0; rc == LEAT_OK && f < families; f++) {
        struct leat_prom_family *family = leat_prom_family_new(LEAT_PROM_GAUGE, LEAT_SLICE("up"), LEAT_SLICE(""), LEAT_SLICE(""));
        struct leat_prom_series *series = family ? series_of(family) : NULL;
        leat_prom_family_unref(family);
        rc = series ? LEAT_OK : LEAT_ENOMEM;
        for (uint32_t i = 0; rc == LEAT_OK && i < each; i++)
            rc = leat_prom_builder_add(builder, series, 1000, f * each + i, NULL);
        leat_prom_series_unref(series);
    }
    return rc;
}

LEAT_TEST(labels_are_read_back_one_by_one)
{
    struct leat_prom_series *series = series_of(NULL);
    struct leat_slice name, value;
    uint32_t at = 0;
    EXPECT(leat_prom_label_next(series, &at, &name, &value));
    EXPECT(leat_slice_is(name, "__name__") && leat_slice_is(value, "up"));
    EXPECT(leat_prom_label_next(series, &at, &name, &value));
    EXPECT(leat_slice_is(name, "job") && leat_slice_is(value, "j"));
    EXPECT(!leat_prom_label_next(series, &at, &name, &value));
    leat_prom_series_unref(series);
}

LEAT_TEST(a_batch_keeps_its_series_alive_and_gives_them_back)
{
    struct leat_prom_builder builder = {0};
    struct leat_prom_series *series = series_of(NULL);
    EXPECT_OK(leat_prom_builder_add(&builder, series, 1, 2.5, NULL));
    struct leat_chain payload;
    uint32_t items;
    EXPECT_OK(leat_prom_builder_take(&builder, &payload, &items));
    EXPECT_EQ(items, 1);
    EXPECT_EQ(series->refs, 2);
    leat_prom_builder_done(&builder);
    EXPECT_EQ(series->refs, 2);
    leat_chain_done(&payload);
    EXPECT_EQ(series->refs, 1);
    leat_prom_series_unref(series);
}

LEAT_TEST(what_a_sample_has_in_addition_is_copied)
{
    struct leat_prom_builder builder = {0};
    struct leat_prom_series *series = series_of(NULL);
    uint8_t labels[] = {0x0a, 6, 0x0a, 1, 'a', 0x12, 1, 'b'}, histogram[] = {0x20, 4};
    struct leat_prom_exemplar exemplars[] = {{.value = 1, .label_bytes = sizeof labels, .labels = labels},
                                             {.value = 2, .time_ms = 7, .has_time = true}};
    struct leat_prom_extra extra = {.start_ms = 5, .exemplar_count = 2, .exemplars = exemplars,
                                    .histogram = histogram, .histogram_bytes = sizeof histogram};
    EXPECT_OK(leat_prom_builder_add(&builder, series, 1, 2, &extra));
    memset(labels, 0, sizeof labels);
    memset(histogram, 0, sizeof histogram);
    struct leat_chain payload;
    uint32_t items, n;
    EXPECT_OK(leat_prom_builder_take(&builder, &payload, &items));
    const struct leat_prom_extra *copy = leat_prom_samples(&payload.vec[0], &n)->extra;
    EXPECT_EQ(copy->start_ms, 5);
    EXPECT_EQ(copy->exemplars[0].labels[4], 'a');
    EXPECT_EQ(copy->exemplars[1].time_ms, 7);
    EXPECT_EQ(copy->histogram[0], 0x20);
    leat_chain_done(&payload);
    leat_prom_builder_done(&builder);
    leat_prom_series_unref(series);
}

LEAT_TEST(an_extra_larger_than_a_page_has_a_chunk_of_its_own)
{
    struct leat_prom_builder builder = {0};
    struct leat_prom_series *series = series_of(NULL);
    static uint8_t wide[3 * LEAT_PAGE_BYTES];
    wide[sizeof wide - 1] = 9;
    struct leat_prom_extra extra = {.histogram = wide, .histogram_bytes = sizeof wide};
    EXPECT_OK(leat_prom_builder_add(&builder, series, 1, 0, NULL));
    EXPECT_OK(leat_prom_builder_add(&builder, series, 2, 1, &extra));
    EXPECT_OK(leat_prom_builder_add(&builder, series, 3, 2, NULL));
    struct leat_chain payload;
    uint32_t items;
    EXPECT_OK(leat_prom_builder_take(&builder, &payload, &items));
    EXPECT_EQ(items_of(&payload), 3);
    for (uint32_t i = 0; i < 3; i++)
        EXPECT(value_at(&payload, i) == i);
    leat_chain_done(&payload);
    leat_prom_builder_done(&builder);
    leat_prom_series_unref(series);
}

LEAT_TEST(a_cut_falls_between_families_where_it_can)
{
    struct leat_prom_builder builder = {0};
    EXPECT_OK(page(&builder, 2000, 5)); /* three chunks */
    struct leat_chain payload, head, tail;
    uint32_t items, cut;
    EXPECT_OK(leat_prom_builder_take(&builder, &payload, &items));
    EXPECT_EQ(items, 10000);
    EXPECT_OK(leat_prom_form.cut(LEAT_METRICS, &payload, 4999, 0, &head, &cut, &tail, NULL));
    EXPECT_EQ(cut, 4995);
    EXPECT_EQ(items_of(&head), 4995);
    EXPECT_EQ(items_of(&tail), 5005);
    EXPECT(value_at(&tail, 0) == 4995);
    struct leat_chain part, rest;
    EXPECT_OK(leat_prom_form.cut(LEAT_METRICS, &tail, 3, 0, &part, &cut, &rest, NULL)); /* inside the first family */
    EXPECT_EQ(cut, 3);
    leat_chain_done(&part);
    leat_chain_done(&rest);
    EXPECT_OK(leat_prom_form.cut(LEAT_METRICS, &tail, 0, 1, &part, &cut, &rest, NULL)); /* never less than one */
    EXPECT_EQ(cut, 1);
    leat_chain_done(&part);
    leat_chain_done(&rest);
    EXPECT_OK(leat_prom_form.cut(LEAT_METRICS, &tail, 0, 0, &part, &cut, &rest, NULL));
    EXPECT_EQ(cut, 5005);
    EXPECT_EQ(rest.bytes, 0);
    leat_chain_done(&part);
    leat_chain_done(&head);
    leat_chain_done(&tail);
    leat_chain_done(&payload);
    leat_prom_builder_done(&builder);
}

/* "h_bucket" of le 1, 2, 3 and "h_count", for each of `each` paths; path and le are one digit each. */
static void histogram(struct leat_prom_builder *builder, uint32_t each)
{
    struct leat_prom_family *family = leat_prom_family_new(LEAT_PROM_HISTOGRAM, LEAT_SLICE("h"), LEAT_SLICE(""), LEAT_SLICE(""));
    for (uint32_t i = 0; i < each * 4; i++) {
        char bucket[] = "\x0a\x14\x0a\x08__name__\x12\x08h_bucket" "\x0a\x07\x0a\x02le\x12\x01L" "\x0a\x09\x0a\x04path\x12\x01P";
        char count[] = "\x0a\x13\x0a\x08__name__\x12\x07h_count" "\x0a\x09\x0a\x04path\x12\x01P";
        bucket[30] = (char)('1' + i % 4);
        bucket[sizeof bucket - 2] = count[sizeof count - 2] = (char)('a' + i / 4);
        struct leat_slice labels = i % 4 < 3 ? leat_slice_of(bucket, sizeof bucket - 1) : leat_slice_of(count, sizeof count - 1);
        struct leat_prom_series *series = leat_prom_series_new(labels, i % 4 < 3 ? 3 : 2, NULL, family);
        EXPECT_OK(leat_prom_builder_add(builder, series, 1000, i, NULL));
        leat_prom_series_unref(series);
    }
    leat_prom_family_unref(family);
}

/* Guarantees: a family that is too large for one head is cut between its data points; a point that is too large, anywhere. */
LEAT_TEST(a_cut_inside_a_family_keeps_data_points_whole)
{
    static const uint32_t heads[][2] = {{1, 1}, {3, 3}, {4, 4}, {5, 4}, {6, 4}, {7, 4}, {8, 8}, {11, 8}, {12, 12}};
    struct leat_prom_builder builder = {0};
    struct leat_chain payload, head, tail;
    uint32_t items, cut;
    histogram(&builder, 3);
    EXPECT_OK(leat_prom_builder_take(&builder, &payload, &items));
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        EXPECT_OK(leat_prom_form.cut(LEAT_METRICS, &payload, heads[i][0], 0, &head, &cut, &tail, NULL));
        EXPECT_EQ(cut, heads[i][1]);
        EXPECT(items_of(&head) == cut && items_of(&tail) == items - cut);
        leat_chain_done(&head);
        leat_chain_done(&tail);
    }
    leat_chain_done(&payload);
    leat_prom_builder_done(&builder);
}

LEAT_TEST(pick_takes_the_named_samples_across_chunks)
{
    struct leat_prom_builder builder = {0};
    EXPECT_OK(page(&builder, 1, 9000));
    struct leat_chain payload, picked;
    uint32_t items;
    EXPECT_OK(leat_prom_builder_take(&builder, &payload, &items));
    uint8_t bitmap[9000 / 8] = {0};
    for (uint32_t i = 0; i < 9000; i += 7)
        leat_bitmap_set(bitmap, i);
    EXPECT_OK(leat_prom_form.pick(LEAT_METRICS, &payload, bitmap, &picked, NULL));
    EXPECT_EQ(items_of(&picked), 1286);
    for (uint32_t i = 0; i < 1286; i++)
        EXPECT(value_at(&picked, i) == 7 * i);
    leat_chain_done(&picked);
    leat_chain_done(&payload);
    leat_prom_builder_done(&builder);
}

LEAT_TEST(what_is_no_array_of_samples_is_refused)
{
    struct leat_chain payload = kit_chain("abc", 3, 0);
    uint32_t items;
    EXPECT_RC(leat_prom_form.count(LEAT_METRICS, &payload, &items, NULL), LEAT_EPARSE);
    leat_chain_done(&payload);
}

LEAT_TEST_OOM(building_cutting_and_merging_survive_any_failed_allocation)
{
    struct leat_prom_builder builder = {0};
    struct leat_chain payload = {0}, head = {0}, tail = {0};
    uint32_t items;
    leat_rc rc = page(&builder, 3, 3000);
    if (rc == LEAT_OK)
        rc = leat_prom_builder_take(&builder, &payload, &items);
    if (rc == LEAT_OK)
        rc = leat_prom_form.cut(LEAT_METRICS, &payload, 3500, 0, &head, &items, &tail, NULL);
    if (rc == LEAT_OK)
        rc = leat_prom_form.merge(LEAT_METRICS, &tail, &head);
    leat_chain_done(&payload);
    leat_chain_done(&head);
    leat_chain_done(&tail);
    leat_prom_builder_done(&builder);
    return rc;
}
