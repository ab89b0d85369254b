/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/http.h"

#define SERVER struct leat_http_server_conf
#define CLIENT struct leat_http_client_conf
#define ROW(key, type, at, deflt, doc) {key, type, at, deflt, doc, 0, 0, 0, NULL, NULL, 0, 0}
#define ROW_MIN0(key, type, at, deflt, doc) {key, type, at, deflt, doc, 0, 0, 9e18, NULL, NULL, 0, 0}
#define SECTION(key, at, present, fields, doc) {key, LEAT_SECTION, at, NULL, doc, 0, 0, 0, NULL, fields, 0, present}

/* Offsets inside a section count from the section. */
#define WITHIN(type, section, member) (LEAT_AT(type, section.member) - LEAT_AT(type, section))

static const struct leat_field auth_fields[] = {
    {"authenticator", LEAT_STRING, 0, NULL, "the extension that checks or signs requests", LEAT_EXTENSION, 0, 0, NULL,
     NULL, 0, 0},
    ROW("request_params", LEAT_REFUSED, 0, NULL, "authenticators see headers only"),
    {0}};

static const struct leat_field cors_fields[] = {
    ROW("allowed_origins", LEAT_STRINGS, WITHIN(SERVER, cors, allowed_origins), NULL,
        "origins that browsers may send from; * stands for any text"),
    ROW("allowed_headers", LEAT_STRINGS, WITHIN(SERVER, cors, allowed_headers), NULL,
        "headers that browsers may send beside the usual ones"),
    ROW("exposed_headers", LEAT_STRINGS, WITHIN(SERVER, cors, exposed_headers), NULL,
        "headers of the answer that scripts may read"),
    ROW_MIN0("max_age", LEAT_INT, WITHIN(SERVER, cors, max_age_s), "0", "seconds a browser may keep the permission"),
    {0}};

const struct leat_field leat_http_server_fields[] = {
    ROW("endpoint", LEAT_STRING, LEAT_AT(SERVER, endpoint), NULL, "host:port, [v6]:port or unix:/path to listen on"),
    SECTION("tls", LEAT_AT(SERVER, tls), LEAT_PRESENT(SERVER, tls.present), leat_tls_server_fields,
            "serve TLS with this certificate"),
    SECTION("cors", LEAT_AT(SERVER, cors), 0, cors_fields, "which web pages may send to us"),
    SECTION("auth", LEAT_AT(SERVER, auth), 0, auth_fields, "who checks requests"),
    ROW_MIN0("max_request_body_size", LEAT_SIZE, LEAT_AT(SERVER, max_request_body_size), "20971520",
             "largest body taken, before and after decompression"),
    ROW("include_metadata", LEAT_BOOL, LEAT_AT(SERVER, include_metadata), "false",
        "keep the client's headers with the data"),
    ROW("response_headers", LEAT_MAP, LEAT_AT(SERVER, response_headers), NULL, "headers added to every answer"),
    ROW("compression_algorithms", LEAT_STRINGS, LEAT_AT(SERVER, compression_algorithms),
        "[\"\", gzip, zstd, zlib, snappy, deflate, lz4, x-snappy-framed]", "content codings taken"),
    ROW_MIN0("read_timeout", LEAT_DURATION, LEAT_AT(SERVER, read_timeout_ns), "0s",
             "longest a whole request may take to arrive; 0: no limit"),
    ROW_MIN0("read_header_timeout", LEAT_DURATION, LEAT_AT(SERVER, read_header_timeout_ns), "1m",
             "longest the headers may take to arrive; 0: no limit"),
    ROW_MIN0("write_timeout", LEAT_DURATION, LEAT_AT(SERVER, write_timeout_ns), "30s",
             "longest an answer may take to leave; 0: no limit"),
    ROW_MIN0("idle_timeout", LEAT_DURATION, LEAT_AT(SERVER, idle_timeout_ns), "1m",
             "how long a connection is kept between requests; 0: no limit"),
    ROW("keep_alives_enabled", LEAT_BOOL, LEAT_AT(SERVER, keep_alives_enabled), "true",
        "keep connections between requests"),
    {"max_connections", LEAT_INT, LEAT_AT(SERVER, max_connections), "4096",
     "connections open at once; more are closed at once and counted", 0, 1, 1e6, NULL, NULL, 0, 0},
    {"max_header_bytes", LEAT_SIZE, LEAT_AT(SERVER, max_header_bytes), "16KiB",
     "largest request line and headers together", 0, 1024, 1048576, NULL, NULL, 0, 0},
    ROW("middlewares", LEAT_REFUSED, 0, NULL, "middleware extensions are not supported"),
    {0}};

static const struct leat_field compression_fields[] = {
    {"level", LEAT_INT, 0, "0", "compression level; 0: the coding's default", 0, -1, 22, NULL, NULL, 0, 0}, {0}};

const struct leat_field leat_http_client_fields[] = {
    ROW("endpoint", LEAT_STRING, LEAT_AT(CLIENT, endpoint), NULL, "URL to send to"),
    ROW("proxy_url", LEAT_STRING, LEAT_AT(CLIENT, proxy_url), NULL, "http://[user:password@]host:port to send through"),
    SECTION("tls", LEAT_AT(CLIENT, tls), LEAT_PRESENT(CLIENT, tls.present), leat_tls_client_fields,
            "how https is spoken"),
    {"headers", LEAT_MAP, LEAT_AT(CLIENT, headers), NULL, "headers added to every request", LEAT_SECRET, 0, 0, NULL,
     NULL, 0, 0},
    {"compression", LEAT_ENUM, LEAT_AT(CLIENT, compression), "gzip", "content coding of requests", 0, 0, 0,
     leat_coding_names, NULL, 0, 0},
    SECTION("compression_params", LEAT_AT(CLIENT, compression_params), 0, compression_fields, "how hard to compress"),
    ROW_MIN0("max_idle_conns_per_host", LEAT_INT, LEAT_AT(CLIENT, max_idle_conns_per_host), "100",
             "connections kept between requests"),
    ROW_MIN0("max_conns_per_host", LEAT_INT, LEAT_AT(CLIENT, max_conns_per_host), "0",
             "connections at once; 0: no limit"),
    ROW_MIN0("idle_conn_timeout", LEAT_DURATION, LEAT_AT(CLIENT, idle_conn_timeout_ns), "90s",
             "how long a connection is kept between requests; 0: no limit"),
    ROW("disable_keep_alives", LEAT_BOOL, LEAT_AT(CLIENT, disable_keep_alives), "false",
        "a connection for each request"),
    SECTION("auth", LEAT_AT(CLIENT, auth), 0, auth_fields, "who signs requests"),
    ROW("max_idle_conns", LEAT_IGNORED, 0, NULL, "an exporter has one host: see max_idle_conns_per_host"),
    ROW("read_buffer_size", LEAT_IGNORED, 0, NULL, "buffers are shared pages"),
    ROW("write_buffer_size", LEAT_IGNORED, 0, NULL, "nothing is buffered: writes are gathered"),
    ROW("force_attempt_http2", LEAT_IGNORED, 0, NULL, "HTTP exporters speak HTTP/1.1"),
    ROW("http2_read_idle_timeout", LEAT_IGNORED, 0, NULL, "HTTP exporters speak HTTP/1.1"),
    ROW("http2_ping_timeout", LEAT_IGNORED, 0, NULL, "HTTP exporters speak HTTP/1.1"),
    ROW("cookies", LEAT_REFUSED, 0, NULL, "cookies are not kept"),
    ROW("middlewares", LEAT_REFUSED, 0, NULL, "middleware extensions are not supported"),
    {0}};
