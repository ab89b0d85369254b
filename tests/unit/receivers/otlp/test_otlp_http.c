/* SPDX-License-Identifier: Apache-2.0 */
/* OTLP/HTTP over a real socket: each row of the status table, bodies of refusals, CORS, metadata. */
#include "tests/unit/receivers/otlp/rig.h"

#define PROTO "application/x-protobuf"
#define JSON "application/json"

static struct rig *started(struct rig *rig)
{
    struct leat_err err = {0};
    EXPECT_OK_ERR(rig_start(rig, &err), &err);
    return rig;
}

/* A google.rpc.Status with this code comes first in a protobuf body. */
static void expect_status(const struct rig_shot *shot, int code)
{
    EXPECT(strstr(shot->headers, "Content-Type: application/x-protobuf\n") != NULL);
    EXPECT(shot->len > 4);
    EXPECT_EQ(shot->text[0], 0x08);
    EXPECT_EQ(shot->text[1], code);
    EXPECT_EQ(shot->text[2], 0x12);
    EXPECT_EQ((uint8_t)shot->text[3], shot->len - 4);
}

/* Scenario: well-formed requests of both forms, whole and empty.
 * Guarantees: 200, the answer in the form of the question, the payload passed on as it came. */
LEAT_TEST(accepted_requests_are_200_in_their_own_form)
{
    struct rig *rig = started(rig_new());
    struct rig_shot shot;
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", PROTO, NULL, ONE_LOG), 200);
    EXPECT_EQ(shot.len, 0);
    EXPECT(strstr(shot.headers, "Content-Type: application/x-protobuf\n") != NULL);
    EXPECT_EQ(rig->taken, 1);
    EXPECT_BYTES(rig->last, ONE_LOG.at, ONE_LOG.len);
    struct leat_slice json = LEAT_SLICE("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}");
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs?x=y", "Application/JSON; charset=utf-8", NULL, json), 200);
    EXPECT_STR(shot.text, "{\"partialSuccess\":{}}");
    EXPECT(strstr(shot.headers, "Content-Type: application/json\n") != NULL);
    EXPECT_EQ(rig->taken, 2);
    EXPECT_BYTES(rig->last, ONE_LOG.at, ONE_LOG.len);
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", "application/protobuf", NULL, (struct leat_slice){0}), 200);
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", JSON, NULL, LEAT_SLICE("{}")), 200);
    EXPECT_EQ(rig->taken, 2);
    EXPECT_EQ(rig->counts[OTLP_EMPTY], 2);
    rig_free(rig);
}

struct row {
    const char *path, *type, *coding;
    struct leat_slice body;
    int status, code;
    enum otlp_count counted;
};

/* Scenario: everything a client can get wrong, one thing at a time.
 * Guarantees: the status of the table, a google.rpc.Status as body, one counter, nothing passed on. */
LEAT_TEST(refusals_have_a_status_a_body_and_a_counter)
{
    static uint8_t large[5000];
    const struct row rows[] = {
        {"/v1/nothing", PROTO, NULL, ONE_LOG, 404, LEAT_GRPC_UNIMPLEMENTED, OTLP_BAD_PATH},
        {"/v1/metrics", PROTO, NULL, ONE_LOG, 404, LEAT_GRPC_UNIMPLEMENTED, OTLP_BAD_PATH}, /* no pipeline */
        {"/v1/logs", "text/plain", NULL, ONE_LOG, 415, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_TYPE},
        {"/v1/logs", NULL, NULL, ONE_LOG, 415, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_TYPE},
        {"/v1/logs", PROTO, "br", ONE_LOG, 415, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_TYPE},
        {"/v1/logs", PROTO, "gzip, gzip", ONE_LOG, 415, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_TYPE},
        {"/v1/logs", PROTO, "gzip", ONE_LOG, 400, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_CODING},
        {"/v1/logs", PROTO, "zstd", (struct leat_slice){0}, 400, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_CODING},
        {"/v1/logs", PROTO, NULL, LEAT_SLICE("\x0a\x04\x12\x02\x12"), 400, LEAT_GRPC_INVALID_ARGUMENT,
         OTLP_BAD_PROTOBUF},
        {"/v1/traces", PROTO, NULL,
         LEAT_SLICE("\x0a\x09\x12\x07\x12\x05\x0a\x03"
                    "abc"),
         400, LEAT_GRPC_INVALID_ARGUMENT, OTLP_BAD_PROTOBUF},
        {"/v1/logs", PROTO, NULL, (struct leat_slice){large, sizeof large, NULL}, 413, LEAT_GRPC_RESOURCE_EXHAUSTED,
         OTLP_TOO_LARGE}};
    struct rig *rig = started(rig_new());
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rig_shot shot;
        uint64_t before = rig->counts[rows[i].counted];
        EXPECT_EQ(rig_post(rig, &shot, rows[i].path, rows[i].type, rows[i].coding, rows[i].body), rows[i].status);
        expect_status(&shot, rows[i].code);
        EXPECT_EQ(rig->counts[rows[i].counted], before + 1);
    }
    EXPECT_EQ(rig->taken, 0);
    struct rig_shot after;
    EXPECT_EQ(rig_post(rig, &after, "/v1/logs", PROTO, NULL, ONE_LOG), 200);
    rig_free(rig);
}

/* Scenario: 64 KiB of zeros packed with each coding, under a limit of 4 KiB; then 100 bytes packed with each.
 * Guarantees: 413 after decompression and the small ones taken, whatever the coding. */
LEAT_TEST(each_coding_is_undone_under_the_limit)
{
    static uint8_t zeros[65536], padded[103] = {0xfa, 0x06, 100}; /* unknown field 111 */
    struct rig *rig = started(rig_new());
    for (int coding = LEAT_CODING_GZIP; coding <= LEAT_CODING_LZ4; coding++) {
        struct leat_chain bomb = {0}, small = {0}, packed = {0};
        struct leat_slice flat;
        struct rig_shot shot;
        EXPECT_OK(leat_chain_take(&bomb, leat_slice_of(zeros, sizeof zeros)));
        EXPECT_OK(leat_encode((enum leat_coding)coding, 0, &bomb, &packed, NULL));
        EXPECT_OK(leat_chain_flat(&packed, &flat));
        EXPECT(flat.len < 4096);
        EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", PROTO, leat_coding_names[coding], leat_slice_of(flat.at, flat.len)),
                  413);
        expect_status(&shot, LEAT_GRPC_RESOURCE_EXHAUSTED);
        leat_mem_unref(flat.mem);
        leat_chain_done(&packed);
        EXPECT_OK(leat_chain_take(&small, ONE_LOG));
        EXPECT_OK(leat_chain_take(&small, leat_slice_of(padded, sizeof padded)));
        EXPECT_OK(leat_encode((enum leat_coding)coding, 0, &small, &packed, NULL));
        EXPECT_OK(leat_chain_flat(&packed, &flat));
        EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", PROTO, leat_coding_names[coding], leat_slice_of(flat.at, flat.len)),
                  200);
        EXPECT_EQ(rig->last_len, ONE_LOG.len + sizeof padded); /* the unknown field is still there */
        leat_mem_unref(flat.mem);
        leat_chain_done(&packed);
        leat_chain_done(&small);
        leat_chain_done(&bomb);
    }
    EXPECT_EQ(rig->counts[OTLP_TOO_LARGE], 7);
    rig_free(rig);
}

/* Scenario: JSON that is wrong, and a pipeline without room.
 * Guarantees: the Status is JSON then; 503 is counted as no room. */
LEAT_TEST(refusals_of_json_are_json)
{
    struct rig *rig = started(rig_new());
    struct rig_shot shot;
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", JSON, NULL, LEAT_SLICE("{\"resourceLogs\":[")), 400);
    EXPECT(strncmp(shot.text, "{\"code\":3,\"message\":\"JSON at byte ", 34) == 0);
    EXPECT(strstr(shot.headers, "Content-Type: application/json\n") != NULL);
    EXPECT_EQ(rig->counts[OTLP_BAD_JSON], 1);
    rig->mood = LEAT_AGAIN;
    struct leat_slice good = LEAT_SLICE("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{}]}]}]}");
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", JSON, NULL, good), 503);
    EXPECT_STR(shot.text, "{\"code\":14,\"message\":\"no room at the moment\"}");
    EXPECT_EQ(rig->counts[OTLP_NO_ROOM], 1);
    rig->mood = LEAT_EREFUSED;
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", JSON, NULL, good), 500);
    EXPECT(strncmp(shot.text, "{\"code\":13,", 11) == 0);
    EXPECT_EQ(rig->counts[OTLP_NEVER], 1);
    rig_free(rig);
}

/* Scenario: other methods, and requests without credentials.
 * Guarantees: 405 with Allow; 401 with the challenge, also where the path is unknown. */
LEAT_TEST(methods_and_credentials)
{
    struct rig *rig = rig_new();
    rig->conf.protocols.http.server.auth.authenticator = "test";
    (void)started(rig);
    struct rig_shot shot;
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", PROTO, NULL, ONE_LOG), 401);
    EXPECT(strstr(shot.headers, "WWW-Authenticate: Test\n") != NULL);
    expect_status(&shot, LEAT_GRPC_UNAUTHENTICATED);
    EXPECT_EQ(rig_post(rig, &shot, "/v1/nothing", PROTO, NULL, ONE_LOG), 401);
    EXPECT_EQ(rig->counts[OTLP_UNAUTHENTICATED], 2);
    struct leat_header list[] = {{LEAT_SLICE("Authorization"), LEAT_SLICE("yes")},
                                 {LEAT_SLICE("Content-Type"), LEAT_SLICE(PROTO)}};
    static const char *const methods[] = {"GET", "PUT", "DELETE", "OPTIONS"};
    for (int i = 0; i < 4; i++) {
        rig_shoot(rig, &shot, methods[i], "/v1/logs", (struct leat_headers){list, 2}, (struct leat_slice){0});
        EXPECT(rig_wait(rig, &shot.done));
        EXPECT_EQ(shot.status, 405);
        EXPECT(strstr(shot.headers, "Allow: POST\n") != NULL);
    }
    EXPECT_EQ(rig->counts[OTLP_BAD_METHOD], 4);
    rig_shoot(rig, &shot, "POST", "/v1/logs", (struct leat_headers){list, 2}, ONE_LOG);
    EXPECT(rig_wait(rig, &shot.done));
    leat_chain_done(&shot.body);
    EXPECT_EQ(shot.status, 200);
    rig_free(rig);
}

/* Scenario: 0 as limit of bodies, other URL paths, headers of our own, client headers kept.
 * Guarantees: 0 means the default of 20 MiB; paths and headers are those configured; keys of metadata are lower case.
 */
LEAT_TEST(configuration_reaches_the_server)
{
    static uint8_t padded[60001] = {0xfa, 0x06, 0xdc, 0xd4, 0x03}; /* field 111 of 59,996 bytes */
    struct rig *rig = rig_new();
    struct leat_pair pair = {"X-From", "leat"};
    rig->conf.protocols.http.server.max_request_body_size = 0;
    rig->conf.protocols.http.server.include_metadata = true;
    rig->conf.protocols.http.server.response_headers = (struct leat_map){&pair, 1};
    rig->conf.protocols.http.url_path[LEAT_LOGS] = "/elsewhere";
    (void)started(rig);
    struct rig_shot shot;
    EXPECT_EQ(rig_post(rig, &shot, "/elsewhere", PROTO, NULL, leat_slice_of(padded, sizeof padded)), 200);
    EXPECT(strstr(shot.headers, "X-From: leat\n") != NULL);
    EXPECT_EQ(rig_post(rig, &shot, "/v1/logs", PROTO, NULL, ONE_LOG), 404);
    struct leat_header list[] = {{LEAT_SLICE("X-TENANT"), LEAT_SLICE("Blue")},
                                 {LEAT_SLICE("Content-Type"), LEAT_SLICE(PROTO)}};
    rig_shoot(rig, &shot, "POST", "/elsewhere", (struct leat_headers){list, 2}, ONE_LOG);
    EXPECT(rig_wait(rig, &shot.done));
    leat_chain_done(&shot.body);
    EXPECT_EQ(shot.status, 200);
    EXPECT_STR(rig->tenant, "Blue");
    rig_free(rig);
}

/* ---- CORS ---- */

static int ask_from(struct rig *rig, struct rig_shot *shot, const char *method, const char *origin, bool preflight)
{
    struct leat_header list[] = {{LEAT_SLICE("Origin"), leat_slice_str(origin)},
                                 {LEAT_SLICE("Content-Type"), LEAT_SLICE(JSON)},
                                 {LEAT_SLICE("Access-Control-Request-Method"), LEAT_SLICE("POST")},
                                 {LEAT_SLICE("Access-Control-Request-Headers"), LEAT_SLICE("content-type,x-extra")}};
    rig_shoot(rig, shot, method, "/v1/logs", (struct leat_headers){list, preflight ? 4 : 2},
              preflight ? (struct leat_slice){0} : LEAT_SLICE("{}"));
    EXPECT(rig_wait(rig, &shot->done));
    leat_chain_done(&shot->body);
    return shot->status;
}

/* Scenario: browsers of a named origin, of a pattern's and of others ask first and then send, with an authenticator.
 * Guarantees: permission, also for their content type and beacons, to the named ones only; the question needs no
 * credentials; the answer differs by origin and says so. */
LEAT_TEST(cors_lets_named_origins_in)
{
    const char *origins[] = {"https://app.example.com", "https://*.example.org"}, *headers[] = {"X-Extra"},
               *seen[] = {"X-From"};
    struct rig *rig = rig_new();
    struct leat_http_server_conf *conf = &rig->conf.protocols.http.server;
    conf->cors.allowed_origins = (struct leat_strings){origins, 2};
    conf->cors.allowed_headers = (struct leat_strings){headers, 1};
    conf->cors.exposed_headers = (struct leat_strings){seen, 1};
    conf->cors.max_age_s = 600;
    conf->auth.authenticator = "test";
    (void)started(rig);
    struct rig_shot shot;
    EXPECT_EQ(ask_from(rig, &shot, "OPTIONS", "https://a.b.example.org", true), 204);
    EXPECT(strstr(shot.headers, "Access-Control-Allow-Origin: https://a.b.example.org\n") != NULL);
    EXPECT(strstr(shot.headers, "Access-Control-Allow-Methods: POST\n") != NULL);
    EXPECT(
        strstr(shot.headers,
               "Access-Control-Allow-Headers: Accept, Content-Type, Content-Encoding, X-Requested-With, X-Extra\n") !=
        NULL);
    EXPECT(strstr(shot.headers, "Access-Control-Allow-Credentials: true\n") != NULL);
    EXPECT(strstr(shot.headers, "Access-Control-Max-Age: 600\n") != NULL);
    EXPECT(strstr(shot.headers, "Vary: Origin\n") != NULL);
    EXPECT_EQ(ask_from(rig, &shot, "OPTIONS", "https://evil.example", true), 204);
    EXPECT(strstr(shot.headers, "Access-Control") == NULL);
    EXPECT(strstr(shot.headers, "Vary: Origin\n") != NULL);
    EXPECT_EQ(ask_from(rig, &shot, "OPTIONS", "https://example.org", true), 204); /* shorter than the pattern */
    EXPECT(strstr(shot.headers, "Access-Control") == NULL);
    EXPECT_EQ(ask_from(rig, &shot, "POST", "https://app.example.com", false), 401); /* a script may read why */
    EXPECT(strstr(shot.headers, "Access-Control-Allow-Origin: https://app.example.com\n") != NULL);
    EXPECT(strstr(shot.headers, "Access-Control-Expose-Headers: X-From\n") != NULL);
    rig_free(rig);
}

/* Scenario: "*" as origin and as header; no CORS at all.
 * Guarantees: anybody may send, without credentials, with the headers asked for; without CORS a preflight is a 405. */
LEAT_TEST(cors_for_anybody_and_for_nobody)
{
    const char *star[] = {"*"};
    struct rig *rig = rig_new();
    rig->conf.protocols.http.server.cors.allowed_origins = (struct leat_strings){star, 1};
    rig->conf.protocols.http.server.cors.allowed_headers = (struct leat_strings){star, 1};
    (void)started(rig);
    struct rig_shot shot;
    EXPECT_EQ(ask_from(rig, &shot, "OPTIONS", "null", true), 204);
    EXPECT(strstr(shot.headers, "Access-Control-Allow-Origin: *\n") != NULL);
    EXPECT(strstr(shot.headers, "Access-Control-Allow-Headers: content-type,x-extra\n") != NULL);
    EXPECT(strstr(shot.headers, "Credentials") == NULL);
    EXPECT_EQ(ask_from(rig, &shot, "POST", "https://x.example", false), 200);
    EXPECT(strstr(shot.headers, "Access-Control-Allow-Origin: *\n") != NULL);
    rig_free(rig);
    rig = started(rig_new());
    EXPECT_EQ(ask_from(rig, &shot, "OPTIONS", "https://x.example", true), 405);
    EXPECT(strstr(shot.headers, "Vary") == NULL);
    rig_free(rig);
}
