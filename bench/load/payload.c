/* SPDX-License-Identifier: Apache-2.0 */
/* bench_payload -- writes one OTLP request body to a file, the same for the same seed: a resource with the attributes of a
 * pod, and records of about 300 bytes with five attributes each, or (--traces) spans of about 350 bytes with six and an
 * event. --grpc puts the frame before it. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/words.h"

struct out {
    uint8_t at[1024];
    size_t len;
};

static void varint(struct out *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        out->at[out->len++] = (uint8_t)(value | 0x80);
    out->at[out->len++] = (uint8_t)value;
}

static void bytes(struct out *out, unsigned number, const void *at, size_t len)
{
    varint(out, number << 3 | 2);
    varint(out, len);
    memcpy(out->at + out->len, at, len);
    out->len += len;
}

static void message(struct out *out, unsigned number, const struct out *inner)
{
    bytes(out, number, inner->at, inner->len);
}

static void fixed64(struct out *out, unsigned number, uint64_t value)
{
    varint(out, number << 3 | 1);
    memcpy(out->at + out->len, &value, 8); /* little-endian machines only, as the agent */
    out->len += 8;
}

static void attribute(struct out *out, unsigned number, const char *key, const char *text)
{
    struct out value = {.len = 0}, pair = {.len = 0};
    bytes(&value, 1, text, strlen(text));
    bytes(&pair, 1, key, strlen(key));
    message(&pair, 2, &value);
    message(out, number, &pair);
}

static void attribute_int(struct out *out, unsigned number, const char *key, uint64_t integer)
{
    struct out value = {.len = 0}, pair = {.len = 0};
    varint(&value, 3 << 3);
    varint(&value, integer);
    bytes(&pair, 1, key, strlen(key));
    message(&pair, 2, &value);
    message(out, number, &pair);
}

static void resource(struct out *out, uint64_t *random)
{
    char text[64];
    attribute(out, 1, "service.name", "checkout");
    attribute(out, 1, "k8s.namespace.name", "shop");
    snprintf(text, sizeof text, "checkout-%08x-x7k2p", (unsigned)bench_random(random));
    attribute(out, 1, "k8s.pod.name", text);
    snprintf(text, sizeof text, "%08x-93c1-4e1f-a5d2-%012llx", (unsigned)bench_random(random),
             (unsigned long long)bench_random(random) >> 16);
    attribute(out, 1, "k8s.pod.uid", text);
    attribute(out, 1, "k8s.container.name", "server");
    attribute(out, 1, "k8s.node.name", "node-17.example.internal");
}

static void record(struct out *out, uint64_t *random, uint64_t time_ns)
{
    char text[192];
    struct out body = {.len = 0};
    uint64_t ids[3] = {bench_random(random), bench_random(random), bench_random(random)};
    fixed64(out, 1, time_ns);
    varint(out, 2 << 3);
    varint(out, 9);
    bytes(out, 3, "INFO", 4);
    bytes(&body, 1, text, bench_message(random, text, 176));
    message(out, 5, &body);
    attribute(out, 6, "http.route", "/api/v1/cart");
    attribute_int(out, 6, "status", 200 + bench_random(random) % 4 * 100);
    attribute(out, 6, "method", bench_random(random) % 4 ? "GET" : "POST");
    snprintf(text, sizeof text, "u-%06llu", (unsigned long long)(bench_random(random) % 1000000));
    attribute(out, 6, "user", text);
    attribute_int(out, 6, "took_us", bench_random(random) % 900000);
    bytes(out, 9, ids, 16);
    bytes(out, 10, ids + 2, 8);
    fixed64(out, 11, time_ns + 1000);
}

static void span(struct out *out, uint64_t *random, uint64_t time_ns)
{
    char text[64];
    struct out event = {.len = 0}, status = {.len = 0};
    uint64_t ids[4] = {bench_random(random), bench_random(random), bench_random(random), bench_random(random)};
    uint64_t took = bench_random(random) % 50000000;
    bytes(out, 1, ids, 16);
    bytes(out, 2, ids + 2, 8);
    bytes(out, 4, ids + 3, 8);
    bytes(out, 5, "POST /api/v1/cart", 17);
    varint(out, 6 << 3);
    varint(out, 2);
    fixed64(out, 7, time_ns);
    fixed64(out, 8, time_ns + took);
    attribute(out, 9, "http.request.method", "POST");
    attribute(out, 9, "http.route", "/api/v1/cart");
    attribute_int(out, 9, "http.response.status_code", 200 + bench_random(random) % 4 * 100);
    attribute(out, 9, "server.address", "checkout.shop.svc.cluster.local");
    attribute_int(out, 9, "server.port", 8080);
    snprintf(text, sizeof text, "u-%06llu", (unsigned long long)(bench_random(random) % 1000000));
    attribute(out, 9, "user.id", text);
    fixed64(&event, 1, time_ns + took / 2);
    bytes(&event, 2, "cache.miss", 10);
    message(out, 11, &event);
    varint(&status, 3 << 3);
    varint(&status, 1);
    message(out, 15, &status);
}

typedef void item_fn(struct out *out, uint64_t *random, uint64_t time_ns);

struct whole {
    uint8_t *at;
    size_t len;
};

static void whole_add(struct whole *whole, const struct out *out)
{
    memcpy(whole->at + whole->len, out->at, out->len);
    whole->len += out->len;
}

/* Tag and length of field `number` holding `len` bytes. */
static void whole_head(struct whole *whole, unsigned number, size_t len)
{
    struct out head = {.len = 0};
    varint(&head, number << 3 | 2);
    varint(&head, len);
    whole_add(whole, &head);
}

static size_t head_size(size_t len)
{
    struct out head = {.len = 0};
    varint(&head, len);
    return head.len + 1;
}

static bool save(const char *path, bool grpc, const struct out *head, const struct whole *records)
{
    size_t inner = head_size(records->len) + records->len;
    struct whole body = {malloc(records->len + 4096), 0};
    FILE *file = body.at ? fopen(path, "wb") : NULL;
    if (!file)
        return false;
    size_t len = head->len + inner, whole = head_size(len) + len;
    uint8_t frame[5] = {0, (uint8_t)(whole >> 24), (uint8_t)(whole >> 16), (uint8_t)(whole >> 8), (uint8_t)whole};
    whole_head(&body, 1, len);
    whole_add(&body, head);
    whole_head(&body, 2, records->len);
    memcpy(body.at + body.len, records->at, records->len);
    body.len += records->len;
    bool fine = !grpc || fwrite(frame, 5, 1, file) == 1;
    fine = fwrite(body.at, body.len, 1, file) == 1 && fine;
    fine = fclose(file) == 0 && fine;
    printf("%zu\n", body.len);
    free(body.at);
    return fine;
}

/* ResourceLogs{resource, ScopeLogs{scope, records}}, or the same of spans; the items laid first as their length comes
 * before them. */
static bool make(const char *path, item_fn *item, unsigned records, uint64_t seed, bool grpc)
{
    struct whole scope_logs = {malloc((size_t)records * 1100 + 4096), 0};
    struct out at = {.len = 0}, head = {.len = 0}, inner = {.len = 0};
    if (!scope_logs.at)
        return false;
    resource(&inner, &seed);
    message(&head, 1, &inner);
    inner.len = 0;
    bytes(&inner, 1, "shop/checkout", 13);
    message(&at, 1, &inner);
    whole_add(&scope_logs, &at);
    for (unsigned i = 0; i < records; i++) {
        struct out one = {.len = 0};
        item(&one, &seed, UINT64_C(1767225600000000000) + i * UINT64_C(1234567));
        whole_head(&scope_logs, 2, one.len);
        whole_add(&scope_logs, &one);
    }
    bool fine = save(path, grpc, &head, &scope_logs);
    free(scope_logs.at);
    return fine;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"records", required_argument, NULL, 'r'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"grpc", no_argument, NULL, 'g'},
                                            {"traces", no_argument, NULL, 't'},
                                            {0}};
    unsigned long records = 100;
    uint64_t seed = 1;
    bool grpc = false, traces = false, fine = true;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'r')
            records = strtoul(optarg, NULL, 10);
        else if (option == 's')
            seed = strtoull(optarg, NULL, 10);
        else if (option == 'g')
            grpc = true;
        else if (option == 't')
            traces = true;
        else
            fine = false;
    }
    if (!fine || optind + 1 != argc || records == 0 || records > 1000000) {
        fputs("bench_payload [--records 100] [--seed 1] [--grpc] [--traces] FILE: writes a request, prints its length\n",
              stderr);
        return 2;
    }
    if (!make(argv[optind], traces ? span : record, (unsigned)records, seed, grpc)) {
        fprintf(stderr, "bench_payload: %s: %s\n", argv[optind], strerror(errno));
        return 1;
    }
    return 0;
}
