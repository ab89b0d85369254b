/* SPDX-License-Identifier: Apache-2.0 */
/* carrier -- moves one encoded request to the peer and brings back what it said.
 *
 * Why      the seam between deciding and doing: HTTP, gRPC, a file, or a script in a test.
 * Threads  one shard's. `done` is never called from inside `send`.
 * Owns     a parcel is the sender's struct, in the carrier's hands from send to done (exactly once). The body stays the
 *          sender's: a retry sends it again.
 * Fails    done with err (transport: retried by its code) or with a reply (judged). */
#pragma once
#include "agent/deliver/auth.h"
#include "agent/deliver/request.h"
#include "agent/loop/loop.h"

struct leat_parcel {
    const struct leat_request *request;
    const struct leat_meta *meta;
    enum leat_signal signal;
    enum leat_coding coding; /* what the body was compressed with */
    uint64_t timeout_ns;
    uint32_t attempt;        /* 0 for the first */
    void (*done)(struct leat_parcel *parcel, const struct leat_reply *reply, const struct leat_err *err);
    void *carried;           /* the carrier's */
};

struct leat_carrier;
struct leat_carrier_ops {
    void (*send)(struct leat_carrier *carrier, struct leat_parcel *parcel);
    void (*cancel)(struct leat_carrier *carrier, struct leat_parcel *parcel); /* done(LEAT_ECANCELED) follows */
    void (*flush)(struct leat_carrier *carrier); /* before a stop: what is buffered reaches its place; NULL: nothing */
    void (*close)(struct leat_carrier *carrier); /* no parcel is out any more */
};
struct leat_carrier {
    const struct leat_carrier_ops *ops;
};

/* ---- the kinds. `id` is the exporter's, for logs; auth may be NULL ---- */
struct leat_http_client_conf;
struct leat_grpc_client_conf;

leat_rc leat_carrier_none_open(struct leat_loop *loop, struct leat_carrier **ret_carrier) LEAT_MUST_CHECK;
leat_rc leat_carrier_output_open(struct leat_loop *loop, int fd, struct leat_carrier **ret_carrier) LEAT_MUST_CHECK;
leat_rc leat_carrier_http_open(struct leat_loop *loop, const char *id, const struct leat_http_client_conf *conf,
                               const struct leat_client_auth *auth, uint32_t connections_max,
                               struct leat_carrier **ret_carrier, struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc leat_carrier_grpc_open(struct leat_loop *loop, const char *id, const struct leat_grpc_client_conf *conf,
                               const struct leat_client_auth *auth, struct leat_carrier **ret_carrier,
                               struct leat_err *reterr) LEAT_MUST_CHECK;

/* Keys of the Collector's file exporter that concern the file itself. */
struct leat_file_carrier_conf {
    const char *path;
    bool append, create_directory;
    const char *directory_permissions;
    struct {
        bool present;
        int64_t max_megabytes, max_days, max_backups;
        bool localtime;
    } rotation;
    int compression; /* 0 none, 1 zstd */
};
extern const struct leat_field leat_file_carrier_fields[];
leat_rc leat_carrier_file_open(struct leat_loop *loop, const char *id, const struct leat_file_carrier_conf *conf,
                               struct leat_carrier **ret_carrier, struct leat_err *reterr) LEAT_MUST_CHECK;
