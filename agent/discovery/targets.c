/* SPDX-License-Identifier: Apache-2.0 */
/* Finished lists of targets, and the URLs they are asked at. */
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/base/arena.h"
#include "agent/discovery/targets.h"

struct leat_targets *leat_targets_ref(struct leat_targets *targets)
{
    __atomic_add_fetch(&targets->refs, 1, __ATOMIC_RELAXED);
    return targets;
}

struct leat_targets *leat_targets_unref(struct leat_targets *targets)
{
    if (targets && __atomic_sub_fetch(&targets->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        struct leat_target_list *list = LEAT_CONTAINER(targets, struct leat_target_list, shown);
        leat_arena_done(&list->arena);
        leat_free(list);
    }
    return NULL;
}

bool leat_target_eq(const struct leat_target *a, const struct leat_target *b)
{
    return a->hash == b->hash && leat_slice_eq(a->url, b->url) && leat_labels_eq(a->labels, b->labels);
}

/* ---- making a list ---- */

struct leat_target_list *leat_target_list_new(uint32_t job)
{
    struct leat_target_list *list = leat_zalloc(1, sizeof *list);
    if (list)
        list->shown = (struct leat_targets){.refs = 1, .job = job};
    return list;
}

static struct leat_slice keep(struct leat_arena *arena, struct leat_slice text)
{
    char *copy = leat_arena_str(arena, (const char *)text.at, text.len);
    return leat_slice_of(copy ? copy : "", copy ? text.len : 0);
}

static uint64_t hash_shown(struct leat_labels labels)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < labels.count; i++)
        if (labels.at[i].name.len < 2 || memcmp(labels.at[i].name.at, "__", 2) != 0)
            hash = leat_labels_hash((struct leat_labels){&labels.at[i], 1}, hash);
    return hash;
}

leat_rc leat_target_list_add(struct leat_target_list *list, struct leat_labels labels, struct leat_slice url,
                             int64_t interval_ns, int64_t timeout_ns)
{
    struct leat_target *at = (struct leat_target *)(uintptr_t)list->shown.at;
    struct leat_label *copy = leat_arena_array(&list->arena, labels.count, sizeof *copy);
    if (list->shown.count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 16;
        at = leat_arena_grow(&list->arena, at, list->shown.count, room, sizeof *at);
        if (!at)
            return LEAT_ENOMEM;
        list->shown.at = at;
        list->room = room;
    }
    for (uint32_t i = 0; copy && i < labels.count; i++)
        copy[i] = (struct leat_label){keep(&list->arena, labels.at[i].name), keep(&list->arena, labels.at[i].value)};
    struct leat_target target = {.labels = {copy, labels.count},
                                 .url = keep(&list->arena, url),
                                 .interval_ns = interval_ns,
                                 .timeout_ns = timeout_ns};
    if (list->arena.failed)
        return LEAT_ENOMEM;
    target.hash = leat_labels_hash((struct leat_labels){&(struct leat_label){target.url, target.url}, 1},
                                   leat_labels_hash(target.labels, 0));
    target.shown_hash = hash_shown(target.labels);
    at[list->shown.count++] = target;
    return LEAT_OK;
}

static int by_labels(const void *left, const void *right)
{
    const struct leat_target *a = left, *b = right;
    int order = leat_labels_compare(a->labels, b->labels);
    return order ? order : strcmp((const char *)a->url.at, (const char *)b->url.at);
}

void leat_target_list_finish(struct leat_target_list *list)
{
    struct leat_target *at = (struct leat_target *)(uintptr_t)list->shown.at;
    uint32_t count = 0;
    if (list->shown.count)
        qsort(at, list->shown.count, sizeof *at, by_labels);
    for (uint32_t i = 0; i < list->shown.count; i++)
        if (count && leat_target_eq(&at[count - 1], &at[i]))
            list->shown.duplicate++;
        else
            at[count++] = at[i];
    list->shown.count = count;
}

bool leat_target_list_eq(const struct leat_targets *a, const struct leat_targets *b)
{
    bool same = a->count == b->count && a->dropped == b->dropped && a->invalid == b->invalid &&
                a->duplicate == b->duplicate && a->left_out == b->left_out;
    for (uint32_t i = 0; i < a->count && same; i++)
        same = leat_target_eq(&a->at[i], &b->at[i]);
    return same;
}

/* ---- URLs, escaped as Go's net/url does it ---- */

static void put_escaped(struct leat_strbuf *out, struct leat_slice text, const char *also, bool plus)
{
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (plain || (c && strchr("-_.~", c)) || (c && strchr(also, c)))
            leat_strbuf_putc(out, (char)c);
        else if (c == ' ' && plus)
            leat_strbuf_putc(out, '+');
        else
            leat_strbuf_printf(out, "%%%02X", c);
    }
}

static void put_param(struct leat_strbuf *out, bool *first, struct leat_slice name, struct leat_slice value)
{
    leat_strbuf_putc(out, *first ? '?' : '&');
    *first = false;
    put_escaped(out, name, "", true);
    leat_strbuf_putc(out, '=');
    put_escaped(out, value, "", true);
}

#define PREFIX "__param_"
#define PREFIX_LEN (sizeof PREFIX - 1)

/* Labels and configured parameters are both sorted by name: merged in one walk. */
static void put_params(struct leat_labels labels, struct leat_params params, struct leat_strbuf *out)
{
    uint32_t label = 0, param = 0;
    bool first = true;
    for (;;) {
        while (label < labels.count && (labels.at[label].name.len <= PREFIX_LEN ||
                                        memcmp(labels.at[label].name.at, PREFIX, PREFIX_LEN) != 0))
            label++;
        bool has_label = label < labels.count, has_param = param < params.count;
        if (!has_label && !has_param)
            return;
        struct leat_slice name = {0};
        int order = has_label ? -1 : 1;
        if (has_label)
            name = leat_slice_sub(labels.at[label].name, PREFIX_LEN,
                                  labels.at[label].name.len - (uint32_t)PREFIX_LEN);
        if (has_label && has_param) {
            struct leat_label a = {name, name}, b = {leat_slice_str(params.at[param].name), name};
            order = leat_labels_compare((struct leat_labels){&a, 1}, (struct leat_labels){&b, 1});
        }
        const struct leat_param *conf = order >= 0 ? &params.at[param] : NULL;
        if (order <= 0)
            put_param(out, &first, name, labels.at[label].value);
        for (uint32_t i = order == 0; conf && i < conf->values.count; i++)
            put_param(out, &first, leat_slice_str(conf->name), leat_slice_str(conf->values.at[i]));
        label += order <= 0;
        param += order >= 0;
    }
}

void leat_target_url_put(struct leat_labels labels, const char *path, struct leat_params params, struct leat_strbuf *out)
{
    struct leat_slice scheme = leat_labels_get(labels, LEAT_SLICE("__scheme__"));
    struct leat_slice address = leat_labels_get(labels, LEAT_SLICE("__address__"));
    struct leat_slice where = path ? leat_slice_str(path) : leat_labels_get(labels, LEAT_SLICE("__metrics_path__"));
    leat_strbuf_printf(out, "%.*s://%.*s", LEAT_SLICE_ARGS(scheme), LEAT_SLICE_ARGS(address));
    if (where.len == 0 || where.at[0] != '/')
        leat_strbuf_putc(out, '/');
    put_escaped(out, where, "$&+,/:;=@", false);
    put_params(labels, params, out);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct leat_param *)left)->name, ((const struct leat_param *)right)->name);
}

leat_rc leat_params_of(const struct leat_value *value, struct leat_arena *arena, struct leat_params *ret_params,
                       struct leat_err *reterr)
{
    *ret_params = (struct leat_params){0};
    if (value->kind == LEAT_NULL)
        return LEAT_OK;
    if (value->kind != LEAT_VALUE_MAP)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "params takes a map of names to lists of values");
    struct leat_param *at = leat_arena_array(arena, value->count, sizeof *at);
    for (uint32_t i = 0; at && i < value->count; i++) {
        const struct leat_value *list = &value->items[i];
        if (list->kind != LEAT_VALUE_LIST)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "params: \"%.60s\" takes a list of values", value->keys[i]);
        const char **values = leat_arena_array(arena, list->count, sizeof *values);
        for (uint32_t k = 0; values && k < list->count; k++)
            if (!(values[k] = list->items[k].text))
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "params: \"%.60s\" takes strings", value->keys[i]);
        at[i] = (struct leat_param){value->keys[i], {values, list->count}};
    }
    if (arena->failed)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (value->count)
        qsort(at, value->count, sizeof *at, by_name);
    *ret_params = (struct leat_params){at, value->count};
    return LEAT_OK;
}

/* ---- for people ---- */

void leat_labels_dump(struct leat_labels labels, struct leat_strbuf *out)
{
    leat_strbuf_putc(out, '{');
    for (uint32_t i = 0; i < labels.count; i++) {
        leat_strbuf_puts(out, i ? ", " : "");
        if (leat_label_name_is_classic(labels.at[i].name))
            leat_strbuf_put(out, labels.at[i].name.at, labels.at[i].name.len);
        else
            leat_strbuf_json(out, labels.at[i].name.at, labels.at[i].name.len);
        leat_strbuf_putc(out, '=');
        leat_strbuf_json(out, labels.at[i].value.at, labels.at[i].value.len);
    }
    leat_strbuf_putc(out, '}');
}
