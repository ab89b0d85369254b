/* SPDX-License-Identifier: Apache-2.0 */
/* grpc -- codes, status and settings that both sides of gRPC share.
 * Source: gRPC over HTTP/2 (PROTOCOL-HTTP2.md of the gRPC project), google.rpc.Status and RetryInfo. */
#pragma once
#include "agent/net/http.h"

enum leat_grpc_code {
    LEAT_GRPC_OK, LEAT_GRPC_CANCELLED, LEAT_GRPC_UNKNOWN, LEAT_GRPC_INVALID_ARGUMENT, LEAT_GRPC_DEADLINE_EXCEEDED,
    LEAT_GRPC_NOT_FOUND, LEAT_GRPC_ALREADY_EXISTS, LEAT_GRPC_PERMISSION_DENIED, LEAT_GRPC_RESOURCE_EXHAUSTED,
    LEAT_GRPC_FAILED_PRECONDITION, LEAT_GRPC_ABORTED, LEAT_GRPC_OUT_OF_RANGE, LEAT_GRPC_UNIMPLEMENTED,
    LEAT_GRPC_INTERNAL, LEAT_GRPC_UNAVAILABLE, LEAT_GRPC_DATA_LOSS, LEAT_GRPC_UNAUTHENTICATED
};
const char *leat_grpc_code_name(int code);

/* What a peer said in grpc-status, grpc-message and grpc-status-details-bin. */
struct leat_grpc_status {
    int code;
    struct leat_slice message;   /* percent-decoded */
    bool has_retry_info;
    uint64_t retry_delay_ns;
};

/* Keys of the Collector's gRPC server block (configgrpc). */
enum leat_grpc_transport { LEAT_GRPC_TCP, LEAT_GRPC_UNIX };
struct leat_grpc_server_conf {
    const char *endpoint;
    int transport; /* enum leat_grpc_transport */
    struct leat_tls_conf tls;
    struct {
        struct { int64_t max_connection_idle_ns, max_connection_age_ns, max_connection_age_grace_ns, time_ns, timeout_ns; } server_parameters;
        struct { int64_t min_time_ns; bool permit_without_stream; } enforcement_policy;
    } keepalive;
    int64_t max_recv_msg_size_mib; /* 0: 4 MiB */
    int64_t max_concurrent_streams; /* 0: our default of 128 a connection */
    bool include_metadata;
    struct { const char *authenticator; } auth;
    int64_t max_connections; /* ours */
};
extern const struct leat_field leat_grpc_server_fields[];

/* Keys of the Collector's gRPC client block (configgrpc), for exporters of carrier LEAT_CARRIER_GRPC. */
struct leat_grpc_client_conf {
    const char *endpoint, *proxy_url;
    struct leat_tls_conf tls;
    int compression; /* enum leat_coding: none, gzip, zstd, snappy */
    struct leat_map headers;
    struct { int64_t time_ns, timeout_ns; bool permit_without_stream; } keepalive;
    const char *balancer_name; /* round_robin (default), pick_first */
    const char *authority, *user_agent;
    struct { const char *authenticator; } auth;
};
extern const struct leat_field leat_grpc_client_fields[];
