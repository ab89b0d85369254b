/* SPDX-License-Identifier: Apache-2.0 */
/* plan -- a whole configuration, decoded and checked: what to open and how to connect it. A value; nothing runs.
 *
 * Why      everything that can be wrong with a configuration is found before the first socket is opened; a reload
 *          compares two plans.
 * Threads  read-only once made; any thread.
 * Owns     all it points at, in one arena, except the catalog's tables (which must outlive it).
 * Limits   agent/yaml/yaml.h, config/subst.h; LEAT_PLAN_BYTES_MAX over everything.
 * Fails    LEAT_ECONFIG with every mistake in plan->diags; LEAT_ENOMEM without a plan. */
#pragma once
#include "config/catalog.h"
#include "config/service.h"

#define LEAT_PLAN_BYTES_MAX (256u << 20)

/* One component as the user named it. */
struct leat_plan_part {
    enum leat_kind kind;
    const struct leat_type_info *type; /* NULL: unknown, or known to the Collector and lacking here */
    const char *id;                    /* as written: "filelog/app"; the label in metrics */
    const char *type_name;             /* as written: "filelog" */
    struct leat_mark mark;
    const struct leat_node *node;
    void *conf;                    /* type->conf_size bytes */
    void *shared[LEAT_SHARED_MAX]; /* beside type->shared */
    bool unloadable;               /* a module that could not be opened, which was said; type is NULL */
    bool used;                     /* by a pipeline, or by service::extensions */
    uint32_t signals;              /* of the pipelines that use it */
};

struct leat_part_list {
    uint32_t *at; /* indexes into plan->parts */
    uint32_t count;
};

struct leat_plan_pipeline {
    enum leat_signal signal;
    const char *id; /* "logs/app" */
    struct leat_mark mark;
    struct leat_part_list receivers, exporters;
    struct leat_part_list processors; /* in order; each pipeline has instances of its own, with the part's one conf */
};

struct leat_plan {
    struct leat_arena arena;
    struct leat_diag_list diags;
    struct leat_yaml yaml;
    struct leat_node *root; /* merged and expanded */
    struct leat_plan_part *parts;
    uint32_t part_count;
    struct leat_plan_pipeline *pipelines;
    uint32_t pipeline_count;
    struct leat_part_list extensions; /* of service::extensions, in order */
    struct leat_telemetry telemetry;
    struct leat_settings settings;
};

/* The plan is made even when the answer is LEAT_ECONFIG, so that its diags can be read; warnings are there on LEAT_OK
 * too. Free it in both cases. */
leat_rc leat_plan_load(const struct leat_catalog *catalog, const struct leat_outside *outside,
                       const struct leat_load_args *args, struct leat_plan **ret_plan) LEAT_MUST_CHECK;
struct leat_plan *leat_plan_free(struct leat_plan *plan); /* always NULL; NULL is a no-op */

const struct leat_plan_part *leat_plan_find(const struct leat_plan *plan, enum leat_kind kind, const char *id);
