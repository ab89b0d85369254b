/* SPDX-License-Identifier: Apache-2.0 */
/* bench_lines -- writes numbered CRI lines to a file, at a steady rate or as fast as it goes, and rotates it as the
 * kubelet does: the file is renamed, a new one takes its name. Prints how many lines it wrote; SIGTERM ends it early.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/words.h"

#define LINE_MAX_LEN 16384
#define CHUNK ((size_t)256 << 10)

struct writer {
    const char *path;
    uint64_t lines, first, rate, rotate_bytes, keep, size, seed; /* the options */
    uint64_t written, file_bytes, rotations;
    time_t base;
    int fd;
    char *chunk;
    size_t chunk_len;
};

static volatile sig_atomic_t stopped;
static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* "2026-01-02T03:04:05.000000000Z"; the calendar is asked once a second. */
static size_t stamp(char *at, uint64_t ns)
{
    static time_t second;
    static char text[24];
    time_t now = (time_t)(ns / 1000000000);
    if (now != second) {
        struct tm parts;
        second = now;
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now, &parts));
    }
    return (size_t)sprintf(at, "%s.%09lluZ", text, (unsigned long long)(ns % 1000000000));
}

static size_t line(struct writer *w, char *at, uint64_t now_ns)
{
    size_t len = stamp(at, now_ns), want = (size_t)w->size - 1;
    len += (size_t)sprintf(at + len, " stdout F seq=%010llu ", (unsigned long long)(w->first + w->written));
    len += bench_message(&w->seed, at + len, want - len);
    while (len < want)
        at[len++] = (char)('a' + bench_random(&w->seed) % 26);
    at[len++] = '\n';
    return len;
}

static bool reopen(struct writer *w)
{
    w->fd = open(w->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    w->file_bytes = w->fd >= 0 ? (uint64_t)lseek(w->fd, 0, SEEK_END) : 0;
    return w->fd >= 0;
}

/* The kubelet's suffix; the seconds are counted on so that every name is new. */
static void rotated_name(const struct writer *w, uint64_t rotation, char *to, size_t size)
{
    char suffix[32];
    struct tm parts;
    time_t when = w->base + (time_t)rotation;
    strftime(suffix, sizeof suffix, "%Y%m%d-%H%M%S", gmtime_r(&when, &parts));
    snprintf(to, size, "%s.%s", w->path, suffix);
}

static bool rotate(struct writer *w)
{
    char name[4096];
    rotated_name(w, w->rotations, name, sizeof name);
    if (close(w->fd) || rename(w->path, name))
        return false;
    w->rotations++;
    if (w->keep && w->rotations > w->keep) {
        rotated_name(w, w->rotations - w->keep - 1, name, sizeof name);
        unlink(name);
    }
    return reopen(w);
}

static bool flush(struct writer *w)
{
    for (size_t done = 0; done < w->chunk_len;) {
        ssize_t got = write(w->fd, w->chunk + done, w->chunk_len - done);
        if (got < 0 && errno != EINTR)
            return false;
        done += got > 0 ? (size_t)got : 0;
    }
    w->file_bytes += w->chunk_len;
    w->chunk_len = 0;
    return w->rotate_bytes == 0 || w->file_bytes < w->rotate_bytes || rotate(w);
}

static bool batch(struct writer *w, uint64_t count)
{
    uint64_t now_ns = clock_ns(CLOCK_REALTIME);
    for (; count && !stopped; count--) {
        if (w->chunk_len + LINE_MAX_LEN > CHUNK && !flush(w))
            return false;
        w->chunk_len += line(w, w->chunk + w->chunk_len, now_ns++);
        w->written++;
    }
    return flush(w);
}

static bool run(struct writer *w)
{
    uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
    w->base = (time_t)(clock_ns(CLOCK_REALTIME) / 1000000000);
    while (w->written < w->lines && !stopped) {
        uint64_t due = w->lines;
        if (w->rate) { /* what should have been written by now, every 10 ms */
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            uint64_t ms = (clock_ns(CLOCK_MONOTONIC) - start_ns) / 1000000;
            due = ms * w->rate / 1000;
            due = due < w->lines ? due : w->lines;
        }
        if (due > w->written && !batch(w, due - w->written))
            return false;
    }
    return true;
}

static const struct option options[] = {
    {"lines", required_argument, NULL, 'l'}, {"first", required_argument, NULL, 'f'},
    {"rate", required_argument, NULL, 'r'},  {"rotate-bytes", required_argument, NULL, 'b'},
    {"keep", required_argument, NULL, 'k'},  {"size", required_argument, NULL, 's'},
    {"seed", required_argument, NULL, 'e'},  {0},
};

static const char usage[] = "bench_lines [options] FILE: appends CRI lines, prints how many\n"
                            "  --lines N         how many (1000000)\n"
                            "  --first N         the first \"seq=\" (0)\n"
                            "  --rate N          lines a second (0: as fast as it goes)\n"
                            "  --size N          bytes of a line with its newline, 100 to 16384 (185)\n"
                            "  --rotate-bytes N  rename and create anew from this size on (0: never)\n"
                            "  --keep N          rotated files kept (0: all)\n"
                            "  --seed N          of the text (1)\n";

static bool option_take(struct writer *w, int option, const char *text)
{
    char *end;
    uint64_t value = strtoull(text ? text : "x", &end, 10);
    uint64_t *to = option == 'l'   ? &w->lines
                   : option == 'f' ? &w->first
                   : option == 'r' ? &w->rate
                   : option == 'b' ? &w->rotate_bytes
                   : option == 'k' ? &w->keep
                   : option == 's' ? &w->size
                   : option == 'e' ? &w->seed
                                   : NULL;
    if (!to || *end)
        return false;
    *to = value;
    return true;
}

int main(int argc, char **argv)
{
    struct writer w = {.lines = 1000000, .size = 185, .seed = 1, .chunk = malloc(CHUNK)};
    bool fine = w.chunk != NULL;
    for (int option; fine && (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        fine = option_take(&w, option, optarg);
    if (!fine || optind + 1 != argc || w.size < 100 || w.size > LINE_MAX_LEN) {
        fputs(usage, stderr);
        return 2;
    }
    w.path = argv[optind];
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    if (!reopen(&w) || !run(&w)) {
        fprintf(stderr, "bench_lines: %s: %s\n", w.path, strerror(errno));
        return 1;
    }
    printf("%llu\n", (unsigned long long)w.written);
    return 0;
}
