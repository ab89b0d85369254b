/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP/gRPC over a real socket: each status of the table, the size limit, metadata, deadlines of the configuration. */
#include "tests/unit/receivers/otlp/rig.h"

static struct rig *started(struct rig *rig)
{
    struct leat_err err = {0};
    EXPECT_OK_ERR(rig_start(rig, &err), &err);
    return rig;
}

/* Scenario: good calls, with items and without.
 * Guarantees: OK with an empty response; the payload passed on as it came. */
LEAT_TEST(accepted_calls_are_ok)
{
    struct rig *rig = started(rig_new());
    struct rig_call call;
    EXPECT_EQ(rig_ask(rig, &call, LOGS_METHOD, ONE_LOG), LEAT_GRPC_OK);
    EXPECT_EQ(call.len, 0);
    EXPECT_EQ(rig->taken, 1);
    EXPECT_BYTES(rig->last, ONE_LOG.at, ONE_LOG.len);
    EXPECT_EQ(rig_ask(rig, &call, LOGS_METHOD, (struct leat_slice){0}), LEAT_GRPC_OK);
    EXPECT_EQ(rig->taken, 1);
    EXPECT_EQ(rig->counts[OTLP_EMPTY], 1);
    rig_free(rig);
}

/* Scenario: everything a caller can get wrong, and a pipeline that refuses.
 * Guarantees: the status of the table, one counter each, and the connection goes on. */
LEAT_TEST(refusals_have_a_status_and_a_counter)
{
    static uint8_t large[(1 << 20) + 1];
    const struct {
        const char *path;
        struct leat_slice body;
        leat_rc mood;
        int code;
        enum otlp_count counted;
    } rows[] = {{"/no.such.Service/Export", ONE_LOG, LEAT_OK, LEAT_GRPC_UNIMPLEMENTED, OTLP_BAD_PATH},
                {"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", ONE_LOG, LEAT_OK,
                 LEAT_GRPC_UNIMPLEMENTED, OTLP_BAD_PATH},
                {LOGS_METHOD, LEAT_SLICE("\x0a\x05\x12"), LEAT_OK, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_PROTOBUF},
                {TRACES_METHOD,
                 LEAT_SLICE("\x0a\x09\x12\x07\x12\x05\x0a\x03"
                            "abc"),
                 LEAT_OK, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_PROTOBUF},
                {LOGS_METHOD, {large, sizeof large, NULL}, LEAT_OK, LEAT_GRPC_RESOURCE_EXHAUSTED, OTLP_EMPTY},
                {LOGS_METHOD, ONE_LOG, LEAT_AGAIN, LEAT_GRPC_UNAVAILABLE, OTLP_NO_ROOM},
                {LOGS_METHOD, ONE_LOG, LEAT_EREFUSED, LEAT_GRPC_INTERNAL, OTLP_NEVER}};
    struct rig *rig = started(rig_new());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig_call call;
        uint64_t before = rig->counts[rows[i].counted];
        rig->mood = rows[i].mood;
        EXPECT_EQ(rig_ask(rig, &call, rows[i].path, rows[i].body), rows[i].code);
        EXPECT(call.text[0] != 0);
        if (rows[i].counted != OTLP_EMPTY) /* the size is refused below us, and counted there */
            EXPECT_EQ(rig->counts[rows[i].counted], before + 1);
    }
    EXPECT_EQ(rig->taken, 0);
    rig->mood = LEAT_OK;
    struct rig_call after;
    EXPECT_EQ(rig_ask(rig, &after, LOGS_METHOD, ONE_LOG), LEAT_GRPC_OK);
    rig_free(rig);
}

/* Scenario: 2 MiB of zeros, and a small message, in each coding of gRPC, under a limit of 1 MiB.
 * Guarantees: RESOURCE_EXHAUSTED after decompression; the small one is taken; a corrupt one is INVALID_ARGUMENT. */
LEAT_TEST(each_coding_is_undone_under_the_limit)
{
    static uint8_t zeros[2 << 20];
    static const enum leat_coding codings[] = {LEAT_CODING_GZIP, LEAT_CODING_ZSTD, LEAT_CODING_ZLIB,
                                               LEAT_CODING_SNAPPY_FRAMED};
    struct rig *rig = started(rig_new());
    for (int i = 0; i < 4; i++)
        for (int bomb = 0; bomb < 2; bomb++) {
            struct leat_chain plain = {0};
            struct rig_call call = {.done = false};
            EXPECT_OK(leat_chain_take(&plain, bomb ? leat_slice_of(zeros, sizeof zeros) : ONE_LOG));
            EXPECT_OK(leat_encode(codings[i], 0, &plain, &call.message, NULL));
            call.out = (struct leat_grpc_out){.path = LEAT_SLICE(LOGS_METHOD),
                                              .message = &call.message,
                                              .coding = codings[i],
                                              .timeout_ns = 8 * RIG_S,
                                              .done = rig_call_done,
                                              .ctx = &call};
            leat_grpc_client_send(rig->grpc, &call.out);
            EXPECT(rig_wait(rig, &call.done));
            EXPECT_EQ(call.code, bomb ? LEAT_GRPC_RESOURCE_EXHAUSTED : LEAT_GRPC_OK);
            leat_chain_done(&call.message);
            leat_chain_done(&plain);
        }
    EXPECT_EQ(rig->taken, 4);
    EXPECT_EQ(rig->counts[OTLP_TOO_LARGE], 4);
    struct rig_call call = {.done = false};
    EXPECT_OK(leat_chain_take(&call.message, ONE_LOG));
    call.out = (struct leat_grpc_out){.path = LEAT_SLICE(LOGS_METHOD),
                                      .message = &call.message,
                                      .coding = LEAT_CODING_GZIP,
                                      .timeout_ns = 8 * RIG_S,
                                      .done = rig_call_done,
                                      .ctx = &call};
    leat_grpc_client_send(rig->grpc, &call.out);
    EXPECT(rig_wait(rig, &call.done));
    EXPECT_EQ(call.code, LEAT_GRPC_INVALID_ARGUMENT);
    EXPECT_EQ(rig->counts[OTLP_BAD_CODING], 1);
    leat_chain_done(&call.message);
    rig_free(rig);
}

/* Scenario: an authenticator, and the caller's metadata kept.
 * Guarantees: UNAUTHENTICATED without credentials; with them the metadata goes along. */
LEAT_TEST(credentials_and_metadata)
{
    struct rig *rig = rig_new();
    rig->conf.protocols.grpc.auth.authenticator = "test";
    rig->conf.protocols.grpc.include_metadata = true;
    (void)started(rig);
    struct rig_call call;
    EXPECT_EQ(rig_ask(rig, &call, LOGS_METHOD, ONE_LOG), LEAT_GRPC_UNAUTHENTICATED);
    EXPECT_EQ(rig->counts[OTLP_UNAUTHENTICATED], 1);
    struct leat_header list[] = {{LEAT_SLICE("authorization"), LEAT_SLICE("yes")},
                                 {LEAT_SLICE("x-tenant"), LEAT_SLICE("red")}};
    rig_dial(rig, &call, LOGS_METHOD, (struct leat_headers){list, 2}, ONE_LOG);
    EXPECT(rig_wait(rig, &call.done));
    leat_chain_done(&call.message);
    EXPECT_EQ(call.code, LEAT_GRPC_OK);
    EXPECT_STR(rig->tenant, "red");
    rig_free(rig);
}

/* Scenario: the shared count of connections stands at the limit, as if other shards held them.
 * Guarantees: the next connection is closed at once; when one leaves, the next one is let in. */
LEAT_TEST(connections_are_counted_over_all_shards)
{
    struct rig *rig = started(rig_new());
    struct rig_call call;
    rig->shared.grpc_connections = 100;
    rig_dial(rig, &call, LOGS_METHOD, (struct leat_headers){0}, ONE_LOG);
    call.out.timeout_ns = RIG_S;
    rig_spin(rig, 300);
    EXPECT_EQ(rig->taken, 0);
    EXPECT_EQ(rig->shared.grpc_connections, 100);
    rig->shared.grpc_connections = 0;
    EXPECT(rig_wait(rig, &call.done));
    leat_chain_done(&call.message);
    EXPECT_EQ(rig_ask(rig, &call, LOGS_METHOD, ONE_LOG), LEAT_GRPC_OK);
    EXPECT_EQ(rig->shared.grpc_connections, 1);
    rig->shared.http_connections = 100;
    struct rig_shot shot;
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", "application/x-protobuf", NULL, ONE_LOG), 0);
    EXPECT_EQ(shot.rc, LEAT_ENET);
    rig->shared.http_connections = 99;
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", "application/x-protobuf", NULL, ONE_LOG), 200);
    EXPECT_EQ(rig->shared.http_connections, 100);
    rig->shared.http_connections = 1;
    rig_free(rig);
}
