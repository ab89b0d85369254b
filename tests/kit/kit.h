/* SPDX-License-Identifier: Apache-2.0 */
/* kit -- what every unit test is made of. A test names what it guarantees; the runner is cmocka.
 *
 *   LEAT_TEST(thing_does_what_it_promises) { ... EXPECT_EQ(a, b); }
 *   LEAT_TEST_OOM(thing_survives_any_failed_allocation) { ... return rc; }
 *
 * An OOM test runs once plainly (must answer LEAT_OK), then with allocation 1, 2, 3 ... failing until none is left to
 * fail: each run must answer an error or LEAT_OK, leak nothing (ASan) and give every block back to the pool. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/base/alloc.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"

void kit_register(const char *name, void (*plain)(void), leat_rc (*oom)(void));

#define LEAT_TEST(name)                                                                       \
    static void name(void);                                                                   \
    __attribute__((constructor)) static void kit_register_##name(void) { kit_register(#name, name, NULL); } \
    static void name(void)
#define LEAT_TEST_OOM(name)                                                                   \
    static leat_rc name(void);                                                                \
    __attribute__((constructor)) static void kit_register_##name(void) { kit_register(#name, NULL, name); } \
    static leat_rc name(void)

#define EXPECT(cond) assert_true(cond)
#define EXPECT_EQ(a, b) assert_int_equal((a), (b))
#define EXPECT_STR(a, b) assert_string_equal((a), (b))
#define EXPECT_OK(expr) kit_expect_ok((expr), #expr, NULL, __FILE__, __LINE__)
#define EXPECT_OK_ERR(expr, err) kit_expect_ok((expr), #expr, (err), __FILE__, __LINE__)
#define EXPECT_RC(expr, rc) kit_expect_rc((expr), (rc), #expr, __FILE__, __LINE__)
#define EXPECT_BYTES(a, b, n) assert_memory_equal((a), (b), (n))

void kit_expect_ok(leat_rc rc, const char *expr, const struct leat_err *err, const char *file, int line);
void kit_expect_rc(leat_rc rc, leat_rc wanted, const char *expr, const char *file, int line);

/* A chain over `at`, cut into pieces of `piece` bytes (0: one), each in a block of its own, so that a read past a cut
 * is seen by ASan. Free with leat_chain_done. */
struct leat_chain kit_chain(const void *at, size_t len, size_t piece);
/* The same with one cut at `cut`. */
struct leat_chain kit_chain_cut(const void *at, size_t len, size_t cut);
/* All bytes of a file below the source tree ("tests/fuzz/otlp/corpus/x"); free with leat_free. */
char *kit_read_file(const char *path, size_t *ret_len);
