/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One per thread, linked at its first call; shard threads end with the process. */
struct tally {
    uint64_t calls;
    bool linked;
    struct tally *next;
};
static _Thread_local struct tally tally;
static struct tally *tallies; /* atomic head */
static _Thread_local uint64_t fail_in; /* 0: off */
static _Thread_local int failed;

static void link_tally(void)
{
    tally.linked = true;
    tally.next = __atomic_load_n(&tallies, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&tallies, &tally.next, &tally, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
    }
}

static int refuse(void)
{
    if (__builtin_expect(!tally.linked, 0))
        link_tally();
    __atomic_store_n(&tally.calls, tally.calls + 1, __ATOMIC_RELAXED);
    if (__builtin_expect(fail_in == 0, 1) || --fail_in != 0)
        return 0;
    failed = 1;
    return 1;
}

void *leat_alloc(size_t size) { return refuse() ? NULL : malloc(size ? size : 1); }

void *leat_zalloc(size_t count, size_t size) { return refuse() ? NULL : calloc(count ? count : 1, size ? size : 1); }

void *leat_realloc(void *at, size_t size) { return refuse() ? NULL : realloc(at, size ? size : 1); }

void leat_free(void *at) { free(at); }

char *leat_strdup(const char *text) { return leat_strndup(text, strlen(text)); }

char *leat_strndup(const char *text, size_t len)
{
    char *copy = leat_alloc(len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

uint64_t leat_alloc_count(void) { return tally.calls; }

uint64_t leat_alloc_total(void)
{
    uint64_t sum = 0;
    for (const struct tally *t = __atomic_load_n(&tallies, __ATOMIC_ACQUIRE); t; t = t->next)
        sum += __atomic_load_n(&t->calls, __ATOMIC_RELAXED);
    return sum;
}

void leat_alloc_fail_at(uint64_t n)
{
    fail_in = n;
    failed = 0;
}

int leat_alloc_failed(void) { return failed; }
