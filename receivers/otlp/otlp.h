/* SPDX-License-Identifier: Apache-2.0 */
/* otlp -- takes OTLP over gRPC and HTTP; inside receivers/otlp only.
 *
 *   http / grpc -> otlp_take (decode, validate, repair) -> leat_emit -> answer, now or when the ack is final
 *
 * Why      both transports share everything between "a body is here" and "this is what became of it".
 * Threads  one state per shard.
 * Owns     a request that must wait (wait_for_result, block_on_overflow) is a struct otlp_waiting until its answer.
 * Limits   the servers' (their configuration); bodies that want room: max_waiting_bytes.
 * Fails    every refusal is one status of the protocol and one counter (otlp_counters). */
#pragma once
#include "agent/deliver/auth.h"
#include "agent/net/h2/grpc_server.h"
#include "agent/net/http1_server.h"
#include "receivers/receiver.h"

struct otlp_http_conf {
    struct leat_http_server_conf server;
    const char *url_path[LEAT_SIGNAL_COUNT]; /* the profiles path is fixed */
};
struct otlp_conf {
    int64_t max_waiting_bytes;
    struct {
        bool has_grpc, has_http;
        struct leat_grpc_server_conf grpc;
        struct otlp_http_conf http;
    } protocols;
};
extern const struct leat_field otlp_fields[];
extern const struct leat_default otlp_defaults[];
leat_rc otlp_check(const void *conf, struct leat_err *reterr);

enum otlp_count {
    OTLP_BAD_PROTOBUF,
    OTLP_BAD_JSON,
    OTLP_BAD_CODING,
    OTLP_BAD_TYPE,
    OTLP_TOO_LARGE,
    OTLP_UNAUTHENTICATED,
    OTLP_NO_ROOM,
    OTLP_NEVER,
    OTLP_BAD_PATH,
    OTLP_BAD_METHOD,
    OTLP_DEADLINE,
    OTLP_EMPTY,
    OTLP_WAITED
};
extern const struct leat_counter_def otlp_counters[];

/* ---- HTTP answers ---- */

#define OTLP_HEADERS_MAX 24u
struct otlp_head {
    struct leat_header at[OTLP_HEADERS_MAX];
    uint32_t count;
};
static inline void otlp_head_add(struct otlp_head *head, const char *name, const char *value)
{
    if (head->count < OTLP_HEADERS_MAX)
        head->at[head->count++] = (struct leat_header){leat_slice_str(name), leat_slice_str(value)};
}

/* Which web pages may send to us. Source: Fetch standard, "CORS protocol". */
struct otlp_cors {
    const struct leat_strings *origins;
    char *allowed_headers, *exposed_headers; /* joined once */
    bool any_header;                         /* "*" is among the allowed ones: whatever is asked for is granted */
    char max_age[24];
};
leat_rc otlp_cors_open(struct otlp_cors *cors, const struct leat_http_server_conf *conf);
void otlp_cors_close(struct otlp_cors *cors);
/* What every answer to an allowed origin carries; nothing for others. */
void otlp_cors_answer(const struct otlp_cors *cors, const struct leat_http1_request *request, struct otlp_head *head);
/* True for a preflight question, whose answer is then in `head`. */
bool otlp_cors_preflight(const struct otlp_cors *cors, const struct leat_http1_request *request,
                         struct otlp_head *head);

/* What all shards of an instance count together (host->shared). */
struct otlp_shared {
    uint32_t http_connections, grpc_connections;
};

struct otlp_state {
    const struct otlp_conf *conf;
    struct leat_host *host;
    struct leat_http1_server *http;
    struct leat_grpc_server *grpc;
    struct leat_tls *http_tls, *grpc_tls;
    const struct leat_server_auth *http_auth, *grpc_auth;
    struct otlp_cors cors;
    char grpc_endpoint[128]; /* with `transport: unix`: as our listener wants it */
    struct leat_list room[LEAT_SIGNAL_COUNT],
        acks;               /* otlp_waiting: want room, in order; wait for the end of their ack */
    uint64_t waiting_bytes; /* of those that want room */
    bool stopping;
    uint32_t draining;       /* servers that are not drained yet */
    struct leat_timer grace; /* and how long they may take */
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* ---- taking a body, whatever it came by ---- */

/* What the client hears: an rc and a sentence; LEAT_OK: all taken. */
struct otlp_result {
    leat_rc rc;
    uint64_t rejected; /* LEAT_OK: items refused for good (partial success) */
    char text[256];
};
struct otlp_result otlp_result_of(leat_rc rc, const char *text);

/* Who asked: `to` is the exchange or call; NULL once it has its answer or has left. */
struct otlp_request {
    void (*reply)(struct otlp_state *otlp, void *to, enum leat_signal signal, bool json,
                  const struct otlp_result *result);
    void *to;
    enum leat_signal signal;
    bool json;
    uint64_t timeout_ns; /* from now; 0: the client waits for ever */
};
void otlp_answer(struct otlp_state *otlp, struct otlp_request *request, const struct otlp_result *result); /* once */

enum otlp_transport { OTLP_GRPC, OTLP_HTTP };
struct otlp_body {
    enum leat_signal signal;
    enum otlp_transport transport;
    enum leat_coding coding;
    bool json, with_meta;
    uint64_t bytes_max; /* after decompression */
    struct leat_headers headers;
    const char *peer;        /* "address:port" */
    struct leat_chain bytes; /* taken */
    struct leat_meta *meta;  /* made of the headers when with_meta */
};
/* Answers before it returns (then it returns NULL) or later: the transport keeps the answer beside the exchange and
 * calls otlp_gone with it if the client leaves. */
struct otlp_waiting;
struct otlp_waiting *otlp_take(struct otlp_state *otlp, struct otlp_request *request, struct otlp_body *body);
struct otlp_waiting *otlp_emit(struct otlp_state *otlp, struct otlp_request *request, struct leat_batch *batch);
void otlp_gone(struct otlp_waiting *waiting);
void otlp_retry_waiting(struct otlp_state *otlp);  /* there may be room now */
void otlp_refuse_waiting(struct otlp_state *otlp); /* those who want room: they are told to come again */
void otlp_forget_acks(struct otlp_state *otlp);    /* the state goes before the acks do */
void otlp_tell_stopped(struct otlp_state *otlp);

/* google.rpc.Status bodies and the success bodies of the protocol. */
leat_rc otlp_status_body(int code, const char *text, bool json, struct leat_chain *ret_body);
leat_rc otlp_success_body(enum leat_signal signal, const struct otlp_result *result, bool json,
                          struct leat_chain *ret_body);
leat_rc otlp_meta(struct leat_headers headers, struct leat_meta **ret_meta) LEAT_MUST_CHECK;

leat_rc otlp_http_start(struct otlp_state *otlp, struct leat_err *reterr);
leat_rc otlp_grpc_start(struct otlp_state *otlp, struct leat_err *reterr);
