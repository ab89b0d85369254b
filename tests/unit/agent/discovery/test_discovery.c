/* SPDX-License-Identifier: Apache-2.0 */
/* The manager with static, file and HTTP sources: lists, debounce, sources that fail. */
#include "agent/discovery/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/base/strbuf.h"
#include "agent/discovery/discovery_inner.h"
#include "agent/discovery/targets.h"
#include "agent/loop/stream.h"
#include "tests/kit/kit.h"
#include "tests/kit/sim_world.h"

#define SECOND 1000000000ull
#define L(name, value) {LEAT_SLICE(name), LEAT_SLICE(value)}

/* ---- a job and what comes of it ---- */

static const struct leat_label defaults[] = {L("job", "j"), L("__scheme__", "http"), L("__metrics_path__", "/metrics"),
                                             L("__scrape_interval__", "15s"), L("__scrape_timeout__", "10s")};

struct bed {
    struct leat_world *world;
    struct leat_loop *loop;
    struct leat_sd_conf sd;
    struct leat_items relabel;
    struct leat_params params;
    struct leat_discovery_job job;
    struct leat_discovery *discovery;
    struct leat_targets *last;
    uint32_t lists;
    leat_rc answer; /* of the next ones */
};

static leat_rc changed(void *ctx, uint32_t job, struct leat_targets *targets)
{
    struct bed *bed = ctx;
    EXPECT_EQ(job, 0);
    leat_targets_unref(bed->last);
    bed->last = targets;
    bed->lists++;
    return bed->answer;
}

static leat_rc bed_open(struct bed *bed, struct leat_err *err)
{
    bed->job = (struct leat_discovery_job){.name = "j", .sd = &bed->sd, .relabel = &bed->relabel, .defaults = defaults,
                                           .default_count = sizeof defaults / sizeof *defaults, .params = bed->params};
    struct leat_discovery_opts opts = {.loop = bed->loop, .who = "test", .jobs = &bed->job, .job_count = 1, .changed = changed, .ctx = bed};
    return leat_discovery_open(&opts, &bed->discovery, err);
}

static void bed_close(struct bed *bed)
{
    leat_discovery_close(bed->discovery);
    bed->discovery = NULL;
    leat_targets_unref(bed->last);
    bed->last = NULL;
}

/* Moves a simulated clock so far, timers included. */
static void run_for(struct bed *bed, uint64_t ns)
{
    uint64_t end = bed->world->mono_ns(bed->world) + ns, due;
    (void)leat_loop_run_once(bed->loop, false);
    while ((due = leat_loop_next_due_ns(bed->loop)) <= end) {
        sim_world_advance_to(bed->world, due);
        (void)leat_loop_run_once(bed->loop, false);
    }
    sim_world_advance_to(bed->world, end);
    (void)leat_loop_run_once(bed->loop, false);
}

static struct bed simulated(void)
{
    struct bed bed = {.world = sim_world_new(7)};
    EXPECT_OK(leat_loop_open_simulated(bed.world, &bed.loop));
    return bed;
}

static void simulated_done(struct bed *bed)
{
    bed_close(bed);
    bed->loop = leat_loop_close(bed->loop);
    sim_world_free(bed->world);
}

static const char *shown(const struct bed *bed, uint32_t index)
{
    static char text[1024];
    struct leat_strbuf out = {0};
    EXPECT(bed->last && index < bed->last->count);
    leat_strbuf_printf(&out, "%s ", (const char *)bed->last->at[index].url.at);
    leat_labels_dump(bed->last->at[index].labels, &out);
    (void)snprintf(text, sizeof text, "%s", out.at);
    leat_strbuf_done(&out);
    return text;
}

/* ---- static targets ---- */

/* Guarantees: defaults where nothing is said, instance, URL with parameters, internal labels kept and meta labels gone;
 * the same target once; what cannot be asked is left out and counted, what is dropped too. */
LEAT_TEST(discovery_makes_targets)
{
    struct bed bed = simulated();
    struct leat_static_conf statics[] = {
        {{(const char *[]){"b:2", "a:1", "a:1", "drop:1", "bad/1", "[::1]:9"}, 6},
         {(struct leat_pair[]){{"zone", "z"}, {"__meta_x", "gone"}, {"__param_a", "label"}, {"empty", ""}}, 4}},
        {{(const char *[]){"slow:1"}, 1}, {(struct leat_pair[]){{"__scrape_timeout__", "1m"}}, 1}}};
    struct leat_relabel_conf rule = {.source_labels = {(const char *[]){"__address__"}, 1}, .separator = ";", .regex = "drop:.*",
                                     .replacement = "$1", .action = LEAT_RELABEL_DROP};
    struct leat_param params[] = {{"a", {(const char *[]){"conf", "c 2"}, 2}}, {"b&", {(const char *[]){"/x"}, 1}}};
    bed.sd.statics = (struct leat_items){statics, 2};
    bed.relabel = (struct leat_items){&rule, 1};
    bed.params = (struct leat_params){params, 2};
    uint64_t invalid = leat_counters[LEAT_COUNT_DISCOVERY_INVALID], lists = leat_counters[LEAT_COUNT_DISCOVERY_LISTS];
    EXPECT_OK(bed_open(&bed, NULL));
    EXPECT_EQ(bed.lists, 0); /* never from inside open */
    run_for(&bed, SECOND / 1000);
    EXPECT_EQ(bed.lists, 1);
    EXPECT_EQ(bed.last->count, 3);
    EXPECT_EQ(bed.last->dropped, 1);
    EXPECT_EQ(bed.last->invalid, 2);
    EXPECT_EQ(leat_counters[LEAT_COUNT_DISCOVERY_INVALID], invalid + 2);
    EXPECT_EQ(leat_counters[LEAT_COUNT_DISCOVERY_LISTS], lists + 1);
    EXPECT_EQ(bed.last->duplicate, 1);
    EXPECT_STR(shown(&bed, 1), "http://a:1/metrics?a=label&a=c+2&b%26=%2Fx {__address__=\"a:1\", __metrics_path__=\"/metrics\", "
                               "__param_a=\"label\", \"__param_b&\"=\"/x\", __scheme__=\"http\", __scrape_interval__=\"15s\", "
                               "__scrape_timeout__=\"10s\", instance=\"a:1\", job=\"j\", zone=\"z\"}");
    EXPECT_EQ(bed.last->at[0].interval_ns, 15 * SECOND);
    EXPECT_EQ(bed.last->at[0].timeout_ns, 10 * SECOND);
    EXPECT(bed.last->at[0].hash != bed.last->at[1].hash);
    simulated_done(&bed);
}

/* ---- files ---- */

static void put_file(struct bed *bed, const char *path, const char *text)
{
    sim_world_append(bed->world, "/sd/new", text, strlen(text));
    sim_world_move(bed->world, "/sd/new", path);
}

/* Scenario:   a folder with a JSON and a YAML file; one is changed, one broken, one goes.
 * Guarantees: wildcards, the file's path as meta label, a refresh each interval; a broken file keeps its last targets, one
 *             that is gone has none; an equal list is not told again. */
LEAT_TEST(discovery_reads_files)
{
    struct bed bed = simulated();
    struct leat_file_sd_conf files[] = {{{(const char *[]){"/sd/*.json", "/sd/two.yml"}, 2}, 30 * (int64_t)SECOND}};
    struct leat_relabel_conf rule = {.source_labels = {(const char *[]){"__meta_filepath"}, 1}, .separator = ";", .regex = "(.*)",
                                     .replacement = "$1", .target_label = "file"};
    bed.sd.files = (struct leat_items){files, 1};
    bed.relabel = (struct leat_items){&rule, 1};
    EXPECT_OK(leat_sd_check(&bed.sd, NULL));
    EXPECT_OK(bed.world->disk->mkdir(bed.world, "/sd", 0755));
    put_file(&bed, "/sd/one.json", "[{\"targets\":[\"a:1\",\"a:2\"],\"labels\":{\"k\":\"v\"}}]");
    put_file(&bed, "/sd/two.yml", "- targets: ['b:1']\n");
    put_file(&bed, "/sd/other.txt", "nothing");
    EXPECT_OK(bed_open(&bed, NULL));
    run_for(&bed, SECOND);
    EXPECT_EQ(bed.lists, 1);
    EXPECT_EQ(bed.last->count, 3);
    EXPECT(strstr(shown(&bed, 0), "file=\"/sd/one.json\"") && strstr(shown(&bed, 0), "k=\"v\""));
    EXPECT(strstr(shown(&bed, 2), "file=\"/sd/two.yml\"") != NULL);
    run_for(&bed, 60 * SECOND);
    EXPECT_EQ(bed.lists, 1);
    put_file(&bed, "/sd/one.json", "[{\"targets\":[\"a:1\",\"a:2\",\"a:3\"]");
    run_for(&bed, 40 * SECOND);
    EXPECT_EQ(bed.lists, 1);
    EXPECT(leat_discovery_counts(bed.discovery).failures > 0);
    put_file(&bed, "/sd/one.json", "[{\"targets\":[\"a:3\"]}]");
    run_for(&bed, 40 * SECOND);
    EXPECT_EQ(bed.lists, 2);
    EXPECT_EQ(bed.last->count, 2);
    EXPECT_OK(bed.world->disk->unlink(bed.world, "/sd/two.yml"));
    run_for(&bed, 40 * SECOND);
    EXPECT_EQ(bed.last->count, 1);
    simulated_done(&bed);
}

static leat_rc drop_group(void *ctx, struct leat_sd_group *group)
{
    (void)ctx;
    leat_sd__group_free(group);
    return LEAT_OK;
}

/* Guarantees: unknown fields, wrong types and bad names are errors that say where; nothing of such a text is taken. */
LEAT_TEST(discovery_refuses_bad_documents)
{
    static const char *const bad[] = {"{}", "[1]", "[{\"targets\":1}]", "[{\"targets\":[1]}]", "[{\"labels\":{\"a\":1}}]",
                                      "[{\"label\":{}}]", "[{\"labels\":{\"\":\"x\"}}]", "[{\"labels\":[]}]", "[null]", "[{}] x", "[", "",
                                      "[{\"labels\":{\"a\":\"\xff\"}}]", "[{\"targets\":[\"a\"],}]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct leat_err err = {0};
        struct leat_sd_read read = {LEAT_SLICE("f"), "__meta_filepath", drop_group, NULL};
        EXPECT_RC(leat_sd__read_json(&read, bad[i], strlen(bad[i]), &err), LEAT_EPARSE);
        EXPECT(err.text[0] != 0);
    }
    static const char *const yaml[] = {"a: b", "- 1", "- targets: 1", "- {label: {}}", "- targets: [[]]", "- labels: [a]", "- {targets: [a}"};
    for (size_t i = 0; i < sizeof yaml / sizeof *yaml; i++) {
        struct leat_sd_read read = {LEAT_SLICE("f"), "__meta_filepath", drop_group, NULL};
        EXPECT_RC(leat_sd__read_yaml(&read, yaml[i], strlen(yaml[i]), NULL), LEAT_EPARSE);
    }
}

/* Guarantees: a file that changes is read within a second, long before its interval. */
LEAT_TEST(discovery_watches_files)
{
    char folder[] = "/tmp/leat_sd_XXXXXX", path[64], next[64];
    EXPECT(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/t.json", folder);
    (void)snprintf(next, sizeof next, "%s/t.new", folder);
    struct bed bed = {0};
    struct leat_file_sd_conf files = {{(const char *[]){path}, 1}, 3600 * (int64_t)SECOND};
    EXPECT_OK(leat_loop_open(leat_world_real(), &bed.loop, NULL));
    bed.sd.files = (struct leat_items){&files, 1};
    EXPECT_OK(bed_open(&bed, NULL));
    while (bed.lists == 0)
        (void)leat_loop_run_once(bed.loop, true);
    EXPECT_EQ(bed.last->count, 0);
    FILE *file = fopen(next, "w");
    EXPECT(file && fputs("[{\"targets\":[\"a:1\"]}]", file) >= 0);
    (void)fclose(file);
    EXPECT_EQ(rename(next, path), 0);
    while (bed.lists == 1) /* the debounce of 5 s is the longest part */
        (void)leat_loop_run_once(bed.loop, true);
    EXPECT_EQ(bed.last->count, 1);
    bed_close(&bed);
    while (leat_loop_run_once(bed.loop, false))
        ;
    bed.loop = leat_loop_close(bed.loop);
    (void)unlink(path);
    (void)rmdir(folder);
}

/* ---- HTTP ---- */

static const char *http_answer;
struct client {
    struct leat_stream *stream;
};

static void client_bytes(void *ctx, struct leat_slice bytes)
{
    struct client *client = ctx;
    struct leat_chain out = {0};
    leat_mem_unref(bytes.mem); /* a GET fits one segment */
    EXPECT_OK(leat_chain_take(&out, leat_slice_str(http_answer)));
    EXPECT_OK(leat_stream_write(client->stream, &out));
    leat_stream_close_flushed(client->stream);
}

static void client_closed(void *ctx, const struct leat_err *why)
{
    (void)why;
    free(ctx);
}

static void accepted(void *ctx, int fd)
{
    static const struct leat_stream_events events = {.bytes = client_bytes, .closed = client_closed};
    struct client *client = calloc(1, sizeof *client);
    EXPECT_OK(leat_stream_adopt(ctx, fd, &events, client, &client->stream, NULL));
}

static void until_refreshes(struct bed *bed, uint64_t more)
{
    uint64_t wanted = leat_discovery_counts(bed->discovery).refreshes + more;
    while (leat_discovery_counts(bed->discovery).refreshes < wanted)
        (void)leat_loop_run_once(bed->loop, true);
}

#define JSON_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"

/* Scenario:   the server answers, then with 500, with garbage, with another type, half, and well again.
 * Guarantees: the first list comes at once; failures are counted and keep the last targets. */
LEAT_TEST(discovery_keeps_targets_of_a_server_that_flaps)
{
    static const char *const flaps[] = {"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", JSON_HEAD "[{\"targets\":[\"x\"]",
                                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n[]",
                                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n[]", "garbage\r\n\r\n"};
    struct bed bed = {0};
    struct leat_listener *listener;
    char url[64];
    EXPECT_OK(leat_loop_open(leat_world_real(), &bed.loop, NULL));
    EXPECT_OK(leat_listener_open(bed.loop, "127.0.0.1:0", accepted, bed.loop, &listener, NULL));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/sd", leat_listener_port(listener));
    struct leat_http_sd_conf http = {.url = url, .refresh_interval_ns = 50000000};
    bed.sd.https = (struct leat_items){&http, 1};
    http_answer = JSON_HEAD "[{\"targets\":[\"a:1\"],\"labels\":{\"__meta_k\":\"v\"}}]";
    EXPECT_OK(leat_sd_check(&bed.sd, NULL));
    EXPECT_OK(bed_open(&bed, NULL));
    while (bed.lists == 0)
        (void)leat_loop_run_once(bed.loop, true);
    EXPECT_EQ(bed.last->count, 1);
    for (size_t i = 0; i < sizeof flaps / sizeof *flaps; i++) {
        uint64_t before = leat_discovery_counts(bed.discovery).failures;
        http_answer = flaps[i];
        until_refreshes(&bed, 2);
        EXPECT(leat_discovery_counts(bed.discovery).failures > before);
        EXPECT_EQ(bed.lists, 1);
    }
    http_answer = JSON_HEAD "[]";
    while (bed.lists == 1)
        (void)leat_loop_run_once(bed.loop, true);
    EXPECT_EQ(bed.last->count, 0);
    bed_close(&bed);
    leat_listener_close(listener);
    while (leat_loop_run_once(bed.loop, false))
        ;
    bed.loop = leat_loop_close(bed.loop);
}

/* ---- checks ---- */

LEAT_TEST(discovery_refuses_bad_sources)
{
    struct leat_err err = {0};
    struct leat_file_sd_conf file = {{(const char *[]){"/a/*/b.json"}, 1}, 1};
    struct leat_http_sd_conf http = {.url = "ftp://x"};
    struct leat_static_conf target = {{(const char *[]){"http://x"}, 1}, {0}};
    struct leat_k8s_selector selectors[] = {{LEAT_K8S_NODE, "a", NULL}, {LEAT_K8S_POD, NULL, "b"}, {LEAT_K8S_POD, NULL, "c"}};
    struct leat_k8s_sd_conf k8s = {.role = LEAT_K8S_POD, .api_server = "https://x", .kubeconfig_file = "y"};
    struct leat_sd_conf sd = {.files = {&file, 1}};
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    EXPECT_STR(err.text, "file_sd_configs[0]: path name \"/a/*/b.json\" is not valid for file discovery");
    file.files.at[0] = "/a/b.txt";
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    sd = (struct leat_sd_conf){.https = {&http, 1}};
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    sd = (struct leat_sd_conf){.statics = {&target, 1}};
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    sd = (struct leat_sd_conf){.kubernetes = {&k8s, 1}};
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    k8s.kubeconfig_file = NULL;
    k8s.selectors = (struct leat_items){selectors, 1};
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "pod role supports no node selectors") != NULL);
    k8s.selectors = (struct leat_items){selectors + 1, 2};
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "duplicated selector role") != NULL);
    k8s.selectors.count = 1;
    EXPECT_OK(leat_sd_check(&sd, &err));
    k8s.namespaces.own_namespace = true;
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    EXPECT_STR(err.text, "kubernetes_sd_configs[0]: cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
    k8s.api_server = NULL;
    EXPECT_OK(leat_sd_check(&sd, &err));
    k8s.kubeconfig_file = "y";
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
    EXPECT_STR(err.text, "kubernetes_sd_configs[0]: cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
    k8s.namespaces.own_namespace = false;
    EXPECT_OK(leat_sd_check(&sd, &err));
    k8s.kubeconfig_file = NULL;
    k8s.fetch.bearer_token = "x";
    EXPECT_RC(leat_sd_check(&sd, &err), LEAT_ECONFIG);
}

/* Scenario:   a list that could not be told to all, and nothing that changes afterwards.
 * Guarantees: it is told again until it is taken, and then no more. */
LEAT_TEST(an_untold_list_is_told_again)
{
    struct bed bed = simulated();
    struct leat_static_conf one = {{(const char *[]){"a:1"}, 1}, {0}};
    bed.sd.statics = (struct leat_items){&one, 1};
    bed.answer = LEAT_ENOMEM;
    EXPECT_OK(bed_open(&bed, NULL));
    run_for(&bed, 12 * SECOND);
    EXPECT_EQ(bed.lists, 3);
    bed.answer = LEAT_OK;
    run_for(&bed, 60 * SECOND);
    EXPECT_EQ(bed.lists, 4);
    EXPECT_EQ(leat_discovery_counts(bed.discovery).failures, 3);
    simulated_done(&bed);
}

/* ---- the feed ---- */

struct ear {
    struct leat_feed_member member;
    uint32_t told, count;
};

static void hear(void *ctx, uint32_t job, struct leat_targets *targets)
{
    struct ear *ear = ctx;
    EXPECT_EQ(job, 1);
    ear->told++;
    ear->count = targets->count;
}

/* Guarantees: members hear each list, late ones the last, those who left nothing, even of what was on its way. */
LEAT_TEST(feed_tells_all_members)
{
    struct bed bed = simulated();
    struct leat_static_conf one = {{(const char *[]){"a:1"}, 1}, {0}};
    struct leat_target_feed feed = {0};
    struct ear ears[3] = {0};
    for (uint32_t i = 0; i < 3; i++)
        ears[i].member = (struct leat_feed_member){.loop = bed.loop, .changed = hear, .ctx = &ears[i]};
    bed.sd.statics = (struct leat_items){&one, 1};
    EXPECT_OK(bed_open(&bed, NULL));
    run_for(&bed, SECOND / 1000);
    EXPECT_OK(leat_feed_join(&feed, &ears[0].member));
    EXPECT_OK(leat_feed_join(&feed, &ears[1].member));
    EXPECT_OK(leat_feed_publish(&feed, 1, leat_targets_ref(bed.last)));
    EXPECT_EQ(ears[0].told, 0);
    leat_feed_leave(&feed, &ears[1].member);
    run_for(&bed, SECOND / 1000);
    EXPECT_EQ(ears[0].told, 1);
    EXPECT_EQ(ears[0].count, 1);
    EXPECT_EQ(ears[1].told, 0);
    EXPECT_OK(leat_feed_join(&feed, &ears[2].member));
    run_for(&bed, SECOND / 1000);
    EXPECT_EQ(ears[2].told, 1);
    leat_feed_leave(&feed, &ears[0].member);
    leat_feed_leave(&feed, &ears[2].member);
    leat_feed_leave(&feed, &ears[2].member);
    leat_feed_done(&feed);
    simulated_done(&bed);
}

/* Scenario:   targets that show the same labels and differ in path or parameters, as after a change of the configuration.
 * Guarantees: one shard has them all, so that what takes over from another is seen there; targets are spread over all shards. */
LEAT_TEST(equal_series_come_from_one_shard)
{
    struct leat_target_list *list = leat_target_list_new(0);
    uint32_t of_shard[3] = {0};
    for (int i = 0; i < 300; i++) {
        char instance[16], path[16], url[64];
        (void)snprintf(instance, sizeof instance, "h%d:1", i % 60);
        (void)snprintf(path, sizeof path, "/m%d", i);
        (void)snprintf(url, sizeof url, "http://%s%s", instance, path);
        struct leat_label labels[] = {{LEAT_SLICE("__metrics_path__"), leat_slice_str(path)},
                                      {LEAT_SLICE("instance"), leat_slice_str(instance)}, L("job", "j")};
        EXPECT_OK(leat_target_list_add(list, (struct leat_labels){labels, 3}, leat_slice_str(url), 0, 0));
    }
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t shard = leat_target_shard(&list->shown.at[i], 3);
        EXPECT_EQ(shard, leat_target_shard(&list->shown.at[i % 60], 3));
        EXPECT(list->shown.at[i].hash != list->shown.at[(i + 60) % 300].hash);
        of_shard[shard]++;
    }
    EXPECT(of_shard[0] >= 50 && of_shard[1] >= 50 && of_shard[2] >= 50);
    leat_targets_unref(&list->shown);
}

/* Guarantees: a list that was taken has reached every member. */
LEAT_TEST_OOM(feed_survives_failed_allocations)
{
    static struct bed bed;
    bed = (struct bed){.world = sim_world_new(7)};
    struct leat_target_feed feed = {0};
    struct ear ears[2] = {0};
    struct leat_target_list *list = leat_target_list_new(1);
    leat_rc rc = leat_loop_open_simulated(bed.world, &bed.loop);
    for (uint32_t i = 0; i < 2 && rc == LEAT_OK; i++) {
        ears[i].member = (struct leat_feed_member){.loop = bed.loop, .changed = hear, .ctx = &ears[i]};
        rc = leat_feed_join(&feed, &ears[i].member);
    }
    if (rc == LEAT_OK && list)
        rc = leat_feed_publish(&feed, 1, leat_targets_ref(&list->shown));
    if (bed.loop)
        run_for(&bed, SECOND / 1000);
    for (uint32_t i = 0; i < 2; i++) {
        EXPECT(rc != LEAT_OK || !list || ears[i].told == 1);
        leat_feed_leave(&feed, &ears[i].member);
    }
    leat_feed_done(&feed);
    if (bed.loop)
        (void)leat_loop_close(bed.loop);
    sim_world_free(bed.world);
    leat_targets_unref(list ? &list->shown : NULL);
    return list ? rc : LEAT_ENOMEM;
}

LEAT_TEST_OOM(discovery_survives_failed_allocations)
{
    struct bed bed = {.world = sim_world_new(7)};
    struct leat_static_conf one = {{(const char *[]){"a:1", "b:1"}, 2}, {(struct leat_pair[]){{"k", "v"}}, 1}};
    struct leat_file_sd_conf files = {{(const char *[]){"/sd/*.json"}, 1}, 30 * (int64_t)SECOND};
    leat_rc rc = leat_loop_open_simulated(bed.world, &bed.loop);
    bed.sd.statics = (struct leat_items){&one, 1};
    bed.sd.files = (struct leat_items){&files, 1};
    (void)bed.world->disk->mkdir(bed.world, "/sd", 0755);
    put_file(&bed, "/sd/one.json", "[{\"targets\":[\"a:1\",\"a:2\"],\"labels\":{\"k\":\"v\"}}]");
    if (rc == LEAT_OK)
        rc = bed_open(&bed, NULL);
    if (rc == LEAT_OK)
        run_for(&bed, 20 * SECOND);
    if (rc == LEAT_OK && leat_alloc_failed() && (!bed.last || bed.last->count != 4))
        rc = LEAT_ENOMEM; /* a list later, or a file's next look */
    bed_close(&bed);
    if (bed.loop)
        bed.loop = leat_loop_close(bed.loop);
    sim_world_free(bed.world);
    return rc;
}
