/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/kit.h"
#include "tests/unit/config/fake.h"

#include "config/print.h"

static const char first[] = "receivers:\n"
                            "  otlp:\n"
                            "    protocols: {grpc: , http: {max_concurrent_streams: 5}}\n"
                            "  filelog/app: {include: 'a,b', poll_interval: '${env:NONE:-1s}'}\n"
                            "processors: {batch: }\n"
                            "exporters:\n"
                            "  otlphttp: {endpoint: 'http://x', token: abc, headers: {x-key: hidden}}\n"
                            "  debug:\n"
                            "  otlp_http/spare: {endpoint: y}\n"
                            "service:\n"
                            "  pipelines:\n"
                            "    logs: {receivers: [otlp], processors: [batch], exporters: [debug]}\n"
                            "    traces: {receivers: [otlp], processors: [batch], exporters: [otlphttp, debug]}\n";
static const char second[] = "receivers: {otlp: {protocols: {grpc: {endpoint: '${env:POD_IP:-x}0.0.0.0:1'}}}}\n"
                             "extensions: {file_storage: }\n"
                             "service:\n"
                             "  extensions: [file_storage]\n"
                             "  pipelines: {logs: {receivers: [otlp, filelog/app]}}\n"
                             "  telemetry:\n"
                             "    logs: {level: WARN, encoding: json}\n"
                             "    metrics: {readers: [{pull: {exporter: {prometheus: {host: 1.2.3.4, port: 9}}}}]}\n"
                             "    resource: {k8s.node.name: n, service.version: null}\n"
                             "leat: {memory: {limit: 64MiB}, shards: 3}\n";

static leat_rc load_two(struct leat_plan **ret_plan)
{
    struct leat_strbuf one = {0}, two = {0};
    leat_rc rc = LEAT_ENOMEM;
    leat_strbuf_printf(&one, "yaml:%s", first);
    leat_strbuf_printf(&two, "yaml:%s", second);
    if (!one.failed && !two.failed) {
        const char *configs[] = {one.at, two.at};
        const char *sets[] = {"receivers.otlp.protocols.http.endpoint=here:2"};
        struct leat_load_args args = {configs, 2, sets, 1};
        rc = leat_plan_load(&fake_catalog, &fake_outside, &args, ret_plan);
    }
    leat_strbuf_done(&one);
    leat_strbuf_done(&two);
    return rc;
}

/* Scenario:   two files and a --set, old and new names, environment defaults.
 * Guarantees: the plan holds what the Collector would make of them; only the old names are warned about. */
LEAT_TEST(plan_is_made_of_merged_files)
{
    struct leat_plan *plan = NULL;
    EXPECT_OK(load_two(&plan));
    EXPECT_EQ(plan->diags.warnings, 2);
    const struct leat_plan_part *part = leat_plan_find(plan, LEAT_KIND_RECEIVER, "otlp");
    const struct fake_otlp *otlp = part->conf;
    EXPECT(part->used);
    EXPECT_EQ(part->signals, LEAT_SIGNAL_BIT(LEAT_LOGS) | LEAT_SIGNAL_BIT(LEAT_TRACES));
    EXPECT_STR(otlp->grpc.endpoint, "x0.0.0.0:1");
    EXPECT_STR(otlp->http.endpoint, "here:2");
    EXPECT_EQ(otlp->grpc.max_streams, 100);
    EXPECT_EQ(otlp->http.max_streams, 5);
    const struct fake_file_log *log = leat_plan_find(plan, LEAT_KIND_RECEIVER, "filelog/app")->conf;
    EXPECT_EQ(log->include.count, 2);
    EXPECT_STR(log->include.at[1], "b");
    EXPECT_EQ(log->poll_interval_ns, 1000000000);
    part = leat_plan_find(plan, LEAT_KIND_EXPORTER, "otlphttp");
    EXPECT_STR(part->type->name, "otlp_http");
    EXPECT_EQ(((const struct fake_delivery *)part->shared[0])->timeout_ns, 30000000000);
    EXPECT(((const struct fake_delivery *)part->shared[0])->retry);
    EXPECT(!leat_plan_find(plan, LEAT_KIND_EXPORTER, "otlp_http/spare")->used);
    EXPECT_EQ(plan->extensions.count, 1);
    leat_plan_free(plan);
}

/* Scenario:   the same two files.
 * Guarantees: pipelines point at their parts in order; lists were replaced, not appended. */
LEAT_TEST(plan_connects_pipelines)
{
    struct leat_plan *plan = NULL;
    EXPECT_OK(load_two(&plan));
    EXPECT_EQ(plan->pipeline_count, 2);
    const struct leat_plan_pipeline *logs = &plan->pipelines[0], *traces = &plan->pipelines[1];
    EXPECT_EQ(logs->signal, LEAT_LOGS);
    EXPECT_EQ(logs->receivers.count, 2);
    EXPECT_STR(plan->parts[logs->receivers.at[1]].id, "filelog/app");
    EXPECT_EQ(logs->exporters.count, 1);
    EXPECT_EQ(traces->exporters.count, 2);
    EXPECT_STR(plan->parts[traces->exporters.at[0]].id, "otlphttp");
    EXPECT_EQ(traces->processors.at[0], logs->processors.at[0]);
    leat_plan_free(plan);
}

/* Scenario:   the same two files.
 * Guarantees: telemetry and leat: settings, with defaults where nothing was written. */
LEAT_TEST(plan_decodes_the_agents_own_settings)
{
    struct leat_plan *plan = NULL;
    EXPECT_OK(load_two(&plan));
    EXPECT_STR(leat_log_levels[plan->telemetry.log_level], "warn");
    EXPECT_EQ(plan->telemetry.log_encoding, LEAT_LOG_JSON);
    EXPECT_EQ(plan->telemetry.metric_level, LEAT_METRICS_NORMAL);
    EXPECT_EQ(plan->telemetry.readers.count, 1);
    const struct leat_metric_reader *reader = plan->telemetry.readers.at;
    EXPECT(reader->written && reader->without_units);
    EXPECT_STR(reader->host, "1.2.3.4");
    EXPECT_EQ(reader->port, 9);
    EXPECT_EQ(plan->telemetry.resource.count, 2);
    EXPECT_STR(plan->telemetry.resource.at[0].value, "n");
    EXPECT(plan->telemetry.resource.at[1].value == NULL);
    EXPECT_EQ(plan->settings.memory_limit.bytes, 64 << 20);
    EXPECT(plan->settings.memory_soft_limit.percent > 79.9 && plan->settings.memory_soft_limit.percent < 80.1);
    EXPECT_EQ(plan->settings.shards, 3);
    EXPECT_EQ(plan->settings.fanout_wait_ns, 5000000000);
    EXPECT_EQ(plan->settings.inflight_bytes, 8 << 20);
    EXPECT_EQ(plan->settings.shutdown_timeout_ns, 25000000000);
    leat_plan_free(plan);
}

/* Scenario:   no telemetry section; a list of resource attributes.
 * Guarantees: one reader on localhost:8888; the list form is read. */
LEAT_TEST(plan_has_the_collectors_telemetry_defaults)
{
    struct leat_plan *plan = NULL;
    static const char text[] = "receivers: {otlp: {protocols: {grpc: }}}\nexporters: {debug: }\n"
                               "service:\n  pipelines: {logs: {receivers: [otlp], exporters: [debug]}}\n"
                               "  telemetry: {resource: {attributes: [{name: a, value: 1}]}}\n";
    EXPECT_OK(fake_load(text, &plan));
    const struct leat_metric_reader *reader = plan->telemetry.readers.at;
    EXPECT_STR(reader->host, "localhost");
    EXPECT_EQ(reader->port, 8888);
    EXPECT_STR(leat_log_levels[plan->telemetry.log_level], "info");
    EXPECT_STR(plan->telemetry.log_output_paths.at[0], "stderr");
    EXPECT_EQ(plan->telemetry.resource.count, 1);
    EXPECT_STR(plan->telemetry.resource.at[0].value, "1");
    EXPECT_EQ(plan->diags.count, 0);
    leat_plan_free(plan);
}

/* Scenario:   nothing to load, files that are not there, an empty file.
 * Guarantees: the Collector's words. */
LEAT_TEST(plan_needs_something_to_load)
{
    static const struct {
        const char *arg, *part;
    } cases[] = {{NULL, "at least one config flag must be provided"},
                 {"/none/there.yaml", "unable to read the file /none/there.yaml"},
                 {"file:nowhere", "unable to read the file nowhere"},
                 {"https://x/y", "it reads no configuration over the network"},
                 {"yaml:", "empty configuration file"},
                 {"env:EMPTY", "empty configuration file"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct leat_plan *plan = NULL;
        struct leat_load_args args = {&cases[i].arg, cases[i].arg ? 1 : 0, NULL, 0};
        EXPECT_RC(leat_plan_load(&fake_catalog, &fake_outside, &args, &plan), LEAT_ECONFIG);
        EXPECT_EQ(plan->diags.errors, 1);
        EXPECT(strstr(plan->diags.at[0].text, cases[i].part) != NULL);
        leat_plan_free(plan);
    }
}

/* Scenario:   a real file, read by path and by file: URI.
 * Guarantees: errors name that file. */
LEAT_TEST(plan_reads_real_files)
{
    const char *configs[] = {LEAT_SOURCE_DIR "/tests/unit/config/broken/unknown_type.yaml"};
    struct leat_load_args args = {configs, 1, NULL, 0};
    struct leat_plan *plan = NULL;
    EXPECT_RC(leat_plan_load(&fake_catalog, NULL, &args, &plan), LEAT_ECONFIG);
    EXPECT_STR(plan->diags.at[0].mark.file, configs[0]);
    EXPECT_EQ(plan->diags.at[0].mark.line, 6);
    leat_plan_free(plan);
}

/* Scenario:   a plan printed as YAML and loaded again.
 * Guarantees: no secret in it; it loads without a word but the old names, and prints the same. */
LEAT_TEST(plan_prints_what_it_would_load)
{
    struct leat_plan *plan = NULL, *again = NULL;
    struct leat_strbuf one = {0}, two = {0};
    EXPECT_OK(load_two(&plan));
    leat_print_plan(plan, &one);
    EXPECT(!one.failed);
    EXPECT(strstr(one.at, "abc") == NULL && strstr(one.at, "hidden") == NULL);
    EXPECT(strstr(one.at, "token: \"[REDACTED]\"") != NULL);
    EXPECT(strstr(one.at, "poll_interval: 1s") != NULL);
    if (fake_load(one.at, &again) != LEAT_OK) {
        leat_diag_print(&again->diags, &one);
        fail_msg("%s", one.at);
    }
    leat_print_plan(again, &two);
    EXPECT_STR(one.at, two.at);
    leat_strbuf_done(&one);
    leat_strbuf_done(&two);
    leat_plan_free(plan);
    leat_plan_free(again);
}

/* Scenario:   a load and a print with each allocation failing in turn.
 * Guarantees: LEAT_ENOMEM and no plan, or the whole plan; nothing leaks. */
LEAT_TEST_OOM(plan_survives_failed_allocations)
{
    struct leat_plan *plan = NULL;
    struct leat_strbuf out = {0};
    leat_rc rc = load_two(&plan);
    EXPECT(rc == LEAT_OK || rc == LEAT_ENOMEM);
    EXPECT((rc == LEAT_OK) == (plan != NULL));
    if (plan) {
        leat_print_plan(plan, &out);
        rc = out.failed ? LEAT_ENOMEM : LEAT_OK;
    }
    leat_strbuf_done(&out);
    leat_plan_free(plan);
    return rc;
}
