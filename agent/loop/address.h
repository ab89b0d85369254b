/* SPDX-License-Identifier: Apache-2.0 */
/* address -- "host:port", "[v6]:port", "unix:/path" as text; private to agent/loop.
 *
 * Fails    LEAT_EINVAL with a sentence. */
#pragma once
#include <netdb.h>
#include <stdbool.h>
#include <sys/un.h>

#include "agent/base/err.h"

struct leat_address {
    bool is_unix;
    char host[256]; /* empty: every address of this machine */
    char port[6];
    struct sockaddr_un path; /* unix only */
};

leat_rc leat_loop__address_parse(const char *text, struct leat_address *ret_address,
                                 struct leat_err *reterr) LEAT_MUST_CHECK;
