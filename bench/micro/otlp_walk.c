/* SPDX-License-Identifier: Apache-2.0 */
/* What a log record costs at the door, when built from a container's line, in a view, and as JSON. Each figure is the
 * best of several rounds over 1,000 records of about 280 bytes with five attributes, in cache. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/cri/cri.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_json_write.h"
#include "proto/otlp/otlp_put.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/otlp/otlp_view.h"

#define RECORDS 1000
#define ROUNDS 400
#define ROOM (RECORDS * 512u)

static uint8_t room[ROOM];
static size_t room_len;
static const char line[] =
    "2024-01-01T00:00:00.123456789Z stdout F {\"level\":\"info\",\"msg\":\"request handled\",\"path\":\"/api/"
    "v1/things\",\"status\":200,\"took_ms\":12}";

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint8_t *attributes(uint8_t *at)
{
    at = otlp_put_string(at, 6, LEAT_SLICE("log.iostream"), LEAT_SLICE("stdout"));
    at = otlp_put_string(at, 6, LEAT_SLICE("http.method"), LEAT_SLICE("GET"));
    at = otlp_put_string(at, 6, LEAT_SLICE("k8s.pod"), LEAT_SLICE("shop-7d9f"));
    at = otlp_put_int(at, 6, LEAT_SLICE("code"), 200);
    return otlp_put_string(at, 6, LEAT_SLICE("user.agent"), LEAT_SLICE("curl/8.1"));
}

static uint64_t build(void)
{
    uint8_t made[256];
    struct leat_slice extra = leat_slice_of(made, (uint32_t)(attributes(made) - made));
    struct otlp_put_open open;
    uint8_t *at = otlp_put_open(room, extra, LEAT_SLICE("bench"), LEAT_SLICE(""), &open);
    for (int i = 0; i < RECORDS; i++) {
        struct cri_line l;
        uint32_t len;
        if (!cri_parse(line, sizeof line - 1, &l))
            abort();
        struct otlp_put_record r = {.time_unix_nano = (uint64_t)l.unix_ns,
                                    .observed_time_unix_nano = 1700000000000000000,
                                    .severity_number = 9,
                                    .severity_text = LEAT_SLICE("INFO"),
                                    .body = l.text,
                                    .attributes = extra};
        if ((size_t)(at - room) + otlp_put_record_size(&r, &len) > ROOM)
            abort();
        at = otlp_put_record(at, &r, len);
    }
    otlp_put_close(&open, at);
    room_len = (size_t)(at - room);
    return room_len;
}

static struct leat_chain payload;
static struct leat_strbuf text;

static uint64_t validate(void)
{
    struct otlp_counts counts;
    if (otlp_validate(LEAT_LOGS, &payload, &counts, NULL) != LEAT_OK || counts.items != RECORDS)
        abort();
    return payload.bytes;
}

static uint64_t count(void)
{
    uint32_t n;
    if (otlp_form.count(LEAT_LOGS, &payload, &n, NULL) != LEAT_OK || n != RECORDS)
        abort();
    return payload.bytes;
}

static uint64_t view(void)
{
    struct otlp_walk w;
    struct otlp_log log;
    struct otlp_attribute a;
    uint64_t keys = 0;
    otlp_walk_open(&w, LEAT_LOGS, &payload);
    while (otlp_walk_next(&w) && otlp_log_of(w.item, &log))
        for (struct leat_slice rest = log.attributes; otlp_attribute_next(&rest, 6, &a);)
            keys += a.key.len;
    if (otlp_walk_close(&w, NULL) != LEAT_OK || keys == 0)
        abort();
    return payload.bytes;
}

static uint64_t json_write(void)
{
    leat_strbuf_clear(&text);
    if (otlp_json_write(LEAT_LOGS, &payload, &text, NULL) != LEAT_OK)
        abort();
    return text.len;
}

static uint64_t json_read(void)
{
    struct pb_buf out = {0};
    struct leat_slice json = leat_slice_of(text.at, (uint32_t)text.len);
    if (otlp_json_read_message(otlp_request_of(LEAT_LOGS), json, &out, NULL) != LEAT_OK)
        abort();
    pb_buf_done(&out);
    return text.len;
}

static void measure(const char *name, uint64_t (*job)(void), int rounds)
{
    double best = 1e18;
    uint64_t bytes = 0;
    for (int i = 0; i < rounds; i++) {
        double begin = now_ns();
        bytes = job();
        double took = now_ns() - begin;
        best = took < best ? took : best;
    }
    printf("%-28s %8.2f ns/record %8.2f GB/s\n", name, best / RECORDS, (double)bytes / best);
}

int main(void)
{
    measure("cri parse + put", build, ROUNDS);
    printf("%zu bytes a record\n", room_len / RECORDS);
    struct leat_slice all = leat_slice_of(room, (uint32_t)room_len);
    if (leat_chain_share(&payload, all) != LEAT_OK)
        return 1;
    measure("validate, one slice", validate, ROUNDS);
    measure("count", count, ROUNDS);
    measure("view, every attribute", view, ROUNDS);
    measure("JSON write", json_write, ROUNDS / 10);
    measure("JSON read", json_read, ROUNDS / 10);
    leat_chain_done(&payload);
    for (uint32_t at = 0; at < room_len; at += 16384) {
        uint32_t n = room_len - at < 16384 ? (uint32_t)(room_len - at) : 16384;
        if (leat_chain_share(&payload, leat_slice_of(room + at, n)) != LEAT_OK)
            return 1;
    }
    measure("validate, slices of 16 KiB", validate, ROUNDS);
    measure("view, slices of 16 KiB", view, ROUNDS);
    leat_chain_done(&payload);
    leat_strbuf_done(&text);
    return 0;
}
