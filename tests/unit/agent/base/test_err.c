/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/err.h"

#include "agent/base/list.h"
#include "agent/base/log.h"
#include "agent/base/strbuf.h"
#include "tests/kit/kit.h"

/* Scenario: raised, wrapped, wrapped again. Guarantees: code and place stay, the text grows in front; NULL is taken. */
LEAT_TEST(an_error_grows_on_its_way_up)
{
    struct leat_err err = {0};
    EXPECT_RC(LEAT_RAISE(&err, LEAT_ENET, 111, "cannot connect to %s", "a"), LEAT_ENET);
    EXPECT_RC(leat_err_wrap(&err, "try %d", 2), LEAT_ENET);
    EXPECT_RC(leat_err_wrap(&err, "loki"), LEAT_ENET);
    EXPECT_STR(err.text, "loki: try 2: cannot connect to a");
    EXPECT_EQ(err.sys, 111);
    EXPECT_EQ(err.site->line > 0, true);
    EXPECT_RC(LEAT_RAISE(NULL, LEAT_EIO, 0, "x"), LEAT_EIO);
    (void)leat_err_wrap(NULL, "x");
}

/* Scenario: texts longer than the room. Guarantees: cut, ended, never over the edge. */
LEAT_TEST(long_errors_are_cut)
{
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int room = 0; room < 300; room++) {
        struct leat_err err = {0};
        (void)LEAT_RAISE(&err, LEAT_EIO, 0, "%s", text);
        EXPECT_RC(leat_err_wrap(&err, "%.*s", room, text), LEAT_EIO);
        EXPECT(strlen(err.text) < sizeof err.text);
    }
}

/* Scenario: every code. Guarantees: a name, a text and a fate; out of the table is fatal, not a crash. */
LEAT_TEST(every_code_has_a_name_a_text_and_a_fate)
{
    for (int rc = 0; rc < LEAT_RC_COUNT; rc++) {
        EXPECT(strncmp(leat_rc_name((leat_rc)rc), "LEAT_", 5) == 0);
        EXPECT(strlen(leat_rc_text((leat_rc)rc)) > 0);
        EXPECT_EQ(leat_rc_fate((leat_rc)rc) == LEAT_FATE_NONE, rc == LEAT_OK);
    }
    EXPECT_EQ(leat_rc_fate((leat_rc)1000), LEAT_FATE_FATAL);
}

/* Scenario: text put together in every way, with each allocation failing in turn. Guarantees: whole or marked as
 * failed. */
LEAT_TEST_OOM(strbuf_is_whole_or_failed)
{
    struct leat_strbuf buf = {0};
    for (int i = 0; i < 100; i++) {
        leat_strbuf_printf(&buf, "%03d", i);
        leat_strbuf_putc(&buf, ' ');
    }
    leat_strbuf_json(&buf, "a\"\n\x01", 4);
    leat_rc rc = buf.failed ? LEAT_ENOMEM : LEAT_OK;
    if (!buf.failed) {
        EXPECT_EQ(buf.len, 400 + 13);
        EXPECT_STR(buf.at + 400, "\"a\\\"\\n\\u0001\"");
        EXPECT_EQ(buf.at[3], ' ');
    }
    leat_strbuf_done(&buf);
    return rc;
}

/* Guarantees: the vectors of section 10. */
LEAT_TEST(base64_is_that_of_rfc_4648)
{
    static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "//77"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct leat_strbuf buf = {0};
        leat_strbuf_puts(&buf, "");
        leat_strbuf_base64(&buf, pairs[i][0], strlen(pairs[i][0]));
        EXPECT_STR(buf.at, pairs[i][1]);
        leat_strbuf_done(&buf);
    }
}

struct item {
    int n;
    struct leat_list link;
};

/* Scenario: pushed at both ends, walked while the current one is removed, popped. Guarantees: order; safe on loners. */
LEAT_TEST(lists_keep_order)
{
    struct leat_list head;
    struct item items[6];
    leat_list_init(&head);
    for (int i = 0; i < 6; i++) {
        items[i].n = i;
        leat_list_init(&items[i].link);
        if (i % 2)
            leat_list_push(&head, &items[i].link);
        else
            leat_list_push_front(&head, &items[i].link);
    }
    int wanted[] = {4, 2, 0, 1, 3, 5}, at = 0;
    LEAT_LIST_EACH (node, &head) {
        struct item *item = LEAT_CONTAINER(node, struct item, link);
        EXPECT_EQ(item->n, wanted[at++]);
        if (item->n % 2 == 0)
            leat_list_remove(node);
    }
    EXPECT_EQ(at, 6);
    leat_list_remove(&items[4].link);
    for (int n = 1; n < 6; n += 2)
        EXPECT_EQ(LEAT_CONTAINER(leat_list_pop(&head), struct item, link)->n, n);
    EXPECT(!leat_list_pop(&head) && leat_list_empty(&head));
}

/* Scenario: a place that speaks often. Guarantees: once a period, with the number of what was missed. */
LEAT_TEST(logs_are_limited)
{
    struct leat_log_limit limit = {0};
    uint32_t missed = 99, spoken = 0;
    for (uint64_t now = 1; now < 3 * LEAT_LOG_PERIOD_NS; now += LEAT_LOG_PERIOD_NS / 10)
        if (leat_log_may(&limit, now, &missed)) {
            EXPECT_EQ(missed, spoken ? 9 : 0);
            spoken++;
        }
    EXPECT_EQ(spoken, 3);
}

/* Scenario: ten thousand places of one kind speak at once, twice. Guarantees: so many lines in each period, and how many were kept
 * back. */
LEAT_TEST(a_crowd_says_no_more_lines_than_it_may)
{
    static struct leat_log_limit limits[10000];
    struct leat_log_crowd crowd = {0};
    uint32_t missed, hushed, said = 0, heard_of = 0;
    for (uint64_t now = 1; now < 2 * LEAT_LOG_PERIOD_NS; now += LEAT_LOG_PERIOD_NS)
        for (uint32_t i = 0; i < 10000; i++)
            if (leat_log_may_among(&crowd, &limits[i], now, &missed, &hushed)) {
                EXPECT_EQ(missed, 0);
                heard_of += hushed;
                said++;
            }
    EXPECT_EQ(said, 2 * LEAT_LOG_CROWD_MAX);
    EXPECT_EQ(heard_of, 10000 - LEAT_LOG_CROWD_MAX);
    struct leat_log_limit quiet = {0};
    EXPECT(leat_log_may_among(&crowd, &quiet, 5 * LEAT_LOG_PERIOD_NS, &missed, &hushed));
    EXPECT(!leat_log_may_among(&crowd, &quiet, 5 * LEAT_LOG_PERIOD_NS + 1, &missed, &hushed));
}

/* Scenario: one that has much to say, after others have had all the lines. Guarantees: one line of it was kept back, not all that it
 * would not have said alone either; when it speaks it tells of all of them. */
LEAT_TEST(what_a_crowd_kept_back_is_counted_in_lines)
{
    struct leat_log_limit others[LEAT_LOG_CROWD_MAX] = {0}, often = {0};
    struct leat_log_crowd crowd = {0};
    uint32_t missed, hushed;
    for (uint32_t i = 0; i < LEAT_LOG_CROWD_MAX; i++)
        EXPECT(leat_log_may_among(&crowd, &others[i], 1, &missed, &hushed));
    for (uint64_t now = 2; now < 12; now++)
        EXPECT(!leat_log_may_among(&crowd, &often, now, &missed, &hushed));
    EXPECT(leat_log_may_among(&crowd, &often, 2 * LEAT_LOG_PERIOD_NS, &missed, &hushed));
    EXPECT_EQ(missed, 10);
    EXPECT_EQ(hushed, 1);
}
