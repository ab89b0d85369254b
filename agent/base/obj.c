/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/obj.h"

#include <string.h>

#include "agent/base/alloc.h"

#define STEP 64u
#define CLASSES (LEAT_OBJ_BYTES_MAX / STEP + 1)

struct kept {
    struct kept *next;
};
static _Thread_local struct {
    struct kept *first;
    uint32_t count;
} lists[CLASSES];

static uint32_t class_of(uint64_t size) { return (uint32_t)((size + STEP - 1) / STEP); }

void *leat_obj_new(uint64_t size)
{
    if (size > LEAT_OBJ_BYTES_MAX)
        return leat_zalloc(1, size);
    uint32_t class = class_of(size);
    struct kept *obj = lists[class].first;
    if (!obj)
        return leat_zalloc(1, class ? class * STEP : 1);
    lists[class].first = obj->next;
    lists[class].count--;
    return memset(obj, 0, size);
}

void leat_obj_free(void *obj, uint64_t size)
{
    uint32_t class = size > LEAT_OBJ_BYTES_MAX ? 0 : class_of(size);
    if (!obj || class == 0 || (lists[class].count + 1) * class * STEP > LEAT_OBJ_KEPT_BYTES) {
        leat_free(obj);
        return;
    }
    struct kept *kept = obj;
    kept->next = lists[class].first;
    lists[class].first = kept;
    lists[class].count++;
}

void leat_obj_trim(void)
{
    for (uint32_t class = 0; class < CLASSES; class++)
        for (struct kept *obj; (obj = lists[class].first); lists[class].count--) {
            lists[class].first = obj->next;
            leat_free(obj);
        }
}
