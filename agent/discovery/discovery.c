/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/discovery.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/base/prom_units.h"
#include "agent/discovery/discovery_inner.h"
#include "agent/discovery/targets.h"
#include "proto/utf8/utf8.h"

struct leat_sd_job {
    struct leat_discovery *discovery;
    const struct leat_discovery_job *conf;
    uint32_t index;
    struct leat_sd_source *sources;
    struct leat_relabel *relabel;
    struct leat_targets *last;
    struct leat_timer timer; /* the next list */
    uint64_t published_ns;   /* 0: never */
    struct leat_log_limit invalid_limit, left_out_limit;
};
struct leat_discovery {
    struct leat_discovery_opts opts;
    struct leat_discovery_counts counts;
    struct leat_label_edit edit;
    struct leat_strbuf url;
    struct leat_list k8s_servers;
    uint32_t job_count;
    struct leat_sd_job jobs[];
};

/* ---- for sources ---- */

struct leat_loop *leat_sd__loop(const struct leat_sd_source *source)
{
    return source->job->discovery->opts.loop;
}

struct leat_list *leat_sd__k8s_servers(const struct leat_sd_source *source)
{
    return &source->job->discovery->k8s_servers;
}

const char *leat_sd__who(const struct leat_sd_source *source)
{
    return source->job->discovery->opts.who;
}

void leat_sd__init(struct leat_sd_source *source, struct leat_sd_job *job, const char *kind)
{
    source->job = job;
    source->kind = kind;
}

void leat_sd__done(struct leat_sd_source *source)
{
    leat_sd__groups_clear(&source->groups);
    leat_free(source);
}

void leat_sd__changed(struct leat_sd_source *source)
{
    struct leat_sd_job *job = source->job;
    struct leat_loop *loop = leat_sd__loop(source);
    uint64_t now = leat_loop_now_ns(loop), due = job->published_ns + LEAT_SD_DEBOUNCE_NS;
    source->spoken = true;
    if (!leat_timer_runs(&job->timer))
        leat_timer_start(loop, &job->timer, job->published_ns && due > now ? due - now : 0);
}

static void failed(struct leat_discovery *discovery)
{
    discovery->counts.failures++;
    leat_count(LEAT_COUNT_DISCOVERY_FAILURES, 1);
}

void leat_sd__failed(struct leat_sd_source *source, const char *fmt, ...)
{
    char text[512];
    uint32_t missed;
    va_list args;
    source->failures++;
    failed(source->job->discovery);
    if (!leat_log_may(&source->limit, leat_loop_now_ns(leat_sd__loop(source)), &missed))
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (missed)
        leat_log(LEAT_LOG_WARN, leat_sd__who(source), "job %s: %s: %s (and %u times before)", source->job->conf->name,
                 source->kind, text, missed);
    else
        leat_log(LEAT_LOG_WARN, leat_sd__who(source), "job %s: %s: %s", source->job->conf->name, source->kind, text);
}

/* ---- from groups to targets ---- */

static bool has(const struct leat_label_edit *edit, struct leat_slice name)
{
    return leat_label_edit_get(edit, name).len != 0;
}

static void put_missing(struct leat_label_edit *edit, struct leat_slice name, struct leat_slice value)
{
    if (!has(edit, name))
        leat_label_edit_put(edit, name, value);
}

/* The target's own labels, then its group's, then the job's. */
static void fill(struct leat_sd_job *job, const struct leat_sd_group *group, const struct leat_sd_item *target)
{
    struct leat_label_edit *edit = &job->discovery->edit;
    leat_label_edit_clear(edit);
    for (uint32_t i = 0; i < target->count; i++)
        put_missing(edit, target->at[i].name, target->at[i].value);
    for (uint32_t i = 0; i < group->common.count; i++)
        put_missing(edit, group->common.at[i].name, group->common.at[i].value);
    for (uint32_t i = 0; i < job->conf->default_count; i++)
        put_missing(edit, job->conf->defaults[i].name, job->conf->defaults[i].value);
    for (uint32_t i = 0; i < job->conf->params.count; i++) {
        const struct leat_param *param = &job->conf->params.at[i];
        char name[256];
        int len = snprintf(name, sizeof name, "__param_%s", param->name);
        if (param->values.count && len > 0 && (size_t)len < sizeof name)
            put_missing(edit, leat_slice_of(name, (uint32_t)len), leat_slice_str(param->values.at[0]));
    }
}

/* A duration that a label holds; absent: 0. */
static const char *read_time(const struct leat_label_edit *edit, const char *name, int64_t *ret_ns)
{
    char text[64];
    struct leat_slice value = leat_label_edit_get(edit, leat_slice_str(name));
    *ret_ns = 0;
    if (value.len == 0)
        return NULL;
    (void)snprintf(text, sizeof text, "%.*s", LEAT_SLICE_ARGS(value));
    if (value.len >= sizeof text || leat_prom_duration(text, ret_ns, NULL) != LEAT_OK)
        return "error parsing scrape interval or timeout";
    return *ret_ns == 0 ? "scrape interval or timeout cannot be 0" : NULL;
}

/* What is wrong with it after relabelling; NULL: nothing. */
static const char *judge(const struct leat_label_edit *edit, int64_t *ret_interval, int64_t *ret_timeout)
{
    struct leat_slice address = leat_label_edit_get(edit, LEAT_SLICE("__address__"));
    if (address.len == 0)
        return "no address";
    for (uint32_t i = 0; i < address.len; i++)
        if (address.at[i] <= ' ' || strchr("/?#@\\\x7f", address.at[i]))
            return "__address__ is not a valid host name with port";
    const char *why = read_time(edit, "__scrape_interval__", ret_interval);
    if (!why)
        why = read_time(edit, "__scrape_timeout__", ret_timeout);
    if (!why && *ret_interval && *ret_timeout > *ret_interval)
        why = "scrape timeout cannot be greater than scrape interval";
    for (uint32_t i = 0; i < edit->count && !why; i++)
        if (!utf8_ok(edit->at[i].value.at, edit->at[i].value.len))
            why = "a label value is not UTF-8";
    return why;
}

static void drop_meta(struct leat_label_edit *edit)
{
    static const char meta[] = "__meta_";
    uint32_t count = 0;
    for (uint32_t i = 0; i < edit->count; i++) {
        struct leat_slice name = edit->at[i].name;
        if (name.len < sizeof meta - 1 || memcmp(name.at, meta, sizeof meta - 1) != 0)
            edit->at[count++] = edit->at[i];
    }
    edit->count = count;
}

static void invalid(struct leat_sd_job *job, struct leat_target_list *list, const struct leat_sd_group *group,
                    const char *why)
{
    uint32_t missed;
    list->shown.invalid++;
    if (leat_log_may(&job->invalid_limit, leat_loop_now_ns(job->discovery->opts.loop), &missed))
        leat_log(LEAT_LOG_WARN, job->discovery->opts.who, "job %s: a target of %.*s is left out: %s", job->conf->name,
                 LEAT_SLICE_ARGS(group->key), why);
}

static leat_rc add_target(struct leat_sd_job *job, struct leat_target_list *list, const struct leat_sd_group *group,
                          const struct leat_sd_item *target)
{
    struct leat_label_edit *edit = &job->discovery->edit;
    struct leat_strbuf *url = &job->discovery->url;
    int64_t interval = 0, timeout = 0;
    bool keep = false;
    fill(job, group, target);
    leat_rc rc = leat_relabel_apply(job->relabel, edit, &keep);
    if (rc == LEAT_ELIMIT) {
        invalid(job, list, group, "its labels are too many or too long");
        return LEAT_OK;
    }
    if (rc != LEAT_OK)
        return rc;
    const char *why = keep && edit->count ? judge(edit, &interval, &timeout) : NULL;
    if (!keep || edit->count == 0 || why) {
        if (why)
            invalid(job, list, group, why);
        else
            list->shown.dropped++;
        return LEAT_OK;
    }
    drop_meta(edit);
    put_missing(edit, LEAT_SLICE("instance"), leat_label_edit_get(edit, LEAT_SLICE("__address__")));
    leat_strbuf_clear(url);
    leat_target_url_put(leat_label_edit_view(edit), NULL, job->conf->params, url);
    if (edit->failed != LEAT_OK || url->failed) {
        leat_strbuf_done(url);
        return LEAT_ENOMEM;
    }
    return leat_target_list_add(list, leat_label_edit_view(edit), leat_slice_of(url->at, (uint32_t)url->len), interval,
                                timeout);
}

static leat_rc add_source(struct leat_sd_job *job, struct leat_target_list *list, struct leat_sd_source *source,
                          uint32_t *seen)
{
    if (!source->spoken) /* what it has so far may be half */
        return LEAT_OK;
    leat_rc rc = source->compose ? source->compose(source) : LEAT_OK;
    for (uint32_t i = 0; i < source->groups.bucket_count && rc == LEAT_OK; i++)
        for (struct leat_sd_group *group = source->groups.buckets[i]; group && rc == LEAT_OK; group = group->next)
            for (uint32_t k = 0; k < group->count && rc == LEAT_OK; k++) {
                if (++*seen > LEAT_SD_TARGETS_MAX)
                    list->shown.left_out++;
                else
                    rc = add_target(job, list, group, &group->targets[k]);
            }
    return rc;
}

static leat_rc make_list(struct leat_sd_job *job, struct leat_target_list **ret_list)
{
    struct leat_target_list *list = leat_target_list_new(job->index);
    leat_rc rc = list ? LEAT_OK : LEAT_ENOMEM;
    uint32_t seen = 0;
    for (struct leat_sd_source *source = job->sources; source && rc == LEAT_OK; source = source->next)
        rc = add_source(job, list, source, &seen);
    if (rc == LEAT_OK)
        leat_target_list_finish(list);
    else if (list)
        leat_targets_unref(&list->shown);
    *ret_list = list;
    return rc;
}

static void publish(struct leat_timer *timer)
{
    struct leat_sd_job *job = timer->ctx;
    struct leat_discovery *discovery = job->discovery;
    struct leat_target_list *list;
    uint32_t missed;
    uint64_t limited = leat_relabel_limited(job->relabel);
    leat_rc rc = make_list(job, &list);
    leat_count(LEAT_COUNT_DISCOVERY_REGEX_LIMIT, leat_relabel_limited(job->relabel) - limited);
    if (rc != LEAT_OK) { /* the last list stands; another try follows */
        failed(discovery);
        leat_timer_start(discovery->opts.loop, timer, LEAT_SD_DEBOUNCE_NS);
        return;
    }
    uint64_t now = leat_loop_now_ns(discovery->opts.loop);
    job->published_ns = now ? now : 1;
    discovery->counts.left_out += list->shown.left_out;
    leat_count(LEAT_COUNT_DISCOVERY_OVER_LIMIT, list->shown.left_out);
    leat_count(LEAT_COUNT_DISCOVERY_INVALID, list->shown.invalid);
    if (list->shown.left_out && leat_log_may(&job->left_out_limit, now, &missed))
        leat_log(LEAT_LOG_WARN, discovery->opts.who, "job %s: more than %u targets: %u are left out", job->conf->name,
                 LEAT_SD_TARGETS_MAX, list->shown.left_out);
    if (job->last && leat_target_list_eq(job->last, &list->shown)) {
        leat_targets_unref(&list->shown);
        return;
    }
    leat_targets_unref(job->last);
    job->last = &list->shown;
    discovery->counts.lists++;
    leat_count(LEAT_COUNT_DISCOVERY_LISTS, 1);
    if (discovery->opts.changed(discovery->opts.ctx, job->index, leat_targets_ref(job->last)) == LEAT_OK)
        return;
    job->last = leat_targets_unref(job->last); /* whatever the next list is, it is told */
    failed(discovery);
    leat_log(LEAT_LOG_ERROR, discovery->opts.who, "job %s: out of memory: targets are told again", job->conf->name);
    leat_timer_start(discovery->opts.loop, timer, LEAT_SD_DEBOUNCE_NS);
}

/* ---- opening and closing ---- */

static leat_rc add(struct leat_sd_job *job, struct leat_sd_source *source)
{
    source->next = job->sources;
    job->sources = source;
    return LEAT_OK;
}

static leat_rc open_sources(struct leat_sd_job *job, struct leat_err *reterr)
{
    const struct leat_sd_conf *sd = job->conf->sd;
    const struct leat_file_sd_conf *files = sd->files.at;
    const struct leat_http_sd_conf *https = sd->https.at;
    const struct leat_k8s_sd_conf *kubernetes = sd->kubernetes.at;
    struct leat_sd_source *source;
    leat_rc rc = LEAT_OK;
    if (sd->statics.count && (rc = leat_sd__static_open(job, &sd->statics, &source, reterr)) == LEAT_OK)
        rc = add(job, source);
    for (uint32_t i = 0; i < sd->files.count && rc == LEAT_OK; i++)
        if ((rc = leat_sd__file_open(job, &files[i], &source, reterr)) == LEAT_OK)
            rc = add(job, source);
    for (uint32_t i = 0; i < sd->https.count && rc == LEAT_OK; i++)
        if ((rc = leat_sd__http_open(job, &https[i], &source, reterr)) == LEAT_OK)
            rc = add(job, source);
    for (uint32_t i = 0; i < sd->kubernetes.count && rc == LEAT_OK; i++)
        if ((rc = leat_sd__k8s_open(job, &kubernetes[i], &source, reterr)) == LEAT_OK)
            rc = add(job, source);
    return rc;
}

static leat_rc open_job(struct leat_sd_job *job, struct leat_err *reterr)
{
    leat_rc rc = leat_relabel_open(job->conf->relabel, job->conf->names, "relabel_configs", &job->relabel, reterr);
    if (rc == LEAT_OK)
        rc = open_sources(job, reterr);
    if (rc != LEAT_OK && reterr)
        (void)leat_err_wrap(reterr, "job %s", job->conf->name);
    return rc;
}

leat_rc leat_discovery_open(const struct leat_discovery_opts *opts, struct leat_discovery **ret_discovery,
                            struct leat_err *reterr)
{
    struct leat_discovery *discovery = leat_zalloc(1, sizeof *discovery + opts->job_count * sizeof *discovery->jobs);
    leat_rc rc = LEAT_OK;
    if (!discovery)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    discovery->opts = *opts;
    leat_list_init(&discovery->k8s_servers);
    while (rc == LEAT_OK && discovery->job_count < opts->job_count) {
        struct leat_sd_job *job = &discovery->jobs[discovery->job_count];
        *job = (struct leat_sd_job){.discovery = discovery,
                                    .conf = &opts->jobs[discovery->job_count],
                                    .index = discovery->job_count,
                                    .timer = {.fire = publish, .ctx = job}};
        discovery->job_count++;
        rc = open_job(job, reterr);
    }
    if (rc != LEAT_OK) {
        leat_discovery_close(discovery);
        discovery = NULL;
    }
    *ret_discovery = discovery;
    return rc;
}

static void close_job(struct leat_sd_job *job)
{
    leat_timer_stop(job->discovery->opts.loop, &job->timer);
    while (job->sources) {
        struct leat_sd_source *source = job->sources;
        job->sources = source->next;
        source->close(source);
    }
    leat_timer_stop(job->discovery->opts.loop, &job->timer); /* a source may have spoken while it closed */
    leat_relabel_close(job->relabel);
    leat_targets_unref(job->last);
}

void leat_discovery_close(struct leat_discovery *discovery)
{
    if (!discovery)
        return;
    for (uint32_t i = 0; i < discovery->job_count; i++)
        close_job(&discovery->jobs[i]);
    leat_label_edit_done(&discovery->edit);
    leat_strbuf_done(&discovery->url);
    leat_free(discovery);
}

struct leat_discovery_counts leat_discovery_counts(const struct leat_discovery *discovery)
{
    struct leat_discovery_counts counts = discovery->counts;
    for (uint32_t i = 0; i < discovery->job_count; i++) {
        counts.regex_limited += leat_relabel_limited(discovery->jobs[i].relabel);
        for (const struct leat_sd_source *source = discovery->jobs[i].sources; source; source = source->next)
            counts.refreshes += source->refreshes;
    }
    return counts;
}

static void dump_job(const struct leat_sd_job *job, struct leat_strbuf *out)
{
    for (const struct leat_sd_source *source = job->sources; source; source = source->next) {
        leat_strbuf_printf(out, "job %s %s groups=%u refreshes=%" PRIu64 " failures=%" PRIu64, job->conf->name,
                           source->kind, source->groups.count, source->refreshes, source->failures);
        if (source->dump)
            source->dump(source, out);
        leat_strbuf_putc(out, '\n');
    }
    if (!job->last)
        return;
    leat_strbuf_printf(out, "job %s targets=%u dropped=%u invalid=%u duplicate=%u left_out=%u\n", job->conf->name,
                       job->last->count, job->last->dropped, job->last->invalid, job->last->duplicate,
                       job->last->left_out);
    for (uint32_t i = 0; i < job->last->count; i++) {
        const struct leat_target *target = &job->last->at[i];
        leat_strbuf_printf(out, "job %s target %.*s ", job->conf->name, LEAT_SLICE_ARGS(target->url));
        leat_labels_dump(target->labels, out);
        leat_strbuf_putc(out, '\n');
    }
}

void leat_discovery_dump(const struct leat_discovery *discovery, struct leat_strbuf *out)
{
    for (uint32_t i = 0; i < discovery->job_count; i++)
        dump_job(&discovery->jobs[i], out);
}
