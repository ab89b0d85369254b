/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kit/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TESTS_MAX 512

struct test {
    const char *name;
    void (*plain)(void);
    leat_rc (*oom)(void);
};
static struct test tests[TESTS_MAX];
static size_t test_count;

void kit_register(const char *name, void (*plain)(void), leat_rc (*oom)(void))
{
    if (test_count == TESTS_MAX)
        abort();
    tests[test_count++] = (struct test){name, plain, oom};
}

static void run_oom(leat_rc (*body)(void))
{
    kit_expect_ok(body(), "plain run", NULL, __FILE__, __LINE__);
    for (uint64_t n = 1; n < 100000; n++) {
        leat_alloc_fail_at(n);
        leat_rc rc = body();
        int failed = leat_alloc_failed();
        leat_alloc_fail_at(0);
        assert_int_equal(leat_pool_blocks_out(leat_pool_here()), 0);
        if (!failed) {
            kit_expect_ok(rc, "run without a failure", NULL, __FILE__, __LINE__);
            return;
        }
    }
    fail_msg("still allocating after 100000 runs");
}

static void run(void **state)
{
    const struct test *test = *state;
    if (test->plain)
        test->plain();
    else
        run_oom(test->oom);
    assert_int_equal(leat_pool_blocks_out(leat_pool_here()), 0);
}

void kit_expect_ok(leat_rc rc, const char *expr, const struct leat_err *err, const char *file, int line)
{
    if (rc == LEAT_OK)
        return;
    print_error("%s: %s: %s\n", expr, leat_rc_name(rc), err ? err->text : "");
    _fail(file, line);
}

void kit_expect_rc(leat_rc rc, leat_rc wanted, const char *expr, const char *file, int line)
{
    if (rc == wanted)
        return;
    print_error("%s: got %s, wanted %s\n", expr, leat_rc_name(rc), leat_rc_name(wanted));
    _fail(file, line);
}

static void add_piece(struct leat_chain *chain, const uint8_t *at, size_t len)
{
    struct leat_mem *mem = leat_mem_new((uint32_t)len);
    if (!mem)
        abort();
    memcpy(mem->at, at, len);
    if (leat_chain_take(chain, (struct leat_slice){mem->at, (uint32_t)len, mem}) != LEAT_OK)
        abort();
}

struct leat_chain kit_chain(const void *at, size_t len, size_t piece)
{
    struct leat_chain chain = {0};
    if (piece == 0)
        piece = len;
    for (size_t done = 0; done < len; done += piece)
        add_piece(&chain, (const uint8_t *)at + done, len - done < piece ? len - done : piece);
    return chain;
}

struct leat_chain kit_chain_cut(const void *at, size_t len, size_t cut)
{
    struct leat_chain chain = {0};
    if (cut)
        add_piece(&chain, at, cut);
    if (cut < len)
        add_piece(&chain, (const uint8_t *)at + cut, len - cut);
    return chain;
}

char *kit_read_file(const char *path, size_t *ret_len)
{
    char full[4096];
    (void)snprintf(full, sizeof full, "%s/%s", LEAT_SOURCE_DIR, path);
    FILE *file = fopen(full, "rb");
    if (!file)
        fail_msg("cannot open %s", full);
    (void)fseek(file, 0, SEEK_END);
    long len = ftell(file);
    rewind(file);
    char *at = leat_alloc((size_t)len + 1);
    if (!at || fread(at, 1, (size_t)len, file) != (size_t)len)
        fail_msg("cannot read %s", full);
    at[len] = 0;
    (void)fclose(file);
    *ret_len = (size_t)len;
    return at;
}

int main(int argc, char **argv)
{
    static struct CMUnitTest units[TESTS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < test_count; i++) /* an argument picks the tests whose name holds it */
        if (argc < 2 || strstr(tests[i].name, argv[1]))
            units[n++] = (struct CMUnitTest){.name = tests[i].name, .test_func = run, .initial_state = &tests[i]};
    return _cmocka_run_group_tests("tests", units, n, NULL, NULL);
}
