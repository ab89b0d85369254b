/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/resource/resource.h"

const struct leat_field resource_fields[] = {{.key = "attributes",
                                              .type = LEAT_LIST,
                                              .offset = LEAT_AT(struct resource_conf, attributes),
                                              .fields = otlp_edit_action_fields,
                                              .item_size = sizeof(struct otlp_edit_action_conf),
                                              .doc = "what to do, in this order"},
                                             {0}};

const struct leat_counter_def resource_counters[] = {
    [RESOURCE_LIMITED] = {"processor_resource_pattern_limited_total", "", "searches given up after too many steps"},
    {0}};

leat_rc resource__check(const void *conf, struct leat_err *reterr)
{
    return otlp_edit_check(&((const struct resource_conf *)conf)->attributes, "attributes", reterr);
}
