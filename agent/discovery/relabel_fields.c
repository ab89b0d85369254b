/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/relabel.h"

#define RULE struct leat_relabel_conf

static const char *const actions[] = {"replace", "keep",      "drop",      "keepequal", "dropequal", "hashmod",
                                      "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase", NULL};

const struct leat_field leat_relabel_fields[] = {
    {"source_labels", LEAT_STRINGS, LEAT_AT(RULE, source_labels), NULL,
     "labels whose values are joined and matched; missing ones are empty", 0, 0, 0, NULL, NULL, 0, 0},
    {"separator", LEAT_STRING, LEAT_AT(RULE, separator), ";", "put between the joined values", 0, 0, 0, NULL, NULL, 0, 0},
    {"regex", LEAT_STRING, LEAT_AT(RULE, regex), "(.*)",
     "RE2 pattern for the whole joined value (labelmap, labeldrop, labelkeep: for label names)", 0, 0, 0, NULL, NULL, 0,
     0},
    {"modulus", LEAT_INT, LEAT_AT(RULE, modulus), "0", "hashmod: how many buckets", 0, 0, 9e18, NULL, NULL, 0, 0},
    {"target_label", LEAT_STRING, LEAT_AT(RULE, target_label), NULL,
     "label that is written; may hold $1 and ${name}", 0, 0, 0, NULL, NULL, 0, 0},
    {"replacement", LEAT_STRING, LEAT_AT(RULE, replacement), "$1",
     "new value; $1 and ${name} are groups of the pattern", 0, 0, 0, NULL, NULL, 0, 0},
    {"action", LEAT_ENUM, LEAT_AT(RULE, action), "replace", "what to do on a match", 0, 0, 0, actions, NULL, 0, 0},
    {0}};
