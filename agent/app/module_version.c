/* SPDX-License-Identifier: Apache-2.0 */
/* Linked into every module and compared when it is opened: structs are shared, so both must be of one version. */
#include "agent/app/module.h"

const char leat_module_version[] = LEAT_VERSION;
