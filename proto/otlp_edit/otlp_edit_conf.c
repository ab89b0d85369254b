/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp_edit/otlp_edit_inner.h"

#define A(member) LEAT_AT(struct otlp_edit_action_conf, member)
#define M(member) LEAT_AT(struct otlp_edit_match_conf, member)
#define NOT_LISTED "match by other properties; this one is not looked at"

static const char *const verbs[] = {"insert", "update", "upsert", "delete", "hash", "extract", "convert", NULL};
static const char *const types[] = {"int", "double", "string", "boolean", "", NULL};
static const char *const match_types[] = {"strict", "regexp", "", NULL};
enum { TYPE_NONE = 4, MATCH_NONE = 2 };

const struct leat_field otlp_edit_action_fields[] = {
    {"action", LEAT_ENUM, A(action), NULL, "what to do with the attribute", LEAT_REQUIRED, .choices = verbs},
    {"key", LEAT_STRING, A(key), NULL, "the attribute"},
    {"value", LEAT_VALUE, A(value), NULL, "the value to set: insert, update, upsert"},
    {"from_attribute", LEAT_STRING, A(from_attribute), NULL, "take the value of this attribute"},
    {"from_context", LEAT_STRING, A(from_context), NULL, "take it from the request: metadata.NAME, a client header"},
    {"default_value", LEAT_VALUE, A(default_value), NULL, "the value when from_attribute or from_context has none"},
    {"pattern", LEAT_STRING, A(pattern), NULL,
     "extract: a regular expression whose named groups become attributes; delete, hash: keys that match it"},
    {"converted_type", LEAT_ENUM, A(converted_type), "\"\"", "convert: the type to make of it", .choices = types},
    {0}};

static const struct leat_field pair_fields[] = {
    {"key", LEAT_STRING, LEAT_AT(struct otlp_edit_pair_conf, key), NULL, "must be there", LEAT_REQUIRED},
    {"value", LEAT_VALUE, LEAT_AT(struct otlp_edit_pair_conf, value), NULL, "and have this value; any when not given"},
    {0}};
static const struct leat_field library_fields[] = {
    {"name", LEAT_STRING, LEAT_AT(struct otlp_edit_library_conf, name), NULL, "the scope's name", LEAT_REQUIRED},
    {"version", LEAT_STRING, LEAT_AT(struct otlp_edit_library_conf, version), NULL, "its version; any when not given"},
    {0}};

const struct leat_field otlp_edit_match_fields[] = {
    {"match_type", LEAT_ENUM, M(match_type), "\"\"", "how texts are compared", .choices = match_types},
    {"services", LEAT_STRINGS, M(services), NULL, "service.name of the resource is one of these"},
    {"span_names", LEAT_STRINGS, M(span_names), NULL, "the span's name is one of these"},
    {"log_bodies", LEAT_STRINGS, M(log_bodies), NULL, "the log's body is a text and one of these"},
    {"log_severity_texts", LEAT_STRINGS, M(log_severity_texts), NULL, "the log's severity text is one of these"},
    {"metric_names", LEAT_STRINGS, M(metric_names), NULL, "the metric's name is one of these"},
    {.key = "attributes",
     .type = LEAT_LIST,
     .offset = M(attributes),
     .fields = pair_fields,
     .item_size = sizeof(struct otlp_edit_pair_conf),
     .doc = "all of these are attributes of the record"},
    {.key = "resources",
     .type = LEAT_LIST,
     .offset = M(resources),
     .fields = pair_fields,
     .item_size = sizeof(struct otlp_edit_pair_conf),
     .doc = "all of these are attributes of the resource"},
    {.key = "libraries",
     .type = LEAT_LIST,
     .offset = M(libraries),
     .fields = library_fields,
     .item_size = sizeof(struct otlp_edit_library_conf),
     .doc = "the scope is one of these"},
    {"span_kinds", LEAT_REFUSED, 0, NULL, NOT_LISTED},
    {"log_severity_number", LEAT_REFUSED, 0, NULL, NOT_LISTED},
    {"regexp", LEAT_IGNORED, 0, NULL, "expressions are cached by being compiled once"},
    {0}};

/* ---- actions ---- */

static bool has(const struct leat_value *value)
{
    return value->kind != LEAT_NULL;
}

static leat_rc check_source(const struct otlp_edit_action_conf *action, struct leat_err *reterr)
{
    int sources = has(&action->value) + (action->from_attribute != NULL) + (action->from_context != NULL);
    if (!action->key || !*action->key)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s needs a key", verbs[action->action]);
    if (sources != 1)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s of \"%s\" needs one of value, from_attribute and from_context",
                          verbs[action->action], action->key);
    if (action->from_context && strncmp(action->from_context, "metadata.", 9) != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "from_context \"%s\": only metadata.NAME (a client header) is known here",
                          action->from_context);
    if (has(&action->default_value) && has(&action->value))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%s\": default_value is for from_attribute and from_context",
                          action->key);
    if (action->pattern)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%s\": pattern is for extract, delete and hash", action->key);
    return LEAT_OK;
}

static leat_rc check_regex(const struct otlp_edit_action_conf *action, struct leat_err *reterr)
{
    struct leat_regex *regex;
    leat_rc rc = leat_regex_open(action->pattern, &regex, reterr);
    if (rc != LEAT_OK)
        return rc;
    uint32_t groups = leat_regex_groups(regex);
    if (action->action == OTLP_EDIT_EXTRACT) {
        if (groups == 0)
            rc = LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extract: pattern \"%s\" has no named group", action->pattern);
        for (uint32_t i = 1; rc == LEAT_OK && i <= groups; i++)
            if (!leat_regex_name(regex, i))
                rc = LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extract: pattern \"%s\" has a group without a name",
                                action->pattern);
    }
    (void)leat_regex_close(regex);
    return rc;
}

static leat_rc check_action(const struct otlp_edit_action_conf *action, struct leat_err *reterr)
{
    bool sources = has(&action->value) || has(&action->default_value) || action->from_attribute || action->from_context;
    const char *verb = verbs[action->action], *key = action->key && *action->key ? action->key : NULL;
    bool either = action->action == OTLP_EDIT_DELETE || action->action == OTLP_EDIT_HASH;
    if (action->action <= OTLP_EDIT_UPSERT)
        return check_source(action, reterr);
    if (sources)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s takes no value", verb);
    if (!key && !(either && action->pattern))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, either ? "%s needs a key or a pattern" : "%s needs a key", verb);
    if (action->action == OTLP_EDIT_EXTRACT && !action->pattern)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extract of \"%s\" needs a pattern", key);
    if (action->action == OTLP_EDIT_CONVERT && (action->converted_type == TYPE_NONE || action->pattern))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "convert of \"%s\" needs a converted_type and no pattern", key);
    return action->pattern ? check_regex(action, reterr) : LEAT_OK;
}

leat_rc otlp_edit_check(const struct leat_items *actions, const char *list_name, struct leat_err *reterr)
{
    const struct otlp_edit_action_conf *at = actions->at;
    if (actions->count == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s must not be empty", list_name);
    for (uint32_t i = 0; i < actions->count; i++)
        if (check_action(&at[i], reterr) != LEAT_OK)
            return leat_err_wrap(reterr, "%s[%u]", list_name, i);
    return LEAT_OK;
}

/* ---- matches ---- */

leat_rc otlp_edit_match_check(const struct otlp_edit_match_conf *conf, struct leat_err *reterr)
{
    if (conf->match_type == MATCH_NONE)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "match_type must be strict or regexp");
    if (!conf->services.count && !conf->span_names.count && !conf->log_bodies.count &&
        !conf->log_severity_texts.count && !conf->metric_names.count && !conf->attributes.count &&
        !conf->resources.count && !conf->libraries.count)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "at least one property to match by must be given");
    struct otlp_edit_match *match;
    leat_rc rc = otlp_edit_match_open(conf, &match, reterr);
    if (rc == LEAT_OK)
        (void)otlp_edit_match_close(match);
    return rc;
}
