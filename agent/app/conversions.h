/* SPDX-License-Identifier: Apache-2.0 */
/* conversions -- which form of telemetry can become which, and where a plan needs it.
 *
 * Why      the graph places conversions, print-config shows them, a configuration that needs one that does not exist is
 *          refused at start; all three ask here.
 * Threads  pure. */
#pragma once
#include "agent/pipe/convert.h"
#include "config/plan.h"

extern const struct leat_conversion leat_conversions[]; /* ended by from == 0 */

/* Forms that may arrive at processor `position` of a pipeline; at its exporters when position == processors.count. */
uint32_t leat_conversions_arriving(const struct leat_plan *plan, const struct leat_plan_pipeline *pipeline, uint32_t position);
/* A form that arrives somewhere and can neither be taken nor converted: into the plan's diags. LEAT_ECONFIG if any. */
leat_rc leat_conversions_check(struct leat_plan *plan);
/* Comment lines that say which conversions a plan needs; nothing when it needs none. */
void leat_conversions_print(const struct leat_plan *plan, struct leat_strbuf *out);
