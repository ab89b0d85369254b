/* SPDX-License-Identifier: Apache-2.0 */
/* available -- how much memory this process may use at all: what percentages are of.
 *
 * Threads  any; reads a few files, so not on a hot path. */
#pragma once
#include <stdint.h>

/* The cgroup's limit (v2, then v1), else RAM. */
uint64_t leat_memory_available(void);
