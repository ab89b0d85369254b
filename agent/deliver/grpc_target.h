/* SPDX-License-Identifier: Apache-2.0 */
/* grpc_target -- a gRPC endpoint in any of the forms the Collector takes, turned into an address.
 *
 *   host:port   dns:///host:port   passthrough:///host:port   http://host:port   https://host:port   unix:///path
 *
 * Threads  pure functions over borrowed text.
 * Fails    LEAT_ECONFIG with a sentence. */
#pragma once
#include "agent/deliver/url.h"

struct leat_grpc_target {
    bool is_unix, encrypted;
    char address[LEAT_URL_ADDRESS_MAX];   /* host:port, [v6]:port, unix:/path */
    char authority[LEAT_URL_ADDRESS_MAX]; /* for :authority; "localhost" on a unix socket */
    struct leat_slice name;               /* host alone, borrows from the text */
    uint16_t port;
};
/* `insecure`: plain text unless the scheme is https. */
leat_rc leat_grpc_target_parse(const char *endpoint, bool insecure, struct leat_grpc_target *ret_target,
                               struct leat_err *reterr) LEAT_MUST_CHECK;
