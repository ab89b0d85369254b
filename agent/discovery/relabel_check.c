/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of Prometheus' relabel.Config.Validate, in its words. */
#include <ctype.h>

#include "agent/discovery/relabel_inner.h"

#define BIT(action) (1u << LEAT_RELABEL_##action)
#define NEEDS_TARGET \
    (BIT(REPLACE) | BIT(KEEPEQUAL) | BIT(DROPEQUAL) | BIT(HASHMOD) | BIT(LOWERCASE) | BIT(UPPERCASE))
#define NO_REPLACEMENT (BIT(LOWERCASE) | BIT(UPPERCASE) | BIT(KEEPEQUAL) | BIT(DROPEQUAL))
#define EQUALS (BIT(KEEPEQUAL) | BIT(DROPEQUAL))
#define NAMES_ONLY (BIT(LABELDROP) | BIT(LABELKEEP))

const char *leat_relabel__action_name(int action)
{
    for (const struct leat_field *row = leat_relabel_fields; row->key; row++)
        if (row->type == LEAT_ENUM)
            return row->choices[action];
    return "";
}

static bool has_variable(const char *text) { return text && strchr(text, '$') != NULL; }

/* "${1}" or "$name" at `at`: its length, 0: none. */
static size_t variable(const char *at)
{
    bool braces = at[1] == '{';
    size_t len = 1 + braces;
    size_t from = len;
    while (isalnum((unsigned char)at[len]) || at[len] == '_')
        len++;
    if (len == from || (braces && at[len] != '}'))
        return 0;
    return len + braces;
}

/* A name once its variables have become something. */
static bool template_ok(const char *text, enum leat_name_scheme names)
{
    if (names == LEAT_NAMES_UTF8)
        return leat_label_name_is_utf8(leat_slice_str(text));
    bool first = true;
    for (const char *at = text; *at; first = false) {
        size_t len = *at == '$' ? variable(at) : 1;
        bool letter = *at == '$' || isalpha((unsigned char)*at) || *at == '_';
        if (len == 0 || (!letter && (first || !isdigit((unsigned char)*at))))
            return false;
        at += len;
    }
    return !first;
}

static bool is_default(const struct leat_relabel_conf *rule, bool regex_too)
{
    return strcmp(rule->separator, ";") == 0 && rule->modulus == 0 && strcmp(rule->replacement, "$1") == 0 &&
           (!regex_too || strcmp(rule->regex, "(.*)") == 0);
}

static leat_rc check_names(const struct leat_relabel_conf *rule, enum leat_name_scheme names, struct leat_err *reterr)
{
    const char *action = leat_relabel__action_name(rule->action);
    const char *target = rule->target_label ? rule->target_label : "";
    bool variables = rule->action == LEAT_RELABEL_REPLACE && has_variable(target);
    bool ok = variables ? template_ok(target, names) : leat_relabel__name_ok(leat_slice_str(target), names);
    if (NEEDS_TARGET & 1u << rule->action && !ok)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%.100s\" is invalid 'target_label' for %s action", target, action);
    if (rule->action == LEAT_RELABEL_LABELMAP && !template_ok(rule->replacement, names))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%.100s\" is invalid 'replacement' for %s action",
                          rule->replacement, action);
    for (uint32_t i = 0; i < rule->source_labels.count; i++)
        if (!leat_relabel__name_ok(leat_slice_str(rule->source_labels.at[i]), names))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%.100s\" is not a valid label name",
                              rule->source_labels.at[i]);
    return LEAT_OK;
}

leat_rc leat_relabel__rule_check(const struct leat_relabel_conf *rule, enum leat_name_scheme names,
                                 struct leat_err *reterr)
{
    uint32_t bit = 1u << rule->action;
    const char *action = leat_relabel__action_name(rule->action);
    bool target = rule->target_label && rule->target_label[0];
    if (rule->action == LEAT_RELABEL_HASHMOD && rule->modulus == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "relabel configuration for hashmod requires non-zero modulus");
    if (NEEDS_TARGET & bit && !target)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "relabel configuration for %s action requires 'target_label' value",
                          action);
    if (NO_REPLACEMENT & bit && strcmp(rule->replacement, "$1") != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "'replacement' can not be set for %s action", action);
    if (EQUALS & bit && !is_default(rule, true))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "%s action requires only 'source_labels' and `target_label`, and no other fields", action);
    if (NAMES_ONLY & bit && (rule->source_labels.count || target || !is_default(rule, false)))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s action requires only 'regex', and no other fields", action);
    return check_names(rule, names, reterr);
}
