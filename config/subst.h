/* SPDX-License-Identifier: Apache-2.0 */
/* subst -- ${env:X}, ${env:X:-default}, ${X}, ${file:PATH}, ${yaml:TEXT} and $$ in every string of a tree.
 *
 * Why      the Collector's rules to the letter: inside-out, a whole value keeps its YAML type (and its text for string
 *          fields), a part of a string is text, an odd run of $ before { escapes it, $$ is $ at the end.
 * Limits   LEAT_SUBST_*_MAX: expansions in one value, "${" in one string, bytes of one value.
 * Fails    each problem is a diagnostic at the value; the walk goes on. LEAT_ENOMEM. Unset without default: a warning.
 */
#pragma once
#include "config/load.h"

#define LEAT_SUBST_ROUNDS_MAX 1000u
#define LEAT_SUBST_URIS_MAX 100u
#define LEAT_SUBST_BYTES_MAX (1u << 20)
#define LEAT_SUBST_DEPTH_MAX 16u    /* files that name files that name files */
#define LEAT_SUBST_TOTAL_MAX 20000u /* expansions in one configuration */

leat_rc leat_subst(struct leat_yaml *yaml, const struct leat_outside *outside, struct leat_node *root) LEAT_MUST_CHECK;
