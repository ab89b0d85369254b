/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/health_check/health_check.h"

#define C(member) LEAT_AT(struct health_check_conf, member)
#define H(member) LEAT_AT(struct health_check_http, member)
#define HEALTH "the state of single components is not part of the answer"

static const struct leat_field body_fields[] = {
    {"healthy", LEAT_STRING, 0, NULL, "the body of a 200 instead of the JSON object"},
    {"unhealthy", LEAT_STRING, sizeof(const char *), NULL, "the body of a 503 instead of the JSON object"},
    {0}};

static const struct leat_field status_fields[] = {
    {"enabled", LEAT_BOOL, 0, "true", "serve it"}, {"path", LEAT_STRING, sizeof(void *), "/status", "where"}, {0}};

static const struct leat_field config_fields[] = {
    {"enabled", LEAT_BOOL, 0, "false", "must stay false: the configuration is not shown over HTTP"},
    {"path", LEAT_STRING, sizeof(void *), "/config", "without effect"},
    {0}};

static const struct leat_field http_fields[] = {
    {.key = "", .type = LEAT_INLINE, .offset = H(server), .fields = leat_http_server_fields},
    {.key = "status",
     .type = LEAT_SECTION,
     .offset = H(status),
     .fields = status_fields,
     .doc = "the page with the state"},
    {.key = "config", .type = LEAT_SECTION, .offset = H(config), .fields = config_fields, .doc = "not served"},
    {0}};

const struct leat_field health_check_fields[] = {
    {.key = "", .type = LEAT_INLINE, .offset = C(server), .fields = leat_http_server_fields},
    {"path", LEAT_STRING, C(path), "/", "where the state is served"},
    {.key = "response_body",
     .type = LEAT_SECTION,
     .offset = C(response_body),
     .fields = body_fields,
     .doc = "texts instead of the JSON object"},
    {"check_collector_pipeline", LEAT_IGNORED, 0, NULL, "without effect in the Collector as well"},
    {"use_v2", LEAT_BOOL, C(use_v2), "false", "answer as `http` says and in its format"},
    {.key = "http",
     .type = LEAT_SECTION,
     .offset = C(http),
     .fields = http_fields,
     .present = LEAT_PRESENT(struct health_check_conf, has_http),
     .doc = "the second format; writing it turns use_v2 on"},
    {"grpc", LEAT_REFUSED, 0, NULL, "the health service is served over HTTP only"},
    {"component_health", LEAT_IGNORED, 0, NULL, HEALTH},
    {0}};

const struct leat_default health_check_defaults[] = {
    {"endpoint", "localhost:13133"}, {"http::endpoint", "localhost:13133"}, {0}};

const struct leat_counter_def health_check_counters[] = {
    [HEALTH_CHECK_OK] = {"health_check_answers_total", "status=\"200\"", "answers given"},
    [HEALTH_CHECK_NOT] = {"health_check_answers_total", "status=\"503\"", "answers given"},
    [HEALTH_CHECK_MISSING] = {"health_check_answers_total", "status=\"404\"", "answers given"},
    {0}};

bool health_check__is_v2(const struct health_check_conf *conf)
{
    return conf->use_v2 || conf->has_http;
}

leat_rc health_check__check(const void *conf, struct leat_err *reterr)
{
    const struct health_check_conf *health = conf;
    bool v2 = health_check__is_v2(health);
    const struct leat_http_server_conf *server = v2 ? &health->http.server : &health->server;
    if (server->auth.authenticator)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "auth: probes carry no credentials; not supported here");
    if (server->cors.allowed_origins.count)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "cors: not supported here");
    if (!server->endpoint || !*server->endpoint)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint must not be empty");
    if (v2 && health->http.config.enabled)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "http::config::enabled: the configuration is not shown over HTTP");
    const char *path = v2 ? health->http.status.path : health->path;
    if (!path || *path != '/')
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "path must start with /");
    return LEAT_OK;
}
