/* SPDX-License-Identifier: Apache-2.0 */
/* copycount -- preloaded into an agent, counts the bytes of memcpy and memmove of 64 and more, and the allocations.
 *
 * Why      "zero copy" is a claim about all code in the process, libraries included; our own counter sees only ours.
 * Threads  any; counts are relaxed atomics.
 * Owns     nothing.
 * Limits   copies the compiler has inlined, and those of the kernel, are not seen.
 * Fails    never: a function that is not found ends the program at once.
 * The totals are written to the file named by LEAT_COPYCOUNT as one line of JSON at each SIGUSR2 and at exit. */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNTED_MIN 64

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *at, size_t size);
void *__memcpy_chk(void *to, const void *from, size_t len, size_t room);
void *__memmove_chk(void *to, const void *from, size_t len, size_t room);

static _Atomic uint64_t copied_bytes, copied_calls, malloc_calls;
static void *(*real_memmove)(void *, const void *, size_t);

static void count(size_t len)
{
    if (len < COUNTED_MIN)
        return;
    atomic_fetch_add_explicit(&copied_bytes, len, memory_order_relaxed);
    atomic_fetch_add_explicit(&copied_calls, 1, memory_order_relaxed);
}

/* Before the loader has told us the real function (relocation runs copies too) bytes go one by one. */
static void *copy(void *to, const void *from, size_t len)
{
    if (real_memmove)
        return real_memmove(to, from, len);
    volatile unsigned char *a = to;
    const volatile unsigned char *b = from;
    if ((uintptr_t)to <= (uintptr_t)from)
        for (size_t i = 0; i < len; i++)
            a[i] = b[i];
    else
        while (len--)
            a[len] = b[len];
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
    count(len);
    return copy(to, from, len);
}

void *memmove(void *to, const void *from, size_t len)
{
    count(len);
    return copy(to, from, len);
}

void *__memcpy_chk(void *to, const void *from, size_t len, size_t room)
{
    if (len > room)
        abort();
    return memcpy(to, from, len);
}

void *__memmove_chk(void *to, const void *from, size_t len, size_t room)
{
    if (len > room)
        abort();
    return memmove(to, from, len);
}

static void counted(void)
{
    atomic_fetch_add_explicit(&malloc_calls, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    counted();
    return __libc_malloc(size);
}

void *calloc(size_t amount, size_t size)
{
    counted();
    return __libc_calloc(amount, size);
}

void *realloc(void *at, size_t size)
{
    counted();
    return __libc_realloc(at, size);
}

static size_t put(char *at, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        at[i] = text[i];
    return len;
}

static size_t put_number(char *at, uint64_t value)
{
    char digits[24];
    size_t len = 0, to = 0;
    do
        digits[len++] = (char)('0' + value % 10);
    while (value /= 10);
    while (len)
        at[to++] = digits[--len];
    return to;
}

static void dump(void) /* only what a signal handler may call */
{
    const char *path = getenv("LEAT_COPYCOUNT");
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    char text[256];
    size_t len = put(text, "{\"copied_bytes\":");
    if (fd < 0)
        return;
    len += put_number(text + len, atomic_load(&copied_bytes));
    len += put(text + len, ",\"copied_calls\":");
    len += put_number(text + len, atomic_load(&copied_calls));
    len += put(text + len, ",\"malloc_calls\":");
    len += put_number(text + len, atomic_load(&malloc_calls));
    len += put(text + len, "}\n");
    if (write(fd, text, len) < 0)
        abort();
    close(fd);
}

static void on_signal(int number)
{
    (void)number;
    dump();
}

__attribute__((constructor)) static void start(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    void *found = dlsym(RTLD_NEXT, "memmove");
    if (!found)
        abort();
    real_memmove = (void *(*)(void *, const void *, size_t))(uintptr_t)found;
    sigaction(SIGUSR2, &action, NULL);
}

__attribute__((destructor)) static void finish(void)
{
    dump();
}
