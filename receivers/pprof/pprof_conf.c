/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "receivers/pprof/pprof.h"

#define KIND(member) LEAT_AT(struct pprof_kind_conf, member)
#define JOB(member) LEAT_AT(struct pprof_job_conf, member)
#define PROFILING(member) LEAT_AT(struct pprof_profiling_conf, member)
#define SECOND_NS 1000000000ll
#define TIMEOUT_NS (10 * SECOND_NS)

#define DELTA_HERE "send what was counted since the last scrape, not since the program's start"
#define DELTA_THERE "ask the program to look for delta_profiling_duration (seconds=)"

#define ENABLED(deflt_) {.key = "enabled", .type = LEAT_BOOL, .offset = KIND(enabled), .deflt = deflt_, .doc = "fetch it"}
#define PATH(deflt_) {.key = "path", .type = LEAT_STRING, .offset = KIND(path), .deflt = deflt_, .doc = "where it is served"}
#define DELTA(deflt_, doc_) {.key = "delta", .type = LEAT_BOOL, .offset = KIND(delta), .deflt = deflt_, .doc = doc_}

static const struct leat_field cpu_fields[] = {ENABLED("true"), PATH("/debug/pprof/profile"), DELTA("true", DELTA_THERE), {0}};
static const struct leat_field memory_fields[] = {ENABLED("true"), PATH("/debug/pprof/allocs"), DELTA("true", DELTA_HERE), {0}};
static const struct leat_field heap_fields[] = {ENABLED("false"), PATH("/debug/pprof/heap"), DELTA("true", DELTA_HERE), {0}};
static const struct leat_field goroutine_fields[] = {ENABLED("true"), PATH("/debug/pprof/goroutine"), {0}};
static const struct leat_field mutex_fields[] = {ENABLED("true"), PATH("/debug/pprof/mutex"), DELTA("true", DELTA_HERE), {0}};
static const struct leat_field block_fields[] = {ENABLED("true"), PATH("/debug/pprof/block"), DELTA("true", DELTA_HERE), {0}};
static const struct leat_field custom_fields[] = {
    {.key = "name", .type = LEAT_STRING, .offset = LEAT_AT(struct pprof_custom_conf, name), .flags = LEAT_REQUIRED,
     .doc = "the profile's name (label __name__)"},
    {.key = "enabled", .type = LEAT_BOOL, .offset = LEAT_AT(struct pprof_custom_conf, kind.enabled), .deflt = "true", .doc = "fetch it"},
    {.key = "path", .type = LEAT_STRING, .offset = LEAT_AT(struct pprof_custom_conf, kind.path), .flags = LEAT_REQUIRED,
     .doc = "where it is served"},
    {.key = "delta", .type = LEAT_BOOL, .offset = LEAT_AT(struct pprof_custom_conf, kind.delta), .deflt = "false", .doc = DELTA_THERE},
    {0}};

#define SECTION(key_, member, fields_, doc_) \
    {.key = key_, .type = LEAT_SECTION, .offset = PROFILING(member), .fields = fields_, .doc = doc_}

static const struct leat_field profiling_fields[] = {
    {.key = "path_prefix", .type = LEAT_STRING, .offset = PROFILING(path_prefix), .doc = "stands before every path"},
    SECTION("process_cpu", process_cpu, cpu_fields, "where the processor's time goes"),
    SECTION("memory", memory, memory_fields, "allocations, and what of them is in use"),
    SECTION("heap", heap, heap_fields, "the same numbers from another address, under the same name: instead of memory"),
    SECTION("goroutine", goroutine, goroutine_fields, "stacks of all goroutines"),
    SECTION("mutex", mutex, mutex_fields, "who held locks that others waited for"),
    SECTION("block", block, block_fields, "who waited"),
    {.key = "custom", .type = LEAT_LIST, .offset = PROFILING(custom), .fields = custom_fields,
     .item_size = sizeof(struct pprof_custom_conf), .doc = "other profiles that the programs serve"},
    {0}};

static const struct leat_field job_fields[] = {
    {.key = "job_name", .type = LEAT_STRING, .offset = JOB(job_name), .flags = LEAT_REQUIRED, .doc = "the label job; each name once"},
    {.key = "scrape_interval", .type = LEAT_DURATION, .offset = JOB(scrape_interval_ns), .deflt = "15s", .min = 1e8, .max = 9e18,
     .doc = "time between two profiles of a kind"},
    {.key = "scrape_timeout", .type = LEAT_DURATION, .offset = JOB(scrape_timeout_ns), .deflt = "0s", .min = 0, .max = 9e18,
     .doc = "how long one may take, beside the time the program is asked to look; 0: 10s, or scrape_interval where that is less"},
    {.key = "delta_profiling_duration", .type = LEAT_DURATION, .offset = JOB(delta_profiling_duration_ns), .deflt = "0s", .min = 0,
     .max = 9e18, .doc = "how long a program is asked to look; 0: a second less than scrape_interval"},
    {.key = "scheme", .type = LEAT_STRING, .offset = JOB(scheme), .deflt = "http", .doc = "http or https"},
    {.key = "params", .type = LEAT_VALUE, .offset = JOB(params), .doc = "query parameters: a map of lists"},
    {.key = "body_size_limit", .type = LEAT_SIZE, .offset = JOB(body_size_limit), .deflt = "32MiB", .min = 1024, .max = 1073741824,
     .doc = "largest profile taken, before and after decompression"},
    {.key = "target_limit", .type = LEAT_INT, .offset = JOB(target_limit), .deflt = "0", .min = 0, .max = 100000,
     .doc = "with more targets than this none of the job is scraped; 0: no limit"},
    {.key = "profiling_config", .type = LEAT_SECTION, .offset = JOB(profiling), .fields = profiling_fields, .doc = "what is fetched of each target"},
    {.key = "", .type = LEAT_INLINE, .offset = JOB(fetch), .fields = leat_fetch_fields},
    {.key = "", .type = LEAT_INLINE, .offset = JOB(sd), .fields = leat_sd_fields},
    {.key = "relabel_configs", .type = LEAT_LIST, .offset = JOB(relabel_configs), .fields = leat_relabel_fields,
     .item_size = sizeof(struct leat_relabel_conf), .doc = "rules over a target's labels, as Prometheus has them"},
    {0}};

const struct leat_field pprof__fields[] = {
    {.key = "scrape_configs", .type = LEAT_LIST, .offset = LEAT_AT(struct pprof_conf, scrape_configs), .fields = job_fields,
     .item_size = sizeof(struct pprof_job_conf), .flags = LEAT_REQUIRED, .doc = "jobs, in Prometheus' words where they mean the same"},
    {.key = "max_inflight_bytes", .type = LEAT_SIZE, .offset = LEAT_AT(struct pprof_conf, max_inflight_bytes), .deflt = "8MiB",
     .min = 65536, .max = 1e12, .doc = "profiles not yet delivered, a shard: over it scrapes are skipped"},
    {0}};

/* ---- what a job comes to ---- */

static void add_kind(struct pprof_kind kinds[PPROF_KINDS_MAX], uint32_t *count, const char *name,
                     const struct pprof_kind_conf *conf, bool seconds)
{
    if (!conf->enabled)
        return;
    if (*count < PPROF_KINDS_MAX)
        kinds[*count] = (struct pprof_kind){name, conf->path, seconds && conf->delta, !seconds && conf->delta};
    ++*count;
}

uint32_t pprof__kinds(const struct pprof_profiling_conf *conf, struct pprof_kind kinds[PPROF_KINDS_MAX])
{
    uint32_t count = 0;
    add_kind(kinds, &count, "process_cpu", &conf->process_cpu, true);
    add_kind(kinds, &count, "memory", &conf->memory, false);
    add_kind(kinds, &count, "memory", &conf->heap, false);
    add_kind(kinds, &count, "goroutine", &conf->goroutine, false);
    add_kind(kinds, &count, "mutex", &conf->mutex, false);
    add_kind(kinds, &count, "block", &conf->block, false);
    const struct pprof_custom_conf *custom = conf->custom.at;
    for (uint32_t i = 0; i < conf->custom.count; i++)
        add_kind(kinds, &count, custom[i].name, &custom[i].kind, true);
    return count;
}

int64_t pprof__timeout(const struct pprof_job_conf *job)
{
    int64_t usual = job->scrape_interval_ns < TIMEOUT_NS ? job->scrape_interval_ns : TIMEOUT_NS;
    return job->scrape_timeout_ns ? job->scrape_timeout_ns : usual;
}

int64_t pprof__seconds(const struct pprof_job_conf *job)
{
    int64_t ns = job->delta_profiling_duration_ns ? job->delta_profiling_duration_ns : job->scrape_interval_ns - SECOND_NS;
    return ns / SECOND_NS;
}

static leat_rc check_kinds(const struct pprof_job_conf *job, struct leat_err *reterr)
{
    struct pprof_kind kinds[PPROF_KINDS_MAX];
    uint32_t count = pprof__kinds(&job->profiling, kinds);
    bool seconds = false;
    if (count == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "job %.64s: no profile is enabled", job->job_name);
    if (count > PPROF_KINDS_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "job %.64s: more than %u profiles", job->job_name, PPROF_KINDS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        seconds |= kinds[i].seconds;
        if (!kinds[i].path || kinds[i].path[0] != '/' || !kinds[i].name[0])
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "job %.64s: profile %.64s needs a name and a path that begins with /",
                              job->job_name, kinds[i].name);
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(kinds[i].name, kinds[j].name) == 0)
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "job %.64s: two profiles named %.64s would be counted twice",
                                  job->job_name, kinds[i].name);
    }
    if (seconds && (pprof__seconds(job) < 1 || pprof__seconds(job) * SECOND_NS > job->scrape_interval_ns))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "job %.64s: delta_profiling_duration must be at least 1s and not over scrape_interval (at least 2s)",
                          job->job_name);
    return LEAT_OK;
}

static leat_rc check_job(const struct pprof_conf *conf, uint32_t i, struct leat_err *reterr)
{
    const struct pprof_job_conf *jobs = conf->scrape_configs.at, *job = &jobs[i];
    struct leat_arena arena = {0};
    struct leat_params params;
    if (!job->job_name || !*job->job_name)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "scrape_configs: job_name is empty");
    for (uint32_t j = 0; j < i; j++)
        if (strcmp(job->job_name, jobs[j].job_name) == 0)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "scrape_configs: two jobs named %.64s", job->job_name);
    if (strcmp(job->scheme, "http") != 0 && strcmp(job->scheme, "https") != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "job %.64s: scheme is http or https", job->job_name);
    if (job->scrape_timeout_ns > job->scrape_interval_ns)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "job %.64s: scrape_timeout is over scrape_interval", job->job_name);
    leat_rc rc = check_kinds(job, reterr);
    if (rc == LEAT_OK)
        rc = leat_params_of(&job->params, &arena, &params, reterr);
    leat_arena_done(&arena);
    if (rc == LEAT_OK)
        rc = leat_fetch_check(&job->fetch, reterr);
    if (rc == LEAT_OK)
        rc = leat_sd_check(&job->sd, reterr);
    if (rc == LEAT_OK)
        rc = leat_relabel_check(&job->relabel_configs, LEAT_NAMES_CLASSIC, "relabel_configs", reterr);
    return rc;
}

leat_rc pprof__check(const void *own, struct leat_err *reterr)
{
    const struct pprof_conf *conf = own;
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < conf->scrape_configs.count; i++)
        rc = check_job(conf, i, reterr);
    return rc;
}
