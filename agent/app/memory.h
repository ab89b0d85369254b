/* SPDX-License-Identifier: Apache-2.0 */
/* memory -- the budget in bytes: what leat::memory::limit means on this machine. */
#pragma once
#include <stdint.h>

#include "agent/base/available.h"
#include "config/service.h"

void leat_memory_limits(const struct leat_settings *settings, uint64_t available, uint64_t *ret_hard, uint64_t *ret_soft);
