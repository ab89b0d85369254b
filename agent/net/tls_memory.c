/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's heap is leat's: counted, made to fail by tests, and its size is known. */
#include <malloc.h>
#include <openssl/crypto.h>

#include "agent/base/alloc.h"
#include "agent/net/tls.h"

static uint64_t in_use; /* atomic */

static void account(void *at, int sign)
{
    if (at)
        __atomic_add_fetch(&in_use, sign > 0 ? malloc_usable_size(at) : (uint64_t)0 - malloc_usable_size(at),
                           __ATOMIC_RELAXED);
}

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    void *at = size ? leat_alloc(size) : NULL;
    account(at, 1);
    return at;
}

static void give(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    account(at, -1);
    leat_free(at);
}

static void *grow(void *at, size_t size, const char *file, int line)
{
    if (size == 0) {
        give(at, file, line);
        return NULL;
    }
    account(at, -1);
    void *moved = leat_realloc(at, size);
    account(moved ? moved : at, 1); /* the old one stays when there is no room */
    return moved;
}

bool leat_tls_own_memory(void)
{
    return CRYPTO_set_mem_functions(take, grow, give) == 1;
}

uint64_t leat_tls_memory_bytes(void)
{
    return __atomic_load_n(&in_use, __ATOMIC_RELAXED);
}

const char *leat_tls_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
