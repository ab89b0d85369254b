/* SPDX-License-Identifier: Apache-2.0 */
#include "config/schema.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/prom_units.h"
#include "config/suggest.h"

/* ---- where we are ---- */

static size_t enter(struct leat_decoder *d, const char *key)
{
    size_t len = strlen(d->path);
    (void)snprintf(d->path + len, sizeof d->path - len, "%s%s", len ? "::" : "", key);
    return len;
}

static void leave(struct leat_decoder *d, size_t len)
{
    d->path[len] = 0;
}

static void say(struct leat_decoder *d, enum leat_severity severity, struct leat_mark mark, const char *fmt, ...)
    LEAT_PRINTF(4, 5);

static void say(struct leat_decoder *d, enum leat_severity severity, struct leat_mark mark, const char *fmt, ...)
{
    char text[1024], path[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)snprintf(path, sizeof path, "%s%s%s", d->root, d->path[0] && d->root[0] ? "::" : "", d->path);
    if (d->id && severity == LEAT_ERROR)
        leat_diag_add(d->yaml->diags, severity, mark, path, "error reading configuration for \"%s\": %s", d->id, text);
    else
        leat_diag_add(d->yaml->diags, severity, mark, path, "%s", text);
}

static void wrong_type(struct leat_decoder *d, const struct leat_node *node, const char *wanted)
{
    const char *kind = leat_node_kind_name(node);
    if (node->kind == LEAT_NODE_SCALAR)
        say(d, LEAT_ERROR, node->mark, "'%s' expected type '%s', got unconvertible type '%s', value: '%.100s'", d->path,
            wanted, kind, node->text);
    else
        say(d, LEAT_ERROR, node->mark, "'%s' expected type '%s', got unconvertible type '%s'", d->path, wanted, kind);
}

static leat_rc state(const struct leat_decoder *d)
{
    return d->yaml->arena->failed ? LEAT_ENOMEM : LEAT_OK;
}

/* ---- scalars ---- */

static void check_range(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node,
                        double value)
{
    if (field->min == 0 && field->max == 0)
        return;
    bool has_max = field->max > field->min;
    if (value >= field->min && (!has_max || value <= field->max))
        return;
    struct leat_strbuf min = {0}, max = {0};
    if (field->type == LEAT_DURATION) {
        leat_schema_duration_text((int64_t)field->min, &min);
        leat_schema_duration_text(has_max ? (int64_t)field->max : 0, &max);
    } else {
        leat_strbuf_printf(&min, "%.15g", field->min);
        leat_strbuf_printf(&max, "%.15g", field->max);
    }
    if (min.failed || max.failed)
        d->yaml->arena->failed = true;
    else if (has_max)
        say(d, LEAT_ERROR, node->mark, "'%s' must be between %s and %s, not %.100s", d->path, min.at, max.at,
            node->text);
    else
        say(d, LEAT_ERROR, node->mark, "'%s' must be at least %s, not %.100s", d->path, min.at, node->text);
    leat_strbuf_done(&min);
    leat_strbuf_done(&max);
}

static void put_bool(struct leat_decoder *d, const struct leat_node *node, bool *to)
{
    if (leat_node_scalar(node, to, NULL, NULL) != LEAT_SCALAR_BOOL)
        wrong_type(d, node, "bool");
}

static void put_int(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node, int64_t *to)
{
    double real = 0;
    int64_t value = 0;
    enum leat_scalar kind = leat_node_scalar(node, NULL, &value, &real);
    if (kind == LEAT_SCALAR_DOUBLE && real == floor(real) && fabs(real) < 0x1p53)
        value = (int64_t)real;
    else if (kind != LEAT_SCALAR_INT) {
        wrong_type(d, node, "int");
        return;
    }
    *to = value;
    check_range(d, field, node, (double)value);
}

static void put_double(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node, double *to)
{
    double value = 0;
    enum leat_scalar kind = leat_node_scalar(node, NULL, NULL, &value);
    if (kind != LEAT_SCALAR_INT && kind != LEAT_SCALAR_DOUBLE) {
        wrong_type(d, node, "float64");
        return;
    }
    *to = value;
    if (isfinite(value))
        check_range(d, field, node, value);
    else
        say(d, LEAT_ERROR, node->mark, "'%s' must be a finite number, not %.100s", d->path, node->text);
}

static leat_rc read_measure(const struct leat_field *field, const char *text, int64_t *ret, struct leat_err *reterr)
{
    if (field->flags & LEAT_PROM_UNITS)
        return field->type == LEAT_DURATION ? leat_prom_duration(text, ret, reterr) : leat_prom_size(text, ret, reterr);
    return field->type == LEAT_DURATION ? leat_schema_duration(text, ret, reterr) : leat_schema_size(text, ret, reterr);
}

/* Durations and sizes: a bare integer, or text with units. */
static void put_measure(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node,
                        int64_t *to)
{
    struct leat_err err;
    int64_t value = 0;
    leat_rc rc = LEAT_OK;
    if (field->flags & LEAT_PROM_UNITS || leat_node_scalar(node, NULL, &value, NULL) != LEAT_SCALAR_INT)
        rc = read_measure(field, node->text, &value, &err);
    if (rc != LEAT_OK) {
        say(d, LEAT_ERROR, node->mark, "'%s' %s", d->path, err.text);
        return;
    }
    *to = value;
    check_range(d, field, node, (double)value);
    if (field->min == 0 && field->max == 0 && field->type == LEAT_SIZE && value < 0)
        say(d, LEAT_ERROR, node->mark, "'%s' must not be negative", d->path);
}

static void put_enum(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node, int *to)
{
    struct leat_suggest near = leat_suggest_for(node->text);
    char list[512] = "";
    size_t len = 0;
    for (int i = 0; field->choices[i]; i++) {
        if (strcasecmp(field->choices[i], node->text) == 0) {
            *to = i;
            return;
        }
        leat_suggest_offer(&near, field->choices[i]);
        if (len < sizeof list)
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "",
                                    field->choices[i][0] ? field->choices[i] : "\"\"");
    }
    say(d, LEAT_ERROR, node->mark, "'%s' unknown value \"%.100s\" (valid values: [%s])%s%s%s", d->path, node->text,
        list, near.best ? "; did you mean \"" : "", near.best ? near.best : "", near.best ? "\"?" : "");
}

static void put_string(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node,
                       const char **to)
{
    *to = node->text;
    if (!(field->flags & LEAT_EXTENSION) || node->text[0] == 0)
        return;
    struct leat_extension_ref *ref = leat_arena_get(d->yaml->arena, sizeof *ref);
    char *path = leat_arena_printf(d->yaml->arena, "%s::%s", d->root, d->path);
    if (!ref || !path)
        return;
    *ref = (struct leat_extension_ref){node->text, path, node->mark, d->owner, d->refs};
    d->refs = ref;
}

/* ---- collections ---- */

static void split_commas(struct leat_decoder *d, const char *text, struct leat_strings *to)
{
    uint32_t count = text[0] ? 1 : 0, n = 0;
    for (const char *at = text; *at; at++)
        count += *at == ',';
    const char **list = leat_arena_array(d->yaml->arena, count, sizeof *list);
    for (const char *at = text; list && n < count; n++) {
        size_t len = strcspn(at, ",");
        list[n] = leat_arena_str(d->yaml->arena, at, len);
        at += len + (at[len] == ',');
    }
    *to = (struct leat_strings){list, list ? count : 0};
}

static void put_strings(struct leat_decoder *d, const struct leat_node *node, struct leat_strings *to)
{
    if (node->kind == LEAT_NODE_SCALAR) {
        split_commas(d, node->text, to);
        return;
    }
    if (node->kind != LEAT_NODE_LIST) {
        wrong_type(d, node, "[]string");
        return;
    }
    const char **list = leat_arena_array(d->yaml->arena, node->count, sizeof *list);
    *to = (struct leat_strings){list, 0};
    for (uint32_t i = 0; list && i < node->count; i++) {
        const struct leat_node *item = node->items[i];
        if (item->kind == LEAT_NODE_SCALAR || item->expanded)
            list[to->count++] = item->text;
        else
            wrong_type(d, item, "string");
    }
}

static void put_map(struct leat_decoder *d, const struct leat_node *node, struct leat_map *to)
{
    if (node->kind != LEAT_NODE_MAP) {
        wrong_type(d, node, "map");
        return;
    }
    struct leat_pair *pairs = leat_arena_array(d->yaml->arena, node->count, sizeof *pairs);
    *to = (struct leat_map){pairs, 0};
    for (uint32_t i = 0; pairs && i < node->count; i++) {
        const struct leat_node *value = node->pairs[i].value;
        size_t len = enter(d, node->pairs[i].key);
        if (value->kind == LEAT_NODE_SCALAR || value->expanded)
            pairs[to->count++] = (struct leat_pair){node->pairs[i].key, value->text};
        else
            wrong_type(d, value, "string");
        leave(d, len);
    }
}

static void put_value(struct leat_decoder *d, const struct leat_node *node, struct leat_value *to)
{
    static const enum leat_value_kind kinds[] = {LEAT_NULL, LEAT_VALUE_BOOL, LEAT_VALUE_INT, LEAT_VALUE_DOUBLE,
                                                 LEAT_VALUE_STRING};
    *to = (struct leat_value){.text = node->text};
    if (node->kind == LEAT_NODE_SCALAR) {
        bool truth = false;
        int64_t number = 0;
        double real = 0;
        to->kind = kinds[leat_node_scalar(node, &truth, &number, &real)];
        if (to->kind == LEAT_VALUE_BOOL)
            to->b = truth;
        else if (to->kind == LEAT_VALUE_INT)
            to->i = number;
        else if (to->kind == LEAT_VALUE_DOUBLE)
            to->d = real;
        return;
    }
    bool is_map = node->kind == LEAT_NODE_MAP;
    to->kind = is_map ? LEAT_VALUE_MAP : LEAT_VALUE_LIST;
    to->items = leat_arena_array(d->yaml->arena, node->count, sizeof *to->items);
    to->keys = is_map ? leat_arena_array(d->yaml->arena, node->count, sizeof *to->keys) : NULL;
    if (!to->items || (is_map && !to->keys))
        return;
    to->count = node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        put_value(d, is_map ? node->pairs[i].value : node->items[i], &to->items[i]);
        if (is_map)
            to->keys[i] = node->pairs[i].key;
    }
}

static void decode_map(struct leat_decoder *d, const struct leat_node *node, const struct leat_field_set *sets,
                       uint32_t set_count);
static void put_defaults(struct leat_decoder *d, const struct leat_field *fields, void *conf);

static void put_list(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node,
                     struct leat_items *to)
{
    if (node->kind != LEAT_NODE_LIST) {
        wrong_type(d, node, "list");
        return;
    }
    char *items = leat_arena_array(d->yaml->arena, node->count, field->item_size);
    *to = (struct leat_items){items, items ? node->count : 0};
    for (uint32_t i = 0; i < to->count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%u", i);
        size_t len = enter(d, name);
        struct leat_field_set set = {field->fields, items + (size_t)i * field->item_size};
        put_defaults(d, field->fields, set.conf);
        decode_map(d, node->items[i], &set, 1);
        leave(d, len);
    }
}

/* ---- a field ---- */

static bool asks_for_nothing(const struct leat_node *node)
{
    bool truth = true;
    if (node->kind != LEAT_NODE_SCALAR)
        return node->count == 0;
    enum leat_scalar kind = leat_node_scalar(node, &truth, NULL, NULL);
    return kind == LEAT_SCALAR_NULL || (kind == LEAT_SCALAR_BOOL && !truth);
}

static void put_section(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node,
                        char *conf)
{
    struct leat_field_set set = {field->fields, conf + field->offset};
    if (field->present)
        *(bool *)(void *)(conf + field->present - 1) = true;
    decode_map(d, node, &set, 1);
}

static bool takes_scalar(enum leat_field_type type)
{
    return type == LEAT_BOOL || type == LEAT_INT || type == LEAT_DOUBLE || type == LEAT_STRING ||
           type == LEAT_DURATION || type == LEAT_SIZE || type == LEAT_ENUM;
}

static const char *type_name(enum leat_field_type type)
{
    static const char *const names[] = {"bool", "int", "float64", "string", "duration", "size", "string"};
    return names[type];
}

static void put_field(struct leat_decoder *d, const struct leat_field *field, const struct leat_node *node, char *conf)
{
    void *to = conf + field->offset;
    struct leat_node text = *node;
    if (node->kind != LEAT_NODE_SCALAR && node->expanded && field->type == LEAT_STRING)
        text.kind = LEAT_NODE_SCALAR; /* a string field takes the text a map was made of */
    if (takes_scalar(field->type) && text.kind != LEAT_NODE_SCALAR) {
        wrong_type(d, node, type_name(field->type));
        return;
    }
    switch (field->type) {
    case LEAT_BOOL:
        put_bool(d, node, to);
        break;
    case LEAT_INT:
        put_int(d, field, node, to);
        break;
    case LEAT_DOUBLE:
        put_double(d, field, node, to);
        break;
    case LEAT_STRING:
        put_string(d, field, &text, to);
        break;
    case LEAT_DURATION:
    case LEAT_SIZE:
        put_measure(d, field, node, to);
        break;
    case LEAT_ENUM:
        put_enum(d, field, node, to);
        break;
    case LEAT_STRINGS:
        put_strings(d, node, to);
        break;
    case LEAT_MAP:
        put_map(d, node, to);
        break;
    case LEAT_SECTION:
        put_section(d, field, node, conf);
        break;
    case LEAT_INLINE:
        break; /* has no key of its own */
    case LEAT_LIST:
        put_list(d, field, node, to);
        break;
    case LEAT_VALUE:
        put_value(d, node, to);
        break;
    case LEAT_IGNORED:
        say(d, LEAT_WARNING, node->mark, "'%s' has no effect in leat: %s", d->path, field->doc);
        break;
    case LEAT_REFUSED:
        if (!asks_for_nothing(node))
            say(d, LEAT_ERROR, node->mark, "'%s' is not supported by leat: %s", d->path, field->doc);
        break;
    }
}

/* ---- defaults ---- */

static const char *default_of(const struct leat_decoder *d, const struct leat_field *field)
{
    for (const struct leat_default *row = d->defaults; row && row->path; row++)
        if (strcmp(row->path, d->path) == 0)
            return row->deflt;
    return field->deflt;
}

static void put_default(struct leat_decoder *d, const struct leat_field *field, char *conf)
{
    struct leat_mark mark = {"default", 0, 0};
    const char *deflt = default_of(d, field);
    if (field->type == LEAT_SECTION) {
        put_defaults(d, field->fields, conf + field->offset);
        if (deflt && field->present)
            *(bool *)(void *)(conf + field->present - 1) = true;
        return;
    }
    if (!deflt || field->type == LEAT_IGNORED || field->type == LEAT_REFUSED)
        return;
    struct leat_node scalar = {.text = deflt, .len = (uint32_t)strlen(deflt), .mark = mark};
    struct leat_node *node = &scalar;
    if ((!takes_scalar(field->type) || deflt[0] == '"') &&
        leat_yaml_parse(d->yaml, "default", deflt, strlen(deflt), &mark, false, &node) != LEAT_OK)
        return;
    put_field(d, field, node, conf);
}

static void put_defaults(struct leat_decoder *d, const struct leat_field *fields, void *conf)
{
    for (const struct leat_field *field = fields; field && field->key; field++) {
        if (field->type == LEAT_INLINE) {
            put_defaults(d, field->fields, (char *)conf + field->offset);
            continue;
        }
        size_t len = enter(d, field->key);
        put_default(d, field, conf);
        leave(d, len);
    }
}

/* ---- a map ---- */

static const struct leat_field *find_in(const struct leat_field *fields, const char *key, char *conf, char **ret_conf)
{
    for (const struct leat_field *field = fields; field && field->key; field++) {
        const struct leat_field *found = NULL;
        if (field->type == LEAT_INLINE)
            found = find_in(field->fields, key, conf + field->offset, ret_conf);
        else if (strcmp(field->key, key) == 0)
            *ret_conf = conf, found = field;
        if (found)
            return found;
    }
    return NULL;
}

static const struct leat_field *find_field(const struct leat_field_set *sets, uint32_t set_count, const char *key,
                                           char **ret_conf)
{
    const struct leat_field *found = NULL;
    for (uint32_t i = 0; i < set_count && !found; i++)
        found = find_in(sets[i].fields, key, sets[i].conf, ret_conf);
    return found;
}

static void offer_keys(struct leat_suggest *near, const struct leat_field *fields)
{
    for (const struct leat_field *field = fields; field && field->key; field++)
        if (field->type == LEAT_INLINE)
            offer_keys(near, field->fields);
        else
            leat_suggest_offer(near, field->key);
}

static void unknown_key(struct leat_decoder *d, const struct leat_node_pair *pair, const struct leat_field_set *sets,
                        uint32_t set_count)
{
    struct leat_suggest near = leat_suggest_for(pair->key);
    for (uint32_t i = 0; i < set_count; i++)
        offer_keys(&near, sets[i].fields);
    say(d, LEAT_ERROR, pair->mark, "'%s' has invalid keys: %.100s%s%s%s", d->path, pair->key,
        near.best ? "; did you mean \"" : "", near.best ? near.best : "", near.best ? "\"?" : "");
}

/* A null keeps the default; only a section is there by being named, and a string out of ${...} is its empty text. */
static bool null_says_something(const struct leat_field *field, const struct leat_node *node)
{
    return field->type == LEAT_SECTION || field->type == LEAT_VALUE || (field->type == LEAT_STRING && node->expanded);
}

static void decode_pair(struct leat_decoder *d, const struct leat_node_pair *pair, const struct leat_field_set *sets,
                        uint32_t set_count)
{
    char *conf = NULL;
    const struct leat_field *field = find_field(sets, set_count, pair->key, &conf);
    if (!field) {
        unknown_key(d, pair, sets, set_count);
        return;
    }
    size_t len = enter(d, pair->key);
    if (field->flags & LEAT_DEPRECATED)
        say(d, LEAT_WARNING, pair->mark, "'%s' is deprecated: %s", d->path, field->doc);
    if (!leat_node_is_null(pair->value) || null_says_something(field, pair->value))
        put_field(d, field, pair->value, conf);
    leave(d, len);
}

/* Required keys of the map, and of sections inside it that cannot be left out. */
static void check_required(struct leat_decoder *d, const struct leat_node *node, const struct leat_field *fields)
{
    for (const struct leat_field *field = fields; field && field->key; field++) {
        if (field->type == LEAT_INLINE) {
            check_required(d, node, field->fields);
            continue;
        }
        const struct leat_node_pair *pair = leat_node_find(node, field->key);
        size_t len = enter(d, field->key);
        if (field->flags & LEAT_REQUIRED && (!pair || leat_node_is_null(pair->value)))
            say(d, LEAT_ERROR, node->mark, "'%s' is required: %s", d->path, field->doc ? field->doc : field->key);
        else if (!pair && field->type == LEAT_SECTION && !field->present)
            check_required(d, node, field->fields);
        leave(d, len);
    }
}

static void check_sets(struct leat_decoder *d, const struct leat_node *node, const struct leat_field_set *sets,
                       uint32_t set_count)
{
    struct leat_node none = {.kind = LEAT_NODE_MAP, .mark = node->mark};
    for (uint32_t i = 0; i < set_count; i++)
        check_required(d, node->kind == LEAT_NODE_MAP ? node : &none, sets[i].fields);
}

static void decode_map(struct leat_decoder *d, const struct leat_node *node, const struct leat_field_set *sets,
                       uint32_t set_count)
{
    if (node->kind != LEAT_NODE_MAP && !leat_node_is_null(node)) {
        wrong_type(d, node, "map");
        return;
    }
    for (uint32_t i = 0; node->kind == LEAT_NODE_MAP && i < node->count; i++)
        decode_pair(d, &node->pairs[i], sets, set_count);
    check_sets(d, node, sets, set_count);
}

leat_rc leat_schema_decode(struct leat_decoder *d, const struct leat_node *node, const struct leat_field_set *sets,
                           uint32_t set_count)
{
    d->path[0] = 0;
    for (uint32_t i = 0; i < set_count; i++)
        put_defaults(d, sets[i].fields, sets[i].conf);
    decode_map(d, node, sets, set_count);
    return state(d);
}
