/* SPDX-License-Identifier: Apache-2.0 */
/* A watch against a server of paper. */
#include "agent/base/log.h"
#include "agent/k8s/watch.h"
#include "tests/unit/agent/k8s/paper.h"

#define META(rv) "\"metadata\":{\"resourceVersion\":\"" rv "\"}"
#define POD(name, uid, rv) \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\",\"uid\":\"" uid "\",\"resourceVersion\":\"" rv "\"}}"
#define LIST(rv, items) "{\"kind\":\"PodList\",\"apiVersion\":\"v1\"," META(rv) ",\"items\":[" items "]}\n"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(rv) EVENT("BOOKMARK", "{\"kind\":\"Pod\"," META(rv) "}")
#define STATUS(code, reason) \
    "{\"kind\":\"Status\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"no\",\"reason\":\"" reason "\",\"code\":" code "}"
#define COUNT(steps) (sizeof(steps) / sizeof *(steps))

struct bed {
    struct paper paper;
    struct leat_k8s_watch *watch;
    char told[4096]; /* "+a -b ~c !" : added, deleted, modified, synced */
    leat_rc answer;  /* of the next ones */
};

static leat_rc on_changed(void *ctx, const struct leat_k8s_object *object)
{
    struct bed *bed = ctx;
    size_t len = strlen(bed->told);
    if (bed->answer != LEAT_OK && object->event != LEAT_K8S_DELETED)
        return bed->answer;
    (void)snprintf(bed->told + len, sizeof bed->told - len, "%c%.*s/%.*s ", "+~-"[object->event],
                   LEAT_SLICE_ARGS(object->name), LEAT_SLICE_ARGS(object->uid));
    EXPECT(object->event == LEAT_K8S_DELETED || (object->json.len && object->json.at[0] == '{'));
    EXPECT(leat_slice_is(object->ns, "ns"));
    return LEAT_OK;
}

static void on_synced(void *ctx)
{
    struct bed *bed = ctx;
    strncat(bed->told, "! ", sizeof bed->told - strlen(bed->told) - 1);
}

static const struct leat_k8s_watch_events events = {on_changed, on_synced};

static leat_rc bed_open(struct bed *bed, const struct paper_step *steps, size_t count)
{
    *bed = (struct bed){0};
    leat_log_configure(&(struct leat_log_conf){.level = LEAT_LOG_ERROR + 1, .fd = 2});
    leat_rc rc = paper_open(&bed->paper, steps, (uint32_t)count);
    struct leat_k8s_watch_conf conf = {.path = "/api/v1/pods", .field_selector = "spec.nodeName=n 1", .who = "test"};
    if (rc == LEAT_OK)
        rc = leat_k8s_watch_open(bed->paper.client, &conf, &events, bed, &bed->watch, NULL);
    return rc;
}

static void bed_close(struct bed *bed)
{
    bed->watch = leat_k8s_watch_close(bed->watch);
    paper_close(&bed->paper);
}

static const struct leat_k8s_watch_stats *stats(const struct bed *bed)
{
    return leat_k8s_watch_stats(bed->watch);
}

#define EXPECT_TOLD(bed, text)            \
    do {                                  \
        EXPECT_STR((bed)->told, text);    \
        (bed)->told[0] = 0;               \
    } while (0)

/* Scenario:   a list in two pages, then a watch with events of each kind, in pieces of every size.
 * Guarantees: objects, `synced`, changes in their order; addresses as the API wants them; what is no change is not told. */
LEAT_TEST(watch_lists_then_follows)
{
    static const struct paper_step steps[] = {
        {200, "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"t/k=\"},\"items\":[" POD("a", "1", "5") "]}"},
        {200, LIST("10", POD("b", "2", "6") "," POD("c", "3", "7"))},
        {200,
         EVENT("ADDED", POD("d", "4", "11")) EVENT("MODIFIED", POD("a", "1", "12")) EVENT("DELETED", POD("b", "2", "13"))
             EVENT("MODIFIED", POD("c", "3", "7")) EVENT("NEWKIND", "{\"x\":1}") BOOKMARK("20"),
         .stays = true}};
    for (uint32_t piece = 0; piece < 40; piece++) {
        struct bed bed;
        EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
        bed.paper.piece = piece;
        paper_run(&bed.paper, PAPER_S);
        EXPECT_TOLD(&bed, "+a/1 +b/2 +c/3 ! +d/4 ~a/1 -b/2 ");
        EXPECT_STR(bed.paper.target[0], "/api/v1/pods?limit=500&resourceVersion=0&fieldSelector=spec.nodeName%3Dn%201");
        EXPECT(paper_asked(&bed.paper, 1, "continue=t%2Fk%3D") && !paper_asked(&bed.paper, 1, "resourceVersion"));
        EXPECT(paper_asked(&bed.paper, 2, "?watch=1&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds="));
        EXPECT(leat_k8s_watch_synced(bed.watch));
        EXPECT_EQ(stats(&bed)->pages, 2);
        EXPECT_EQ(stats(&bed)->objects, 3);
        paper_run(&bed.paper, 60 * PAPER_S);
        paper_end(&bed.paper, LEAT_OK);
        paper_run(&bed.paper, PAPER_S);
        EXPECT(paper_asked(&bed.paper, 3, "resourceVersion=20&")); /* the bookmark's */
        EXPECT_EQ(stats(&bed)->rewatches, 1);
        bed_close(&bed);
    }
}

/* Scenario:   410, once as an event and once as a status, while objects came, changed, were replaced and went.
 * Guarantees: a new list without resourceVersion; only differences are told, the end of a replaced object before its heir. */
LEAT_TEST(watch_lists_anew_after_410)
{
    static const struct paper_step steps[] = {
        {200, LIST("10", POD("a", "1", "1") "," POD("b", "2", "2") "," POD("c", "3", "3"))},
        {200, EVENT("ERROR", STATUS("410", "Expired")), .stays = true},
        {200, LIST("30", POD("a", "1", "1") "," POD("b", "9", "22") "," POD("d", "4", "23"))},
        {410, STATUS("410", "Gone")},
        {200, LIST("40", POD("a", "1", "31"))}};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
    paper_run(&bed.paper, 20 * PAPER_S);
    EXPECT_TOLD(&bed, "+a/1 +b/2 +c/3 ! -b/2 +b/9 +d/4 -c/3 ! ~a/1 -b/9 -d/4 ! ");
    EXPECT(!paper_asked(&bed.paper, 2, "resourceVersion"));
    EXPECT(paper_asked(&bed.paper, 3, "resourceVersion=30&"));
    EXPECT(!paper_asked(&bed.paper, 4, "resourceVersion"));
    EXPECT_EQ(stats(&bed)->expired, 2);
    EXPECT_EQ(stats(&bed)->lists, 3);
    bed_close(&bed);
}

/* Scenario:   a continue token that expires between two pages.
 * Guarantees: the list begins again at its first page; nothing is told twice, nothing counts as gone. */
LEAT_TEST(watch_begins_a_list_again_when_its_token_expires)
{
    static const struct paper_step steps[] = {
        {200, "{\"metadata\":{\"resourceVersion\":\"10\",\"continue\":\"x\"},\"items\":[" POD("a", "1", "5") "]}"},
        {410, STATUS("410", "Expired")},
        {200, LIST("12", POD("a", "1", "5") "," POD("b", "2", "6"))}};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
    paper_run(&bed.paper, 20 * PAPER_S);
    EXPECT_TOLD(&bed, "+a/1 +b/2 ! ");
    EXPECT(!paper_asked(&bed.paper, 2, "continue"));
    bed_close(&bed);
}

/* Scenario:   401, 403, 429 with Retry-After of 40 s, 500, no answer; each while listing and each while following.
 * Guarantees: each is counted by its kind and tried again, never within half a second, Retry-After at least kept; a watch goes on
 *             from where it was; what is known stays. */
LEAT_TEST(watch_comes_back_after_every_refusal)
{
    static const struct paper_step bad[] = {{401, STATUS("401", "Unauthorized")},
                                            {403, STATUS("403", "Forbidden")},
                                            {429, STATUS("429", "TooManyRequests"), .retry_ns = 40 * PAPER_S},
                                            {500, "oops"},
                                            {0, .err = LEAT_ENET}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct paper_step steps[] = {bad[i], {200, LIST("10", POD("a", "1", "5"))}, bad[i], {200, "", .stays = true}};
        struct bed bed;
        EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
        paper_run(&bed.paper, 120 * PAPER_S);
        EXPECT_TOLD(&bed, "+a/1 ! ");
        EXPECT_EQ(bed.paper.requests, 4);
        uint64_t least = bad[i].retry_ns ? bad[i].retry_ns : PAPER_S / 2;
        EXPECT(bed.paper.at_ns[1] - bed.paper.at_ns[0] >= least);
        EXPECT(bed.paper.at_ns[3] - bed.paper.at_ns[2] >= least);
        EXPECT(paper_asked(&bed.paper, 3, "watch=1") && paper_asked(&bed.paper, 3, "resourceVersion=10&"));
        const struct leat_k8s_watch_stats *s = stats(&bed);
        const uint64_t counts[] = {s->unauthorized, s->forbidden, s->throttled, s->server_errors, s->unreachable};
        for (size_t k = 0; k < COUNT(counts); k++)
            EXPECT_EQ(counts[k], k == i ? 2 : 0);
        bed_close(&bed);
    }
}

/* Scenario:   bodies that are no list and streams that are no events: nothing, half a line, wrong types, a page of HTML.
 * Guarantees: counted as garbage, a new list after a while, what is known stays known. */
LEAT_TEST(watch_survives_garbage)
{
    static const char *const lists[] = {"", "{", "[]", "{}", "<html>", "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{]}",
                                        "{\"metadata\":{},\"items\":[]}", "{\"metadata\":7,\"items\":[]}",
                                        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":{}}]}",
                                        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[" POD("a", "1", "5") "]} {"};
    static const char *const streams[] = {"x", "{\"type\":\"ADDED\"", "{\"type\":7,\"object\":{}}\n", "[]",
                                          "{\"type\":\"ADDED\"}\n", "{\"type\":\"ADDED\",\"object\":[{}]}\n",
                                          "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":5}}}\n",
                                          "{\"type\":\"BOOKMARK\",\"object\":{}}\n", "{\"type\":\"ERROR\",\"object\":{\"code\":{}}}\n", "}"};
    for (size_t i = 0; i < COUNT(lists); i++) {
        const struct paper_step steps[] = {{200, LIST("9", POD("k", "9", "1"))}, {410, ""}, {200, lists[i]},
                                           {200, LIST("10", POD("k", "9", "1") "," POD("a", "1", "5"))}};
        struct bed bed;
        EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
        paper_run(&bed.paper, 30 * PAPER_S);
        EXPECT_STR(bed.told, "+k/9 ! +a/1 ! ");
        EXPECT_EQ(stats(&bed)->garbage, 1);
        bed_close(&bed);
    }
    for (size_t i = 0; i < COUNT(streams); i++) {
        const struct paper_step steps[] = {{200, LIST("9", POD("k", "9", "1"))}, {200, streams[i]},
                                           {200, LIST("10", POD("k", "9", "1"))}, {200, "", .stays = true}};
        struct bed bed;
        EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
        paper_run(&bed.paper, 30 * PAPER_S);
        EXPECT_STR(bed.told, "+k/9 ! ! ");
        EXPECT_EQ(stats(&bed)->garbage, 1);
        EXPECT(paper_asked(&bed.paper, 3, "resourceVersion=10&"));
        bed_close(&bed);
    }
}

/* Scenario:   a list that stops in the middle, then a watch on which nothing comes any more.
 * Guarantees: both are given up after a while and tried again. */
LEAT_TEST(watch_gives_up_on_silence)
{
    static const struct paper_step steps[] = {{200, "{\"items\":[", .stays = true},
                                              {200, LIST("10", "")},
                                              {200, BOOKMARK("11"), .stays = true},
                                              {200, "", .stays = true}};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
    paper_run(&bed.paper, 29 * PAPER_S);
    EXPECT_EQ(bed.paper.requests, 1);
    paper_run(&bed.paper, 10 * PAPER_S);
    EXPECT_EQ(bed.paper.requests, 3);
    EXPECT_TOLD(&bed, "! ");
    paper_run(&bed.paper, 160 * PAPER_S);
    EXPECT_EQ(bed.paper.requests, 4);
    EXPECT(paper_asked(&bed.paper, 3, "resourceVersion=11&"));
    EXPECT_EQ(stats(&bed)->unreachable, 2);
    bed_close(&bed);
}

/* Scenario:   a server that is gone for ten minutes.
 * Guarantees: the tries become rarer, never rarer than every 90 s, and no two waits are alike. */
LEAT_TEST(watch_waits_longer_and_longer)
{
    static const struct paper_step steps[20] = {{0}};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
    paper_run(&bed.paper, 600 * PAPER_S);
    EXPECT(bed.paper.requests >= 10 && bed.paper.requests <= 20);
    uint64_t before = 0;
    for (uint32_t i = 1; i < bed.paper.requests; i++) {
        uint64_t wait = bed.paper.at_ns[i] - bed.paper.at_ns[i - 1];
        EXPECT(wait >= PAPER_S / 2 && wait <= 90 * PAPER_S && wait != before);
        EXPECT(i < 7 || wait >= 29 * PAPER_S);
        before = wait;
    }
    bed_close(&bed);
}

/* Scenario:   a watch that ends well at once, over and over.
 * Guarantees: it is not asked for again in a tight loop. */
LEAT_TEST(watch_does_not_spin)
{
    struct paper_step steps[200] = {{200, LIST("10", "")}};
    for (size_t i = 1; i < COUNT(steps); i++)
        steps[i] = (struct paper_step){200, ""};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
    paper_run(&bed.paper, 60 * PAPER_S);
    EXPECT(bed.paper.requests < 10);
    bed_close(&bed);
}

/* Scenario:   the caller cannot take an object of a list, then one of a watch.
 * Guarantees: it is counted and told again by a later list; its end is told when it is known there. */
LEAT_TEST(watch_tells_again_what_was_not_taken)
{
    static const struct paper_step steps[] = {{200, LIST("10", POD("a", "1", "5"))}, {200, "", .stays = true},
                                              {200, LIST("12", POD("a", "1", "5"))}, {200, "", .stays = true},
                                              {200, LIST("14", POD("a", "1", "13"))}, {200, "", .stays = true}};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
    bed.answer = LEAT_ENOMEM;
    paper_run(&bed.paper, PAPER_S);
    EXPECT_TOLD(&bed, "! ");
    EXPECT_EQ(stats(&bed)->left_out, 1);
    bed.answer = LEAT_OK;
    paper_run(&bed.paper, 60 * PAPER_S);
    EXPECT_TOLD(&bed, "+a/1 ! ");
    bed.answer = LEAT_ENOMEM;
    paper_say(&bed.paper, EVENT("MODIFIED", POD("a", "1", "13")));
    bed.answer = LEAT_OK;
    paper_run(&bed.paper, 60 * PAPER_S);
    EXPECT_TOLD(&bed, "~a/1 ! ");
    paper_say(&bed.paper, EVENT("DELETED", POD("a", "1", "15")));
    EXPECT_TOLD(&bed, "-a/1 ");
    bed_close(&bed);
}

/* Scenario:   lists that break off after an object that could not be taken, again and again.
 * Guarantees: the tries back off as after any other failure. */
LEAT_TEST(watch_backs_off_when_untaken_lists_break)
{
    static const struct paper_step broken = {200, "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[" POD("a", "1", "5") ",", .stays = true};
    const struct paper_step steps[] = {broken, broken, broken, broken, broken, broken, broken, broken};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
    bed.answer = LEAT_ENOMEM;
    for (int i = 0; i < 100; i++) {
        paper_run(&bed.paper, PAPER_S / 10);
        paper_end(&bed.paper, LEAT_ENET);
    }
    EXPECT(bed.paper.requests >= 3 && bed.paper.requests <= 6);
    EXPECT(stats(&bed)->unreachable >= 2);
    bed_close(&bed);
}

/* Scenario:   an object above the limit, and more objects than are allowed.
 * Guarantees: they are left out and counted; the others are there. */
LEAT_TEST(watch_keeps_to_its_limits)
{
    static const struct paper_step steps[] = {
        {200, LIST("10", POD("a", "1", "5") ",{\"metadata\":{\"name\":\"big\"},\"x\":\"0123456789012345678901234567890123456789"
                                            "0123456789012345678901234567890123456789\"}," POD("b", "2", "6") "," POD("c", "3", "6"))},
        {200, EVENT("DELETED", POD("a", "1", "11")) EVENT("ADDED", POD("d", "4", "12")), .stays = true}};
    for (uint32_t piece = 0; piece < 30; piece++) {
        struct bed bed = {0};
        EXPECT_OK(paper_open(&bed.paper, steps, COUNT(steps)));
        bed.paper.piece = piece;
        struct leat_k8s_watch_conf conf = {.path = "/api/v1/pods", .object_bytes_max = 110, .objects_max = 2};
        EXPECT_OK(leat_k8s_watch_open(bed.paper.client, &conf, &events, &bed, &bed.watch, NULL));
        paper_run(&bed.paper, PAPER_S);
        EXPECT_TOLD(&bed, "+a/1 +b/2 ! -a/1 +d/4 ");
        EXPECT_EQ(stats(&bed)->left_out, 2);
        bed_close(&bed);
    }
}

/* Scenario:   a hundred thousand levels of brackets, in a list and in an event.
 * Guarantees: garbage, and no stack is used up. */
LEAT_TEST(watch_is_not_toppled_by_depth)
{
    static char deep[100100];
    memset(deep, '[', sizeof deep - 1);
    memcpy(deep, "{\"a\":", 5);
    const struct paper_step steps[] = {{200, deep}, {200, LIST("10", "")}, {200, deep}, {200, LIST("10", "")}};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
    paper_run(&bed.paper, 20 * PAPER_S);
    EXPECT_EQ(stats(&bed)->garbage, 2);
    EXPECT_EQ(stats(&bed)->lists, 2);
    bed_close(&bed);
}

/* Scenario:   a watch is closed before its first request, during one, and while it waits.
 * Guarantees: no callback afterwards, nothing left. */
LEAT_TEST(watch_closes_at_any_time)
{
    static const struct paper_step steps[] = {{200, "{\"items\":[" POD("a", "1", "5"), .stays = true}};
    static const uint64_t after[] = {0, PAPER_S, 31 * PAPER_S};
    for (size_t i = 0; i < COUNT(after); i++) {
        struct bed bed;
        EXPECT_OK(bed_open(&bed, steps, COUNT(steps)));
        if (after[i])
            paper_run(&bed.paper, after[i]);
        bed.told[0] = 0;
        bed_close(&bed);
        EXPECT_STR(bed.told, "");
    }
}

LEAT_TEST(watch_refuses_what_is_no_path)
{
    static const char *const bad[] = {"", "api", "/api/v1/pods?x=y", "/a b", "/a#b"};
    struct paper paper;
    EXPECT_OK(paper_open(&paper, NULL, 0));
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct leat_k8s_watch *watch;
        EXPECT_RC(leat_k8s_watch_open(paper.client, &(struct leat_k8s_watch_conf){.path = bad[i]}, &events, NULL, &watch, NULL),
                  LEAT_EINVAL);
    }
    paper_close(&paper);
}

/* Scenario:   list, follow, 410, list, with each allocation failing in turn.
 * Guarantees: in the end everything has been told. */
LEAT_TEST_OOM(watch_survives_any_failed_allocation)
{
    static const struct paper_step once[] = {{200, LIST("10", POD("a", "1", "5") "," POD("b", "2", "6"))},
                                             {200, EVENT("ADDED", POD("c", "3", "11")), .stays = true}};
    struct paper_step steps[12];
    for (size_t i = 0; i < COUNT(steps); i++)
        steps[i] = once[i % 2];
    struct bed bed;
    leat_rc rc = bed_open(&bed, steps, COUNT(steps));
    bed.paper.piece = 50;
    if (rc == LEAT_OK) {
        paper_run(&bed.paper, 100 * PAPER_S);
        EXPECT_EQ(stats(&bed)->objects, 3);
    }
    bed_close(&bed);
    return rc;
}
