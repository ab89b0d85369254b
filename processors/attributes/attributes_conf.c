/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/attributes/attributes.h"

#define C(member) LEAT_AT(struct attributes_conf, member)

const struct leat_field attributes_fields[] = {{.key = "actions",
                                                .type = LEAT_LIST,
                                                .offset = C(actions),
                                                .fields = otlp_edit_action_fields,
                                                .item_size = sizeof(struct otlp_edit_action_conf),
                                                .doc = "what to do, in this order"},
                                               {.key = "include",
                                                .type = LEAT_SECTION,
                                                .offset = C(include),
                                                .fields = otlp_edit_match_fields,
                                                .present = LEAT_PRESENT(struct attributes_conf, include.present),
                                                .doc = "only records of which all of this holds"},
                                               {.key = "exclude",
                                                .type = LEAT_SECTION,
                                                .offset = C(exclude),
                                                .fields = otlp_edit_match_fields,
                                                .present = LEAT_PRESENT(struct attributes_conf, exclude.present),
                                                .doc = "no records of which all of this holds"},
                                               {0}};

const struct leat_counter_def attributes_counters[] = {
    [ATTRIBUTES_LIMITED] = {"processor_attributes_pattern_limited_total", "", "searches given up after too many steps"},
    {0}};

leat_rc attributes__check(const void *conf, struct leat_err *reterr)
{
    const struct attributes_conf *attributes = conf;
    leat_rc rc = otlp_edit_check(&attributes->actions, "actions", reterr);
    if (rc == LEAT_OK && attributes->include.present && otlp_edit_match_check(&attributes->include, reterr) != LEAT_OK)
        rc = leat_err_wrap(reterr, "include");
    if (rc == LEAT_OK && attributes->exclude.present && otlp_edit_match_check(&attributes->exclude, reterr) != LEAT_OK)
        rc = leat_err_wrap(reterr, "exclude");
    return rc;
}
