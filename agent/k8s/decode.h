/* SPDX-License-Identifier: Apache-2.0 */
/* decode -- the few facts that listing and watching need out of objects, events and statuses; private to agent/k8s.
 *
 * Why      pure and fuzzed. What is inside an object is its reader's business; that it is JSON is made sure of here.
 * Threads  any.
 * Owns     slices point into the JSON or, unescaped, into `room`.
 * Limits   names of K8S_NAME_MAX bytes, continue tokens of K8S_CONTINUE_MAX, DECODE_DEPTH_MAX levels.
 * Fails    false: not JSON, or not an object of Kubernetes. */
#pragma once
#include "agent/base/slice.h"

#define K8S_NAME_MAX 512u
#define K8S_CONTINUE_MAX 8192u
#define DECODE_DEPTH_MAX 200u

struct k8s_names {
    struct leat_slice uid, ns, name, version;
    char room[4][K8S_NAME_MAX];
};
/* metadata.uid, namespace, name and resourceVersion of one object; absent ones are empty. The name must be there. */
bool k8s_decode_object(struct leat_slice json, struct k8s_names *ret_names);

enum k8s_event_type { K8S_ADDED, K8S_MODIFIED, K8S_DELETED, K8S_BOOKMARK, K8S_ERROR, K8S_OTHER };
struct k8s_event {
    enum k8s_event_type type;
    struct leat_slice object; /* its JSON */
};
bool k8s_decode_event(struct leat_slice json, struct k8s_event *ret_event);
/* Of a BOOKMARK's object. */
bool k8s_decode_version(struct leat_slice json, struct k8s_names *ret_names);

struct k8s_status { /* an ERROR event's object, or the body of an answer that is none of 2xx */
    int64_t code;
    char reason[64], message[192]; /* cut */
};
bool k8s_decode_status(struct leat_slice json, struct k8s_status *ret_status);

/* The `metadata` of a list. */
struct k8s_list_meta {
    struct leat_slice version, next; /* next: the continue token; empty on the last page */
    char room[K8S_NAME_MAX + K8S_CONTINUE_MAX];
};
bool k8s_decode_list_meta(struct leat_slice json, struct k8s_list_meta *ret_meta);
