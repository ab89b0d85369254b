/* SPDX-License-Identifier: Apache-2.0 */
/* regex -- PCRE2 patterns with JIT, and with limits that no text can exceed.
 *
 * Why      users write patterns and strangers write the texts: a search that runs away ends as "no match" and is counted.
 * Threads  a pattern belongs to one shard: a search uses its memory.
 * Limits   100,000 steps and 1 MiB of heap a search; leat_regex_limited says how many searches ended there.
 * Fails    LEAT_ECONFIG with PCRE2's words and the offset; LEAT_ENOMEM. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"

struct leat_regex;
leat_rc leat_regex_open(const char *pattern, struct leat_regex **ret_regex, struct leat_err *reterr) LEAT_MUST_CHECK;
struct leat_regex *leat_regex_close(struct leat_regex *regex); /* always NULL */
bool leat_regex_find(struct leat_regex *regex, struct leat_slice text);

/* ---- of the last find that was true; the answers point into its text ---- */
struct leat_slice leat_regex_group(const struct leat_regex *regex, struct leat_slice text, uint32_t group); /* 0: all */

/* ---- of the pattern ---- */
uint32_t leat_regex_groups(const struct leat_regex *regex);
const char *leat_regex_name(const struct leat_regex *regex, uint32_t group); /* NULL: it has none */
uint64_t leat_regex_limited(const struct leat_regex *regex);
