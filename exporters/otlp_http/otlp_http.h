/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_http -- batches as they are, POSTed to an OTLP server.
 *
 * Why      the in-memory form is the wire form: the body shares the batch's bytes.
 * Threads  as every exporter: one state per shard.
 * Fails    a bad address is found by otlp_http_check, before anything runs.
 * Source   OTLP specification 1.11, "OTLP/HTTP". */
#pragma once
#include "exporters/exporter.h"

enum otlp_http_encoding { OTLP_HTTP_PROTO, OTLP_HTTP_JSON };

struct otlp_http_conf {
    int encoding;                                   /* enum otlp_http_encoding */
    const char *signal_endpoint[LEAT_SIGNAL_COUNT]; /* logs_endpoint ... */
};

struct otlp_http_state {
    char *url;
    enum otlp_http_encoding encoding;
    struct leat_strbuf text; /* JSON, kept from batch to batch */
};

extern const struct leat_field otlp_http_fields[];

leat_rc otlp_http_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc otlp_http_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                       struct leat_world *world, struct leat_err *reterr);
leat_rc otlp_http_encode(void *state, const struct leat_batch *batch, struct leat_requests *out,
                         struct leat_err *reterr);
leat_rc otlp_http_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void otlp_http_close(void *state);
