/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bulk_json/bulk_index.h"
#include "proto/otlp/otlp_put.h"
#include "tests/kit/kit.h"

static uint8_t record_room[512], resource_room[512];

static struct leat_slice attribute(uint8_t *room, uint32_t number, const char *key, const char *value)
{
    uint8_t *end = otlp_put_string(room, number, leat_slice_str(key), leat_slice_str(value));
    return leat_slice_of(room, (uint32_t)(end - room));
}

static const char *name_of(const char *pattern, const char *fallback, const char *format, struct leat_slice record,
                           struct leat_slice resource)
{
    static struct bulk_index index;
    EXPECT(bulk_index_parse(&index, pattern, fallback));
    index.time_format = format;
    bulk_index_resolve(&index, record, 6, (struct leat_slice){0}, resource, 1700000000000000000ull);
    return index.name;
}

/* Guarantees: the record's attribute stands before the resource's, the fallback for what is not there or empty; values
 * are made fit for a name. */
LEAT_TEST(names_are_put_together)
{
    struct leat_slice none = {0}, record = attribute(record_room, 6, "service.name", "My Shop/1"),
                      resource = attribute(resource_room, 1, "service.name", "other");
    EXPECT_STR(name_of("plain", "unknown", NULL, none, none), "plain");
    EXPECT_STR(name_of("a-%{service.name}-z", "unknown", NULL, record, resource), "a-my_shop_1-z");
    EXPECT_STR(name_of("a-%{service.name}", "unknown", NULL, none, resource), "a-other");
    EXPECT_STR(name_of("a-%{service.name}", "fall", NULL, none, none), "a-fall");
    EXPECT_STR(name_of("a-%{service.name}", "fall", NULL, attribute(record_room, 6, "service.name", ""), none),
               "a-fall");
    EXPECT_STR(name_of("%{x}%{y}", "u", NULL, none, none), "uu");
}

/* Guarantees: dates in both spellings, from the record's time. */
LEAT_TEST(names_have_dates)
{
    struct leat_slice none = {0};
    EXPECT_STR(name_of("a", "u", "yyyy.MM.dd", none, none), "a-2023.11.14");
    EXPECT_STR(name_of("a", "u", "yy-MM-dd_HH.mm.ss", none, none), "a-23-11-14_22.13.20");
    EXPECT_STR(name_of("a", "u", "%Y.%m.%d", none, none), "a-2023.11.14");
}

/* Guarantees: a name is never longer than servers take, whatever an attribute holds. */
LEAT_TEST(names_have_an_end)
{
    struct bulk_index index;
    static uint8_t room[4096];
    char value[2001];
    memset(value, 'v', 2000);
    value[2000] = 0;
    struct leat_slice record = attribute(room, 6, "k", value);
    EXPECT(bulk_index_parse(&index, "%{k}%{k}%{k}%{k}", "u"));
    index.time_format = "yyyy";
    bulk_index_resolve(&index, record, 6, (struct leat_slice){0}, (struct leat_slice){0}, 0);
    EXPECT_EQ(index.len, BULK_INDEX_NAME_MAX);
    EXPECT_EQ(strlen(index.name), BULK_INDEX_NAME_MAX);
}

/* Guarantees: what is no pattern is refused. */
LEAT_TEST(bad_patterns_are_refused)
{
    struct bulk_index index;
    EXPECT(!bulk_index_parse(&index, "a-%{open", "u"));
    EXPECT(!bulk_index_parse(&index, "a-%{}", "u"));
    EXPECT(!bulk_index_parse(&index, "", "u"));
    EXPECT(!bulk_index_parse(&index, "%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}%{a}", "u"));
    EXPECT(!bulk_index_name_is_valid("Upper"));
    EXPECT(!bulk_index_name_is_valid("-a"));
    EXPECT(!bulk_index_name_is_valid("a b"));
    EXPECT(!bulk_index_name_is_valid(""));
    EXPECT(bulk_index_name_is_valid("logs-%{Service Name}-1"));
}
