/* SPDX-License-Identifier: Apache-2.0 */
/* The Collector's gRPC blocks (configgrpc): keys, defaults, ranges. */
#include "agent/net/h2/grpc.h"

#define SERVER struct leat_grpc_server_conf
#define CLIENT struct leat_grpc_client_conf
#define ROW(key, type, at, deflt, doc)                       \
    {                                                        \
        key, type, at, deflt, doc, 0, 0, 0, NULL, NULL, 0, 0 \
    }
#define ROW_TO(key, type, at, deflt, doc, max)                 \
    {                                                          \
        key, type, at, deflt, doc, 0, 0, max, NULL, NULL, 0, 0 \
    }
#define SECTION(key, at, present, fields, doc)                              \
    {                                                                       \
        key, LEAT_SECTION, at, NULL, doc, 0, 0, 0, NULL, fields, 0, present \
    }
#define ANY 9e18

/* Offsets inside a section count from the section. */
#define WITHIN(type, section, member) (LEAT_AT(type, section.member) - LEAT_AT(type, section))

static const struct leat_field auth_fields[] = {{"authenticator", LEAT_STRING, 0, NULL,
                                                 "the extension that checks or signs calls", LEAT_EXTENSION, 0, 0, NULL,
                                                 NULL, 0, 0},
                                                {0}};

static const struct leat_field parameters_fields[] = {
    ROW_TO("max_connection_idle", LEAT_DURATION, WITHIN(SERVER, keepalive.server_parameters, max_connection_idle_ns),
           NULL, "connections without calls for so long are sent away; unset: never", ANY),
    ROW_TO("max_connection_age", LEAT_DURATION, WITHIN(SERVER, keepalive.server_parameters, max_connection_age_ns),
           NULL, "connections this old (a tenth more or less) are sent away; unset: never", ANY),
    ROW_TO("max_connection_age_grace", LEAT_DURATION,
           WITHIN(SERVER, keepalive.server_parameters, max_connection_age_grace_ns), NULL,
           "how long their calls may go on then; unset: to their end", ANY),
    ROW_TO("time", LEAT_DURATION, WITHIN(SERVER, keepalive.server_parameters, time_ns), "2h",
           "a silent client is pinged after this time", ANY),
    ROW_TO("timeout", LEAT_DURATION, WITHIN(SERVER, keepalive.server_parameters, timeout_ns), "20s",
           "and closed when it does not answer within this", ANY),
    {0}};

static const struct leat_field policy_fields[] = {
    ROW_TO("min_time", LEAT_DURATION, WITHIN(SERVER, keepalive.enforcement_policy, min_time_ns), "5m",
           "clients that ping more often are sent away (too_many_pings)", ANY),
    ROW("permit_without_stream", LEAT_BOOL, WITHIN(SERVER, keepalive.enforcement_policy, permit_without_stream),
        "false", "clients may ping while no call is open"),
    {0}};

static const struct leat_field server_keepalive_fields[] = {
    SECTION("server_parameters", WITHIN(SERVER, keepalive, server_parameters), 0, parameters_fields,
            "our pings, and how long connections live"),
    SECTION("enforcement_policy", WITHIN(SERVER, keepalive, enforcement_policy), 0, policy_fields,
            "how often clients may ping"),
    {0}};

static const char *const transports[] = {"tcp", "unix", NULL}; /* as enum leat_grpc_transport */

const struct leat_field leat_grpc_server_fields[] = {
    ROW("endpoint", LEAT_STRING, LEAT_AT(SERVER, endpoint), NULL, "host:port, [v6]:port or unix:/path to listen on"),
    {"transport", LEAT_ENUM, LEAT_AT(SERVER, transport), "tcp", "unix: endpoint is the path of a socket", 0, 0, 0,
     transports, NULL, 0, 0},
    SECTION("tls", LEAT_AT(SERVER, tls), LEAT_PRESENT(SERVER, tls.present), leat_tls_server_fields,
            "speak TLS (unset: plain)"),
    SECTION("keepalive", LEAT_AT(SERVER, keepalive), 0, server_keepalive_fields, "pings and the age of connections"),
    ROW_TO("max_recv_msg_size_mib", LEAT_INT, LEAT_AT(SERVER, max_recv_msg_size_mib), "0",
           "largest message, as received and after decompression; 0: 4 MiB", 4095),
    ROW_TO("max_concurrent_streams", LEAT_INT, LEAT_AT(SERVER, max_concurrent_streams), "0",
           "calls at once on a connection; 0: 128", 2147483647.0),
    ROW("read_buffer_size", LEAT_IGNORED, 0, NULL, "reads land in shared pages of 128 KiB"),
    ROW("write_buffer_size", LEAT_IGNORED, 0, NULL, "answers are gathered and written once a turn"),
    ROW("include_metadata", LEAT_BOOL, LEAT_AT(SERVER, include_metadata), "false",
        "keep the client's metadata with what it sent"),
    SECTION("auth", LEAT_AT(SERVER, auth), 0, auth_fields, "who may call"),
    ROW("middlewares", LEAT_REFUSED, 0, NULL, "middleware extensions are not supported"),
    {"max_connections", LEAT_INT, LEAT_AT(SERVER, max_connections), "4096",
     "connections at once, over all shards; more are closed at once and counted", 0, 1, 1e6, NULL, NULL, 0, 0},
    {0}};

static const struct leat_field client_keepalive_fields[] = {
    ROW_TO("time", LEAT_DURATION, WITHIN(CLIENT, keepalive, time_ns), "10s",
           "a silent server is pinged after this time", ANY),
    ROW_TO("timeout", LEAT_DURATION, WITHIN(CLIENT, keepalive, timeout_ns), "10s",
           "and left when it does not answer within this", ANY),
    ROW("permit_without_stream", LEAT_BOOL, WITHIN(CLIENT, keepalive, permit_without_stream), "false",
        "ping also while no call is open"),
    {0}};

static const char *const codings[] = {"none", "gzip", "zstd", "snappy", NULL}; /* as enum leat_coding */

const struct leat_field leat_grpc_client_fields[] = {
    {"endpoint", LEAT_STRING, LEAT_AT(CLIENT, endpoint), NULL,
     "host:port, dns:///host:port, unix:///path, or http(s)://host:port (https: TLS)", LEAT_REQUIRED, 0, 0, NULL, NULL,
     0, 0},
    ROW("proxy_url", LEAT_STRING, LEAT_AT(CLIENT, proxy_url), NULL,
        "http://[user:password@]host:port, asked to CONNECT; unset: HTTPS_PROXY and NO_PROXY decide"),
    SECTION("tls", LEAT_AT(CLIENT, tls), LEAT_PRESENT(CLIENT, tls.present), leat_tls_client_fields,
            "TLS is the default; insecure: true turns it off"),
    {"compression", LEAT_ENUM, LEAT_AT(CLIENT, compression), "gzip", "of messages", 0, 0, 0, codings, NULL, 0, 0},
    {"headers", LEAT_MAP, LEAT_AT(CLIENT, headers), NULL, "metadata sent with each call", LEAT_SECRET, 0, 0, NULL, NULL,
     0, 0},
    SECTION("keepalive", LEAT_AT(CLIENT, keepalive), 0, client_keepalive_fields, "our pings"),
    ROW("balancer_name", LEAT_STRING, LEAT_AT(CLIENT, balancer_name), "round_robin",
        "round_robin (all addresses of the name in turn) or pick_first"),
    ROW("wait_for_ready", LEAT_IGNORED, 0, NULL, "calls wait for a connection within their timeout either way"),
    ROW("authority", LEAT_STRING, LEAT_AT(CLIENT, authority), NULL, "the :authority of calls; unset: the endpoint"),
    ROW("user_agent", LEAT_STRING, LEAT_AT(CLIENT, user_agent), NULL, "unset: leat and its version"),
    ROW("read_buffer_size", LEAT_IGNORED, 0, NULL, "reads land in shared pages of 128 KiB"),
    ROW("write_buffer_size", LEAT_IGNORED, 0, NULL, "calls are gathered and written once a turn"),
    SECTION("auth", LEAT_AT(CLIENT, auth), 0, auth_fields, "signs calls"),
    ROW("middlewares", LEAT_REFUSED, 0, NULL, "middleware extensions are not supported"),
    {0}};
