/* SPDX-License-Identifier: Apache-2.0 */
/* What a container's line costs on its way to OpenSearch: the documents of a batch, by mapping, before compression. The
 * records are as file_log and k8s_attributes make them. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/bulk/bulk.h"
#include "proto/otlp/otlp_put.h"

#define LINES 8192u
#define ROUNDS 60

static uint8_t payload[16u << 20];
static uint32_t payload_len;

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
    at = otlp_put_string(at, 1, LEAT_SLICE("k8s.deployment.name"), LEAT_SLICE("web"));
    return otlp_put_string(at, 1, LEAT_SLICE("k8s.node.name"), LEAT_SLICE("node-17"));
}

static uint8_t *attributes_of(uint8_t *at)
{
    at = otlp_put_string(at, 6, LEAT_SLICE("log.iostream"), LEAT_SLICE("stdout"));
    at = otlp_put_string(at, 6, LEAT_SLICE("log.file.name"), LEAT_SLICE("0.log"));
    return otlp_put_string(at, 6, LEAT_SLICE("log.file.path"),
                           LEAT_SLICE("/var/log/pods/shop_web-0_1d2c3b4a-0000-4000-8000-000000000000/server/0.log"));
}

static void build(void)
{
    static char line[512];
    uint8_t resource[1024], attributes[1024];
    struct leat_slice extra = leat_slice_of(attributes, (uint32_t)(attributes_of(attributes) - attributes));
    struct otlp_put_open open;
    uint32_t len;
    uint8_t *at = otlp_put_open(payload, leat_slice_of(resource, (uint32_t)(resource_of(resource) - resource)),
                                LEAT_SLICE(""), LEAT_SLICE(""), &open);
    for (uint32_t i = 0; i < LINES; i++) {
        int n = snprintf(line, sizeof line,
                         "{\"level\":\"info\",\"msg\":\"GET "
                         "/items/%u\",\"status\":200,\"took_ms\":%u.25,\"user\":\"u-%u\",\"agent\":"
                         "\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\",\"path\":\"/api/v1/items\"}",
                         i, i % 97, i % 1000);
        struct otlp_put_record r = {.time_unix_nano = 1700000000000000000 + i * 1000003ull,
                                    .observed_time_unix_nano = 1700000009000000000 + i / 400,
                                    .body = leat_slice_of(line, (uint32_t)n),
                                    .attributes = extra};
        (void)otlp_put_record_size(&r, &len);
        at = otlp_put_record(at, &r, len);
    }
    otlp_put_close(&open, at);
    payload_len = (uint32_t)(at - payload);
}

static uint64_t encode(struct leat_bulk *bulk)
{
    struct leat_batch batch = {.signal = LEAT_LOGS, .item_count = LINES};
    struct leat_requests out = {.origin = {.token = 1}};
    uint64_t bytes = 0;
    if (leat_chain_take(&batch.payload, leat_slice_of(payload, payload_len)) != LEAT_OK ||
        leat_bulk_encode(bulk, &batch, &out, NULL) != LEAT_OK)
        abort();
    for (uint32_t i = 0; i < out.count; i++)
        bytes += out.at[i].body.bytes;
    leat_chain_done(&batch.payload);
    leat_requests_done(&out);
    return bytes;
}

static void measure(const char *name, enum bulk_mapping mapping)
{
    static const char *const endpoints[] = {"http://search:9200"};
    struct leat_bulk_conf conf = {.endpoints = endpoints,
                                  .endpoint_count = 1,
                                  .own_ids = true,
                                  .request_bytes_max = 5 << 20,
                                  .doc = {.mapping = mapping, .dataset = "default", .namespace = "namespace"}};
    struct leat_bulk bulk = {0};
    double best = 1e18;
    uint64_t bytes = 0;
    if (!bulk_index_parse(&conf.index, "ss4o_logs-default-namespace", "unknown") ||
        leat_bulk_open(&bulk, &conf, LEAT_LOGS, leat_world_real(), NULL, NULL) != LEAT_OK)
        abort();
    for (int i = 0; i < ROUNDS; i++) {
        double begin = now_ns();
        bytes = encode(&bulk);
        double took = now_ns() - begin;
        best = took < best ? took : best;
    }
    printf("%-28s %8.2f ns/line %6llu bytes/line\n", name, best / LINES, (unsigned long long)(bytes / LINES));
    leat_bulk_close(&bulk);
}

int main(void)
{
    build();
    measure("ss4o", BULK_SS4O);
    measure("otel", BULK_OTEL);
    measure("ecs", BULK_ECS);
    measure("flatten_attributes", BULK_FLATTEN);
    return 0;
}
