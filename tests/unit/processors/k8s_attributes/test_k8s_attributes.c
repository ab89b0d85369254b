/* SPDX-License-Identifier: Apache-2.0 */
/* The processor against a feed whose API server is made of paper. */
#include "agent/base/log.h"
#include "agent/base/strbuf.h"
#include "processors/k8s_attributes/k8s_attributes.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_json_write.h"
#include "tests/unit/agent/k8s/paper.h"

#define A(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define LOGS(attributes) \
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" attributes "]},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{\"body\":{}}]}]}]}"
#define POD(name, uid, ip, more) \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"shop\",\"uid\":\"" uid "\",\"resourceVersion\":\"5\"," \
    "\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"labels\":{\"app\":\"web\\u0021\",\"tier\":\"front\",\"pod-template-hash\":\"7d9f\"}," \
    "\"annotations\":{\"resource.opentelemetry.io/team\":\"blue\"}," \
    "\"ownerReferences\":[{\"kind\":\"ReplicaSet\",\"name\":\"web-7d9f\",\"uid\":\"rs\",\"controller\":true}]}," \
    "\"spec\":{\"nodeName\":\"n1\",\"initContainers\":[{\"name\":\"init\",\"image\":\"i\"}]," \
    "\"containers\":[{\"name\":\"main\",\"image\":\"reg:5000/team/web:1.2\"}]}," \
    "\"status\":{\"podIP\":\"" ip "\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":3,\"containerID\":\"containerd://abc\"}]}" more "}"
#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define FOUND \
    A("k8s.namespace.name", "shop") "," A("k8s.pod.name", "web-7d9f-x") "," A("k8s.node.name", "n1") "," \
    A("k8s.deployment.name", "web") "," A("k8s.pod.labels.app", "web!") "," A("label_front", "front")
#define IMAGE A("container.image.name", "reg:5000/team/web") "," A("container.image.tag", "1.2")

static const char *metadata[] = {"k8s.namespace.name", "k8s.pod.name", "k8s.node.name", "k8s.deployment.name",
                                 "container.image.name", "container.image.tag", "container.id"};
static struct k8s_extract_conf labels[] = {{.key = "app"}, {.key_regex = "t(ie)r", .tag_name = "label_front"}};

static struct k8s_attributes_conf conf_of(void)
{
    return (struct k8s_attributes_conf){.extract = {.metadata = {metadata, 6}, .labels = {labels, 2}},
                                        .pod_wait_timeout_ns = 2 * (int64_t)PAPER_S,
                                        .pod_wait_items = 10,
                                        .pod_wait_bytes = 1 << 20};
}

/* The next stage: keeps what comes, or says there is no room. */
struct sink {
    struct leat_stage stage;
    bool full;
    uint32_t count;
    char got[20][900];
};

static leat_rc sink_reserve(struct leat_stage *stage, const struct leat_batch *batch)
{
    (void)batch;
    return LEAT_CONTAINER(stage, struct sink, stage)->full ? LEAT_AGAIN : LEAT_OK;
}

static void text_of(struct leat_batch *batch, char *to, size_t room)
{
    struct leat_strbuf text = {0};
    if (otlp_json_write(LEAT_LOGS, &batch->payload, &text, NULL) != LEAT_OK)
        leat_strbuf_clear(&text);
    (void)snprintf(to, room, "%s", text.at ? text.at : "");
    leat_strbuf_done(&text);
    leat_batch_free(batch);
}

static void sink_put(struct leat_stage *stage, struct leat_batch *batch)
{
    struct sink *sink = LEAT_CONTAINER(stage, struct sink, stage);
    EXPECT(sink->count < 20);
    text_of(batch, sink->got[sink->count++], sizeof *sink->got);
}

static const struct leat_stage_ops sink_ops = {.reserve = sink_reserve, .put = sink_put};

struct rig {
    struct paper paper;
    struct leat_gate gate;
    struct leat_host host;
    uint64_t counts[16];
    struct sink sink;
    struct leat_k8s_feed *feed;
    struct k8s_attributes_conf conf;
    struct k8s_attributes k8s;
};

static void wake(struct leat_waiter *waiter)
{
    (void)k8s_attributes__flush(waiter->ctx);
}

static leat_rc rig_open(struct rig *rig, const struct k8s_attributes_conf *conf, const struct paper_step *steps, uint32_t count)
{
    *rig = (struct rig){.conf = *conf};
    leat_log_configure(&(struct leat_log_conf){.level = LEAT_LOG_ERROR + 1, .fd = 2});
    leat_rc rc = paper_open(&rig->paper, steps, count);
    if (rc != LEAT_OK)
        return rc;
    leat_gate_init(&rig->gate, rig->paper.loop);
    rig->sink.stage.ops = &sink_ops;
    rig->host = (struct leat_host){.id = "k8s_attributes", .loop = rig->paper.loop, .world = rig->paper.world,
                                   .gate = &rig->gate, .counts = rig->counts, .next = &rig->sink.stage,
                                   .waiter = {.wake = wake, .ctx = &rig->k8s}};
    leat_list_init(&rig->host.waiter.link);
    rc = k8s_attributes__open(&rig->k8s, &rig->conf, LEAT_LOGS, &rig->host, NULL);
    struct leat_k8s_feed_conf feed = {.keep = {true, true}, .kinds = rig->k8s.rules.kinds, .grace_ns = 120 * PAPER_S, .who = "test"};
    if (rc == LEAT_OK && steps)
        rc = leat_k8s_feed_over(rig->paper.client, &feed, &rig->feed, NULL);
    if (rc == LEAT_OK && steps)
        k8s_attributes__use(&rig->k8s, rig->feed);
    if (rc == LEAT_OK)
        paper_run(&rig->paper, PAPER_MS);
    return rc;
}

static void rig_close(struct rig *rig)
{
    k8s_attributes__close(&rig->k8s);
    (void)leat_k8s_feed_close(rig->feed);
    if (rig->gate.loop) {
        leat_gate_forget(&rig->host.waiter);
        leat_gate_done(&rig->gate);
    }
    paper_close(&rig->paper);
}

static leat_rc batch_of(const char *text, const char *peer, size_t cut, struct leat_batch **ret_batch)
{
    struct leat_chain json = {0}, made = {0};
    struct leat_batch *batch = leat_batch_new(LEAT_LOGS, &otlp_form);
    leat_rc rc = batch ? leat_chain_take(&json, leat_slice_str(text)) : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = otlp_json_read(LEAT_LOGS, &json, &made, NULL);
    leat_chain_done(&json);
    if (rc == LEAT_OK && cut) {
        uint8_t flat[2048];
        size_t len = leat_chain_put(&made, flat, sizeof flat);
        leat_chain_done(&made);
        made = kit_chain_cut(flat, len, cut < len ? cut : 0);
    }
    if (rc != LEAT_OK) {
        leat_batch_free(batch);
        return rc;
    }
    batch->payload = made;
    batch->item_count = 1;
    batch->pinned_bytes = made.bytes;
    leat_peer_parse(peer, batch->peer);
    *ret_batch = batch;
    return LEAT_OK;
}

/* Through the processor; "" when it keeps the batch. */
static const char *through(struct rig *rig, const char *text, const char *peer, size_t cut)
{
    static char got[2000];
    struct leat_batch *batch;
    EXPECT_OK(batch_of(text, peer, cut, &batch));
    EXPECT_OK(k8s_attributes__admit(&rig->k8s, batch));
    leat_ledger_in(&rig->host.ledger[LEAT_LOGS], 1, 0);
    batch = k8s_attributes__process(&rig->k8s, batch);
    got[0] = 0;
    if (batch)
        text_of(batch, got, sizeof got);
    return got;
}

static const struct paper_step one_pod[] = {{200, LIST(POD("web-7d9f-x", "u1", "10.0.0.7", ""))}, {200, "", .stays = true}};

/* Scenario:   a pod's resource by each of the default rules, its payload cut at each byte.
 * Guarantees: namespace, deployment, labels stand behind what was there; what was there stays; an empty value gives way. */
LEAT_TEST(pods_are_known_by_the_default_rules)
{
    static struct rig rig;
    struct k8s_attributes_conf conf = conf_of();
    EXPECT_OK(rig_open(&rig, &conf, one_pod, 2));
    for (size_t cut = 0; cut < 60; cut++)
        EXPECT_STR(through(&rig, LOGS(A("k8s.pod.ip", "10.0.0.7") "," A("z", "1")), NULL, cut),
                   LOGS(A("k8s.pod.ip", "10.0.0.7") "," A("z", "1") "," FOUND "," IMAGE));
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.0.0.7")), NULL, 0), LOGS(A("ip", "10.0.0.7") "," A("k8s.pod.ip", "10.0.0.7") "," FOUND "," IMAGE));
    EXPECT_STR(through(&rig, LOGS(A("host.name", "10.0.0.7")), NULL, 0), LOGS(A("host.name", "10.0.0.7") "," A("k8s.pod.ip", "10.0.0.7") "," FOUND "," IMAGE));
    EXPECT_STR(through(&rig, LOGS(A("z", "1")), "10.0.0.7:999", 0), LOGS(A("z", "1") "," A("k8s.pod.ip", "10.0.0.7") "," FOUND "," IMAGE));
    EXPECT_STR(through(&rig, LOGS(""), "[::ffff:10.0.0.7]:999", 0), LOGS(A("k8s.pod.ip", "10.0.0.7") "," FOUND "," IMAGE));
    for (size_t cut = 0; cut < 60; cut++)
        EXPECT_STR(through(&rig, LOGS(A("k8s.namespace.name", "mine") "," A("ip", "10.0.0.7") "," A("k8s.pod.name", "")), NULL, cut),
                   LOGS(A("k8s.namespace.name", "mine") "," A("ip", "10.0.0.7") "," A("k8s.pod.ip", "10.0.0.7") "," A("k8s.pod.name", "web-7d9f-x") ","
                        A("k8s.node.name", "n1") "," A("k8s.deployment.name", "web") "," A("k8s.pod.labels.app", "web!") ","
                        A("label_front", "front") "," IMAGE));
    EXPECT_STR(through(&rig, LOGS(A("host.name", "web")), NULL, 0), LOGS(A("host.name", "web")));
    EXPECT_EQ(rig.counts[K8S_NAMELESS], 1);
    rig_close(&rig);
}

/* Scenario:   rules of the user's: uid; namespace and name; container.id; and rules that name no pod.
 * Guarantees: the first rule whose sources are there decides, all of its sources must fit; what cannot be had is refused. */
LEAT_TEST(pods_are_known_by_the_users_rules)
{
    static struct rig rig;
    static struct k8s_association_source_conf uid[] = {{1, "k8s.pod.uid"}}, both[] = {{1, "k8s.namespace.name"}, {1, "k8s.pod.name"}},
                                              id[] = {{1, "container.id"}}, node[] = {{1, "k8s.node.name"}}, odd[] = {{1, "color"}};
    struct k8s_association_conf rules[] = {{{uid, 1}}, {{both, 2}}, {{id, 1}}};
    struct k8s_attributes_conf conf = conf_of();
    conf.pod_association = (struct leat_items){rules, 3};
    conf.pod_wait_timeout_ns = 0;
    conf.extract.metadata.count = 7;
    EXPECT_OK(k8s_attributes__check(&conf, NULL));
    EXPECT_OK(rig_open(&rig, &conf, one_pod, 2));
    EXPECT_STR(through(&rig, LOGS(A("k8s.pod.uid", "u1")), NULL, 0),
               LOGS(A("k8s.pod.uid", "u1") "," FOUND "," IMAGE "," A("container.id", "abc")));
    EXPECT(strstr(through(&rig, LOGS(A("k8s.namespace.name", "shop") "," A("k8s.pod.name", "web-7d9f-x")), NULL, 0), "label_front"));
    EXPECT(!strstr(through(&rig, LOGS(A("k8s.namespace.name", "x") "," A("k8s.pod.name", "web-7d9f-x")), NULL, 0), "label_front"));
    EXPECT(!strstr(through(&rig, LOGS(A("k8s.pod.uid", "other") "," A("container.id", "abc")), NULL, 0), "label_front"));
    EXPECT(strstr(through(&rig, LOGS(A("container.id", "abc")), NULL, 0), IMAGE));
    EXPECT(!strstr(through(&rig, LOGS(A("k8s.pod.uid", "u1") "," A("k8s.container.name", "init") ","
                                      A("k8s.container.restart_count", "0")), NULL, 0), "abc"));
    EXPECT(!strstr(through(&rig, LOGS(A("k8s.pod.uid", "u1") "," A("k8s.container.name", "main") ","
                                      A("k8s.container.restart_count", "2")), NULL, 0), "abc"));
    EXPECT(strstr(through(&rig, LOGS(A("k8s.pod.uid", "u1") "," A("k8s.container.name", "main") ","
                                     A("k8s.container.restart_count", "3")), NULL, 0), "abc"));
    rig_close(&rig);
    conf.pod_association = (struct leat_items){&(struct k8s_association_conf){{node, 1}}, 1};
    EXPECT_RC(k8s_attributes__check(&conf, NULL), LEAT_ECONFIG);
    conf.pod_association = (struct leat_items){&(struct k8s_association_conf){{odd, 1}}, 1};
    EXPECT_RC(k8s_attributes__check(&conf, NULL), LEAT_ECONFIG);
    conf = conf_of();
    const char *unknown[] = {"k8s.pod.color"};
    conf.extract.metadata = (struct leat_strings){unknown, 1};
    EXPECT_RC(k8s_attributes__check(&conf, NULL), LEAT_ECONFIG);
}

/* Scenario:   data of a pod that the API shows only later; behind it data of the same pod, and of another, known one.
 * Guarantees: both of its batches wait and leave in order with everything; the other's pass by. */
LEAT_TEST(data_waits_for_its_pod)
{
    static struct rig rig;
    struct k8s_attributes_conf conf = conf_of();
    EXPECT_OK(rig_open(&rig, &conf, one_pod, 2));
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.0.0.9") "," A("n", "1")), NULL, 0), "");
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.0.0.9") "," A("n", "2")), NULL, 0), "");
    EXPECT(strstr(through(&rig, LOGS(A("ip", "10.0.0.7")), NULL, 0), IMAGE));
    EXPECT_EQ(k8s_attributes__held(&rig.k8s), 2);
    paper_run(&rig.paper, PAPER_S);
    EXPECT_EQ(rig.sink.count, 0);
    paper_say(&rig.paper, EVENT("ADDED", POD("web-7d9f-y", "u2", "10.0.0.9", "")));
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.0.0.9") "," A("n", "3")), NULL, 0), ""); /* it must not overtake */
    paper_run(&rig.paper, PAPER_S / 10);
    EXPECT_EQ(rig.sink.count, 3);
    for (int i = 0; i < 3; i++) {
        char mark[64];
        (void)snprintf(mark, sizeof mark, A("n", "%d"), i + 1);
        EXPECT(strstr(rig.sink.got[i], mark) && strstr(rig.sink.got[i], A("k8s.pod.name", "web-7d9f-y")));
    }
    EXPECT_EQ(k8s_attributes__held(&rig.k8s), 0);
    EXPECT(strstr(through(&rig, LOGS(A("ip", "10.0.0.9")), NULL, 0), IMAGE));
    EXPECT_EQ(rig.counts[K8S_UNKNOWN], 0);
    rig_close(&rig);
}

/* Scenario:   a pod that is never shown; then too much data of such pods.
 * Guarantees: two seconds, once, then its data goes on as it is and is counted; a full house is emptied at once. */
LEAT_TEST(waiting_ends)
{
    static struct rig rig;
    struct k8s_attributes_conf conf = conf_of();
    EXPECT_OK(rig_open(&rig, &conf, one_pod, 2));
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.9.9.9")), NULL, 0), "");
    paper_run(&rig.paper, 19 * PAPER_S / 10);
    EXPECT_EQ(rig.sink.count, 0);
    paper_run(&rig.paper, PAPER_S / 5);
    EXPECT_EQ(rig.sink.count, 1);
    EXPECT_STR(rig.sink.got[0], LOGS(A("ip", "10.9.9.9") "," A("k8s.pod.ip", "10.9.9.9")));
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.9.9.9")), NULL, 0), LOGS(A("ip", "10.9.9.9") "," A("k8s.pod.ip", "10.9.9.9")));
    EXPECT_EQ(rig.counts[K8S_GIVEN_UP], 1);
    EXPECT_EQ(rig.counts[K8S_UNKNOWN], 2);
    for (int i = 0; i < 11; i++) {
        char text[300];
        (void)snprintf(text, sizeof text, LOGS(A("ip", "10.8.8.%d")), i);
        EXPECT_STR(through(&rig, text, NULL, 0), "");
    }
    paper_run(&rig.paper, PAPER_S / 10);
    EXPECT_EQ(rig.sink.count, 12);
    EXPECT_EQ(rig.counts[K8S_OVERFLOW], 11);
    rig_close(&rig);
}

/* Scenario:   what waited finds no room behind; then the end comes while something waits.
 * Guarantees: nothing new is let in, it leaves when there is room; at the end nothing waits any longer. */
LEAT_TEST(waiting_and_room)
{
    static struct rig rig;
    struct k8s_attributes_conf conf = conf_of();
    EXPECT_OK(rig_open(&rig, &conf, one_pod, 2));
    rig.sink.full = true;
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.0.0.9")), NULL, 0), "");
    paper_run(&rig.paper, 3 * PAPER_S);
    struct leat_batch *batch;
    EXPECT_OK(batch_of(LOGS(A("ip", "10.0.0.7")), NULL, 0, &batch));
    EXPECT_RC(k8s_attributes__admit(&rig.k8s, batch), LEAT_AGAIN);
    rig.sink.full = false;
    paper_run(&rig.paper, PAPER_S / 10);
    EXPECT_EQ(rig.sink.count, 1);
    EXPECT_OK(k8s_attributes__admit(&rig.k8s, batch));
    leat_batch_free(batch);
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.0.0.10")), NULL, 0), "");
    EXPECT(k8s_attributes__flush(&rig.k8s));
    EXPECT_EQ(rig.sink.count, 2);
    rig_close(&rig);
}

/* Scenario:   a pod is deleted, its label changes before that, and two minutes pass; one is excluded, one says so itself.
 * Guarantees: changes are seen at once, a deleted pod stays known for the grace, the others are left alone. */
LEAT_TEST(pods_come_change_and_go)
{
    static struct rig rig;
    struct k8s_attributes_conf conf = conf_of();
    static const struct paper_step steps[] = {{200, LIST(POD("web-7d9f-x", "u1", "10.0.0.7", "") "," POD("jaeger-agent-1", "u5", "10.0.0.5", ""))},
                                              {200, "", .stays = true}, {200, "", .stays = true}};
    EXPECT_OK(rig_open(&rig, &conf, steps, 3));
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.0.0.5")), NULL, 0), LOGS(A("ip", "10.0.0.5")));
    EXPECT(strstr(through(&rig, LOGS(A("ip", "10.0.0.7")), NULL, 0), "n1"));
    paper_say(&rig.paper, EVENT("MODIFIED", "{\"metadata\":{\"name\":\"web-7d9f-x\",\"namespace\":\"shop\",\"uid\":\"u1\",\"resourceVersion\":\"6\"},"
                                            "\"spec\":{\"nodeName\":\"n2\"},\"status\":{\"podIP\":\"10.0.0.7\"}}"));
    EXPECT(strstr(through(&rig, LOGS(A("ip", "10.0.0.7")), NULL, 0), "n2"));
    paper_say(&rig.paper, EVENT("DELETED", POD("web-7d9f-x", "u1", "10.0.0.7", "")));
    paper_run(&rig.paper, 100 * PAPER_S);
    EXPECT(strstr(through(&rig, LOGS(A("ip", "10.0.0.7")), NULL, 0), "n2"));
    EXPECT_EQ(leat_k8s_feed_pods(rig.feed), 2);
    paper_run(&rig.paper, 30 * PAPER_S);
    EXPECT_STR(through(&rig, LOGS(A("ip", "10.0.0.7")), NULL, 0), LOGS(A("ip", "10.0.0.7") "," A("k8s.pod.ip", "10.0.0.7")));
    EXPECT_EQ(leat_k8s_feed_pods(rig.feed), 1);
    rig_close(&rig);
}

/* Scenario:   passthrough.
 * Guarantees: the address, nothing else, and nobody is asked. */
LEAT_TEST(passthrough_notes_the_address)
{
    static struct rig rig;
    struct k8s_attributes_conf conf = conf_of();
    conf.passthrough = true;
    EXPECT_OK(rig_open(&rig, &conf, NULL, 0));
    EXPECT_STR(through(&rig, LOGS(A("z", "1")), "10.0.0.7:999", 0), LOGS(A("z", "1") "," A("k8s.pod.ip", "10.0.0.7")));
    EXPECT_STR(through(&rig, LOGS(A("z", "1")), "10.0.0.8:999", 0), LOGS(A("z", "1") "," A("k8s.pod.ip", "10.0.0.8")));
    EXPECT_STR(through(&rig, LOGS(A("k8s.pod.ip", "x")), "10.0.0.8:999", 0), LOGS(A("k8s.pod.ip", "x")));
    EXPECT_STR(through(&rig, LOGS(A("z", "1")), NULL, 0), LOGS(A("z", "1")));
    EXPECT_EQ(rig.paper.requests, 0);
    rig_close(&rig);
}

/* Scenario:   a known pod and one that is shown later, with each allocation failing in turn.
 * Guarantees: both leave with their attributes in the end, nothing leaks. */
LEAT_TEST_OOM(no_memory_loses_nothing)
{
    static struct rig rig;
    static const struct paper_step steps[] = {{200, LIST(POD("web-7d9f-x", "u1", "10.0.0.7", ""))}, {200, "", .stays = true},
                                              {200, LIST(POD("web-7d9f-x", "u1", "10.0.0.7", ""))}, {200, "", .stays = true}};
    struct k8s_attributes_conf conf = conf_of();
    conf.pod_wait_timeout_ns = 100 * (int64_t)PAPER_S;
    struct leat_batch *batch;
    leat_rc rc = rig_open(&rig, &conf, steps, 4);
    if (rc == LEAT_OK)
        rc = batch_of(LOGS(A("ip", "10.0.0.7")), NULL, 0, &batch);
    if (rc == LEAT_OK) {
        leat_ledger_in(&rig.host.ledger[LEAT_LOGS], 1, 0);
        batch = k8s_attributes__process(&rig.k8s, batch);
        paper_run(&rig.paper, 60 * PAPER_S);
        EXPECT(batch || rig.sink.count == 1 || k8s_attributes__flush(&rig.k8s));
        leat_batch_free(batch);
    }
    rig_close(&rig);
    return rc;
}
