/* SPDX-License-Identifier: Apache-2.0 */
/* What came: compared with what is known, and told. */
#include "agent/base/counter.h"
#include "agent/k8s/watch_inner.h"

#define OBJECTS_MAX 200000u

static void note_left_out(struct leat_k8s_watch *watch)
{
    watch->stats.left_out++;
    leat_count(LEAT_COUNT_K8S_LEFT_OUT, 1);
}

/* ---- telling ---- */

static leat_rc tell(struct leat_k8s_watch *watch, enum leat_k8s_event event, struct leat_slice json)
{
    const struct k8s_names *names = &watch->names;
    struct leat_k8s_object object = {.event = event, .json = json, .uid = names->uid, .ns = names->ns,
                                     .name = names->name, .version = names->version};
    return watch->events.changed(watch->ctx, &object);
}

/* An end can be told without what it was. It has to be taken: there is nothing left to list anew. */
static void tell_gone(struct leat_k8s_watch *watch, struct k8s_known *known, struct leat_slice json)
{
    struct leat_k8s_object object = {.event = LEAT_K8S_DELETED, .json = json, .uid = k8s_known_uid(known),
                                     .ns = k8s_known_ns(known), .name = k8s_known_name(known)};
    if (watch->events.changed(watch->ctx, &object) != LEAT_OK)
        note_left_out(watch);
    k8s_known_remove(&watch->known, known);
    watch->stats.objects = watch->known.count;
}

static void leave_out(struct leat_k8s_watch *watch)
{
    note_left_out(watch);
    watch->untaken = true;
}

/* ---- what is there ---- */

static void take_new(struct leat_k8s_watch *watch, struct leat_slice json, uint64_t version)
{
    const struct k8s_names *names = &watch->names;
    uint32_t max = watch->conf.objects_max ? watch->conf.objects_max : OBJECTS_MAX;
    if (watch->known.count >= max) {
        note_left_out(watch); /* it would not fit later either */
        return;
    }
    struct k8s_known *known = k8s_known_add(&watch->known, names->ns, names->name, names->uid);
    if (!known || tell(watch, LEAT_K8S_ADDED, json) != LEAT_OK) {
        leave_out(watch);
        if (known)
            k8s_known_remove(&watch->known, known);
        return;
    }
    known->version = version;
    known->pass = watch->pass;
    watch->stats.objects = watch->known.count;
}

static void take(struct leat_k8s_watch *watch, struct leat_slice json)
{
    const struct k8s_names *names = &watch->names;
    uint64_t version = k8s_version_hash(names->version);
    struct k8s_known *known = k8s_known_find(&watch->known, names->ns, names->name);
    if (known && !leat_slice_eq(k8s_known_uid(known), names->uid)) {
        tell_gone(watch, known, (struct leat_slice){0});
        known = NULL;
    }
    if (!known) {
        take_new(watch, json, version);
        return;
    }
    known->pass = watch->pass;
    if (known->version == version)
        return;
    known->version = version;
    if (tell(watch, LEAT_K8S_MODIFIED, json) == LEAT_OK)
        return;
    known->version = 0; /* it is there, as something older: its end must still be told */
    leave_out(watch);
}

/* ---- lists ---- */

leat_rc watch__item(struct leat_k8s_watch *watch, struct leat_slice json)
{
    if (!k8s_decode_object(json, &watch->names))
        return LEAT_EPARSE;
    take(watch, json);
    return LEAT_OK;
}

leat_rc watch__meta(struct leat_k8s_watch *watch, struct leat_slice json)
{
    struct k8s_list_meta meta;
    if (!k8s_decode_list_meta(json, &meta) || meta.version.len > K8S_NAME_MAX)
        return LEAT_EPARSE;
    memcpy(watch->version, meta.version.at ? (const char *)meta.version.at : "", meta.version.len);
    watch->version[meta.version.len] = 0;
    leat_strbuf_clear(&watch->page);
    leat_strbuf_put(&watch->page, meta.next.at, meta.next.len);
    watch->has_meta = true;
    return watch->page.failed ? LEAT_ENOMEM : LEAT_OK;
}

void watch__sweep(struct leat_k8s_watch *watch)
{
    for (uint32_t i = 0; i < watch->known.bucket_count; i++)
        for (struct k8s_known *known = watch->known.buckets[i], *next; known; known = next) {
            next = known->next;
            if (known->pass != watch->pass)
                tell_gone(watch, known, (struct leat_slice){0});
        }
}

/* ---- events ---- */

static void keep_version(struct leat_k8s_watch *watch)
{
    struct leat_slice version = watch->names.version;
    if (!version.len || version.len > K8S_NAME_MAX)
        return;
    memcpy(watch->version, version.at, version.len);
    watch->version[version.len] = 0;
}

static leat_rc take_error(struct leat_k8s_watch *watch, struct leat_slice json)
{
    struct k8s_status status;
    if (!k8s_decode_status(json, &status))
        return LEAT_EPARSE;
    if (status.code == 410) {
        watch->told_expired = true;
        return LEAT_ECANCELED;
    }
    watch->status = status.code > 200 && status.code < 600 ? (int)status.code : 500;
    uint32_t len = json.len < WATCH_STATUS_BYTES ? json.len : WATCH_STATUS_BYTES;
    memcpy(watch->status_body, json.at, len);
    watch->status_len = len;
    return LEAT_EREFUSED;
}

static leat_rc take_object(struct leat_k8s_watch *watch, const struct k8s_event *event)
{
    if (!k8s_decode_object(event->object, &watch->names))
        return LEAT_EPARSE;
    keep_version(watch);
    if (event->type != K8S_DELETED) {
        take(watch, event->object);
        return LEAT_OK;
    }
    struct k8s_known *known = k8s_known_find(&watch->known, watch->names.ns, watch->names.name);
    if (known && leat_slice_eq(k8s_known_uid(known), watch->names.uid))
        tell_gone(watch, known, event->object);
    return LEAT_OK;
}

leat_rc watch__event(struct leat_k8s_watch *watch, struct leat_slice json)
{
    struct k8s_event event;
    if (!k8s_decode_event(json, &event))
        return LEAT_EPARSE;
    watch->stats.events++;
    leat_count(LEAT_COUNT_K8S_EVENTS, 1);
    switch (event.type) {
    case K8S_ERROR:
        return take_error(watch, event.object);
    case K8S_BOOKMARK:
        if (!k8s_decode_version(event.object, &watch->names))
            return LEAT_EPARSE;
        watch->stats.bookmarks++;
        keep_version(watch);
        return LEAT_OK;
    case K8S_OTHER:
        return LEAT_OK; /* of a later Kubernetes */
    default:
        return take_object(watch, &event);
    }
}
