/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
    enum leat_fate fate;
} table[LEAT_RC_COUNT] = {
#define X(code, fate_, text_) [code] = {#code, text_, LEAT_FATE_##fate_},
    LEAT_RC_TABLE(X)
#undef X
};

const char *leat_rc_text(leat_rc rc) { return (unsigned)rc < LEAT_RC_COUNT ? table[rc].text : "unknown"; }
const char *leat_rc_name(leat_rc rc) { return (unsigned)rc < LEAT_RC_COUNT ? table[rc].name : "?"; }
enum leat_fate leat_rc_fate(leat_rc rc) { return (unsigned)rc < LEAT_RC_COUNT ? table[rc].fate : LEAT_FATE_FATAL; }

leat_rc leat_err_raise(struct leat_err *reterr, const struct leat_site *site, leat_rc code, int sys,
                       const char *fmt, ...)
{
    if (!reterr)
        return code;
    reterr->code = code;
    reterr->sys = sys;
    reterr->site = site;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(reterr->text, sizeof reterr->text, fmt, args);
    va_end(args);
    return code;
}

leat_rc leat_err_wrap(struct leat_err *err, const char *fmt, ...)
{
    if (!err)
        return LEAT_EINVAL;
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof err->text)
        return err->code;
    (void)snprintf(err->text + len, sizeof err->text - (size_t)len, ": %.*s",
                   (int)(sizeof err->text - (size_t)len - 3), inner);
    return err->code;
}
