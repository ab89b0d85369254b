/* SPDX-License-Identifier: Apache-2.0 */
/* relabel_inner -- what Prometheus refuses in a rule; private to agent/discovery. */
#pragma once
#include "agent/discovery/relabel.h"

leat_rc leat_relabel__rule_check(const struct leat_relabel_conf *rule, enum leat_name_scheme names,
                                 struct leat_err *reterr);
const char *leat_relabel__action_name(int action);
static inline bool leat_relabel__name_ok(struct leat_slice name, enum leat_name_scheme names)
{
    return names == LEAT_NAMES_CLASSIC ? leat_label_name_is_classic(name) : leat_label_name_is_utf8(name);
}
