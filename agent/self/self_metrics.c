/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/base/mem.h"
#include "agent/self/self.h"

static const struct {
    const char *name, *labels, *help;
} rows[LEAT_COUNTER_COUNT] = {
#define X(id, name, labels, help) [LEAT_COUNT_##id] = {name, labels, help},
#include "agent/base/counters.def"
#undef X
};

struct leat_usage leat_self_usage(void)
{
    struct leat_usage usage = {0};
    struct rusage r;
    if (getrusage(RUSAGE_SELF, &r) == 0)
        usage.cpu_seconds = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
                            (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long long resident, data;
    if (statm && fscanf(statm, "%*u %llu %*u %*u %*u %llu", &resident, &data) == 2) {
        usage.rss_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
        usage.data_bytes = data * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    if (statm)
        (void)fclose(statm);
    return usage;
}

static void head(struct leat_strbuf *out, const char *name, const char *type, const char *help)
{
    leat_strbuf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct leat_strbuf *out, const char *name, const char *type, const char *help, double value)
{
    head(out, name, type, help);
    leat_strbuf_printf(out, "%s %.17g\n", name, value);
}

void leat_self_metrics(uint64_t up_ns, struct leat_strbuf *out)
{
    struct leat_usage usage = leat_self_usage();
    for (int i = 0; i < LEAT_COUNTER_COUNT; i++) {
        if (i == 0 || strcmp(rows[i].name, rows[i - 1].name) != 0)
            head(out, rows[i].name, "counter", rows[i].help);
        leat_strbuf_printf(out, rows[i].labels[0] ? "%s{%s} %llu\n" : "%s%s %llu\n", rows[i].name, rows[i].labels,
                           (unsigned long long)__atomic_load_n(&leat_counters[i], __ATOMIC_RELAXED));
    }
    one(out, "leat_payload_copied_bytes_total", "counter", "payload bytes copied in user space", (double)leat_copied_bytes());
    one(out, "leat_malloc_calls_total", "counter", "calls of the heap allocator", (double)leat_alloc_total());
    one(out, "otelcol_process_uptime", "counter", "seconds since the start", (double)up_ns / 1e9);
    one(out, "otelcol_process_cpu_seconds", "counter", "CPU seconds of user and system together", usage.cpu_seconds);
    one(out, "otelcol_process_memory_rss", "gauge", "resident bytes", (double)usage.rss_bytes);
    struct mallinfo2 heap = mallinfo2();
    one(out, "otelcol_process_runtime_heap_alloc_bytes", "gauge", "live bytes of the heap allocator",
        (double)(heap.uordblks + heap.hblkhd));
    one(out, "otelcol_process_runtime_total_sys_memory_bytes", "gauge", "bytes mapped for data",
        (double)usage.data_bytes);
}
