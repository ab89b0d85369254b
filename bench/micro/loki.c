/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's line costs on its way to Loki: the exporter's encode, and its packing alone beside libsnappy's of
 * the same bytes. Reads a file of CRI lines (bench_lines writes one); the records are as file_log makes them. */
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "exporters/loki/loki.h"
#include "proto/cri/cri.h"
#include "proto/otlp/otlp_put.h"

#define LINES 8192u
#define ROUNDS 60

static uint8_t payload[16u << 20];
static char packed[16u << 20], plain[16u << 20];
static uint32_t payload_len, lines;

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint8_t *resource_of(uint8_t *at)
{
    at = otlp_put_string(at, 1, LEAT_SLICE("k8s.namespace.name"), LEAT_SLICE("shop"));
    at = otlp_put_string(at, 1, LEAT_SLICE("k8s.pod.name"), LEAT_SLICE("web-0"));
    at = otlp_put_string(at, 1, LEAT_SLICE("k8s.pod.uid"), LEAT_SLICE("1d2c3b4a-0000-4000-8000-000000000000"));
    at = otlp_put_string(at, 1, LEAT_SLICE("k8s.container.name"), LEAT_SLICE("server"));
    return otlp_put_string(at, 1, LEAT_SLICE("k8s.container.restart_count"), LEAT_SLICE("0"));
}

static uint8_t *attributes_of(uint8_t *at)
{
    at = otlp_put_string(at, 6, LEAT_SLICE("log.iostream"), LEAT_SLICE("stdout"));
    at = otlp_put_string(at, 6, LEAT_SLICE("logtag"), LEAT_SLICE("F"));
    at = otlp_put_string(at, 6, LEAT_SLICE("log.file.name"), LEAT_SLICE("0.log"));
    return otlp_put_string(at, 6, LEAT_SLICE("log.file.path"),
                           LEAT_SLICE("/var/log/pods/shop_web-0_1d2c3b4a-0000-4000-8000-000000000000/server/0.log"));
}

static bool build(FILE *in)
{
    static char line[1 << 16];
    uint8_t resource[1024], attributes[1024];
    struct leat_slice extra = leat_slice_of(attributes, (uint32_t)(attributes_of(attributes) - attributes));
    struct otlp_put_open open;
    uint8_t *at = otlp_put_open(payload, leat_slice_of(resource, (uint32_t)(resource_of(resource) - resource)),
                                LEAT_SLICE(""), LEAT_SLICE(""), &open);
    while (lines < LINES && fgets(line, sizeof line, in)) {
        struct cri_line l;
        uint32_t len;
        if (!cri_parse(line, (uint32_t)strcspn(line, "\n"), &l))
            continue;
        struct otlp_put_record r = {.time_unix_nano = (uint64_t)l.unix_ns,
                                    .observed_time_unix_nano = 1700000000000000000 + lines / 400,
                                    .body = l.text,
                                    .attributes = extra};
        if ((size_t)(at - payload) + otlp_put_record_size(&r, &len) > sizeof payload)
            break;
        at = otlp_put_record(at, &r, len);
        lines++;
    }
    otlp_put_close(&open, at);
    payload_len = (uint32_t)(at - payload);
    return lines != 0;
}

static void encode(struct loki_state *loki, struct leat_requests *out)
{
    struct leat_batch batch = {.signal = LEAT_LOGS, .item_count = lines};
    if (leat_chain_take(&batch.payload, leat_slice_of(payload, payload_len)) != LEAT_OK ||
        loki_encode(loki, &batch, out, NULL) != LEAT_OK)
        abort();
    leat_chain_done(&batch.payload);
}

static double best_encode(struct loki_state *loki)
{
    double best = 1e18;
    for (int i = 0; i < ROUNDS; i++) {
        struct leat_requests out = {0};
        double begin = now_ns();
        encode(loki, &out);
        double took = now_ns() - begin;
        best = took < best ? took : best;
        leat_requests_done(&out);
    }
    return best;
}

/* libsnappy on what the requests hold. */
static double best_library(const struct leat_requests *out, size_t *ret_plain, size_t *ret_packed)
{
    double best = 1e18;
    for (int i = 0; i < ROUNDS; i++) {
        double took = 0;
        *ret_plain = *ret_packed = 0;
        for (uint32_t k = 0; k < out->count; k++) {
            size_t plain_len = sizeof plain, packed_len = sizeof packed;
            size_t body_len = (size_t)leat_chain_put(&out->at[k].body, packed, sizeof packed);
            if (snappy_uncompress(packed, body_len, plain, &plain_len) != SNAPPY_OK)
                abort();
            double begin = now_ns();
            if (snappy_compress(plain, plain_len, packed, &packed_len) != SNAPPY_OK)
                abort();
            took += now_ns() - begin;
            *ret_plain += plain_len;
            *ret_packed += packed_len;
        }
        best = took < best ? took : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    struct leat_http_client_conf http = {.endpoint = "http://loki:3100"};
    struct loki_conf own = {.request_bytes_max = 1 << 20};
    struct leat_exporter_conf conf = {.id = "loki", .own = &own, .carrier = &http};
    static struct loki_state loki;
    struct leat_requests out = {0};
    FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!in || !build(in) || loki_open(&loki, &conf, LEAT_LOGS, leat_world_real(), NULL) != LEAT_OK) {
        (void)fprintf(stderr, "usage: bench_loki FILE   (CRI lines, as bench_lines writes them)\n");
        return 2;
    }
    (void)fclose(in);
    encode(&loki, &out);
    size_t plain_len, library_len, own_len = 0;
    for (uint32_t i = 0; i < out.count; i++)
        own_len += (size_t)out.at[i].body.bytes;
    double library = best_library(&out, &plain_len, &library_len);
    leat_requests_done(&out);
    printf("%-28s %8.2f ns/line %6zu bytes/line of %zu\n", "encode", best_encode(&loki) / lines, own_len / lines,
           plain_len / lines);
    printf("%-28s %8.2f ns/line %6zu bytes/line\n", "libsnappy alone", library / lines, library_len / lines);
    loki_close(&loki);
    return 0;
}
