/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by plan.c and plan_pipeline.c. */
#pragma once
#include "config/plan.h"

leat_rc leat_plan__service(struct leat_plan *plan, const struct leat_node *service);
/* The part's index, or -1. */
int64_t leat_plan__index(const struct leat_plan *plan, enum leat_kind kind, const char *id);
void leat_plan__error(struct leat_plan *plan, struct leat_mark mark, const char *path, const char *fmt, ...)
    LEAT_PRINTF(4, 5);
