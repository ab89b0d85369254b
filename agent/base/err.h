/* SPDX-License-Identifier: Apache-2.0 */
/* err -- an error on its way up: code, place of origin, and a sentence that grows a prefix at each level.
 *
 * Why      raised once where it happens, wrapped on the way ("loki: push: status 429"), logged once at the top.
 * Threads  a plain struct on the caller's stack; no state elsewhere.
 * Owns     nothing; never allocates. Text past the end is cut.
 * Rule     `reterr` may be NULL everywhere, and is written only on failure. */
#pragma once
#include "agent/base/rc.h"

struct leat_site {
    const char *file, *func;
    int line;
};

struct leat_err {
    leat_rc code;
    int sys;                      /* errno, HTTP status, uv or TLS code; 0 when there is none */
    const struct leat_site *site; /* where it was first raised */
    char text[256];
};

leat_rc leat_err_raise(struct leat_err *reterr, const struct leat_site *site, leat_rc code, int sys,
                       const char *fmt, ...) LEAT_PRINTF(5, 6);

/* Puts "prefix: " before the text; answers err's code so that it can end a return statement. */
leat_rc leat_err_wrap(struct leat_err *err, const char *fmt, ...) LEAT_PRINTF(2, 3);

#define LEAT_RAISE(reterr, code, sys, ...)                                                    \
    (__extension__({                                                                          \
        static const struct leat_site site_ = {__FILE__, __func__, __LINE__};                 \
        leat_err_raise((reterr), &site_, (code), (sys), __VA_ARGS__);                         \
    }))
