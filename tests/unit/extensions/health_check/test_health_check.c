/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/health_check/health_check.h"

#include "agent/base/world.h"
#include "tests/kit/kit.h"

#define SECOND 1000000000ull

static void expect_duration(uint64_t ns, const char *text)
{
    struct leat_strbuf out = {0};
    health_check__duration(&out, ns);
    EXPECT_STR(out.at, text);
    leat_strbuf_done(&out);
}

/* Scenario:   durations of every size.
 * Guarantees: they read as Go writes them. */
LEAT_TEST(durations_read_as_go_writes_them)
{
    expect_duration(0, "0s");
    expect_duration(7, "7ns");
    expect_duration(1500, "1.5\xc2\xb5s");
    expect_duration(2005000, "2.005ms");
    expect_duration(SECOND, "1s");
    expect_duration(61 * SECOND + 20000000, "1m1.02s");
    expect_duration(3600 * SECOND, "1h0m0s");
    expect_duration(90061 * SECOND + 1, "25h1m1.000000001s");
}

/* Scenario:   times with and without a fraction, and none.
 * Guarantees: RFC 3339 in UTC with the digits it needs; Go's zero time for none. */
LEAT_TEST(times_are_rfc_3339)
{
    struct leat_strbuf out = {0};
    health_check__time(&out, 1700000000ull * SECOND);
    leat_strbuf_putc(&out, ' ');
    health_check__time(&out, 1700000000ull * SECOND + 120000000);
    leat_strbuf_putc(&out, ' ');
    health_check__time(&out, 0);
    EXPECT_STR(out.at, "2023-11-14T22:13:20Z 2023-11-14T22:13:20.12Z 0001-01-01T00:00:00Z");
    leat_strbuf_done(&out);
}

static uint64_t fixed(struct leat_world *world)
{
    (void)world;
    return 1700000000ull * SECOND;
}

struct rig {
    struct leat_world world;
    struct leat_loop *loop;
    struct leat_host host;
    uint64_t counts[4];
    struct health_check_conf conf;
    struct health_check health;
};

static void rig_open(struct rig *rig, struct health_check_conf conf)
{
    *rig = (struct rig){.world = {fixed, fixed, fixed, NULL}, .conf = conf};
    EXPECT_OK(leat_loop_open_simulated(&rig->world, &rig->loop));
    rig->host =
        (struct leat_host){.id = "health_check", .loop = rig->loop, .world = &rig->world, .counts = rig->counts};
    rig->health = (struct health_check){.conf = &rig->conf, .host = &rig->host, .changed_unix_ns = fixed(NULL)};
}

static void expect_page(struct rig *rig, const char *text)
{
    struct leat_strbuf out = {0};
    health_check__page(&rig->health, &out);
    EXPECT_STR(out.at, text);
    leat_strbuf_done(&out);
}

/* Scenario:   starting, ready, stopping, in the old format.
 * Guarantees: the bodies are the Collector's. */
LEAT_TEST(the_old_format_is_the_collectors)
{
    static struct rig rig;
    rig_open(&rig, (struct health_check_conf){.path = "/"});
    expect_page(&rig, "{\"status\":\"Server not available\",\"upSince\":\"0001-01-01T00:00:00Z\",\"uptime\":\"\"}");
    health_check__health(&rig.health, LEAT_HEALTH_OK);
    expect_page(&rig, "{\"status\":\"Server available\",\"upSince\":\"2023-11-14T22:13:20Z\",\"uptime\":\"0s\"}");
    health_check__health(&rig.health, LEAT_HEALTH_STOPPING);
    expect_page(&rig, "{\"status\":\"Server not available\",\"upSince\":\"0001-01-01T00:00:00Z\",\"uptime\":\"\"}");
    leat_loop_close(rig.loop);
}

/* Scenario:   own texts, and the second format.
 * Guarantees: both are given as they are documented. */
LEAT_TEST(texts_and_the_second_format)
{
    static struct rig rig;
    rig_open(&rig, (struct health_check_conf){.path = "/", .response_body = {"good", "bad"}});
    expect_page(&rig, "bad");
    health_check__health(&rig.health, LEAT_HEALTH_OK);
    expect_page(&rig, "good");
    leat_loop_close(rig.loop);
    rig_open(&rig, (struct health_check_conf){.use_v2 = true});
    expect_page(&rig, "{\"start_time\":\"0001-01-01T00:00:00Z\",\"healthy\":false,\"status\":\"StatusStarting\","
                      "\"status_time\":\"2023-11-14T22:13:20Z\"}");
    health_check__health(&rig.health, LEAT_HEALTH_OK);
    expect_page(&rig, "{\"start_time\":\"2023-11-14T22:13:20Z\",\"healthy\":true,\"status\":\"StatusOK\","
                      "\"status_time\":\"2023-11-14T22:13:20Z\"}");
    leat_loop_close(rig.loop);
}

/* Scenario:   settings that would be without effect or unsafe.
 * Guarantees: they are refused with the key's name. */
LEAT_TEST(what_it_does_not_do_is_refused)
{
    struct leat_err err = {0};
    struct health_check_conf conf = {.path = "/", .server.endpoint = "localhost:13133"};
    EXPECT_OK(health_check__check(&conf, &err));
    conf.path = "x";
    EXPECT_RC(health_check__check(&conf, &err), LEAT_ECONFIG);
    conf.path = "/";
    conf.server.auth.authenticator = "basic_auth";
    EXPECT_RC(health_check__check(&conf, &err), LEAT_ECONFIG);
    EXPECT(strncmp(err.text, "auth:", 5) == 0);
    conf = (struct health_check_conf){.use_v2 = true,
                                      .http = {.server.endpoint = "localhost:1", .status = {true, "/status"}}};
    EXPECT_OK(health_check__check(&conf, &err));
    conf.http.config.enabled = true;
    EXPECT_RC(health_check__check(&conf, &err), LEAT_ECONFIG);
}
