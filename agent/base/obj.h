/* SPDX-License-Identifier: Apache-2.0 */
/* obj -- small structs that come and go with every batch, kept per thread by size, so that a busy shard calls no malloc.
 *
 * Threads  the lists are the calling thread's; an object may be given back on another thread.
 * Owns     the caller, between _new and _free; both are told the size.
 * Limits   objects over LEAT_OBJ_BYTES_MAX go to the heap; of each size LEAT_OBJ_KEPT_BYTES are kept.
 * Fails    NULL, as leat_zalloc. Debug and sanitizer builds keep nothing (obj_plain.c), so that every mistake is seen. */
#pragma once
#include <stdint.h>

#include "agent/base/rc.h"

#define LEAT_OBJ_BYTES_MAX 8192u
#define LEAT_OBJ_KEPT_BYTES 262144u

void *leat_obj_new(uint64_t size) LEAT_MUST_CHECK; /* zeroed */
void leat_obj_free(void *obj, uint64_t size);      /* NULL is a no-op */
void leat_obj_trim(void);                          /* gives this thread's kept objects back */
