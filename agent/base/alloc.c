/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local uint64_t calls;
static _Thread_local uint64_t fail_in; /* 0: off */
static _Thread_local int failed;

static int refuse(void)
{
    calls++;
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

uint64_t leat_alloc_count(void) { return calls; }

void leat_alloc_fail_at(uint64_t n)
{
    fail_in = n;
    failed = 0;
}

int leat_alloc_failed(void) { return failed; }
