/* SPDX-License-Identifier: Apache-2.0 */
#include <snappy-c.h>
#include <stdio.h>
#include <time.h>

#include "exporters/loki/loki.h"
#include "proto/loki_push/loki_push_read.h"
#include "tests/kit/kit.h"

/* ---- a request to encode ---- */

static void put_string(struct pb_buf *buf, uint32_t number, const char *key, const char *value)
{
    size_t pair = pb_buf_open(buf, PB_TAG(number, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), key, (uint32_t)strlen(key));
    size_t any = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), value, (uint32_t)strlen(value));
    pb_buf_close(buf, any);
    pb_buf_close(buf, pair);
}

static void put_int(struct pb_buf *buf, uint32_t number, const char *key, int64_t value)
{
    size_t pair = pb_buf_open(buf, PB_TAG(number, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), key, (uint32_t)strlen(key));
    size_t any = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    pb_buf_varint(buf, PB_TAG(3, PB_VARINT), (uint64_t)value);
    pb_buf_close(buf, any);
    pb_buf_close(buf, pair);
}

/* {"outer": {"in ner": {"x": true}, "list": ["a", 1]}} as attribute or body `number`. */
static void put_map(struct pb_buf *buf, uint32_t number, const char *key)
{
    size_t pair = pb_buf_open(buf, PB_TAG(number, PB_LEN));
    size_t any = pair;
    if (key) {
        pb_buf_bytes(buf, PB_TAG(1, PB_LEN), key, (uint32_t)strlen(key));
        any = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    }
    size_t map = pb_buf_open(buf, PB_TAG(6, PB_LEN));
    put_string(buf, 1, "in ner", "deep");
    put_int(buf, 1, "n", -7);
    pb_buf_close(buf, map);
    if (key)
        pb_buf_close(buf, any);
    pb_buf_close(buf, pair);
}

static void put_record(struct pb_buf *buf, unsigned i, const char *line)
{
    static const char trace[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\xab";
    size_t record = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    pb_buf_fixed64(buf, PB_TAG(1, PB_FIXED64), 1700000000000000000ull + i);
    pb_buf_varint(buf, PB_TAG(2, PB_VARINT), 9);
    pb_buf_bytes(buf, PB_TAG(3, PB_LEN), "INFO", 4);
    if (line) {
        size_t body = pb_buf_open(buf, PB_TAG(5, PB_LEN));
        pb_buf_bytes(buf, PB_TAG(1, PB_LEN), line, (uint32_t)strlen(line));
        pb_buf_close(buf, body);
    } else {
        put_map(buf, 5, NULL);
    }
    put_string(buf, 6, "log.file.name", "a.log");
    put_int(buf, 6, "9lives", 42);
    put_map(buf, 6, "outer");
    pb_buf_bytes(buf, PB_TAG(9, PB_LEN), trace, 16);
    pb_buf_fixed64(buf, PB_TAG(11, PB_FIXED64), 1700000001000000000ull);
    pb_buf_close(buf, record);
}

static void put_resource(struct pb_buf *buf, const char *service, const char *tenant, unsigned records,
                         const char *line)
{
    size_t resource_logs = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    size_t resource = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    if (service)
        put_string(buf, 1, "service.name", service);
    put_string(buf, 1, "k8s.pod.name", "pod-1");
    if (tenant)
        put_string(buf, 1, "tenant", tenant);
    pb_buf_close(buf, resource);
    size_t scope_logs = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    size_t scope = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), "lib", 3);
    pb_buf_close(buf, scope);
    for (unsigned i = 0; i < records; i++)
        put_record(buf, i, line);
    pb_buf_close(buf, scope_logs);
    pb_buf_close(buf, resource_logs);
}

/* ---- the exporter around it ---- */

struct bed {
    struct leat_http_client_conf http;
    struct loki_conf own;
    struct loki_state state;
    struct leat_requests out;
    struct pb_buf buf;
};

static leat_rc bed_encode(struct bed *bed, uint32_t items, size_t piece, const struct leat_meta *meta)
{
    struct leat_batch batch = {.signal = LEAT_LOGS, .item_count = items, .meta = (struct leat_meta *)(uintptr_t)meta};
    struct leat_exporter_conf conf = {.id = "loki", .own = &bed->own, .carrier = &bed->http};
    bed->http.endpoint = "http://loki:3100/";
    if (!bed->own.request_bytes_max)
        bed->own.request_bytes_max = 1 << 20;
    leat_rc rc = bed->buf.failed ? LEAT_ENOMEM : LEAT_OK;
    if (rc == LEAT_OK && !bed->state.url)
        rc = loki_open(&bed->state, &conf, LEAT_LOGS, leat_world_real(), NULL);
    if (rc != LEAT_OK)
        return rc;
    batch.payload = piece ? kit_chain(bed->buf.at, bed->buf.len, piece) : (struct leat_chain){0};
    struct leat_slice whole = leat_slice_of(bed->buf.at, (uint32_t)bed->buf.len);
    if (!piece)
        rc = leat_chain_take(&batch.payload, whole);
    if (rc == LEAT_OK)
        rc = loki_encode(&bed->state, &batch, &bed->out, NULL);
    leat_chain_done(&batch.payload);
    return rc;
}

static void bed_done(struct bed *bed)
{
    leat_requests_done(&bed->out);
    loki_close(&bed->state);
    pb_buf_done(&bed->buf);
}

static struct seen {
    unsigned entries;
    char labels[8][256], line[256], pod[32], file[32], lives[32], inner[32], n[32], trace[64], severity[32], scope[32];
    uint64_t first_ns, last_ns;
} seen;

static void keep(char *to, size_t room, struct leat_slice text)
{
    (void)snprintf(to, room, "%.*s", LEAT_SLICE_ARGS(text));
}

static leat_rc note(void *ctx, const struct loki_push_entry *entry)
{
    struct seen *s = ctx;
    keep(s->labels[s->entries % 8], sizeof s->labels[0], entry->labels);
    keep(s->line, sizeof s->line, entry->line);
    keep(s->pod, sizeof s->pod, loki_push_metadata_get(entry, "k8s_pod_name"));
    keep(s->file, sizeof s->file, loki_push_metadata_get(entry, "log_file_name"));
    keep(s->lives, sizeof s->lives, loki_push_metadata_get(entry, "key_9lives"));
    keep(s->inner, sizeof s->inner, loki_push_metadata_get(entry, "outer_in_ner"));
    keep(s->n, sizeof s->n, loki_push_metadata_get(entry, "outer_n"));
    keep(s->trace, sizeof s->trace, loki_push_metadata_get(entry, "trace_id"));
    keep(s->severity, sizeof s->severity, loki_push_metadata_get(entry, "severity_text"));
    keep(s->scope, sizeof s->scope, loki_push_metadata_get(entry, "scope_name"));
    s->first_ns = s->entries++ ? s->first_ns : entry->unix_ns;
    s->last_ns = entry->unix_ns;
    return LEAT_OK;
}

static void look(const struct leat_request *request)
{
    static char packed[1 << 20], plain[4 << 20];
    size_t len = sizeof plain;
    size_t packed_len = (size_t)leat_chain_put(&request->body, packed, sizeof packed);
    EXPECT_EQ(snappy_uncompress(packed, packed_len, plain, &len), SNAPPY_OK);
    seen = (struct seen){0};
    EXPECT_OK(loki_push_read(leat_slice_of(plain, (uint32_t)len), note, &seen));
    EXPECT_EQ(seen.entries, request->count);
}

/* Scenario:   two records of one resource, with the input cut into pieces of every size.
 * Guarantees: labels, line, time and every kind of metadata arrive under the names Loki gives them. */
LEAT_TEST(loki_writes_what_the_record_says)
{
    for (size_t piece = 0; piece < 80; piece++) {
        struct bed bed = {0};
        put_resource(&bed.buf, "shop \"a\"", NULL, 2, "hello\nworld");
        EXPECT_OK(bed_encode(&bed, 2, piece, NULL));
        EXPECT_EQ(bed.out.count, 1);
        EXPECT(bed.out.at[0].precoded);
        EXPECT_STR(bed.out.at[0].url, "http://loki:3100/loki/api/v1/push");
        look(&bed.out.at[0]);
        EXPECT_STR(seen.labels[0], "{service_name=\"shop \\\"a\\\"\"}");
        EXPECT_STR(seen.line, "hello\nworld");
        EXPECT_STR(seen.pod, "pod-1");
        EXPECT_STR(seen.file, "a.log");
        EXPECT_STR(seen.lives, "42");
        EXPECT_STR(seen.inner, "deep");
        EXPECT_STR(seen.n, "-7");
        EXPECT_STR(seen.trace, "0102030405060708090a0b0c0d0e0fab");
        EXPECT_STR(seen.severity, "INFO");
        EXPECT_STR(seen.scope, "lib");
        EXPECT_EQ(seen.first_ns, 1700000000000000000ull);
        EXPECT_EQ(seen.last_ns, 1700000000000000001ull);
        bed_done(&bed);
    }
}

/* Guarantees: a resource without any label is still a stream; a map as body is JSON; configured labels replace ours. */
LEAT_TEST(loki_always_has_a_label)
{
    struct bed bed = {0};
    put_resource(&bed.buf, NULL, NULL, 1, NULL);
    EXPECT_OK(bed_encode(&bed, 1, 0, NULL));
    look(&bed.out.at[0]);
    EXPECT_STR(seen.labels[0], "{service_name=\"unknown_service\"}");
    EXPECT_STR(seen.line, "{\"in ner\":\"deep\",\"n\":-7}");
    bed_done(&bed);

    struct leat_pair pair = {"pod", "k8s.pod.name"};
    bed = (struct bed){.own = {.labels = {&pair, 1}}};
    put_resource(&bed.buf, "shop", NULL, 1, "x");
    EXPECT_OK(bed_encode(&bed, 1, 0, NULL));
    look(&bed.out.at[0]);
    EXPECT_STR(seen.labels[0], "{pod=\"pod-1\"}");
    EXPECT_STR(seen.pod, "");
    bed_done(&bed);
}

/* Scenario:   a hundred records and a limit that a few of them fill.
 * Guarantees: requests follow each other without gap or overlap and together hold every record. */
LEAT_TEST(loki_ends_a_request_at_the_limit)
{
    struct bed bed = {.own = {.request_bytes_max = 2000}};
    put_resource(&bed.buf, "shop", NULL, 100, "a line of some length");
    EXPECT_OK(bed_encode(&bed, 100, 0, NULL));
    EXPECT(bed.out.count > 5);
    uint32_t next = 0;
    for (uint32_t i = 0; i < bed.out.count; i++) {
        EXPECT_EQ(bed.out.at[i].first, next);
        next += bed.out.at[i].count;
        look(&bed.out.at[i]);
    }
    EXPECT_EQ(next, 100);
    bed_done(&bed);
}

static const char *tenant_of(const struct leat_request *request)
{
    static char text[64];
    struct leat_headers headers = {request->headers, request->header_count};
    keep(text, sizeof text, leat_headers_get(headers, "X-Scope-OrgID"));
    return text;
}

/* Scenario:   resources of two tenants and one of none, while the client named a third one.
 * Guarantees: a request holds one tenant's records; attribute wins over client, client over configuration. */
LEAT_TEST(loki_keeps_tenants_apart)
{
    struct leat_meta_pair pair = {"x-tenant", "client"};
    struct leat_meta *meta = leat_meta_new(&pair, 1);
    struct bed bed = {.own = {.tenant_id = "fixed", .tenant_attribute = "tenant", .tenant_metadata = "x-tenant"}};
    put_resource(&bed.buf, "s", "one", 2, "x");
    put_resource(&bed.buf, "s", "two", 1, "x");
    put_resource(&bed.buf, "s", NULL, 1, "x");
    EXPECT_OK(bed_encode(&bed, 4, 0, meta));
    EXPECT_EQ(bed.out.count, 3);
    EXPECT_STR(tenant_of(&bed.out.at[0]), "one");
    EXPECT_EQ(bed.out.at[0].count, 2);
    EXPECT_STR(tenant_of(&bed.out.at[1]), "two");
    EXPECT_STR(tenant_of(&bed.out.at[2]), "client");
    leat_requests_done(&bed.out);
    EXPECT_OK(bed_encode(&bed, 4, 0, NULL));
    EXPECT_STR(tenant_of(&bed.out.at[2]), "fixed");
    (void)leat_meta_unref(meta);
    bed_done(&bed);
}

/* Guarantees: two resources with the same labels share a stream, others begin a new one. */
LEAT_TEST(loki_splits_streams_by_labels)
{
    struct bed bed = {0};
    put_resource(&bed.buf, "a", NULL, 1, "x");
    put_resource(&bed.buf, "a", NULL, 1, "x");
    put_resource(&bed.buf, "b", NULL, 1, "x");
    EXPECT_OK(bed_encode(&bed, 3, 0, NULL));
    EXPECT_EQ(bed.out.count, 1);
    look(&bed.out.at[0]);
    EXPECT_STR(seen.labels[1], "{service_name=\"a\"}");
    EXPECT_STR(seen.labels[2], "{service_name=\"b\"}");
    bed_done(&bed);
}

/* One record: its fields and attributes differ from the others' by i, in one way for each of i's digits. */
static void put_varied(struct pb_buf *buf, unsigned i, char *line)
{
    size_t record = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    pb_buf_fixed64(buf, PB_TAG(1, PB_FIXED64), 1700000000900000000ull + i * 10000000ull);
    if (i % 7 == 3)
        pb_buf_varint(buf, PB_TAG(2, PB_VARINT), i % 5);
    size_t body = pb_buf_open(buf, PB_TAG(5, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), line, (uint32_t)snprintf(line, 32, "line %u", i));
    pb_buf_close(buf, body);
    put_string(buf, 6, "log.file.name", "a-file-with-a-name-that-makes-a-block-worth-repeating.log");
    put_int(buf, 6, "9lives", i / 10 % 3);
    if (i % 11 == 5)
        pb_buf_bytes(buf, PB_TAG(9, PB_LEN), "0123456789abcdef", 16);
    pb_buf_fixed64(buf, PB_TAG(11, PB_FIXED64), 1700000001000000000ull + i / 4);
    pb_buf_close(buf, record);
}

static unsigned varied;

static leat_rc note_varied(void *ctx, const struct loki_push_entry *entry)
{
    char text[32];
    unsigned i = (*(unsigned *)ctx)++;
    varied++;
    EXPECT_EQ(entry->unix_ns, 1700000000900000000ull + i * 10000000ull);
    (void)snprintf(text, sizeof text, "line %u", i);
    EXPECT(leat_slice_is(entry->line, text));
    (void)snprintf(text, sizeof text, "%u", i / 10 % 3);
    EXPECT(leat_slice_is(loki_push_metadata_get(entry, "key_9lives"), text));
    (void)snprintf(text, sizeof text, "%llu", 1700000001000000000ull + i / 4);
    EXPECT(leat_slice_is(loki_push_metadata_get(entry, "observed_timestamp"), text));
    (void)snprintf(text, sizeof text, "%u", i % 5);
    EXPECT(i % 7 == 3 && i % 5 ? leat_slice_is(loki_push_metadata_get(entry, "severity_number"), text)
                               : !loki_push_metadata_get(entry, "severity_number").at);
    EXPECT_EQ(loki_push_metadata_get(entry, "trace_id").at != NULL, i % 11 == 5);
    EXPECT(leat_slice_is(loki_push_metadata_get(entry, "k8s_pod_name"), i / 50 % 2 ? "pod-1" : "pod-0"));
    return LEAT_OK;
}

static void put_varied_resource(struct pb_buf *buf, unsigned from, unsigned to)
{
    char line[32];
    size_t resource_logs = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    size_t resource = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    put_string(buf, 1, "k8s.pod.name", from / 50 % 2 ? "pod-1" : "pod-0");
    pb_buf_close(buf, resource);
    size_t scope_logs = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    for (; from < to; from++)
        put_varied(buf, from, line);
    pb_buf_close(buf, scope_logs);
    pb_buf_close(buf, resource_logs);
}

/* Scenario:   records whose fields and attributes are now those of the one before, now not, in resources that share a
 *             stream, over seconds and over requests, cut in pieces.
 * Guarantees: each keeps its own, though what repeats is copied from the one before and packed unseen. */
LEAT_TEST(loki_mixes_nothing_up_when_records_repeat)
{
    static const int64_t limits[] = {4096, 20000, 1 << 20};
    static char packed[1 << 20], plain[4 << 20];
    for (unsigned k = 0; k < 9; k++) {
        struct bed bed = {.own = {.request_bytes_max = limits[k % 3]}};
        unsigned next = 0;
        for (unsigned from = 0; from < 1000; from += 50)
            put_varied_resource(&bed.buf, from, from + 50);
        EXPECT_OK(bed_encode(&bed, 1000, k / 3 * 77, NULL));
        varied = 0;
        for (uint32_t i = 0; i < bed.out.count; i++) {
            size_t len = sizeof plain, packed_len = (size_t)leat_chain_put(&bed.out.at[i].body, packed, sizeof packed);
            EXPECT_EQ(snappy_uncompress(packed, packed_len, plain, &len), SNAPPY_OK);
            EXPECT_OK(loki_push_read(leat_slice_of(plain, (uint32_t)len), note_varied, &next));
        }
        EXPECT_EQ(varied, 1000);
        bed_done(&bed);
    }
}

/* Scenario:   lines of noise, more than a page of them even when packed, and one line larger than a page.
 * Guarantees: the block goes on from page to page. */
LEAT_TEST(loki_packs_into_pages)
{
    static char line[300000];
    uint32_t seed = 1;
    for (size_t i = 0; i + 1 < sizeof line; i++, seed = seed * 1664525u + 1013904223u)
        line[i] = (char)('!' + (seed >> 24) % 90);
    struct bed bed = {0};
    put_resource(&bed.buf, "shop", NULL, 1, line);
    for (unsigned i = 0; i < 250; i++)
        put_resource(&bed.buf, "shop", NULL, 1, line + sizeof line - 1 - 1000 - i);
    EXPECT_OK(bed_encode(&bed, 251, 0, NULL));
    uint32_t seen_count = 0;
    for (uint32_t i = 0; i < bed.out.count; i++) {
        look(&bed.out.at[i]);
        seen_count += seen.entries;
    }
    EXPECT_EQ(seen_count, 251);
    EXPECT(bed.out.at[0].body.count > 1);
    bed_done(&bed);
}

LEAT_TEST_OOM(loki_survives_any_failed_allocation)
{
    struct bed bed = {.own = {.request_bytes_max = 500, .tenant_id = "t"}};
    put_resource(&bed.buf, "a", NULL, 3, NULL);
    put_resource(&bed.buf, "b", NULL, 3, "line");
    leat_rc rc = bed_encode(&bed, 6, 0, NULL);
    uint32_t items = 0;
    for (uint32_t i = 0; rc == LEAT_OK && i < bed.out.count; i++)
        items += bed.out.at[i].count;
    if (rc == LEAT_OK)
        EXPECT_EQ(items, 6);
    bed_done(&bed);
    return rc;
}

/* Guarantees: in the steady state nothing is allocated per line. */
LEAT_TEST(loki_allocates_per_request_not_per_line)
{
    struct bed bed = {0};
    put_resource(&bed.buf, "shop", NULL, 4000, "a line of some length that is not very long but long enough to be one");
    EXPECT_OK(bed_encode(&bed, 4000, 0, NULL));
    leat_requests_done(&bed.out);
    uint64_t before = leat_alloc_count();
    EXPECT_OK(bed_encode(&bed, 4000, 0, NULL));
    EXPECT(leat_alloc_count() - before < 16);
    bed_done(&bed);
}
