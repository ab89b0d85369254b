/* SPDX-License-Identifier: Apache-2.0 */
/* Our tables, readers and writers against codecs generated from the schema. */
#include <stdlib.h>

#include <jansson.h>

#include "agent/base/alloc.h"
#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "opentelemetry/proto/collector/profiles/v1development/profiles_service.pb-c.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_json_write.h"
#include "proto/otlp/otlp_validate.h"
#include "tests/kit/kit.h"
#include "tests/unit/proto/otlp/otlp_random.h"

static const ProtobufCMessageDescriptor *const requests[] = {
    &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor,
    &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor,
    &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
    &opentelemetry__proto__collector__profiles__v1development__export_profiles_service_request__descriptor};

static ProtobufCType type_of(unsigned kind)
{
    static const ProtobufCType types[] = {
        [OTLP_MSG] = PROTOBUF_C_TYPE_MESSAGE,       [OTLP_STRING] = PROTOBUF_C_TYPE_STRING,
        [OTLP_BYTES] = PROTOBUF_C_TYPE_BYTES,       [OTLP_ID16] = PROTOBUF_C_TYPE_BYTES,
        [OTLP_ID8] = PROTOBUF_C_TYPE_BYTES,         [OTLP_BOOL] = PROTOBUF_C_TYPE_BOOL,
        [OTLP_ENUM] = PROTOBUF_C_TYPE_ENUM,         [OTLP_UINT32] = PROTOBUF_C_TYPE_UINT32,
        [OTLP_INT32] = PROTOBUF_C_TYPE_INT32,       [OTLP_SINT32] = PROTOBUF_C_TYPE_SINT32,
        [OTLP_UINT64] = PROTOBUF_C_TYPE_UINT64,     [OTLP_INT64] = PROTOBUF_C_TYPE_INT64,
        [OTLP_FIXED32] = PROTOBUF_C_TYPE_FIXED32,   [OTLP_FIXED64] = PROTOBUF_C_TYPE_FIXED64,
        [OTLP_SFIXED64] = PROTOBUF_C_TYPE_SFIXED64, [OTLP_DOUBLE] = PROTOBUF_C_TYPE_DOUBLE};
    return types[kind & ~(unsigned)OTLP_PACKED];
}

static void expect_same(const struct otlp_msg *msg, const ProtobufCMessageDescriptor *d, unsigned level)
{
    EXPECT_EQ(msg->field_count, d->n_fields);
    for (uint32_t i = 0; i < msg->field_count; i++) {
        const struct otlp_field *f = &msg->fields[i];
        const ProtobufCFieldDescriptor *g = protobuf_c_message_descriptor_get_field(d, f->number);
        EXPECT(g != NULL);
        EXPECT_STR(f->name, g->name);
        EXPECT_EQ(type_of(f->kind), g->type);
        EXPECT_EQ(f->flags & OTLP_REPEATED ? 1 : 0, g->label == PROTOBUF_C_LABEL_REPEATED);
        EXPECT_EQ(msg->by_tag[PB_TAG(f->number, f->wire)], i + 1);
        if (f->flags & OTLP_PRESENT)
            EXPECT(g->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
        if (f->kind == OTLP_MSG && level < 12)
            expect_same(f->msg, g->descriptor, level + 1);
    }
}

/* Guarantees: each field of our tables has the number, name, type and label of the schema, and none is missing. */
LEAT_TEST(tables_are_the_schema)
{
    for (int i = 0; i < LEAT_SIGNAL_COUNT; i++)
        expect_same(otlp_request_of((enum leat_signal)i), requests[i], 0);
}

/* The bytes as the generated codec writes them: defaults gone, fields in order. */
static uint8_t *canonical(enum leat_signal signal, const void *at, size_t len, size_t *ret_len)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(requests[signal], NULL, len, at);
    EXPECT(m != NULL);
    uint8_t *bytes = malloc(protobuf_c_message_get_packed_size(m) + 1);
    *ret_len = protobuf_c_message_pack(m, bytes);
    protobuf_c_message_free_unpacked(m, NULL);
    return bytes;
}

static void through_json(enum leat_signal signal, const struct pb_buf *b, size_t piece)
{
    struct leat_chain payload = kit_chain(b->at, b->len, piece), back = {0};
    struct leat_strbuf text = {0}, again = {0};
    struct leat_err err = {0};
    EXPECT_OK_ERR(otlp_json_write(signal, &payload, &text, &err), &err);
    json_error_t error;
    json_t *parsed = json_loadb(text.at, text.len, 0, &error); /* a stranger can read it */
    EXPECT(parsed != NULL);
    json_decref(parsed);
    struct leat_chain json = kit_chain(text.at, text.len, piece);
    EXPECT_OK_ERR(otlp_json_read(signal, &json, &back, &err), &err);
    struct otlp_counts counts;
    EXPECT_OK_ERR(otlp_validate(signal, &back, &counts, &err), &err);
    EXPECT_OK(otlp_json_write(signal, &back, &again, NULL));
    EXPECT_STR(text.at, again.at);
    struct leat_slice flat;
    size_t wanted_len, got_len;
    EXPECT_OK(leat_chain_flat(&back, &flat));
    uint8_t *wanted = canonical(signal, b->at, b->len, &wanted_len),
            *got = canonical(signal, flat.at, flat.len, &got_len);
    EXPECT_EQ(wanted_len, got_len);
    EXPECT_BYTES(wanted, got, got_len);
    free(wanted);
    free(got);
    leat_mem_unref(flat.mem);
    leat_chain_done(&payload);
    leat_chain_done(&json);
    leat_chain_done(&back);
    leat_strbuf_done(&text);
    leat_strbuf_done(&again);
}

/* Scenario:   random requests of every signal as JSON and back.
 * Guarantees: the JSON is JSON; what comes back says the same, in the eyes of the generated codec. */
LEAT_TEST(json_carries_every_field_there_and_back)
{
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        for (uint64_t seed = 1; seed <= 60; seed++) {
            struct otlp_random r = {.state = seed};
            struct pb_buf b = random_request(&r, (enum leat_signal)signal);
            through_json((enum leat_signal)signal, &b, seed % 2 ? 0 : 97);
            pb_buf_done(&b);
        }
}

static bool reference_takes(enum leat_signal signal, const struct pb_buf *b)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(requests[signal], NULL, b->len, b->at);
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
    return m != NULL;
}

/* Scenario:   random requests with one byte changed at chance, or cut short.
 * Guarantees: whatever we let in, the generated codec can read; and we let in a good part. */
LEAT_TEST(what_we_let_in_the_reference_reads)
{
    unsigned taken = 0;
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        enum leat_signal signal = (enum leat_signal)(seed % LEAT_SIGNAL_COUNT);
        struct otlp_random r = {.state = seed % 50};
        struct pb_buf b = random_request(&r, signal);
        r.state = seed;
        if (b.len) {
            b.at[random_next(&r) % b.len] ^= (uint8_t)(1u << random_below(&r, 8));
            b.len = seed % 5 ? b.len : random_next(&r) % b.len;
        }
        struct leat_chain chain = kit_chain_cut(b.at, b.len, b.len / 3);
        struct otlp_counts counts;
        if (otlp_validate(signal, &chain, &counts, NULL) == LEAT_OK) {
            EXPECT(reference_takes(signal, &b));
            taken++;
        }
        leat_chain_done(&chain);
        pb_buf_done(&b);
    }
    EXPECT(taken > 1000);
}

LEAT_TEST_OOM(json_survives_any_failed_allocation)
{
    static const char text[] =
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"a\\nb\"}}]}]}]}";
    struct leat_chain json = {0}, payload = {0};
    struct leat_strbuf out = {0};
    leat_rc rc = leat_chain_copy(&json, text, 20);
    if (rc == LEAT_OK)
        rc = leat_chain_copy(&json, text + 20, sizeof text - 21);
    if (rc == LEAT_OK)
        rc = otlp_json_read(LEAT_LOGS, &json, &payload, NULL);
    if (rc == LEAT_OK)
        rc = otlp_json_write(LEAT_LOGS, &payload, &out, NULL);
    leat_chain_done(&json);
    leat_chain_done(&payload);
    leat_strbuf_done(&out);
    return rc;
}
