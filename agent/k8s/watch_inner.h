/* SPDX-License-Identifier: Apache-2.0 */
/* watch_inner -- a watch in parts: watch.c (life, calls, waiting), watch_target.c (addresses), watch_objects.c (what came);
 * private to agent/k8s. */
#pragma once
#include "agent/base/log.h"
#include "agent/k8s/decode.h"
#include "agent/k8s/known.h"
#include "agent/k8s/split.h"
#include "agent/k8s/watch.h"

#define WATCH_STATUS_BYTES 4096u

enum watch_doing { WATCH_WAITS, WATCH_LISTS, WATCH_FOLLOWS };

struct leat_k8s_watch {
    struct leat_k8s_client *client;
    struct leat_loop *loop;
    struct leat_k8s_watch_conf conf; /* texts are ours */
    struct leat_k8s_watch_events events;
    void *ctx;
    struct leat_k8s_watch_stats stats;
    enum watch_doing doing, next; /* now; after the wait */
    bool synced, closing, calling;
    /* the call under way */
    struct leat_k8s_call call;
    struct leat_strbuf target;
    struct k8s_split split;
    leat_rc split_rc;
    int status;
    char status_body[WATCH_STATUS_BYTES]; /* of an answer that is none of 200 */
    uint32_t status_len;
    uint64_t call_ns; /* when it began */
    bool silent, told_expired; /* no byte for too long; an ERROR event with 410 */
    /* where we are */
    bool exact;                    /* the next list asks for what is true now, not for what a cache holds */
    char version[K8S_NAME_MAX + 1]; /* to follow from */
    struct leat_strbuf page;       /* the continue token */
    bool has_meta;
    struct k8s_known_table known;
    uint32_t pass;
    bool untaken; /* something was not taken: list again */
    /* waiting */
    struct leat_timer wait, idle, again;
    uint32_t failures; /* in a row */
    struct leat_log_limit said;
    struct k8s_names names; /* scratch */
};

/* watch_target.c */
leat_rc watch__target(struct leat_k8s_watch *watch, uint64_t timeout_s); /* of `doing`, into watch->target */

/* watch_objects.c */
leat_rc watch__item(struct leat_k8s_watch *watch, struct leat_slice json);  /* of a list */
leat_rc watch__event(struct leat_k8s_watch *watch, struct leat_slice json); /* LEAT_ECANCELED: 410, the stream is over */
leat_rc watch__meta(struct leat_k8s_watch *watch, struct leat_slice json);
void watch__sweep(struct leat_k8s_watch *watch);                            /* reports what the last list did not see */
