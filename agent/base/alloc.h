/* SPDX-License-Identifier: Apache-2.0 */
/* alloc -- the one door to the heap: counted, and made to fail on demand by tests.
 *
 * Why      a test runs each scenario with allocation 1, 2, 3 ... failing; the bench asserts none per record.
 * Threads  any; the counter is per thread.
 * Fails    NULL, exactly as malloc. Never aborts. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "agent/base/rc.h"

void *leat_alloc(size_t size) __attribute__((malloc)) LEAT_MUST_CHECK;
void *leat_zalloc(size_t count, size_t size) LEAT_MUST_CHECK; /* zeroed, overflow-checked */
void *leat_realloc(void *at, size_t size) LEAT_MUST_CHECK;    /* old block stays valid on NULL */
void leat_free(void *at);                                    /* NULL is a no-op */
char *leat_strdup(const char *text) LEAT_MUST_CHECK;
char *leat_strndup(const char *text, size_t len) LEAT_MUST_CHECK;

uint64_t leat_alloc_count(void); /* calls on this thread since it began */
uint64_t leat_alloc_total(void); /* calls on all threads, those that have ended too */

/* Tests: the n-th allocation on this thread from now (1 = next) fails, once; 0 turns it off. */
void leat_alloc_fail_at(uint64_t n);
int leat_alloc_failed(void); /* 1 if the planned failure has happened */
