/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/list.h"

/* One per thread, linked at its first call; a thread that ends leaves its calls to `ended_calls`. */
struct tally {
    uint64_t calls;
    bool linked;
    struct leat_list link;
};
static _Thread_local struct tally tally;
static _Thread_local uint64_t fail_in; /* 0: off */
static _Thread_local int failed;

static pthread_mutex_t tallies_lock = PTHREAD_MUTEX_INITIALIZER;
static struct leat_list tallies = {&tallies, &tallies};
static uint64_t ended_calls;
static pthread_key_t at_end;
static pthread_once_t at_end_once = PTHREAD_ONCE_INIT;

static void unlink_tally(void *ctx)
{
    struct tally *mine = ctx;
    (void)pthread_mutex_lock(&tallies_lock);
    leat_list_remove(&mine->link);
    ended_calls += mine->calls;
    (void)pthread_mutex_unlock(&tallies_lock);
    *mine = (struct tally){0};
}

static void at_end_open(void)
{
    if (pthread_key_create(&at_end, unlink_tally) != 0)
        abort(); /* before anything runs; a thread that ends would leave a wild pointer */
}

static void link_tally(void)
{
    (void)pthread_once(&at_end_once, at_end_open);
    if (pthread_setspecific(at_end, &tally) != 0)
        return; /* uncounted, tried again at the next call */
    (void)pthread_mutex_lock(&tallies_lock);
    leat_list_push(&tallies, &tally.link);
    (void)pthread_mutex_unlock(&tallies_lock);
    tally.linked = true;
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

void *leat_alloc(size_t size)
{
    return refuse() ? NULL : malloc(size ? size : 1);
}

void *leat_zalloc(size_t count, size_t size)
{
    return refuse() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *leat_realloc(void *at, size_t size)
{
    return refuse() ? NULL : realloc(at, size ? size : 1);
}

void leat_free(void *at)
{
    free(at);
}

char *leat_strdup(const char *text)
{
    return leat_strndup(text, strlen(text));
}

char *leat_strndup(const char *text, size_t len)
{
    char *copy = leat_alloc(len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

uint64_t leat_alloc_count(void)
{
    return tally.calls;
}

uint64_t leat_alloc_total(void)
{
    (void)pthread_mutex_lock(&tallies_lock);
    uint64_t sum = ended_calls;
    for (struct leat_list *at = tallies.next; at != &tallies; at = at->next)
        sum += __atomic_load_n(&LEAT_CONTAINER(at, struct tally, link)->calls, __ATOMIC_RELAXED);
    (void)pthread_mutex_unlock(&tallies_lock);
    return sum;
}

void leat_alloc_fail_at(uint64_t n)
{
    fail_in = n;
    failed = 0;
}

int leat_alloc_failed(void)
{
    return failed;
}
