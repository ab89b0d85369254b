/* SPDX-License-Identifier: Apache-2.0 */
#include "config/print.h"

#include "tests/kit/kit.h"
#include "tests/unit/config/fake.h"

static void expect_in(const struct leat_strbuf *out, const char *part)
{
    if (!out->at || !strstr(out->at, part))
        fail_msg("\"%s\" is not in:\n%s", part, out->at ? out->at : "");
}

/* Scenario:   the list of all types.
 * Guarantees: each kind with its types, their summary and signals. */
LEAT_TEST(print_lists_components)
{
    struct leat_strbuf out = {0};
    leat_print_components(&fake_catalog, &out);
    expect_in(&out, "receivers:\n  otlp ");
    expect_in(&out, "takes OTLP (logs, metrics, traces, profiles)\n");
    expect_in(&out, "extensions:\n  file_storage ");
    leat_strbuf_done(&out);
}

/* Scenario:   one type as text and as a page.
 * Guarantees: every key with type, default and meaning; shared keys with this type's own defaults. */
LEAT_TEST(print_describes_a_component)
{
    struct leat_strbuf out = {0};
    const struct leat_type_info *type = leat_catalog_find(&fake_catalog, LEAT_KIND_EXPORTER, "otlphttp", NULL);
    leat_print_component(type, &out);
    expect_in(&out, "exporter otlp_http: sends OTLP\nold names: otlphttp\n");
    expect_in(&out, "  endpoint  <string, required>  base URL\n");
    expect_in(&out, "  token  <string, secret>");
    expect_in(&out, "keys of delivery:\n  timeout  <duration> = 30s  per attempt\n");
    expect_in(&out, "    queue_size  <int> = 1000");
    leat_strbuf_clear(&out);
    leat_print_component_markdown(type, &out);
    expect_in(&out, "# otlp_http (exporter)\n");
    expect_in(&out, "| `sending_queue::queue_size` | int | `1000` | requests held |\n");
    leat_strbuf_clear(&out);
    leat_print_component_markdown(leat_catalog_find(&fake_catalog, LEAT_KIND_RECEIVER, "file_log", NULL), &out);
    expect_in(&out, "| `start_at` | beginning \\| end | `end` | where to begin |\n");
    leat_strbuf_done(&out);
}

/* Scenario:   the pages of every type with each allocation failing in turn.
 * Guarantees: `failed` says so, nothing leaks. */
LEAT_TEST_OOM(print_survives_failed_allocations)
{
    struct leat_strbuf out = {0};
    for (uint32_t i = 0; i < fake_catalog.count; i++) {
        leat_print_component(&fake_catalog.types[i], &out);
        leat_print_component_markdown(&fake_catalog.types[i], &out);
    }
    leat_rc rc = out.failed ? LEAT_ENOMEM : LEAT_OK;
    leat_strbuf_done(&out);
    return rc;
}
