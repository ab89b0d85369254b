/* SPDX-License-Identifier: Apache-2.0 */
/* self_style -- how a reader wants leat's own metrics named and labelled: the without_* keys of the Collector's
 * readers.
 *
 * Why      dashboards exist for bare names, for names with _total and units, and for labels on every series.
 * Threads  any; pure functions over text.
 * Owns     the style borrows the resource and the names of its labels.
 * Limits   only the Collector's names (otelcol_*) are changed: leat's own carry their suffixes always.
 * Fails    out of memory marks the buffer as failed. */
#pragma once
#include "agent/base/field.h"
#include "agent/base/strbuf.h"

struct leat_self_style {
    bool units, type_suffix, scope;      /* add _seconds and _bytes; add _total; add otel_scope_* labels */
    struct leat_map resource;            /* attributes of this process; a NULL value takes a default away */
    struct leat_strings constant_labels; /* attributes that stand on every series as well */
    const char *instance_id;
};

/* target_info: the resource as labels. */
void leat_self_target_info(const struct leat_self_style *style, struct leat_strbuf *out);
/* A page of bare names in the style's words. */
void leat_self_restyle(const struct leat_self_style *style, const struct leat_strbuf *page, struct leat_strbuf *out);
