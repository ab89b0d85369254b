/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/tls.h"
leat_rc leat_tls_open(enum leat_tls_side side, const struct leat_tls_conf *conf, const char *alpn,
                      struct leat_tls **ret_tls, struct leat_err *reterr)
{
    (void)side, (void)conf, (void)alpn, (void)ret_tls;
    return LEAT_RAISE(reterr, LEAT_EUNSUPPORTED, 0, "TLS");
}
struct leat_tls *leat_tls_ref(struct leat_tls *tls) { return tls; }
struct leat_tls *leat_tls_unref(struct leat_tls *tls) { return tls ? NULL : tls; }
void leat_tls_refresh(struct leat_tls *tls, uint64_t mono_ns) { (void)tls, (void)mono_ns; }
