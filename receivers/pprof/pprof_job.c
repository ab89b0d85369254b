/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs as discovery wants them. Pods bring their names along: namespace, pod, container and service_name are set before the
 * user's rules, which may say otherwise. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "receivers/pprof/pprof.h"

static const char *const namespaces[] = {"__meta_kubernetes_namespace"};
static const char *const pods[] = {"__meta_kubernetes_pod_name"};
static const char *const containers[] = {"__meta_kubernetes_pod_container_name"};
static const char *const workloads[] = {"__meta_kubernetes_namespace", "__meta_kubernetes_pod_container_name"};
static const char *const annotations[] = {"__meta_kubernetes_pod_annotation_pyroscope_io_service_name"};

#define RULE(sources, regex_, replacement_, target)                                                              \
    {                                                                                                            \
        .source_labels = {(const char **)(uintptr_t)(sources), sizeof(sources) / sizeof *(sources)},             \
        .separator = "/", .regex = regex_, .replacement = replacement_, .target_label = target,                  \
        .action = LEAT_RELABEL_REPLACE                                                                           \
    }
static const struct leat_relabel_conf pod_rules[] = {
    RULE(namespaces, "(.+)", "$1", "namespace"),
    RULE(pods, "(.+)", "$1", "pod"),
    RULE(containers, "(.+)", "$1", "container"),
    RULE(workloads, "([^/]+)/([^/]+)", "$1/$2", "service_name"),
    RULE(annotations, "(.+)", "$1", "service_name"),
};
#define POD_RULES ((uint32_t)(sizeof pod_rules / sizeof *pod_rules))

static bool make_rules(struct pprof_receiver *receiver, struct pprof_job *job)
{
    const struct leat_items *user = &job->conf->relabel_configs;
    job->relabel = *user;
    if (job->conf->sd.kubernetes.count == 0)
        return true;
    struct leat_relabel_conf *rules = leat_arena_array(&receiver->arena, POD_RULES + user->count, sizeof *rules);
    if (!rules)
        return false;
    memcpy(rules, pod_rules, sizeof pod_rules);
    if (user->count)
        memcpy(rules + POD_RULES, user->at, user->count * sizeof *rules);
    job->relabel = (struct leat_items){rules, POD_RULES + user->count};
    return true;
}

static struct leat_slice duration_text(struct leat_arena *arena, int64_t ns)
{
    const char *text = ns % 1000000000 == 0 ? leat_arena_printf(arena, "%llds", (long long)(ns / 1000000000))
                                            : leat_arena_printf(arena, "%lldms", (long long)(ns / 1000000));
    return text ? leat_slice_str(text) : (struct leat_slice){0};
}

static void make_defaults(struct pprof_receiver *receiver, struct pprof_job *job)
{
    const struct pprof_job_conf *conf = job->conf;
    struct leat_arena *arena = &receiver->arena;
    job->defaults[0] = (struct leat_label){LEAT_SLICE("job"), leat_slice_str(conf->job_name)};
    job->defaults[1] = (struct leat_label){LEAT_SLICE("__scheme__"), leat_slice_str(conf->scheme)};
    job->defaults[2] = (struct leat_label){LEAT_SLICE("__metrics_path__"), LEAT_SLICE("/debug/pprof")};
    job->defaults[3] = (struct leat_label){LEAT_SLICE("__scrape_interval__"), duration_text(arena, conf->scrape_interval_ns)};
    job->defaults[4] = (struct leat_label){LEAT_SLICE("__scrape_timeout__"), duration_text(arena, pprof__timeout(conf))};
}

/* The user's parameters, and seconds= unless they have one. */
static bool make_params(struct pprof_receiver *receiver, struct pprof_job *job, struct leat_err *reterr)
{
    struct leat_arena *arena = &receiver->arena;
    if (leat_params_of(&job->conf->params, arena, &job->params, reterr) != LEAT_OK)
        return false;
    job->params_seconds = job->params;
    for (uint32_t i = 0; i < job->params.count; i++)
        if (strcmp(job->params.at[i].name, "seconds") == 0)
            return true;
    struct leat_param *params = leat_arena_array(arena, job->params.count + 1, sizeof *params);
    const char **values = leat_arena_array(arena, 1, sizeof *values);
    const char *text = leat_arena_printf(arena, "%lld", (long long)pprof__seconds(job->conf));
    if (!params || !values || !text) {
        (void)LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "pprof: no memory for a job");
        return false;
    }
    if (job->params.count)
        memcpy(params, job->params.at, job->params.count * sizeof *params);
    *values = text;
    params[job->params.count] = (struct leat_param){"seconds", {values, 1}};
    job->params_seconds = (struct leat_params){params, job->params.count + 1};
    return true;
}

static leat_rc open_job(struct pprof_receiver *receiver, uint32_t i, struct leat_err *reterr)
{
    const struct pprof_job_conf *jobs = receiver->conf->scrape_configs.at;
    struct pprof_job *job = &receiver->jobs[i];
    job->conf = &jobs[i];
    job->kind_count = pprof__kinds(&job->conf->profiling, job->kinds);
    make_defaults(receiver, job);
    if (!make_params(receiver, job, reterr))
        return reterr ? reterr->code : LEAT_ENOMEM;
    if (!make_rules(receiver, job) || receiver->arena.failed)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "pprof: no memory for a job");
    receiver->discovery_jobs[i] = (struct leat_discovery_job){.name = job->conf->job_name,
                                                              .sd = &job->conf->sd,
                                                              .relabel = &job->relabel,
                                                              .names = LEAT_NAMES_CLASSIC,
                                                              .defaults = job->defaults,
                                                              .default_count = 5,
                                                              .params = job->params};
    struct leat_fetcher_opts opts = {.loop = receiver->host->loop, .conf = &job->conf->fetch, .user_agent = "leat/" LEAT_VERSION,
                                     .body_bytes_max = (uint64_t)job->conf->body_size_limit};
    return leat_fetcher_open(&opts, &job->fetcher, reterr);
}

leat_rc pprof__jobs_open(struct pprof_receiver *receiver, struct leat_err *reterr)
{
    uint32_t count = receiver->conf->scrape_configs.count;
    receiver->jobs = leat_zalloc(count + 1, sizeof *receiver->jobs);
    receiver->discovery_jobs = leat_zalloc(count + 1, sizeof *receiver->discovery_jobs);
    if (!receiver->jobs || !receiver->discovery_jobs)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "pprof: no memory for the jobs");
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < count; i++) {
        receiver->job_count = i + 1;
        rc = open_job(receiver, i, reterr);
    }
    return rc;
}

void pprof__jobs_close(struct pprof_receiver *receiver)
{
    for (uint32_t i = 0; i < receiver->job_count; i++)
        if (receiver->jobs[i].fetcher)
            receiver->jobs[i].fetcher = leat_fetcher_close(receiver->jobs[i].fetcher);
    leat_free(receiver->jobs);
    leat_free(receiver->discovery_jobs);
    receiver->jobs = NULL;
    receiver->discovery_jobs = NULL;
    receiver->job_count = 0;
    leat_arena_done(&receiver->arena);
}
