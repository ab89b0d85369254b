/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/deliver/carrier.h"
#include "agent/loop/stream.h"
#include "agent/net/http1_server.h"
#include "tests/kit/kit.h"

/* A server that notes what it got and answers as told. */
struct bed {
    struct leat_loop *loop;
    struct leat_http1_server *server;
    struct leat_listener *listener;
    struct leat_http_client_conf conf;
    struct leat_carrier *carrier;
    char url[64];
    int status;              /* 0: never answers */
    const char *retry_after; /* NULL: none */
    /* What came. */
    unsigned requests;
    uint32_t answer_bytes; /* 0: "answer" */
    char target[64], type[64], encoding[32], agent[64], own[64], auth[64], body[64];
    /* What was told. */
    unsigned ended;
    leat_rc rc;
    int seen_status;
    bool has_retry_after;
    uint64_t retry_after_ns;
    uint32_t reply_bytes;
    char reply[64];
};
static struct bed *here;

static void keep(char *to, size_t room, struct leat_slice text)
{
    (void)snprintf(to, room, "%.*s", LEAT_SLICE_ARGS(text));
}

static int on_head(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                   uint64_t *max)
{
    struct bed *bed = ctx;
    (void)exchange;
    (void)max;
    keep(bed->target, sizeof bed->target, request->target);
    keep(bed->type, sizeof bed->type, leat_headers_get(request->headers, "Content-Type"));
    keep(bed->encoding, sizeof bed->encoding, leat_headers_get(request->headers, "Content-Encoding"));
    keep(bed->agent, sizeof bed->agent, leat_headers_get(request->headers, "User-Agent"));
    keep(bed->own, sizeof bed->own, leat_headers_get(request->headers, "X-Own"));
    keep(bed->auth, sizeof bed->auth, leat_headers_get(request->headers, "Authorization"));
    return 0;
}

static void on_request(void *ctx, struct leat_http1_exchange *exchange, const struct leat_http1_request *request,
                       struct leat_chain *body)
{
    struct bed *bed = ctx;
    struct leat_chain answer = {0};
    (void)request;
    bed->requests++;
    bed->body[leat_chain_put(body, bed->body, sizeof bed->body - 1)] = 0;
    if (bed->status == 0)
        return;
    struct leat_header after = {LEAT_SLICE("Retry-After"), leat_slice_str(bed->retry_after ? bed->retry_after : "")};
    EXPECT_OK(leat_chain_copy(&answer, "answer", 6));
    while (answer.bytes < bed->answer_bytes)
        EXPECT_OK(leat_chain_copy(&answer, "0123456789abcdef", 16));
    leat_http1_reply(exchange, bed->status, (struct leat_headers){&after, bed->retry_after ? 1 : 0}, &answer);
}

static void on_gone(void *ctx, struct leat_http1_exchange *exchange)
{
    (void)ctx;
    (void)exchange;
}

static void on_accepted(void *ctx, int fd)
{
    leat_http1_server_adopt(((struct bed *)ctx)->server, fd);
}

static void bed_make(struct bed *bed)
{
    static const struct leat_http1_handler handler = {.head = on_head, .request = on_request, .gone = on_gone};
    static const struct leat_http1_limits limits = {.body_bytes_max = 1 << 20,
                                                    .head_bytes_max = 16384,
                                                    .header_count_max = 64,
                                                    .connections_max = 16,
                                                    .keep_alive = true};
    *bed = (struct bed){.status = 200, .conf = {.idle_conn_timeout_ns = 1000000000}};
    here = bed;
    EXPECT_OK(leat_loop_open(leat_world_real(), &bed->loop, NULL));
    EXPECT_OK(leat_http1_server_open(bed->loop, &limits, NULL, &handler, bed, &bed->server, NULL));
    EXPECT_OK(leat_listener_open(bed->loop, "127.0.0.1:0", on_accepted, bed, &bed->listener, NULL));
    (void)snprintf(bed->url, sizeof bed->url, "http://127.0.0.1:%u/v1/logs?a=b", leat_listener_port(bed->listener));
}

static void bed_done(struct bed *bed)
{
    bed->carrier->ops->close(bed->carrier);
    leat_http1_server_close(bed->server);
    leat_listener_close(bed->listener);
    for (int i = 0; i < 20; i++)
        (void)leat_loop_run_once(bed->loop, false);
    (void)leat_loop_close(bed->loop);
}

static void ended(struct leat_parcel *parcel, const struct leat_reply *reply, const struct leat_err *err)
{
    (void)parcel;
    here->ended++;
    here->rc = err ? err->code : LEAT_OK;
    here->seen_status = reply ? reply->status : 0;
    here->has_retry_after = reply && reply->has_retry_after;
    here->retry_after_ns = reply ? reply->retry_after_ns : 0;
    here->reply_bytes = reply ? reply->body.len : 0;
    keep(here->reply, sizeof here->reply, reply ? reply->body : (struct leat_slice){0});
}

static void bed_wait(struct bed *bed, unsigned count)
{
    while (bed->ended < count)
        (void)leat_loop_run_once(bed->loop, true);
}

static void bed_send(struct bed *bed, enum leat_coding coding)
{
    struct leat_request request = {.body = kit_chain("the body", 8, 3), .url = bed->url};
    EXPECT_OK(leat_request_header(&request, LEAT_SLICE("Content-Type"), LEAT_SLICE("application/x-protobuf")));
    struct leat_parcel parcel = {.request = &request, .coding = coding, .timeout_ns = 5000000000ull, .done = ended};
    unsigned before = bed->ended;
    bed->carrier->ops->send(bed->carrier, &parcel);
    EXPECT_EQ(bed->ended, before); /* never from inside send */
    bed_wait(bed, before + 1);
    leat_request_done(&request);
}

static leat_rc sign(void *state, const struct leat_meta *meta, struct leat_header_sink *sink, struct leat_err *reterr)
{
    char word[16] = "Bearer x";
    (void)meta;
    if (*(bool *)state)
        return LEAT_RAISE(reterr, LEAT_EAUTH, 0, "no token");
    return sink->put(sink, LEAT_SLICE("Authorization"), leat_slice_of(word, (uint32_t)strlen(word)));
}

/* Scenario:   a signed, compressed request with configured headers goes out; 200, 429 and 307 come back.
 * Guarantees: path, body and every header arrive; status, body and Retry-After come back; redirects are not followed.
 */
LEAT_TEST(carrier_http_sends_and_brings_back)
{
    struct bed bed;
    bool broken = false;
    struct leat_client_auth auth = {.state = &broken, .apply = sign};
    struct leat_pair pair = {"x-own", "mine"};
    bed_make(&bed);
    bed.conf.headers = (struct leat_map){&pair, 1};
    EXPECT_OK(leat_carrier_http_open(bed.loop, "otlp_http", &bed.conf, &auth, 2, &bed.carrier, NULL));
    bed_send(&bed, LEAT_CODING_GZIP);
    EXPECT_EQ(bed.rc, LEAT_OK);
    EXPECT_EQ(bed.seen_status, 200);
    EXPECT_STR(bed.reply, "answer");
    EXPECT_STR(bed.target, "/v1/logs?a=b");
    EXPECT_STR(bed.type, "application/x-protobuf");
    EXPECT_STR(bed.encoding, "gzip");
    EXPECT_STR(bed.agent, "leat/" LEAT_VERSION);
    EXPECT_STR(bed.own, "mine");
    EXPECT_STR(bed.auth, "Bearer x");
    EXPECT_STR(bed.body, "the body");
    bed.status = 429;
    bed.retry_after = "7";
    bed_send(&bed, LEAT_CODING_NONE);
    EXPECT_EQ(bed.seen_status, 429);
    EXPECT(bed.has_retry_after);
    EXPECT_EQ(bed.retry_after_ns, 7000000000ull);
    EXPECT_STR(bed.encoding, "");
    bed.status = 307;
    bed.retry_after = NULL;
    bed_send(&bed, LEAT_CODING_NONE);
    EXPECT_EQ(bed.seen_status, 307);
    EXPECT(!bed.has_retry_after);
    broken = true;
    bed_send(&bed, LEAT_CODING_NONE);
    EXPECT_EQ(bed.rc, LEAT_EAUTH);
    EXPECT_EQ(bed.requests, 3);
    bed_done(&bed);
}

/* Guarantees: a peer that is not there is an error of the network, and a request that is given up ends as such. */
LEAT_TEST(carrier_http_tells_failures)
{
    struct bed bed;
    bed_make(&bed);
    EXPECT_OK(leat_carrier_http_open(bed.loop, "otlp_http", &bed.conf, NULL, 2, &bed.carrier, NULL));
    char good[64];
    memcpy(good, bed.url, sizeof good);
    (void)snprintf(bed.url, sizeof bed.url, "http://127.0.0.1:1/");
    bed_send(&bed, LEAT_CODING_NONE);
    EXPECT_EQ(bed.rc, LEAT_ENET);
    memcpy(bed.url, good, sizeof good);
    bed.status = 0;
    struct leat_request request = {.body = kit_chain("x", 1, 0), .url = bed.url};
    struct leat_parcel parcel = {.request = &request, .timeout_ns = 5000000000ull, .done = ended};
    bed.carrier->ops->send(bed.carrier, &parcel);
    while (bed.requests == 0)
        (void)leat_loop_run_once(bed.loop, true);
    bed.carrier->ops->cancel(bed.carrier, &parcel);
    bed_wait(&bed, 2);
    EXPECT_EQ(bed.rc, LEAT_ECANCELED);
    leat_request_done(&request);
    bed_done(&bed);
}

static void send_and_wait(struct bed *bed, const struct leat_request *request)
{
    struct leat_parcel parcel = {.request = request, .timeout_ns = 5000000000ull, .done = ended};
    unsigned before = bed->ended;
    bed->carrier->ops->send(bed->carrier, &parcel);
    bed_wait(bed, before + 1);
}

/* Scenario:   two addresses, nobody at the second one.
 * Guarantees: they take turns; the one that cannot be reached is then passed over, so that only one attempt is lost. */
LEAT_TEST(carrier_http_takes_the_address_that_answers)
{
    struct bed bed;
    bed_make(&bed);
    EXPECT_OK(leat_carrier_http_open(bed.loop, "x", &bed.conf, NULL, 2, &bed.carrier, NULL));
    const char *const urls[] = {bed.url, "http://127.0.0.1:1/"};
    struct leat_request request = {.body = kit_chain("x", 1, 0), .url = urls[0], .urls = urls, .url_count = 2};
    unsigned failed = 0;
    for (int i = 0; i < 8; i++) {
        send_and_wait(&bed, &request);
        failed += bed.rc != LEAT_OK;
    }
    EXPECT_EQ(failed, 1);
    EXPECT_EQ(bed.requests, 7);
    leat_request_done(&request);
    bed_done(&bed);
}

/* Guarantees: a judge sees 64 KiB of an answer, or as much as the request says. */
LEAT_TEST(carrier_http_gives_as_much_of_the_answer_as_is_asked)
{
    struct bed bed;
    bed_make(&bed);
    EXPECT_OK(leat_carrier_http_open(bed.loop, "x", &bed.conf, NULL, 2, &bed.carrier, NULL));
    struct leat_request request = {.body = kit_chain("x", 1, 0), .url = bed.url};
    bed.answer_bytes = 200006;
    send_and_wait(&bed, &request);
    EXPECT_EQ(bed.reply_bytes, 65536);
    request.reply_bytes_max = 1 << 20;
    send_and_wait(&bed, &request);
    EXPECT_EQ(bed.reply_bytes, 200006);
    bed.answer_bytes = 5 << 20;
    send_and_wait(&bed, &request);
    EXPECT_EQ(bed.reply_bytes, 1 << 20);
    leat_request_done(&request);
    bed_done(&bed);
}

/* Guarantees: headers that would break out of their line, or lie about the body's length, are refused at start. */
LEAT_TEST(carrier_http_refuses_bad_headers)
{
    static const struct leat_pair bad[] = {{"a b", "x"}, {"a", "x\r\nb: y"}, {"Content-Length", "3"}, {"", "x"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct leat_pair pair = bad[i];
        struct leat_http_client_conf conf = {.headers = {&pair, 1}};
        struct leat_carrier *carrier;
        EXPECT_RC(leat_carrier_http_open(NULL, "x", &conf, NULL, 1, &carrier, NULL), LEAT_ECONFIG);
    }
}
