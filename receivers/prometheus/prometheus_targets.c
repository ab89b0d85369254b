/* SPDX-License-Identifier: Apache-2.0 */
/* From the list of targets to the targets at work. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "receivers/prometheus/prometheus.h"

#define AGAIN_NS 10000000000ull /* until a list is taken again that found no memory */

/* ---- what a target says about itself, in OTLP ---- */

static void put_attribute(struct pb_buf *out, const char *key, struct leat_slice value)
{
    size_t attribute = pb_buf_open(out, PB_TAG(1, PB_LEN));
    pb_buf_bytes(out, PB_TAG(1, PB_LEN), key, (uint32_t)strlen(key));
    size_t any = pb_buf_open(out, PB_TAG(2, PB_LEN));
    pb_buf_bytes(out, PB_TAG(1, PB_LEN), value.at, value.len);
    pb_buf_close(out, any);
    pb_buf_close(out, attribute);
}

/* A name or an address that means something on another machine. */
static bool is_discernible(struct leat_slice host)
{
    char text[64];
    unsigned char ip[16];
    static const unsigned char none[16], loopback[16] = {[15] = 1};
    if (host.len == 0 || leat_slice_is(host, "localhost"))
        return false;
    (void)snprintf(text, sizeof text, "%.*s", LEAT_SLICE_ARGS(host));
    if (inet_pton(AF_INET, text, ip) == 1)
        return ip[0] != 127 && memcmp(ip, none, 4) != 0;
    if (inet_pton(AF_INET6, text, ip) == 1)
        return memcmp(ip, none, 16) != 0 && memcmp(ip, loopback, 16) != 0;
    return true;
}

static void split_address(struct leat_slice address, struct leat_slice *ret_host, struct leat_slice *ret_port)
{
    const uint8_t *colon = address.len ? memrchr(address.at, ':', address.len) : NULL;
    *ret_host = address;
    *ret_port = (struct leat_slice){0};
    if (!colon)
        return;
    *ret_host = leat_slice_of(address.at, (uint32_t)(colon - address.at));
    *ret_port = leat_slice_of(colon + 1, (uint32_t)(address.at + address.len - colon - 1));
    if (ret_host->len > 1 && ret_host->at[0] == '[' && ret_host->at[ret_host->len - 1] == ']')
        *ret_host = leat_slice_sub(*ret_host, 1, ret_host->len - 2);
}

static struct leat_prom_target *who(const struct leat_target *at)
{
    struct leat_slice job = leat_labels_get(at->labels, LEAT_SLICE("job"));
    struct leat_slice instance = leat_labels_get(at->labels, LEAT_SLICE("instance"));
    struct leat_slice scheme = leat_labels_get(at->labels, LEAT_SLICE("__scheme__")), host, port;
    struct pb_buf resource = {0};
    split_address(instance, &host, &port);
    put_attribute(&resource, "service.name", job);
    if (is_discernible(host))
        put_attribute(&resource, "server.address", host);
    put_attribute(&resource, "service.instance.id", instance);
    put_attribute(&resource, "server.port", port);
    put_attribute(&resource, "url.scheme", scheme.len ? scheme : LEAT_SLICE("http"));
    struct leat_prom_target *target =
        resource.failed ? NULL : leat_prom_target_new(job, instance, leat_slice_of(resource.at, (uint32_t)resource.len));
    pb_buf_done(&resource);
    return target;
}

/* ---- one target ---- */

/* Takes its labels from the list; equal targets of two lists come to the same. */
static void point_at(struct prometheus_target *target, struct leat_targets *list, const struct leat_target *at)
{
    struct leat_label *shown = (struct leat_label *)(uintptr_t)target->shown.at;
    uint32_t count = 0;
    leat_targets_ref(list);
    leat_targets_unref(target->list);
    target->list = list;
    target->at = at;
    for (uint32_t i = 0; i < at->labels.count; i++)
        if (at->labels.at[i].name.len < 2 || memcmp(at->labels.at[i].name.at, "__", 2) != 0)
            shown[count++] = at->labels.at[i];
    target->shown.count = count;
}

static void headers(struct prometheus_target *target)
{
    char *seconds = target->timeout_text;
    double timeout_s = (double)target->timeout_ns / 1e9;
    int len = snprintf(seconds, sizeof target->timeout_text, "%.9f", timeout_s);
    while (len > 1 && (seconds[len - 1] == '0' || seconds[len - 1] == '.')) {
        bool point = seconds[--len] == '.';
        seconds[len] = '\0';
        if (point)
            break;
    }
    target->headers[0] = (struct leat_header){LEAT_SLICE("Accept"), leat_slice_str(target->job->settings.accept)};
    target->headers[1] = (struct leat_header){LEAT_SLICE("X-Prometheus-Scrape-Timeout-Seconds"), leat_slice_str(seconds)};
    target->fetch.headers = (struct leat_headers){target->headers, 2};
    target->fetch.timeout_ns = (uint64_t)target->timeout_ns;
}

struct prometheus_target *prometheus__target_new(struct prometheus_job *job, struct leat_targets *list,
                                                 const struct leat_target *at)
{
    struct prometheus_target *target = leat_zalloc(1, sizeof *target);
    if (!target)
        goto no_memory;
    leat_list_init(&target->link);
    leat_list_init(&target->parcels);
    target->job = job;
    target->shown.at = leat_zalloc(at->labels.count + 1, sizeof *target->shown.at);
    if (!target->shown.at)
        goto no_memory;
    point_at(target, list, at);
    target->up = -1;
    target->last_tick_ms = INT64_MIN;
    target->timeout_ns = at->timeout_ns ? at->timeout_ns : job->settings.timeout_ns;
    target->who = who(at);
    if (!target->who)
        goto no_memory;
    headers(target);
    leat_list_push(&job->state->targets, &target->link);
    job->state->target_count++;
    leat_host_count(job->state->host, PROMETHEUS_TARGETS_ADDED, 1);
    return target;
no_memory:
    prometheus__target_free(target);
    return NULL;
}

void prometheus__target_free(struct prometheus_target *target)
{
    if (!target)
        return;
    struct prometheus_state *state = target->job->state;
    leat_timer_stop(state->host->loop, &target->timer);
    leat_fetch_site_close(target->site);
    LEAT_LIST_EACH(link, &target->parcels)
        prometheus__parcel_free(LEAT_CONTAINER(link, struct prometheus_parcel, link));
    state->target_count -= !leat_list_empty(&target->link);
    leat_list_remove(&target->link);
    state->series -= target->cache.by_raw.count;
    prometheus__cache_done(&target->cache);
    for (uint32_t i = 0; i < PROMETHEUS_REPORTS; i++)
        leat_prom_series_unref(target->reports[i]);
    leat_prom_target_unref(target->who);
    leat_free((void *)(uintptr_t)target->shown.at);
    leat_targets_unref(target->list);
    leat_free(target);
}

const struct prometheus_target *prometheus__heir(const struct prometheus_target *target)
{
    struct prometheus_state *state = target->job->state;
    LEAT_LIST_EACH(link, &state->targets) {
        const struct prometheus_target *other = LEAT_CONTAINER(link, struct prometheus_target, link);
        if (other != target && other->at->shown_hash == target->at->shown_hash && !other->gone &&
            other->last_tick_ms >= target->stale_ms && leat_labels_eq(other->shown, target->shown))
            return other;
    }
    return NULL;
}

/* ---- a new list ---- */

struct index { /* the job's targets there are, by hash */
    struct prometheus_target **at;
    uint32_t room;
};

static leat_rc index_make(struct prometheus_job *job, struct index *index)
{
    index->room = 16;
    while (index->room < 2 * job->state->target_count)
        index->room *= 2;
    index->at = leat_zalloc(index->room, sizeof *index->at);
    if (!index->at)
        return LEAT_ENOMEM;
    LEAT_LIST_EACH(link, &job->state->targets) {
        struct prometheus_target *target = LEAT_CONTAINER(link, struct prometheus_target, link);
        if (target->job != job)
            continue;
        target->seen = false;
        uint32_t i = (uint32_t)target->at->hash & (index->room - 1);
        while (index->at[i])
            i = (i + 1) & (index->room - 1);
        index->at[i] = target;
    }
    return LEAT_OK;
}

static struct prometheus_target *index_find(const struct index *index, const struct leat_target *at)
{
    for (uint32_t i = (uint32_t)at->hash & (index->room - 1); index->at[i]; i = (i + 1) & (index->room - 1))
        if (index->at[i]->at->hash == at->hash && leat_target_eq(index->at[i]->at, at))
            return index->at[i];
    return NULL;
}

/* `target` NULL: it is new. */
static leat_rc come_or_stay(struct prometheus_job *job, const struct leat_target *at, struct prometheus_target *target)
{
    if (target) {
        point_at(target, job->targets, at); /* so that an old list is not kept for one that stayed */
        if (target->gone)
            prometheus__target_return(target);
    } else if ((target = prometheus__target_new(job, job->targets, at)))
        prometheus__target_begin(target);
    if (target)
        target->seen = true;
    return target ? LEAT_OK : LEAT_ENOMEM;
}

/* Targets at work become those of the list; those that find no memory are not there yet. */
static leat_rc take_list(struct prometheus_job *job)
{
    const struct prometheus_state *state = job->state;
    const struct leat_targets *list = job->targets;
    struct index index = {0};
    leat_rc rc = index_make(job, &index);
    if (rc != LEAT_OK)
        return rc;
    for (uint32_t i = 0; i < list->count; i++)
        if (leat_target_shard(&list->at[i], state->host->shard_count) == state->host->shard &&
            come_or_stay(job, &list->at[i], index_find(&index, &list->at[i])) != LEAT_OK)
            rc = LEAT_ENOMEM;
    LEAT_LIST_EACH(link, &state->targets) {
        struct prometheus_target *target = LEAT_CONTAINER(link, struct prometheus_target, link);
        if (target->job == job && !target->seen && !target->gone)
            prometheus__target_leave(target);
    }
    leat_free(index.at);
    return rc;
}

static void take_or_wait(struct leat_timer *timer)
{
    struct prometheus_job *job = timer->ctx;
    struct leat_host *host = job->state->host;
    if (take_list(job) == LEAT_OK)
        return;
    leat_log(LEAT_LOG_WARN, host->id, "job %s: out of memory for %u targets: another try follows", job->conf->job_name,
             job->targets->count);
    leat_timer_start(host->loop, timer, AGAIN_NS);
}

void prometheus__targets_changed(void *ctx, uint32_t which, struct leat_targets *list)
{
    struct prometheus_state *state = ctx;
    struct prometheus_job *job = &state->jobs[which];
    if (state->stopping)
        return;
    leat_targets_ref(list);
    leat_targets_unref(job->targets);
    job->targets = list;
    job->over_target_limit = job->settings.target_limit && list->count > job->settings.target_limit;
    leat_timer_stop(state->host->loop, &job->again);
    job->again = (struct leat_timer){.fire = take_or_wait, .ctx = job};
    take_or_wait(&job->again);
}
