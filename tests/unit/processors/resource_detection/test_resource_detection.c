/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/resource_detection/resource_detection.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/strbuf.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_json_write.h"
#include "tests/kit/kit.h"

#define A(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define LOGS(attributes) \
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[" attributes "]},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{\"body\":{}}]}]}]}"

struct rig {
    struct leat_loop *loop;
    struct leat_gate gate;
    struct leat_host host;
    struct resource_detection detection;
};

static leat_rc rig_open(struct rig *rig, const struct resource_detection_conf *conf)
{
    *rig = (struct rig){0};
    leat_rc rc = leat_loop_open_simulated(leat_world_real(), &rig->loop);
    if (rc != LEAT_OK)
        return rc;
    leat_gate_init(&rig->gate, rig->loop);
    rig->host = (struct leat_host){.id = "resource_detection", .loop = rig->loop, .world = leat_world_real(), .gate = &rig->gate};
    leat_list_init(&rig->host.waiter.link);
    return resource_detection__open(&rig->detection, conf, LEAT_LOGS, &rig->host, NULL);
}

static void rig_close(struct rig *rig)
{
    if (!rig->loop)
        return;
    resource_detection__close(&rig->detection);
    leat_gate_done(&rig->gate);
    leat_loop_close(rig->loop);
}

static void expect_edit(struct rig *rig, const char *before, const char *after)
{
    struct leat_chain json = {0};
    struct leat_strbuf text = {0};
    struct leat_batch *batch = leat_batch_new(LEAT_LOGS, &otlp_form);
    EXPECT_OK(leat_chain_take(&json, leat_slice_str(before)));
    EXPECT_OK(otlp_json_read(LEAT_LOGS, &json, &batch->payload, NULL));
    leat_chain_done(&json);
    batch->item_count = 1;
    EXPECT(resource_detection__process(&rig->detection, batch) == batch);
    EXPECT_OK(otlp_json_write(LEAT_LOGS, &batch->payload, &text, NULL));
    EXPECT_STR(text.at, after);
    leat_strbuf_done(&text);
    leat_batch_free(batch);
}

static const char *detectors[] = {"env", "system"}, *sources[] = {"os"};

/* Scenario:   the environment names three attributes, one of them also the system's.
 * Guarantees: the first detector wins; `override` decides about what a resource has; the machine's name is there. */
LEAT_TEST(what_is_found_is_set)
{
    static struct rig rig;
    char host[256] = "", want[1024];
    struct resource_detection_conf conf = {.detectors = {detectors, 2}, .override = true, .system = {.hostname_sources = {sources, 1}}};
    conf.system.attributes[DETECT_HOST_NAME].enabled = conf.system.attributes[DETECT_OS_TYPE].enabled = true;
    EXPECT_OK(resource_detection__check(&conf, NULL));
    EXPECT_EQ(gethostname(host, sizeof host - 1), 0);
    EXPECT_EQ(setenv("OTEL_RESOURCE_ATTRIBUTES", " team = blue%2C%20green , os.type=mine,x=1,", 1), 0);
    EXPECT_OK(rig_open(&rig, &conf));
    (void)snprintf(want, sizeof want, LOGS(A("team", "blue, green") "," A("os.type", "mine") "," A("x", "1") "," A("host.name", "%s")), host);
    expect_edit(&rig, LOGS(A("team", "old")), want);
    rig_close(&rig);
    conf.override = false;
    EXPECT_OK(rig_open(&rig, &conf));
    (void)snprintf(want, sizeof want, LOGS(A("team", "old") "," A("os.type", "mine") "," A("x", "1") "," A("host.name", "%s")), host);
    expect_edit(&rig, LOGS(A("team", "old")), want);
    EXPECT(resource_detection__flush(&rig.detection));
    rig_close(&rig);
}

/* Scenario:   lists in the environment that cannot be read; detectors and sources that there are not.
 * Guarantees: refused at start. */
LEAT_TEST(what_cannot_be_is_refused)
{
    static const char *const bad[] = {"novalue", "=x", "a=%", "a=%2", "a=%zz", "a=b,c"};
    const char *ec2[] = {"ec2"}, *cname[] = {"cname"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct detection_found found = {0};
        EXPECT_RC(detection_env(&found, bad[i], NULL), LEAT_ECONFIG);
        leat_arena_done(&found.arena);
    }
    struct resource_detection_conf conf = {.detectors = {ec2, 1}};
    EXPECT_RC(resource_detection__check(&conf, NULL), LEAT_ECONFIG);
    conf = (struct resource_detection_conf){.detectors = {detectors, 1}, .system = {.hostname_sources = {cname, 1}}};
    EXPECT_RC(resource_detection__check(&conf, NULL), LEAT_ECONFIG);
}

static int asked; /* atomic */
static bool silent_name(char name[DETECTION_NAME_BYTES])
{
    __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
    (void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    memcpy(name, "late", sizeof "late");
    return true;
}

static bool quick_name(char name[DETECTION_NAME_BYTES])
{
    __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
    memcpy(name, "m.example", sizeof "m.example");
    return true;
}

static int64_t now_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* Scenario:   a name service that is silent for longer than `timeout`, asked for twenty pipelines; then one that answers.
 * Guarantees: one question and one wait, however many ask; an answer that comes late changes nothing; a quick one is for all. */
LEAT_TEST(a_silent_name_service_is_waited_for_once)
{
    static struct detection_question silent = {.ask = silent_name}, quick = {.ask = quick_name};
    char name[DETECTION_NAME_BYTES] = "";
    int64_t begin = now_ms();
    for (int i = 0; i < 20; i++)
        EXPECT(!detection_ask(&silent, 50000000, name));
    EXPECT(now_ms() - begin >= 50 && now_ms() - begin < 290);
    (void)nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    EXPECT(!detection_ask(&silent, 50000000, name));
    EXPECT_STR(name, "");
    EXPECT_EQ(__atomic_load_n(&asked, __ATOMIC_RELAXED), 1);
    for (int i = 0; i < 20; i++)
        EXPECT(detection_ask(&quick, 5000000000, name));
    EXPECT_STR(name, "m.example");
    EXPECT_EQ(__atomic_load_n(&asked, __ATOMIC_RELAXED), 2);
}

/* Guarantees: the name the real name service says is taken when it says one, else the kernel's. */
LEAT_TEST(the_name_service_comes_before_the_kernel)
{
    const char *both[] = {"dns", "os"};
    char full[DETECTION_NAME_BYTES] = "";
    struct detection_found found = {0};
    struct resource_detection_conf conf = {.detectors = {detectors + 1, 1}, .timeout_ns = 5000000000, .system = {.hostname_sources = {both, 2}}};
    conf.system.attributes[DETECT_HOST_NAME].enabled = true;
    EXPECT_EQ(gethostname(full, sizeof full - 1), 0);
    EXPECT_OK(detection_find(&conf, leat_world_real(), &found, NULL));
    (void)detection_ask(&detection_full_name, 0, full);
    EXPECT_EQ(found.count, 1);
    EXPECT_STR(found.at[0].value.text, full);
    leat_arena_done(&found.arena);
}

LEAT_TEST_OOM(finding_survives_failed_allocations)
{
    static struct rig rig;
    struct resource_detection_conf conf = {.detectors = {detectors, 2}, .system = {.hostname_sources = {sources, 1}}};
    for (int i = 0; i < DETECT_COUNT; i++)
        conf.system.attributes[i].enabled = true;
    if (setenv("OTEL_RESOURCE_ATTRIBUTES", "a=b%20c,d=e", 1) != 0)
        return LEAT_EINVAL;
    leat_rc rc = rig_open(&rig, &conf);
    rig_close(&rig);
    return rc;
}
