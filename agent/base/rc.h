/* SPDX-License-Identifier: Apache-2.0 */
/* rc -- what a function answers: one code for machines, and what the code means for the bytes in hand.
 *
 * Why      the code alone decides retry, drop or stop for local errors (a peer's reply is its judge's business).
 * Rule     LEAT_OK is 0. LEAT_AGAIN is no error: nothing was taken, come back when told. */
#pragma once

#define LEAT_RC_TABLE(X)                                          \
    X(LEAT_OK, NONE, "ok")                                        \
    X(LEAT_AGAIN, RETRY, "not now")                               \
    X(LEAT_ENOMEM, RETRY, "out of memory")                        \
    X(LEAT_EFULL, RETRY, "limit reached")                         \
    X(LEAT_ENET, RETRY, "peer unreachable")                       \
    X(LEAT_EBUSY, RETRY, "peer asked to wait")                    \
    X(LEAT_ETIMEOUT, RETRY, "no answer in time")                  \
    X(LEAT_ETLS, RETRY, "TLS failure")                            \
    X(LEAT_EIO, RETRY, "input/output error")                      \
    X(LEAT_ECANCELED, RETRY, "given up by the caller")            \
    X(LEAT_EREFUSED, DROP, "refused for good")                    \
    X(LEAT_EPARSE, DROP, "malformed input")                       \
    X(LEAT_ELIMIT, DROP, "input over a limit")                    \
    X(LEAT_EAUTH, DROP, "not authorised")                         \
    X(LEAT_ENOENT, DROP, "not found")                             \
    X(LEAT_EUNSUPPORTED, FATAL, "not supported")                  \
    X(LEAT_EINVAL, FATAL, "invalid argument")                     \
    X(LEAT_ECONFIG, FATAL, "bad configuration")

typedef enum leat_rc {
#define X(code, fate, text) code,
    LEAT_RC_TABLE(X)
#undef X
        LEAT_RC_COUNT
} leat_rc;

/* What a local error means for the data that met it. */
enum leat_fate { LEAT_FATE_NONE, LEAT_FATE_RETRY, LEAT_FATE_DROP, LEAT_FATE_FATAL };

const char *leat_rc_text(leat_rc rc);
const char *leat_rc_name(leat_rc rc);
enum leat_fate leat_rc_fate(leat_rc rc);

#define LEAT_MUST_CHECK __attribute__((warn_unused_result))
#define LEAT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
