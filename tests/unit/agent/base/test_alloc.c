/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "agent/base/alloc.h"
#include "tests/kit/kit.h"

static void *allocate(void *ctx)
{
    for (uint64_t i = 0; i < *(uint64_t *)ctx; i++)
        leat_free(leat_alloc(8));
    return NULL;
}

/* Scenario:   threads come and go, as shards do at each reload, and their stacks and thread-local memory are used
 * again. Guarantees: the total keeps the calls of those that ended, and is read to its end each time. */
LEAT_TEST(threads_that_ended_stay_counted)
{
    uint64_t calls = 1000, before = leat_alloc_total();
    for (int round = 1; round <= 20; round++) {
        pthread_t two[2];
        for (int i = 0; i < 2; i++)
            EXPECT(pthread_create(&two[i], NULL, allocate, &calls) == 0);
        for (int i = 0; i < 2; i++)
            EXPECT(pthread_join(two[i], NULL) == 0);
        EXPECT(leat_alloc_total() - before >= (uint64_t)round * 2000);
        EXPECT(leat_alloc_total() - before < (uint64_t)round * 2000 + 100);
    }
}

/* Scenario:   the second allocation from now is told to fail.
 * Guarantees: the first and the third are served; the failure is remembered. */
LEAT_TEST(one_planned_failure)
{
    leat_alloc_fail_at(2);
    void *first = leat_alloc(1), *second = leat_zalloc(1, 1), *third = leat_strdup("x");
    int failed = leat_alloc_failed();
    leat_alloc_fail_at(0);
    EXPECT(first && !second && third && failed);
    leat_free(first);
    leat_free(third);
}
