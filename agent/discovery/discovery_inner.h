/* SPDX-License-Identifier: Apache-2.0 */
/* discovery_inner -- sources and the groups of targets they keep; private to agent/discovery.
 *
 * Why      every source says the same: this group is now so, that one is gone, I could not look.
 * Owns     a group is one arena; the source owns its groups, the job its sources.
 * Fails    making a group: its arena's `failed`, looked at once, when it is put. */
#pragma once
#include "agent/base/arena.h"
#include "agent/base/list.h"
#include "agent/base/log.h"
#include "agent/discovery/discovery.h"
#include "agent/discovery/fetch.h"
#include "agent/discovery/sd_conf.h"

#define LEAT_SD_GROUP_BYTES_MAX (64u << 20)

/* ---- groups ---- */

struct leat_sd_item { /* labels, in any order; the first of a name counts */
    struct leat_label *at;
    uint32_t count, room;
};
struct leat_sd_group {
    struct leat_sd_group *next; /* of its bucket */
    struct leat_arena arena;
    struct leat_slice key;
    struct leat_sd_item common;
    struct leat_sd_item *targets;
    uint32_t count, room;
    uint32_t round; /* the look that saw it last */
    struct leat_slice raw; /* what it was made of, for sources that make it anew */
};
struct leat_sd_groups {
    struct leat_sd_group **buckets;
    uint32_t bucket_count, count;
};

struct leat_sd_group *leat_sd__group_new(struct leat_slice key); /* NULL: out of memory */
void leat_sd__group_free(struct leat_sd_group *group);
struct leat_slice leat_sd__keep(struct leat_sd_group *group, struct leat_slice text);
/* Copies the value; the name too unless it is a literal of ours. Empty values are left out. */
void leat_sd__label(struct leat_sd_group *group, struct leat_sd_item *item, struct leat_slice name,
                    struct leat_slice value);
void leat_sd__label_str(struct leat_sd_group *group, struct leat_sd_item *item, const char *name,
                        struct leat_slice value);
struct leat_sd_item *leat_sd__target(struct leat_sd_group *group); /* never NULL: a spare one when out of memory */
struct leat_slice leat_sd__item_get(const struct leat_sd_item *item, const char *name);

/* Takes the group and frees the one it replaces; on LEAT_ENOMEM (its arena's failure included) the old one stays. */
leat_rc leat_sd__groups_put(struct leat_sd_groups *groups, struct leat_sd_group *group) LEAT_MUST_CHECK;
struct leat_sd_group *leat_sd__groups_get(const struct leat_sd_groups *groups, struct leat_slice key);
bool leat_sd__groups_remove(struct leat_sd_groups *groups, struct leat_slice key);
/* Frees groups of other rounds; how many. */
uint32_t leat_sd__groups_sweep(struct leat_sd_groups *groups, uint32_t round);
void leat_sd__groups_clear(struct leat_sd_groups *groups);

/* ---- sources ---- */

struct leat_sd_job;
struct leat_sd_source {
    struct leat_sd_source *next;
    struct leat_sd_job *job;
    const char *kind; /* "file_sd" */
    void (*close)(struct leat_sd_source *source);
    leat_rc (*compose)(struct leat_sd_source *source); /* before a list is made; NULL: none */
    void (*dump)(const struct leat_sd_source *source, struct leat_strbuf *out); /* NULL: none */
    struct leat_sd_groups groups;
    bool spoken; /* it has said at least once what there is */
    struct leat_log_limit limit;
    uint64_t refreshes, failures;
};
leat_rc leat_sd__static_open(struct leat_sd_job *job, const struct leat_items *confs, struct leat_sd_source **ret_source,
                             struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc leat_sd__file_open(struct leat_sd_job *job, const struct leat_file_sd_conf *conf,
                           struct leat_sd_source **ret_source, struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc leat_sd__http_open(struct leat_sd_job *job, const struct leat_http_sd_conf *conf,
                           struct leat_sd_source **ret_source, struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc leat_sd__k8s_open(struct leat_sd_job *job, const struct leat_k8s_sd_conf *conf,
                          struct leat_sd_source **ret_source, struct leat_err *reterr) LEAT_MUST_CHECK;
leat_rc leat_sd__k8s_check(const struct leat_k8s_sd_conf *conf, struct leat_err *reterr);

struct leat_loop *leat_sd__loop(const struct leat_sd_source *source);
struct leat_list *leat_sd__k8s_servers(const struct leat_sd_source *source); /* of sd_k8s_share.h; the manager's */
const char *leat_sd__who(const struct leat_sd_source *source);
void leat_sd__init(struct leat_sd_source *source, struct leat_sd_job *job, const char *kind);
void leat_sd__done(struct leat_sd_source *source); /* frees its groups */
/* Something is different, or was looked at for the first time: a list follows. */
void leat_sd__changed(struct leat_sd_source *source);
/* Counted and logged with job and kind; what is known stays. */
void leat_sd__failed(struct leat_sd_source *source, const char *fmt, ...) LEAT_PRINTF(2, 3);

/* ---- documents: a list of {targets, labels}, as JSON or YAML ---- */

/* Calls `each` with a group per entry; its key is "SOURCE:INDEX". LEAT_EPARSE with what is wrong, LEAT_ENOMEM. */
struct leat_sd_read {
    struct leat_slice source; /* file name or URL */
    const char *meta;         /* label that gets it: "__meta_filepath" */
    leat_rc (*each)(void *ctx, struct leat_sd_group *group); /* takes it, also on failure */
    void *ctx;
};
leat_rc leat_sd__read_json(const struct leat_sd_read *read, const void *at, size_t len, struct leat_err *reterr);
leat_rc leat_sd__read_yaml(const struct leat_sd_read *read, const void *at, size_t len, struct leat_err *reterr);
