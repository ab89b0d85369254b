/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about a file once, for all its records: resource and attributes, encoded. The operators that add, move
 * and remove fields are applied here and cost nothing per record. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/alloc.h"
#include "proto/otlp/otlp_put.h"
#include "receivers/file_log/file_log.h"

#define ENTRIES_MAX 128u
#define NUMBER_RESOURCE_ATTRIBUTE 1u
#define NUMBER_LOG_ATTRIBUTE 6u
#define TAG_RESOURCE 0x0a /* ResourceLogs.resource */
#define KEY_STREAM "log.iostream"
#define KEY_TAG "logtag"
#define KEY_NUMBER "log.file.record_number"
#define KEY_OFFSET "log.file.record_offset"

/* What an attribute's value is: a text known per file, or something of each record. */
enum source { TEXT, OF_STREAM, OF_TAG, OF_NUMBER, OF_OFFSET, REMOVED };

struct entry {
    struct leat_slice key, value;
    bool resource;
    enum source source;
};
struct entries {
    struct entry at[ENTRIES_MAX];
    uint32_t count;
};

static void add(struct entries *list, bool resource, struct leat_slice key, struct leat_slice value, enum source source)
{
    uint32_t i = 0;
    while (i < list->count &&
           (list->at[i].resource != resource || !leat_slice_eq(list->at[i].key, key) || list->at[i].source == REMOVED))
        i++;
    if (i == ENTRIES_MAX)
        return; /* file_log__check bounds what a configuration can add */
    list->at[i] = (struct entry){key, value, resource, source};
    if (i == list->count)
        list->count++;
}

static struct entry *find(struct entries *list, const struct file_log_field_ref *ref)
{
    struct leat_slice key = leat_slice_of(ref->key, ref->key_len);
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i].source != REMOVED && list->at[i].resource == (ref->place == FILE_LOG_RESOURCE) &&
            leat_slice_eq(list->at[i].key, key))
            return &list->at[i];
    return NULL;
}

/* ---- <namespace>_<pod>_<uid>/<container>/<restarts>.log[.<when>] ---- */

struct pod_path {
    struct leat_slice namespace, pod, uid, container, restarts;
};

static const char *last(const char *from, const char *end, char c)
{
    while (end > from && end[-1] != c)
        end--;
    return end > from ? end - 1 : NULL;
}

static struct leat_slice between(const char *from, const char *to)
{
    return leat_slice_of(from, (uint32_t)(to - from));
}

static bool is_uid(struct leat_slice s)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (!isxdigit(s.at[i]) && s.at[i] != '-')
            return false;
    return s.len > 0;
}

static bool parse_pod_path(const char *path, struct pod_path *ret)
{
    const char *end = path + strlen(path), *file = last(path, end, '/');
    const char *folder = file ? last(path, file, '/') : NULL, *root = folder ? last(path, folder, '/') : NULL;
    if (!root)
        return false;
    const char *digits = file + 1;
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || strncmp(digits + n, ".log", 4) != 0 || (digits[n + 4] && digits[n + 4] != '.'))
        return false;
    const char *uid = last(root + 1, folder, '_'), *pod = uid ? last(root + 1, uid, '_') : NULL;
    if (!pod)
        return false;
    *ret = (struct pod_path){between(root + 1, pod), between(pod + 1, uid), between(uid + 1, folder),
                             between(folder + 1, file), leat_slice_of(digits, (uint32_t)n)};
    return ret->namespace.len && ret->pod.len && ret->container.len && is_uid(ret->uid);
}

static void add_pod(struct entries *list, const char *path)
{
    struct pod_path pod;
    if (!parse_pod_path(path, &pod))
        return;
    add(list, true, LEAT_SLICE("k8s.namespace.name"), pod.namespace, TEXT);
    add(list, true, LEAT_SLICE("k8s.pod.name"), pod.pod, TEXT);
    add(list, true, LEAT_SLICE("k8s.pod.uid"), pod.uid, TEXT);
    add(list, true, LEAT_SLICE("k8s.container.name"), pod.container, TEXT);
    add(list, true, LEAT_SLICE("k8s.container.restart_count"), pod.restarts, TEXT);
}

/* ---- operators ---- */

static void apply_one(struct entries *list, const struct file_log_operator *op)
{
    struct file_log_field_ref ref, to;
    if (strcmp(op->type, "add") == 0 && file_log__field_parse(op->field, &ref))
        add(list, ref.place == FILE_LOG_RESOURCE, leat_slice_of(ref.key, ref.key_len), leat_slice_str(op->value.text),
            TEXT);
    struct entry *entry = NULL;
    if (strcmp(op->type, "remove") == 0 && file_log__field_parse(op->field, &ref))
        entry = find(list, &ref);
    if (entry)
        entry->source = REMOVED;
    if (strcmp(op->type, "move") != 0 || !file_log__field_parse(op->from, &ref) || !file_log__field_parse(op->to, &to))
        return;
    entry = find(list, &ref);
    if (!entry)
        return;
    struct entry moved = *entry;
    entry->source = REMOVED;
    add(list, to.place == FILE_LOG_RESOURCE, leat_slice_of(to.key, to.key_len), moved.value, moved.source);
}

static void apply(struct entries *list, const struct file_log_conf *conf)
{
    const struct file_log_operator *op = conf->operators.at;
    for (uint32_t i = 0; i < conf->operators.count; i++)
        apply_one(list, &op[i]);
}

static void add_map(struct entries *list, bool resource, const struct leat_map *map)
{
    for (uint32_t i = 0; i < map->count; i++)
        add(list, resource, leat_slice_str(map->at[i].key), leat_slice_str(map->at[i].value), TEXT);
}

static void add_records(struct entries *list, const struct file_log *state)
{
    if (state->container) {
        add(list, false, LEAT_SLICE(KEY_STREAM), LEAT_SLICE(""), OF_STREAM);
        add(list, false, LEAT_SLICE(KEY_TAG), LEAT_SLICE(""), OF_TAG);
    }
    if (state->conf->include_file_record_number)
        add(list, false, LEAT_SLICE(KEY_NUMBER), LEAT_SLICE(""), OF_NUMBER);
    if (state->conf->include_file_record_offset)
        add(list, false, LEAT_SLICE(KEY_OFFSET), LEAT_SLICE(""), OF_OFFSET);
}

/* ---- encoding ---- */

static uint32_t size_of(const struct entries *list, bool resource)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i].source == TEXT && list->at[i].resource == resource)
            size += otlp_put_string_size(list->at[i].key, list->at[i].value);
    return size;
}

static void encode(const struct entries *list, bool resource, uint8_t *at)
{
    uint32_t number = resource ? NUMBER_RESOURCE_ATTRIBUTE : NUMBER_LOG_ATTRIBUTE;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i].source == TEXT && list->at[i].resource == resource)
            at = otlp_put_string(at, number, list->at[i].key, list->at[i].value);
}

static leat_rc keep(struct file_log_file *file, const struct entries *list)
{
    uint32_t inner = size_of(list, true), size = size_of(list, false);
    uint32_t whole = 1 + pb_varint_size(inner) + inner;
    uint8_t *resource = leat_alloc(whole), *attributes = leat_alloc(size + 1);
    if (!resource || !attributes) {
        leat_free(resource);
        leat_free(attributes);
        return LEAT_ENOMEM;
    }
    resource[0] = TAG_RESOURCE;
    encode(list, true, pb_put_varint(resource + 1, inner));
    encode(list, false, attributes);
    file->resource = resource;
    file->resource_len = whole;
    file->attributes = attributes;
    file->attributes_len = size;
    return LEAT_OK;
}

leat_rc file_log__describe(struct file_log *state, struct file_log_file *file)
{
    if (file->resource)
        return LEAT_OK;
    struct entries list = {.count = 0};
    const struct file_log_conf *conf = state->conf;
    const char *slash = strrchr(file->name, '/');
    char mode[8];
    add_map(&list, true, &conf->resource);
    add_map(&list, false, &conf->attributes);
    if (conf->include_file_name)
        add(&list, false, LEAT_SLICE("log.file.name"), leat_slice_str(slash ? slash + 1 : file->name), TEXT);
    if (conf->include_file_path)
        add(&list, false, LEAT_SLICE("log.file.path"), leat_slice_str(file->name), TEXT);
    if (conf->include_file_permissions) {
        (void)snprintf(mode, sizeof mode, "0%o", file->mode & 07777u);
        add(&list, false, LEAT_SLICE("log.file.permissions"), leat_slice_str(mode), TEXT);
    }
    if (state->container && state->container->add_metadata)
        add_pod(&list, file->name);
    add_records(&list, state);
    apply(&list, conf);
    return keep(file, &list);
}

/* ---- what each record brings: under which key, if any ---- */

static void put_stream(struct file_log *state, struct leat_slice key)
{
    static const char *const names[] = {"", "stdout", "stderr"};
    for (uint32_t i = 1; i < FILE_LOG_STREAMS; i++) {
        struct leat_slice value = leat_slice_str(names[i]);
        if (otlp_put_string_size(key, value) > sizeof state->stream_attr[i])
            continue; /* file_log__check bounds keys */
        uint8_t *end = otlp_put_string(state->stream_attr[i], NUMBER_LOG_ATTRIBUTE, key, value);
        state->stream_attr_len[i] = (uint32_t)(end - state->stream_attr[i]);
    }
}

static void note_key(struct file_log *state, const struct entry *entry)
{
    char *key = entry->source == OF_TAG      ? state->tag_key
                : entry->source == OF_NUMBER ? state->number_key
                : entry->source == OF_OFFSET ? state->offset_key
                                             : NULL;
    if (entry->source == OF_STREAM)
        put_stream(state, entry->key);
    else if (key)
        (void)snprintf(key, FILE_LOG_KEY_MAX, "%.*s", LEAT_SLICE_ARGS(entry->key));
}

void file_log__describe_records(struct file_log *state)
{
    struct entries list = {.count = 0};
    add_records(&list, state);
    apply(&list, state->conf);
    for (uint32_t i = 0; i < list.count; i++)
        note_key(state, &list.at[i]);
}
