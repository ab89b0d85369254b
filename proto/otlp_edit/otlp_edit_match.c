/* SPDX-License-Identifier: Apache-2.0 */
/* include and exclude: every property that is given must hold. What is said about a resource or scope is found out once
 * for each. */
#include "agent/base/alloc.h"
#include "proto/otlp_edit/otlp_edit_inner.h"

struct texts { /* a list of which one must be met */
    struct leat_slice *strict;
    struct leat_regex **regexes;
    uint32_t count;
};
struct pair {
    struct leat_slice key;
    struct pb_buf bytes; /* of the value wanted */
    struct otlp_value value;
    struct leat_regex *regex;
    bool any;
};
struct pairs {
    struct pair *at;
    uint32_t count;
};
struct library {
    struct texts name, version; /* of one each; version: maybe none */
};

struct otlp_edit_match {
    struct texts services, span_names, bodies, severities, metric_names;
    struct pairs attributes, resources;
    struct library *libraries;
    uint32_t library_count;
    uint64_t resource_known, scope_known; /* the index that the next two are about */
    bool resource_meets, scope_meets;
};

/* ---- compiling ---- */

static leat_rc texts_open(const char *const *at, uint32_t count, bool regexp, struct texts *ret,
                          struct leat_err *reterr)
{
    ret->strict = leat_zalloc(count, sizeof *ret->strict);
    ret->regexes = leat_zalloc(count, sizeof *ret->regexes);
    if (!ret->strict || !ret->regexes)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < count; i++, ret->count++) {
        ret->strict[i] = leat_slice_str(at[i]);
        if (regexp)
            rc = leat_regex_open(at[i], &ret->regexes[i], reterr);
    }
    return rc;
}

static void texts_done(struct texts *texts)
{
    for (uint32_t i = 0; i < texts->count; i++)
        (void)leat_regex_close(texts->regexes[i]);
    leat_free(texts->strict);
    leat_free(texts->regexes);
}

static leat_rc pair_open(const struct otlp_edit_pair_conf *conf, bool regexp, struct pair *ret, struct leat_err *reterr)
{
    ret->key = leat_slice_str(conf->key);
    ret->any = conf->value.kind == LEAT_NULL;
    if (ret->any)
        return LEAT_OK;
    if (regexp && conf->value.kind == LEAT_VALUE_STRING)
        return leat_regex_open(conf->value.text, &ret->regex, reterr);
    if (regexp)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "match_type regexp: the value of \"%s\" must be a string",
                          conf->key);
    if (otlp_edit__value_compile(&conf->value, &ret->bytes) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    (void)otlp_value_of(leat_slice_of(ret->bytes.at, (uint32_t)ret->bytes.len), &ret->value);
    return LEAT_OK;
}

static leat_rc pairs_open(const struct leat_items *items, bool regexp, struct pairs *ret, struct leat_err *reterr)
{
    const struct otlp_edit_pair_conf *conf = items->at;
    ret->at = leat_zalloc(items->count, sizeof *ret->at);
    if (!ret->at)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < items->count; i++, ret->count++)
        rc = pair_open(&conf[i], regexp, &ret->at[i], reterr);
    return rc;
}

static void pairs_done(struct pairs *pairs)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        (void)leat_regex_close(pairs->at[i].regex);
        pb_buf_done(&pairs->at[i].bytes);
    }
    leat_free(pairs->at);
}

static leat_rc libraries_open(const struct leat_items *items, bool regexp, struct otlp_edit_match *match,
                              struct leat_err *reterr)
{
    const struct otlp_edit_library_conf *conf = items->at;
    match->libraries = leat_zalloc(items->count, sizeof *match->libraries);
    if (!match->libraries)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < items->count; i++) {
        struct library *library = &match->libraries[match->library_count++];
        rc = texts_open(&conf[i].name, 1, regexp, &library->name, reterr);
        if (rc == LEAT_OK && conf[i].version)
            rc = texts_open(&conf[i].version, 1, regexp, &library->version, reterr);
    }
    return rc;
}

leat_rc otlp_edit_match_open(const struct otlp_edit_match_conf *conf, struct otlp_edit_match **ret_match,
                             struct leat_err *reterr)
{
    struct otlp_edit_match *match = leat_zalloc(1, sizeof *match);
    if (!match)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    const struct {
        const struct leat_strings *from;
        struct texts *to;
    } lists[] = {{&conf->services, &match->services},
                 {&conf->span_names, &match->span_names},
                 {&conf->log_bodies, &match->bodies},
                 {&conf->log_severity_texts, &match->severities},
                 {&conf->metric_names, &match->metric_names}};
    bool regexp = conf->match_type == 1;
    leat_rc rc = LEAT_OK;
    for (size_t i = 0; rc == LEAT_OK && i < sizeof lists / sizeof *lists; i++)
        rc = texts_open(lists[i].from->at, lists[i].from->count, regexp, lists[i].to, reterr);
    if (rc == LEAT_OK)
        rc = pairs_open(&conf->attributes, regexp, &match->attributes, reterr);
    if (rc == LEAT_OK)
        rc = pairs_open(&conf->resources, regexp, &match->resources, reterr);
    if (rc == LEAT_OK)
        rc = libraries_open(&conf->libraries, regexp, match, reterr);
    if (rc != LEAT_OK) {
        (void)otlp_edit_match_close(match);
        return rc;
    }
    *ret_match = match;
    return LEAT_OK;
}

struct otlp_edit_match *otlp_edit_match_close(struct otlp_edit_match *match)
{
    if (!match)
        return NULL;
    texts_done(&match->services);
    texts_done(&match->span_names);
    texts_done(&match->bodies);
    texts_done(&match->severities);
    texts_done(&match->metric_names);
    pairs_done(&match->attributes);
    pairs_done(&match->resources);
    for (uint32_t i = 0; i < match->library_count; i++) {
        texts_done(&match->libraries[i].name);
        texts_done(&match->libraries[i].version);
    }
    leat_free(match->libraries);
    leat_free(match);
    return NULL;
}

/* ---- matching ---- */

static bool one_of(const struct texts *texts, struct leat_slice text)
{
    for (uint32_t i = 0; i < texts->count; i++)
        if (texts->regexes[i] ? leat_regex_find(texts->regexes[i], text) : leat_slice_eq(texts->strict[i], text))
            return true;
    return false;
}

static bool pair_met(const struct pair *pair, struct leat_slice fields, uint32_t number)
{
    struct otlp_attribute a;
    char room[64];
    struct leat_slice text;
    while (otlp_attribute_next(&fields, number, &a)) {
        if (!leat_slice_eq(a.key, pair->key))
            continue;
        if (pair->any)
            return true;
        if (!pair->regex)
            return otlp_edit__same(&a.value, &pair->value);
        return otlp_edit__text(&a.value, room, sizeof room, &text) && leat_regex_find(pair->regex, text);
    }
    return false;
}

static bool all_met(const struct pairs *pairs, struct leat_slice fields, uint32_t number)
{
    for (uint32_t i = 0; i < pairs->count; i++)
        if (!pair_met(&pairs->at[i], fields, number))
            return false;
    return true;
}

static bool resource_met(const struct otlp_edit_match *match, struct leat_slice resource)
{
    struct otlp_value service = {0};
    if (match->services.count && (!otlp_attribute_get(resource, 1, "service.name", &service) ||
                                  service.kind != OTLP_TEXT || !one_of(&match->services, service.text)))
        return false;
    return all_met(&match->resources, resource, 1);
}

static struct leat_slice text_field(struct leat_slice message, uint32_t number)
{
    struct pb_field f;
    return otlp_get(message, number, &f) && f.wire == PB_LEN ? leat_slice_of(f.at, f.len) : (struct leat_slice){0};
}

static bool scope_met(const struct otlp_edit_match *match, struct leat_slice scope)
{
    struct leat_slice name = text_field(scope, 1), version = text_field(scope, 2);
    for (uint32_t i = 0; i < match->library_count; i++)
        if (one_of(&match->libraries[i].name, name) &&
            (!match->libraries[i].version.count || one_of(&match->libraries[i].version, version)))
            return true;
    return match->library_count == 0;
}

/* A property of another signal cannot hold. */
static bool record_met(const struct otlp_edit_match *match, const struct otlp_edit_place *place,
                       struct leat_slice record)
{
    bool log = place->signal == LEAT_LOGS;
    struct otlp_value body;
    if (match->span_names.count && !(place->signal == LEAT_TRACES && one_of(&match->span_names, text_field(record, 5))))
        return false;
    if (match->severities.count && !(log && one_of(&match->severities, text_field(record, 3))))
        return false;
    if (match->metric_names.count &&
        !(place->signal == LEAT_METRICS && one_of(&match->metric_names, place->metric_name)))
        return false;
    return !match->bodies.count || (log && otlp_value_of(text_field(record, 5), &body) && body.kind == OTLP_TEXT &&
                                    one_of(&match->bodies, body.text));
}

bool otlp_edit__matches(struct otlp_edit_match *match, const struct otlp_edit_place *place, struct leat_slice record,
                        uint32_t attributes_number)
{
    if (match->resource_known != place->resource_index) {
        match->resource_known = place->resource_index;
        match->resource_meets = resource_met(match, place->resource);
    }
    if (match->scope_known != place->scope_index) {
        match->scope_known = place->scope_index;
        match->scope_meets = scope_met(match, place->scope);
    }
    return match->resource_meets && match->scope_meets && record_met(match, place, record) &&
           all_met(&match->attributes, record, attributes_number);
}

void otlp_edit__match_begin(struct otlp_edit_match *match)
{
    if (match)
        match->resource_known = match->scope_known = 0;
}
