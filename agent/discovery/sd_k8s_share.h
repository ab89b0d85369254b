/* SPDX-License-Identifier: Apache-2.0 */
/* sd_k8s_share -- API servers and watches that several kubernetes_sd_configs of one manager have in common; private to
 * agent/discovery.
 *
 * Why      ten jobs that find pods the same way are one list and one watch for the API server, not ten.
 * Threads  the manager's loop. Whoever shares is there before the loop goes on: nobody comes late and misses objects.
 * Owns     a server lives as long as one source uses it, a watch as long as one listener does. Configurations are borrowed.
 * Limits   the watches'.
 * Fails    as agent/k8s/client.h and agent/k8s/watch.h. */
#pragma once
#include "agent/base/list.h"
#include "agent/discovery/sd_conf.h"
#include "agent/k8s/watch.h"

struct sd_k8s_server {
    struct leat_list link, watches;
    const struct leat_k8s_sd_conf *conf;
    struct leat_k8s_client *client;
    uint32_t users;
};
/* The server of an equal configuration, or a new one, at the end of `servers`. */
leat_rc sd_k8s_server_use(struct leat_list *servers, struct leat_loop *loop, const struct leat_k8s_sd_conf *conf,
                          struct sd_k8s_server **ret_server, struct leat_err *reterr) LEAT_MUST_CHECK;
void sd_k8s_server_leave(struct sd_k8s_server *server); /* NULL is a no-op */

struct sd_k8s_watch {
    struct leat_list link, listeners;
    struct leat_k8s_watch *watch;
    char *path;
    const char *field, *label; /* never NULL */
    bool metadata_only;
};
/* As leat_k8s_watch_events. What one listener cannot take is told to all of them again. */
struct sd_k8s_listener {
    const struct leat_k8s_watch_events *events;
    void *ctx;
    struct leat_list link; /* the watch's from here */
    struct sd_k8s_watch *of;
};
leat_rc sd_k8s_watch_use(struct sd_k8s_server *server, const struct leat_k8s_watch_conf *conf,
                         struct sd_k8s_listener *listener, struct leat_err *reterr) LEAT_MUST_CHECK;
void sd_k8s_watch_leave(struct sd_k8s_listener *listener); /* before its server; not from inside an event */
