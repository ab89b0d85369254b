/* SPDX-License-Identifier: Apache-2.0 */
/* http -- what HTTP/1.1 and HTTP/2 share: header lists, and the server and client settings of the Collector.
 *
 * Owns     a header list borrows its slices; who gives it says for how long.
 * Limits   names and values are checked where they enter (RFC 9110, section 5): no CR, LF or NUL ever leaves. */
#pragma once
#include "agent/base/slice.h"
#include "agent/net/tls.h"

struct leat_header {
    struct leat_slice name, value; /* names are compared without case */
};
struct leat_headers {
    const struct leat_header *at;
    uint32_t count;
};
/* The first value by that name; at == NULL when there is none. */
struct leat_slice leat_headers_get(struct leat_headers headers, const char *name);

/* Keys of the Collector's HTTP server block (confighttp). */
struct leat_http_server_conf {
    const char *endpoint;
    struct leat_tls_conf tls;
    int64_t max_request_body_size; /* after decompression too */
    bool include_metadata;
    struct {
        struct leat_strings allowed_origins, allowed_headers, exposed_headers;
        int64_t max_age_s;
    } cors;
    struct {
        const char *authenticator; /* extension id */
    } auth;
    struct leat_map response_headers;
    struct leat_strings compression_algorithms;
    int64_t read_timeout_ns, read_header_timeout_ns, write_timeout_ns, idle_timeout_ns;
    bool keep_alives_enabled;
    int64_t max_connections; /* ours: open at once, over all shards */
    int64_t max_header_bytes; /* ours: request line and headers */
};
extern const struct leat_field leat_http_server_fields[]; /* offsets into leat_http_server_conf */

/* Keys of the Collector's HTTP client block (confighttp), for exporters of carrier LEAT_CARRIER_HTTP. */
enum leat_coding { LEAT_CODING_NONE, LEAT_CODING_GZIP, LEAT_CODING_ZSTD, LEAT_CODING_SNAPPY, LEAT_CODING_SNAPPY_FRAMED,
                   LEAT_CODING_ZLIB, LEAT_CODING_DEFLATE, LEAT_CODING_LZ4 };
extern const char *const leat_coding_names[]; /* "none", "gzip", "zstd", "snappy", "x-snappy-framed", "zlib", "deflate", "lz4", NULL */
struct leat_http_client_conf {
    const char *endpoint, *proxy_url;
    struct leat_tls_conf tls;
    struct leat_map headers;
    int compression; /* enum leat_coding */
    struct {
        int64_t level; /* 0: the coding's default */
    } compression_params;
    int64_t max_idle_conns_per_host, max_conns_per_host;
    int64_t idle_conn_timeout_ns;
    bool disable_keep_alives;
    struct {
        const char *authenticator;
    } auth;
};
extern const struct leat_field leat_http_client_fields[];
