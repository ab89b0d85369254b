/* SPDX-License-Identifier: Apache-2.0 */
/* watch -- the objects of one resource path, listed and then followed: what is there, what changed, what went.
 *
 * Why      pods for metadata, pods, services and endpoints for discovery: the same list, watch, bookmark, 410 and backoff.
 * Threads  the client's loop; callbacks never come from inside _open or _close.
 * Owns     objects are borrowed during the callback. A watch remembers key, uid and resourceVersion of each object, no more.
 * Limits   an object of object_bytes_max is left out and counted; objects_max objects, the rest is left out and counted.
 * Fails    open: LEAT_ENOMEM, LEAT_EINVAL. Afterwards nothing ends it: each failure is a counter, a rate-limited log line
 *          that names server and path, and another try after a jittered backoff (1 s doubling to 60 s, Retry-After wins);
 *          what is known stays known meanwhile. 410: listed anew. 401 and 403 are alarms and are tried again like the rest.
 *
 * Order    `changed` for each object listed, then `synced`; then `changed` as events arrive. A later list (410, lost
 *          connection without resourceVersion) reports differences only: ADDED, MODIFIED when the resourceVersion differs,
 *          DELETED for what is gone, then `synced` again. An object that was replaced under the same name (another uid) is
 *          reported as DELETED and ADDED. */
#pragma once
#include "agent/base/strbuf.h"
#include "agent/k8s/client.h"

enum leat_k8s_event { LEAT_K8S_ADDED, LEAT_K8S_MODIFIED, LEAT_K8S_DELETED };

struct leat_k8s_object {
    enum leat_k8s_event event;
    struct leat_slice json;                  /* the object, flat and known to be JSON; empty when DELETED by a list */
    struct leat_slice uid, ns, name, version; /* unescaped; ns is empty for cluster-wide objects */
};

struct leat_k8s_watch_conf {
    const char *path;                            /* "/api/v1/pods", "/api/v1/namespaces/x/services"; copied */
    const char *field_selector, *label_selector; /* as written, not yet percent-encoded; NULL or "": none; copied */
    bool metadata_only;        /* asks for PartialObjectMetadata: `json` has metadata and nothing else */
    uint32_t page_items;       /* 0: 500 */
    uint32_t object_bytes_max; /* 0: 2 MiB, above what etcd stores */
    uint32_t objects_max;      /* 0: 200,000 */
    const char *who;           /* component id for log lines; copied */
};

struct leat_k8s_watch_events {
    /* Anything but LEAT_OK: ADDED or MODIFIED could not be taken now and is told again by a list after a while. DELETED must
     * be taken. */
    leat_rc (*changed)(void *ctx, const struct leat_k8s_object *object);
    void (*synced)(void *ctx); /* NULL: not asked for */
};

struct leat_k8s_watch_stats {
    uint64_t lists, pages, events, bookmarks; /* complete lists; their pages; events of any kind */
    uint64_t rewatches;                       /* watches that ended and went on from where they were */
    uint64_t expired;                         /* 410: listed anew */
    uint64_t unauthorized, forbidden, throttled, server_errors; /* 401, 403, 429, other answers */
    uint64_t unreachable;                                       /* no answer */
    uint64_t garbage;                                           /* answers or events that could not be read */
    uint64_t left_out;                                          /* over a limit, or not taken by `changed` */
    uint32_t objects;                                           /* known now */
};

struct leat_k8s_watch;
leat_rc leat_k8s_watch_open(struct leat_k8s_client *client, const struct leat_k8s_watch_conf *conf,
                            const struct leat_k8s_watch_events *events, void *ctx, struct leat_k8s_watch **ret_watch,
                            struct leat_err *reterr) LEAT_MUST_CHECK;
/* Always NULL; not from inside a callback. Before its client is closed. */
struct leat_k8s_watch *leat_k8s_watch_close(struct leat_k8s_watch *watch);
bool leat_k8s_watch_synced(const struct leat_k8s_watch *watch); /* a whole list has been seen once */
const struct leat_k8s_watch_stats *leat_k8s_watch_stats(const struct leat_k8s_watch *watch);
void leat_k8s_watch_dump(const struct leat_k8s_watch *watch, struct leat_strbuf *out); /* one line */
