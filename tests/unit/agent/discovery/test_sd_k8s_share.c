/* SPDX-License-Identifier: Apache-2.0 */
/* One watch for several listeners, against a server of paper. */
#include "agent/discovery/sd_k8s_share.h"

#include "agent/base/log.h"
#include "tests/unit/agent/k8s/paper.h"

#define POD(name, rv) \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"ns\",\"uid\":\"" name "\",\"resourceVersion\":\"" rv "\"}}"
#define LIST(rv, items) "{\"metadata\":{\"resourceVersion\":\"" rv "\"},\"items\":[" items "]}\n"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

struct ear {
    struct sd_k8s_listener listener;
    char told[256]; /* "+a ~a -a ! " */
    leat_rc answer;
};

static leat_rc on_changed(void *ctx, const struct leat_k8s_object *object)
{
    struct ear *ear = ctx;
    size_t len = strlen(ear->told);
    if (ear->answer != LEAT_OK && object->event != LEAT_K8S_DELETED)
        return ear->answer;
    (void)snprintf(ear->told + len, sizeof ear->told - len, "%c%.*s ", "+~-"[object->event], LEAT_SLICE_ARGS(object->name));
    return LEAT_OK;
}

static void on_synced(void *ctx)
{
    struct ear *ear = ctx;
    strncat(ear->told, "! ", sizeof ear->told - strlen(ear->told) - 1);
}

static const struct leat_k8s_watch_events events = {on_changed, on_synced};

#define EXPECT_TOLD(ear, text)     \
    do {                           \
        EXPECT_STR((ear).told, text); \
        (ear).told[0] = 0;         \
    } while (0)

struct bed {
    struct paper paper;
    struct sd_k8s_server server;
    struct ear ears[2];
};

static leat_rc bed_open(struct bed *bed, const struct paper_step *steps, uint32_t count)
{
    static const struct leat_k8s_watch_conf conf = {.path = "/api/v1/pods", .label_selector = "", .who = "test"};
    leat_log_configure(&(struct leat_log_conf){.level = LEAT_LOG_ERROR + 1, .fd = 2});
    *bed = (struct bed){0};
    leat_rc rc = paper_open(&bed->paper, steps, count);
    bed->server.client = bed->paper.client;
    leat_list_init(&bed->server.watches);
    for (int i = 0; i < 2 && rc == LEAT_OK; i++) {
        bed->ears[i].listener = (struct sd_k8s_listener){.events = &events, .ctx = &bed->ears[i]};
        rc = sd_k8s_watch_use(&bed->server, &conf, &bed->ears[i].listener, NULL);
    }
    return rc;
}

static void bed_close(struct bed *bed)
{
    for (int i = 0; i < 2; i++)
        if (bed->ears[i].listener.of)
            sd_k8s_watch_leave(&bed->ears[i].listener);
    EXPECT(!bed->server.watches.next || leat_list_empty(&bed->server.watches));
    paper_close(&bed->paper);
}

/* Scenario:   two listeners of one watch; one of them leaves.
 * Guarantees: one list and one watch; both are told all of it; the watch goes on for the one that stays. */
LEAT_TEST(listeners_share_a_watch)
{
    static const struct paper_step steps[] = {{200, LIST("10", POD("a", "1"))}, {200, EVENT("ADDED", POD("b", "11")), .stays = true}};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, 2));
    paper_run(&bed.paper, PAPER_S);
    EXPECT_EQ(bed.paper.requests, 2);
    EXPECT_TOLD(bed.ears[0], "+a ! +b ");
    EXPECT_TOLD(bed.ears[1], "+a ! +b ");
    sd_k8s_watch_leave(&bed.ears[0].listener);
    bed.ears[0].listener.of = NULL;
    paper_say(&bed.paper, EVENT("DELETED", POD("a", "12")));
    EXPECT_TOLD(bed.ears[0], "");
    EXPECT_TOLD(bed.ears[1], "-a ");
    EXPECT_EQ(bed.paper.cancels, 0);
    bed_close(&bed);
}

/* Scenario:   one of two listeners cannot take a new object, which goes before the next list; later a change, which comes with that.
 * Guarantees: the other is left with nothing that is not there; what is there is told to both in the end. */
LEAT_TEST(what_one_cannot_take_nobody_keeps)
{
    static const struct paper_step steps[] = {{200, LIST("10", POD("a", "1"))}, {200, EVENT("ADDED", POD("b", "11")), .stays = true},
                                              {200, LIST("20", POD("a", "1") "," POD("c", "19"))}, {200, "", .stays = true},
                                              {200, LIST("30", POD("a", "25") "," POD("c", "19"))}, {200, "", .stays = true}};
    struct bed bed;
    EXPECT_OK(bed_open(&bed, steps, 6));
    paper_run(&bed.paper, PAPER_MS / 2);
    bed.ears[0].told[0] = bed.ears[1].told[0] = 0;
    bed.ears[1].answer = LEAT_ENOMEM;
    paper_say(&bed.paper, EVENT("ADDED", POD("x", "12")));
    paper_say(&bed.paper, EVENT("DELETED", POD("x", "13")));
    EXPECT_TOLD(bed.ears[0], "+x -x ");
    EXPECT_TOLD(bed.ears[1], "-x ");
    bed.ears[1].answer = LEAT_OK;
    paper_run(&bed.paper, 60 * PAPER_S);
    EXPECT_TOLD(bed.ears[0], "+c -b ! ");
    EXPECT_TOLD(bed.ears[1], "+c -b ! ");
    bed.ears[0].answer = LEAT_ENOMEM;
    paper_say(&bed.paper, EVENT("MODIFIED", POD("a", "25")));
    bed.ears[0].answer = LEAT_OK;
    EXPECT_TOLD(bed.ears[1], "~a ");
    paper_run(&bed.paper, 60 * PAPER_S);
    EXPECT_TOLD(bed.ears[0], "~a ! ");
    EXPECT_TOLD(bed.ears[1], "~a ! ");
    bed_close(&bed);
}

/* Guarantees: equal configurations are one server, however an empty value is written; other credentials are another one. */
LEAT_TEST(equal_configurations_are_one_server)
{
    struct leat_world *world = sim_world_new(7);
    struct leat_loop *loop;
    struct leat_list servers;
    struct leat_k8s_sd_conf confs[4] = {{.api_server = "http://127.0.0.1:9"}, {.api_server = "http://127.0.0.1:9", .role = LEAT_K8S_POD},
                                        {.api_server = "http://127.0.0.1:9"}, {.api_server = "http://127.0.0.1:10"}};
    struct sd_k8s_server *used[4];
    confs[1].kubeconfig_file = confs[1].fetch.proxy_url = "";
    confs[2].fetch.bearer_token = "x";
    EXPECT_OK(leat_loop_open_simulated(world, &loop));
    leat_list_init(&servers);
    for (int i = 0; i < 4; i++)
        EXPECT_OK(sd_k8s_server_use(&servers, loop, &confs[i], &used[i], NULL));
    EXPECT(used[0] == used[1] && used[0] != used[2] && used[0] != used[3] && used[2] != used[3]);
    for (int i = 0; i < 4; i++)
        sd_k8s_server_leave(used[i]);
    EXPECT(leat_list_empty(&servers));
    (void)leat_loop_run_once(loop, false);
    (void)leat_loop_close(loop);
    sim_world_free(world);
}

LEAT_TEST_OOM(sharing_survives_failed_allocations)
{
    static const struct paper_step steps[] = {{200, LIST("10", POD("a", "1"))}, {200, "", .stays = true}};
    struct bed bed;
    leat_rc rc = bed_open(&bed, steps, 2);
    if (rc == LEAT_OK)
        paper_run(&bed.paper, PAPER_S);
    bed_close(&bed);
    return rc;
}
