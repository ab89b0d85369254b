/* SPDX-License-Identifier: Apache-2.0 */
/* registry -- the components of this binary as a catalog for config/. The names come from CMake's leat_component calls. */
#pragma once
#include "config/catalog.h"

const struct leat_catalog *leat_registry(void);
/* Rules of exporters that need all of their keys at once; mistakes go to the plan's diags. LEAT_ECONFIG if any. */
struct leat_plan;
leat_rc leat_registry_check(struct leat_plan *plan);
