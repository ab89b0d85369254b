/* SPDX-License-Identifier: Apache-2.0 */
/* health_check -- answers over HTTP whether leat is ready; private to this folder.
 *
 * Why      Kubernetes probes ask it.
 * Threads  shard 0 alone.
 * Limits   a hundred connections, bodies of 1 KiB at most, heads as `max_header_bytes` says.
 * Fails    500 without memory for a page. */
#pragma once
#include "agent/net/http1_server.h"
#include "extensions/extension.h"

enum health_check_row { HEALTH_CHECK_OK, HEALTH_CHECK_NOT, HEALTH_CHECK_MISSING };

struct health_check_conf {
    struct leat_http_server_conf server; /* as of old */
    const char *path;
    struct {
        const char *healthy, *unhealthy;
    } response_body;
    bool use_v2, has_http;
    struct health_check_http {
        struct leat_http_server_conf server;
        struct {
            bool enabled;
            const char *path;
        } status, config;
    } http;
};

struct health_check {
    const struct health_check_conf *conf;
    const struct leat_http_server_conf *serves; /* the one of the two that counts */
    struct leat_host *host;
    struct leat_http1_server *server;
    struct leat_tls *tls;
    enum leat_health health;
    uint64_t since_unix_ns, since_mono_ns; /* when it became healthy */
    uint64_t changed_unix_ns;              /* when the state changed last */
};

extern const struct leat_field health_check_fields[];
extern const struct leat_default health_check_defaults[];
extern const struct leat_counter_def health_check_counters[];

bool health_check__is_v2(const struct health_check_conf *conf);
leat_rc health_check__check(const void *conf, struct leat_err *reterr);
leat_rc health_check__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
void health_check__health(void *state, enum leat_health health);
void health_check__close(void *state);

/* health_check_page.c: the answers' bodies */
void health_check__time(struct leat_strbuf *out, uint64_t unix_ns); /* RFC 3339 with the digits it needs */
void health_check__duration(struct leat_strbuf *out, uint64_t ns);  /* as Go writes one: 1h2m3.5s */
void health_check__page(const struct health_check *health, struct leat_strbuf *out);
