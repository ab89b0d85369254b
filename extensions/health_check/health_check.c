/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/health_check/health_check.h"

LEAT_EXTENSION(health_check, .summary = "answers over HTTP whether leat is ready",
               .conf_size = sizeof(struct health_check_conf), .state_size = sizeof(struct health_check),
               .fields = health_check_fields, .defaults = health_check_defaults, .counters = health_check_counters,
               .shard0_only = true, .check = health_check__check, .open = health_check__open,
               .close = health_check__close, .health = health_check__health);
