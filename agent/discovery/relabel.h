/* SPDX-License-Identifier: Apache-2.0 */
/* relabel -- Prometheus' relabelling: rules that rewrite, keep or drop a label set.
 *
 * Why      one set of rules says which targets there are (relabel_configs) and which series stay (metric_relabel_configs).
 * Threads  configuration: read-only. Compiled rules belong to one shard (a pattern's search uses its memory).
 * Owns     compiled rules borrow the configuration, which outlives them.
 * Limits   leat_regex's (steps, heap): a search that ends there is no match and is counted; leat_label_edit's.
 * Fails    at start, LEAT_ECONFIG with the rule's number: what Prometheus refuses (no target_label, modulus 0, ...) and
 *          what RE2 refuses (back references, lookaround, possessive and atomic groups ...).
 * Rule     a pattern is RE2's, anchored ^(?s:...)$; replacements expand $1, ${1}, $name, ${name} as Go's Expand does. */
#pragma once
#include "agent/base/field.h"
#include "agent/discovery/labels.h"

enum leat_relabel_action {
    LEAT_RELABEL_REPLACE,
    LEAT_RELABEL_KEEP,
    LEAT_RELABEL_DROP,
    LEAT_RELABEL_KEEPEQUAL,
    LEAT_RELABEL_DROPEQUAL,
    LEAT_RELABEL_HASHMOD,
    LEAT_RELABEL_LABELMAP,
    LEAT_RELABEL_LABELDROP,
    LEAT_RELABEL_LABELKEEP,
    LEAT_RELABEL_LOWERCASE,
    LEAT_RELABEL_UPPERCASE
};

struct leat_relabel_conf { /* one rule */
    struct leat_strings source_labels;
    const char *separator, *target_label, *regex, *replacement;
    int64_t modulus;
    int action; /* enum leat_relabel_action */
};
/* A row for a list of rules, with Prometheus' keys and defaults:
 *   {"relabel_configs", LEAT_LIST, LEAT_AT(CONF, relabel), NULL, "...", 0, 0, 0, NULL, leat_relabel_fields,
 *    sizeof(struct leat_relabel_conf), 0} */
extern const struct leat_field leat_relabel_fields[];

struct leat_relabel;
/* Which label names there may be: metric_name_validation_scheme. */
enum leat_name_scheme { LEAT_NAMES_UTF8, LEAT_NAMES_CLASSIC };
/* `rules` is a list of leat_relabel_conf, `key` its name for messages. No rules: *ret_relabel is NULL, which _apply
 * takes. leat_relabel_check is for the component's `check`: that is where bad rules are refused. */
leat_rc leat_relabel_open(const struct leat_items *rules, enum leat_name_scheme names, const char *key,
                          struct leat_relabel **ret_relabel, struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_relabel *leat_relabel_close(struct leat_relabel *relabel); /* always NULL */
leat_rc leat_relabel_check(const struct leat_items *rules, enum leat_name_scheme names, const char *key,
                           struct leat_err *reterr);
/* LEAT_OK: look at *ret_keep. Else edit->failed, and the set is in between. */
leat_rc leat_relabel_apply(struct leat_relabel *relabel, struct leat_label_edit *edit, bool *ret_keep) LEAT_MUST_CHECK;
uint64_t leat_relabel_limited(const struct leat_relabel *relabel); /* searches that ran into a limit */
