/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/headers_setter/headers_setter.h"

#include <stdio.h>

#include "tests/kit/kit.h"

/* A request that has Old: o. */
struct sink {
    struct leat_header_sink ops;
    char text[400];
};
static leat_rc put(struct leat_header_sink *ops, struct leat_slice name, struct leat_slice value)
{
    struct sink *sink = (struct sink *)(void *)ops;
    size_t len = strlen(sink->text);
    (void)snprintf(sink->text + len, sizeof sink->text - len, "+%.*s=%.*s;", LEAT_SLICE_ARGS(name),
                   LEAT_SLICE_ARGS(value));
    return LEAT_OK;
}
static leat_rc take_away(struct leat_header_sink *ops, struct leat_slice name)
{
    struct sink *sink = (struct sink *)(void *)ops;
    size_t len = strlen(sink->text);
    (void)snprintf(sink->text + len, sizeof sink->text - len, "-%.*s;", LEAT_SLICE_ARGS(name));
    return LEAT_OK;
}
static bool has(struct leat_header_sink *ops, struct leat_slice name)
{
    (void)ops;
    return leat_slice_is(name, "Old");
}

static struct headers_setter_header headers[] = {
    {.action = HEADERS_INSERT, .key = "Old", .value = "no"},
    {.action = HEADERS_INSERT, .key = "New", .value = "n"},
    {.action = HEADERS_UPDATE, .key = "Old", .value = "u"},
    {.action = HEADERS_UPDATE, .key = "Other", .value = "no"},
    {.action = HEADERS_UPSERT, .key = "T", .from_context = "X-Tenant"},
    {.action = HEADERS_UPSERT, .key = "D", .from_context = "absent", .default_value = "d"},
    {.action = HEADERS_UPSERT, .key = "M", .from_context = "absent"},
    {.action = HEADERS_DELETE, .key = "Old"}};
static const struct headers_setter_conf conf = {{headers, sizeof headers / sizeof *headers}};

static leat_rc run(struct sink *sink, uint64_t *counts)
{
    struct leat_host host = {.id = "headers_setter", .world = leat_world_real(), .counts = counts};
    struct headers_setter setter = {0};
    struct leat_client_auth client;
    struct leat_meta *meta = leat_meta_new(&(struct leat_meta_pair){"x-tenant", "t1"}, 1);
    leat_rc rc = meta ? headers_setter__open(&setter, &conf, &host, NULL) : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = headers_setter__client(&setter, &client);
    if (rc == LEAT_OK)
        rc = client.apply(client.state, meta, &sink->ops, NULL);
    if (meta)
        headers_setter__close(&setter);
    leat_meta_unref(meta);
    return rc;
}

/* Scenario:   every verb on a header that is there and one that is not; the client's header there, absent, with a
 * default. Guarantees: each does what it says in the order written; what has no value is left out and counted. */
LEAT_TEST(each_verb_does_what_it_says)
{
    uint64_t counts[2] = {0};
    struct sink sink = {.ops = {put, take_away, has}};
    EXPECT_OK(headers_setter__check(&conf, NULL));
    EXPECT_OK(run(&sink, counts));
    EXPECT_STR(sink.text, "+New=n;+Old=u;+T=t1;+D=d;-Old;");
    EXPECT_EQ(counts[HEADERS_SETTER_MISSING], 1);
}

/* Scenario:   each allocation fails in turn.
 * Guarantees: an error or all headers; nothing leaks. */
LEAT_TEST_OOM(headers_survive_failed_allocations)
{
    uint64_t counts[2] = {0};
    struct sink sink = {.ops = {put, take_away, has}};
    return run(&sink, counts);
}

/* Scenario:   headers without a name or value, with two, and a default for nothing.
 * Guarantees: each is refused with its place. */
LEAT_TEST(nonsense_is_refused)
{
    struct headers_setter_header bad[] = {{.action = HEADERS_UPSERT, .key = ""},
                                          {.action = HEADERS_UPSERT, .key = "a"},
                                          {.action = HEADERS_UPSERT, .key = "a", .value = "v", .from_context = "c"},
                                          {.action = HEADERS_DELETE, .key = "a", .value = "v"},
                                          {.action = HEADERS_INSERT, .key = "a", .value = "v", .default_value = "d"}};
    struct leat_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct headers_setter_conf one = {{&bad[i], 1}};
        EXPECT_RC(headers_setter__check(&one, &err), LEAT_ECONFIG);
        EXPECT(strncmp(err.text, "headers[0]: ", 12) == 0);
    }
    EXPECT_RC(headers_setter__check(&(struct headers_setter_conf){0}, &err), LEAT_ECONFIG);
}
