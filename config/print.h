/* SPDX-License-Identifier: Apache-2.0 */
/* print -- a plan back to YAML, and component types to text and docs pages; all from the same field rows.
 *
 * Why      `leat print-config` shows what is really in force: merged, expanded, with defaults, secrets [REDACTED].
 * Fails    out->failed, as any strbuf. */
#pragma once
#include "config/plan.h"

void leat_print_plan(const struct leat_plan *plan, struct leat_strbuf *out);
void leat_print_fields(const struct leat_field *fields, const void *conf, uint32_t indent, struct leat_strbuf *out);

void leat_print_components(const struct leat_catalog *catalog, struct leat_strbuf *out); /* one line each */
void leat_print_component(const struct leat_type_info *type, struct leat_strbuf *out);
void leat_print_component_markdown(const struct leat_type_info *type, struct leat_strbuf *out);
/* Keys that belong to no component: "leat", "service::telemetry". */
void leat_print_section(const char *name, const struct leat_field *fields, bool markdown, struct leat_strbuf *out);
