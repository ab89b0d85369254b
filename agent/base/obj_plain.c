/* SPDX-License-Identifier: Apache-2.0 */
/* obj for debug and sanitizer builds: each object is a heap block of its own. */
#include "agent/base/alloc.h"
#include "agent/base/obj.h"

void *leat_obj_new(uint64_t size) { return leat_zalloc(1, size); }

void leat_obj_free(void *obj, uint64_t size)
{
    (void)size;
    leat_free(obj);
}

void leat_obj_trim(void) {}
