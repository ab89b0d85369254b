/* SPDX-License-Identifier: Apache-2.0 */
/* loop_heap -- the pairing heap that timers form among themselves; private to agent/loop.
 *
 * Why      put is O(1) and nothing is allocated, so starting a timer cannot fail.
 * Owns     nothing; every function answers the new root (NULL: empty). */
#pragma once
#include "agent/loop/loop.h"

struct leat_timer *leat_loop__heap_put(struct leat_timer *root, struct leat_timer *timer);
struct leat_timer *leat_loop__heap_remove(struct leat_timer *root, struct leat_timer *timer);
