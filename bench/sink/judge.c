/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sink/judge.h"

#include <sys/resource.h>

static int count(struct bench_judge *judge, const struct bench_request *request, const uint8_t *at, size_t len)
{
    int64_t items = 0;
    if (request->json)
        judge->json++;
    else
        items = bench_walk(request->form, at, len, judge->options.verify ? bench_tally_line : NULL, &judge->tally);
    if (items < 0) {
        judge->broken++;
        return 400;
    }
    judge->items += (uint64_t)items;
    judge->bytes_decoded += len;
    return request->form == BENCH_OTLP ? 200 : 204;
}

int bench_judge_take(struct bench_judge *judge, const struct bench_request *request)
{
    const struct bench_judge_options *options = &judge->options;
    judge->requests++;
    judge->bytes += request->len;
    if (options->status_every && judge->requests % options->status_every == 0) {
        judge->refused++;
        return options->status;
    }
    if (request->coding == BENCH_PLAIN)
        return count(judge, request, request->at, request->len);
    if (!bench_decode(request->coding, request->at, request->len, &judge->decoded)) {
        judge->broken++;
        return 400;
    }
    return count(judge, request, judge->decoded.at, judge->decoded.len);
}

static double cpu_seconds(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void add(struct bench_bytes *out, const char *name, uint64_t value)
{
    bench_bytes_printf(out, "\"%s\":%llu,", name, (unsigned long long)value);
}

void bench_judge_stats(const struct bench_judge *judge, struct bench_bytes *out)
{
    const struct bench_tally *tally = &judge->tally;
    bench_bytes_add(out, "{", 1);
    add(out, "requests", judge->requests);
    add(out, "refused", judge->refused);
    add(out, "broken", judge->broken);
    add(out, "json", judge->json);
    add(out, "bytes", judge->bytes);
    add(out, "bytes_decoded", judge->bytes_decoded);
    add(out, "items", judge->items);
    add(out, "connections", judge->connections);
    add(out, "distinct", tally->distinct);
    add(out, "repeated", tally->repeated);
    add(out, "unnumbered", tally->unnumbered);
    bench_bytes_printf(out, "\"max_seq\":%lld,\"missing\":\"", (long long)tally->seq_max);
    bench_tally_missing(tally, (uint64_t)(tally->seq_max + 1), 20, out);
    bench_bytes_printf(out, "\",\"cpu_seconds\":%.3f}\n", cpu_seconds());
}

void bench_judge_reset(struct bench_judge *judge)
{
    struct bench_judge fresh = {.options = judge->options, .decoded = judge->decoded};
    bench_tally_reset(&judge->tally);
    fresh.tally = judge->tally;
    *judge = fresh;
}
