/* SPDX-License-Identifier: Apache-2.0 */
/* otlp -- takes OTLP over gRPC and HTTP; inside receivers/otlp only.
 *
 *   http / grpc -> otlp_take (decode, validate, repair) -> leat_emit -> answer, now or when the ack is final
 *
 * Why      both transports share everything between "a body is here" and "this is what became of it".
 * Threads  one state per shard.
 * Owns     a request that must wait (wait_for_result, block_on_overflow) is a struct otlp_waiting until its answer. */
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
    OTLP_BAD_PROTOBUF, OTLP_BAD_JSON, OTLP_BAD_CODING, OTLP_BAD_TYPE, OTLP_TOO_LARGE, OTLP_UNAUTHENTICATED,
    OTLP_NO_ROOM, OTLP_EMPTY
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
    char max_age[24];
};
leat_rc otlp_cors_open(struct otlp_cors *cors, const struct leat_http_server_conf *conf);
void otlp_cors_close(struct otlp_cors *cors);
/* What every answer to an allowed origin carries; nothing for others. */
void otlp_cors_answer(const struct otlp_cors *cors, const struct leat_http1_request *request, struct otlp_head *head);
/* True for a preflight question, whose answer is then in `head`. */
bool otlp_cors_preflight(const struct otlp_cors *cors, const struct leat_http1_request *request, struct otlp_head *head);

struct otlp_state {
    const struct otlp_conf *conf;
    struct leat_host *host;
    struct leat_http1_server *http;
    struct leat_grpc_server *grpc;
    struct leat_tls *http_tls, *grpc_tls;
    const struct leat_server_auth *http_auth, *grpc_auth;
    struct otlp_cors cors;
    struct leat_list waiting;    /* otlp_waiting: for room, or for the end of its ack */
    uint32_t draining;           /* servers that are not drained yet */
    void (*stopped)(void *ctx);
    void *stopped_ctx;
};

/* ---- taking a body, whatever it came by ---- */

/* What the client hears: an rc and a sentence; LEAT_OK: all taken. */
struct otlp_result {
    leat_rc rc;
    uint64_t rejected;      /* LEAT_OK: items refused for good (partial success) */
    char text[256];
};

struct otlp_waiting;
/* Exactly one of the two ends it. `to` is the exchange or call. */
struct otlp_answer {
    void (*reply)(struct otlp_state *otlp, void *to, enum leat_signal signal, bool json,
                  const struct otlp_result *result);
};

struct otlp_body {
    enum leat_signal signal;
    enum leat_coding coding;
    bool json;
    uint64_t bytes_max;       /* after decompression */
    struct leat_chain bytes;  /* taken */
    struct leat_meta *meta;   /* taken */
};
/* Answers through `answer->reply`, before it returns (then the answer is NULL) or later (the waiting request; the transport keeps
 * it beside the exchange and calls otlp_gone if the client leaves). */
struct otlp_waiting *otlp_take(struct otlp_state *otlp, const struct otlp_answer *answer, void *to,
                               struct otlp_body *body);
void otlp_gone(struct otlp_waiting *waiting);
void otlp_retry_waiting(struct otlp_state *otlp); /* there may be room now */
void otlp_tell_stopped(struct otlp_state *otlp);

/* google.rpc.Status bodies and the success bodies of the protocol. */
leat_rc otlp_status_body(int code, const char *text, bool json, struct leat_chain *ret_body);
leat_rc otlp_success_body(enum leat_signal signal, const struct otlp_result *result, bool json,
                          struct leat_chain *ret_body);
struct leat_meta *otlp_meta(struct leat_headers headers); /* NULL also when out of memory */

leat_rc otlp_http_start(struct otlp_state *otlp, struct leat_err *reterr);
leat_rc otlp_grpc_start(struct otlp_state *otlp, struct leat_err *reterr);
