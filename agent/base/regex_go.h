/* SPDX-License-Identifier: Apache-2.0 */
/* regex_go -- patterns and replacements of Go's regexp (RE2), run by agent/base/regex.h.
 *
 * Why      what users bring from Prometheus and the Collector is RE2. It is read here by RE2's grammar and written anew for
 *          PCRE2, so that $, \s, \v, [[], \p{Greek} mean what they meant, and what RE2 refuses is refused.
 * Threads  as agent/base/regex.h.
 * Limits   groups 200 deep; repeats of 1,000 in all, as RE2.
 * Fails    LEAT_ECONFIG with the offset and Go's words; LEAT_ENOMEM.
 * Note     texts must be UTF-8: others match nothing and are counted (leat_regex_limited). */
#pragma once
#include "agent/base/regex.h"

/* `whole`: the pattern is ^(?s:...)$ of the text, as Prometheus anchors it. */
leat_rc leat_regex_go_open(const char *pattern, bool whole, struct leat_regex **ret_regex,
                           struct leat_err *reterr) LEAT_MUST_CHECK;

/* ---- $1, ${1}, $name, ${name}, $$ as Go's Expand reads them ---- */
struct leat_template;
leat_rc leat_template_open(const char *text, const struct leat_regex *regex, struct leat_template **ret_template,
                           struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_template *leat_template_close(struct leat_template *made); /* always NULL */
/* Of the regex's last find that was true, in `text`. `to` NULL: only the length. */
uint32_t leat_template_expand(const struct leat_template *made, const struct leat_regex *regex, struct leat_slice text,
                              char *to);
bool leat_template_is_plain(const char *text); /* no $: it stands for itself */
