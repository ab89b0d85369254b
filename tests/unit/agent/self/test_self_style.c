/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/self_style.h"

#include "tests/kit/kit.h"

static const char page[] = "# HELP otelcol_exporter_sent_spans delivered\n"
                           "# TYPE otelcol_exporter_sent_spans counter\n"
                           "otelcol_exporter_sent_spans{exporter=\"otlp/a b\"} 7\n"
                           "# HELP otelcol_process_uptime seconds\n"
                           "# TYPE otelcol_process_uptime counter\n"
                           "otelcol_process_uptime 1.5\n"
                           "# HELP otelcol_process_memory_rss bytes\n"
                           "# TYPE otelcol_process_memory_rss gauge\n"
                           "otelcol_process_memory_rss 9\n"
                           "# HELP leat_retries_total again\n"
                           "# TYPE leat_retries_total counter\n"
                           "leat_retries_total{component=\"x\"} 1\n";

static void expect_page(const struct leat_self_style *style, const char *wanted)
{
    struct leat_strbuf in = {0}, out = {0};
    leat_strbuf_puts(&in, page);
    leat_self_restyle(style, &in, &out);
    leat_strbuf_putc(&out, 0);
    EXPECT(!out.failed);
    EXPECT_STR(out.at, wanted);
    leat_strbuf_done(&in);
    leat_strbuf_done(&out);
}

/* Scenario:   a reader as the Collector's default: without scope, units and type suffix.
 * Guarantees: the page as it is. */
LEAT_TEST(self_style_leaves_bare_names)
{
    expect_page(&(struct leat_self_style){.instance_id = "i"}, page);
}

/* Scenario:   without_units: false and without_type_suffix: false.
 * Guarantees: unit before type, no unit twice, gauges without type, leat's own names untouched. */
LEAT_TEST(self_style_adds_units_and_types)
{
    expect_page(&(struct leat_self_style){.instance_id = "i", .units = true, .type_suffix = true},
                "# HELP otelcol_exporter_sent_spans_total delivered\n"
                "# TYPE otelcol_exporter_sent_spans_total counter\n"
                "otelcol_exporter_sent_spans_total{exporter=\"otlp/a b\"} 7\n"
                "# HELP otelcol_process_uptime_seconds_total seconds\n"
                "# TYPE otelcol_process_uptime_seconds_total counter\n"
                "otelcol_process_uptime_seconds_total 1.5\n"
                "# HELP otelcol_process_memory_rss_bytes bytes\n"
                "# TYPE otelcol_process_memory_rss_bytes gauge\n"
                "otelcol_process_memory_rss_bytes 9\n"
                "# HELP leat_retries_total again\n"
                "# TYPE leat_retries_total counter\n"
                "leat_retries_total{component=\"x\"} 1\n");
}

/* Scenario:   two resource attributes are wanted on every series; one of them is not there.
 * Guarantees: it stands first among the labels, also of series that had none; scope labels on the Collector's names. */
LEAT_TEST(self_style_adds_labels)
{
    struct leat_pair pairs[] = {{"k8s.node.name", "n\"1"}};
    const char *names[] = {"k8s.node.name", "missing"};
    struct leat_self_style style = {.instance_id = "i", .resource = {pairs, 1}, .constant_labels = {names, 2}};
    struct leat_strbuf in = {0}, out = {0};
    leat_strbuf_puts(&in, "a 1\nb{x=\"y\"} 2\n");
    leat_self_restyle(&style, &in, &out);
    leat_strbuf_putc(&out, 0);
    EXPECT_STR(out.at, "a{k8s_node_name=\"n\\\"1\"} 1\nb{k8s_node_name=\"n\\\"1\",x=\"y\"} 2\n");
    leat_strbuf_clear(&in);
    leat_strbuf_clear(&out);
    style.scope = true;
    leat_strbuf_puts(&in, "otelcol_a 1\n");
    leat_self_restyle(&style, &in, &out);
    leat_strbuf_putc(&out, 0);
    EXPECT(strstr(out.at, "otelcol_a{k8s_node_name=\"n\\\"1\",otel_scope_name=\"leat\""));
    leat_strbuf_done(&in);
    leat_strbuf_done(&out);
}

/* Scenario:   the resource sets an attribute, takes a default away, and takes all away.
 * Guarantees: target_info carries what is left. */
LEAT_TEST(self_style_tells_the_resource)
{
    struct leat_pair pairs[] = {{"service.name", "edge"}, {"service.instance.id", NULL}, {"1st", "x"}};
    struct leat_pair none[] = {{"service.name", NULL}, {"service.instance.id", NULL}, {"service.version", NULL}};
    struct leat_strbuf out = {0};
    leat_self_target_info(&(struct leat_self_style){.instance_id = "i", .resource = {pairs, 3}}, &out);
    leat_strbuf_putc(&out, 0);
    EXPECT(strstr(out.at, "\ntarget_info{service_name=\"edge\",service_version=\"" LEAT_VERSION "\",_1st=\"x\"} 1\n"));
    leat_strbuf_clear(&out);
    leat_self_target_info(&(struct leat_self_style){.instance_id = "i", .resource = {none, 3}}, &out);
    leat_strbuf_putc(&out, 0);
    EXPECT(strstr(out.at, "\ntarget_info 1\n"));
    leat_strbuf_done(&out);
}

/* Guarantees: a failed allocation marks the page as failed and leaks nothing. */
LEAT_TEST_OOM(self_style_survives_any_failed_allocation)
{
    struct leat_pair pairs[] = {{"a", "b"}};
    const char *names[] = {"a"};
    struct leat_strbuf in = {0}, out = {0};
    leat_strbuf_puts(&in, page);
    leat_self_restyle(
        &(struct leat_self_style){.resource = {pairs, 1}, .constant_labels = {names, 1}, .instance_id = "i"}, &in,
        &out);
    leat_rc rc = in.failed || out.failed ? LEAT_ENOMEM : LEAT_OK;
    leat_strbuf_done(&in);
    leat_strbuf_done(&out);
    return rc;
}
