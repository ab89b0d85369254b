/* SPDX-License-Identifier: Apache-2.0 */
/* rw_name -- names of metrics, labels and units as Prometheus has them, and back.
 *
 * Why      one metric must have one name, whoever translates it: the rules are those of OpenTelemetry's translation.
 * Threads  pure functions behind a strbuf.
 * Fails    false: the text has no name there; out of memory is the strbuf's sticky error. */
#pragma once
#include "agent/base/strbuf.h"

enum rw_kind { RW_GAUGE, RW_COUNTER, RW_OTHER_KIND }; /* a counter is a monotonic sum */

struct rw_namer {
    bool suffixes; /* unit and type behind the name */
    bool utf8;     /* any character stays as it is */
    struct leat_slice prefix; /* `namespace` */
};

bool rw_metric_name(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice name, struct leat_slice unit,
                    enum rw_kind kind);
bool rw_label_name(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice name);
void rw_unit_name(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice unit); /* "By/s": bytes_per_second */
void rw_unit_symbol(struct leat_strbuf *out, struct leat_slice word);                             /* "bytes_per_second": By/s */
