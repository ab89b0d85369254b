/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/counter.h"

uint64_t leat_counters[LEAT_COUNTER_COUNT];
