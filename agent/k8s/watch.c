/* SPDX-License-Identifier: Apache-2.0 */
/* A watch's life: list, follow, wait, again. */
#include "agent/k8s/watch.h"

#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/k8s/watch_inner.h"

#define SECOND 1000000000ull
#define OBJECT_BYTES_MAX (2u << 20)
#define WAIT_NS_FIRST SECOND
#define WAIT_NS_MAX (60 * SECOND)
#define WAIT_NS_PEER_MAX (300 * SECOND) /* of a server's Retry-After */
#define SETTLED_NS (10 * SECOND)        /* a watch that lasted so long was a good one */
#define PAUSE_NS (SECOND / 5)           /* between watches that ended as they should */
#define FOLLOW_S_MIN 300u
#define FOLLOW_S_MORE 300u
#define FOLLOW_EXTRA_NS (30 * SECOND)
#define FOLLOW_IDLE_NS (150 * SECOND) /* bookmarks come about once a minute */
#define LIST_NS_MAX (300 * SECOND)
#define LIST_IDLE_NS (30 * SECOND)
#define AGAIN_NS (30 * SECOND)

#define ACCEPT_METADATA "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
#define ACCEPT_METADATA_LIST "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

static void go(struct leat_k8s_watch *watch);

/* The watch's own figure and the process's. */
static void note(uint64_t *figure, enum leat_counter counter)
{
    ++*figure;
    leat_count(counter, 1);
}

/* ---- waiting ---- */

static uint64_t below(struct leat_k8s_watch *watch, uint64_t limit)
{
    struct leat_world *world = leat_loop_world(watch->loop);
    return limit ? world->random(world) % limit : 0;
}

static void wait_for(struct leat_k8s_watch *watch, enum watch_doing next, uint64_t ns)
{
    watch->doing = WATCH_WAITS;
    watch->next = next;
    leat_timer_start(watch->loop, &watch->wait, ns + 1);
}

/* Doubling, uniform in [0.5, 1.5) of the step: agents that failed together do not come back together. */
static uint64_t backoff(struct leat_k8s_watch *watch, uint64_t peer_ns)
{
    uint32_t shift = watch->failures < 6 ? watch->failures : 6;
    uint64_t step = WAIT_NS_FIRST << shift;
    step = step < WAIT_NS_MAX ? step : WAIT_NS_MAX;
    watch->failures += watch->failures < UINT32_MAX;
    uint64_t wait = step / 2 + below(watch, step);
    peer_ns = peer_ns < WAIT_NS_PEER_MAX ? peer_ns : WAIT_NS_PEER_MAX;
    return wait > peer_ns ? wait : peer_ns + below(watch, peer_ns / 10 + 1);
}

static void say(struct leat_k8s_watch *watch, enum leat_level level, const char *what, const char *text, uint64_t wait_ns)
{
    uint32_t missed;
    if (!leat_log_may(&watch->said, leat_loop_now_ns(watch->loop), &missed))
        return;
    leat_log(level, watch->conf.who, "Kubernetes API server %s: %s %s: %s; again in %llu ms, what is known stays (%u times not said)",
             leat_k8s_client_server(watch->client), what, watch->conf.path, text,
             (unsigned long long)(wait_ns / 1000000), missed);
}

/* ---- what became of a call ---- */

static void fail(struct leat_k8s_watch *watch, enum leat_level level, enum watch_doing next, const char *text,
                 uint64_t peer_ns)
{
    const char *what = watch->doing == WATCH_LISTS ? "list" : "watch";
    uint64_t wait = backoff(watch, peer_ns);
    say(watch, level, what, text, wait);
    wait_for(watch, next, wait);
}

static void expired(struct leat_k8s_watch *watch)
{
    bool settled = watch->doing == WATCH_FOLLOWS && watch->failures == 0;
    note(&watch->stats.expired, LEAT_COUNT_K8S_EXPIRED);
    watch->exact = true;
    if (settled) {
        watch->failures = 1;
        wait_for(watch, WATCH_LISTS, below(watch, WAIT_NS_FIRST));
        return;
    }
    fail(watch, LEAT_LOG_INFO, WATCH_LISTS, "the resourceVersion is too old", 0);
}

static void refused(struct leat_k8s_watch *watch, int status, uint64_t peer_ns)
{
    struct k8s_status told;
    char text[320];
    if (!k8s_decode_status(leat_slice_of(watch->status_body, watch->status_len), &told))
        told = (struct k8s_status){0};
    (void)snprintf(text, sizeof text, "answers %d %s%s%s", status, told.reason, told.message[0] ? ": " : "", told.message);
    bool alarm = status == 401 || status == 403;
    if (status == 401)
        note(&watch->stats.unauthorized, LEAT_COUNT_K8S_UNAUTHORIZED);
    else if (status == 403)
        note(&watch->stats.forbidden, LEAT_COUNT_K8S_FORBIDDEN);
    else if (status == 429)
        note(&watch->stats.throttled, LEAT_COUNT_K8S_THROTTLED);
    else
        note(&watch->stats.server_errors, LEAT_COUNT_K8S_SERVER_ERRORS);
    /* A watch that is refused may go on where it was; one that is wrong in itself (400) is listed anew. */
    bool goes_on = watch->doing == WATCH_FOLLOWS && (alarm || status == 429 || status >= 500);
    fail(watch, alarm ? LEAT_LOG_ERROR : LEAT_LOG_WARN, goes_on ? WATCH_FOLLOWS : WATCH_LISTS, text, peer_ns);
}

static void garbled(struct leat_k8s_watch *watch)
{
    note(&watch->stats.garbage, LEAT_COUNT_K8S_GARBAGE);
    watch->exact = true;
    fail(watch, LEAT_LOG_WARN, WATCH_LISTS, "what came cannot be read", 0);
}

static void unreached(struct leat_k8s_watch *watch, const struct leat_err *err)
{
    enum watch_doing next = watch->doing;
    note(&watch->stats.unreachable, LEAT_COUNT_K8S_UNREACHABLE);
    fail(watch, LEAT_LOG_WARN, next, watch->silent ? "nothing came for too long" : err ? err->text : "no answer", 0);
}

static void listed(struct leat_k8s_watch *watch)
{
    watch->stats.pages++;
    if (watch->page.len) {
        watch->doing = WATCH_LISTS;
        go(watch);
        return;
    }
    if (!watch->version[0]) {
        garbled(watch);
        return;
    }
    watch__sweep(watch);
    note(&watch->stats.lists, LEAT_COUNT_K8S_LISTS);
    watch->exact = false;
    watch->synced = true;
    if (watch->events.synced)
        watch->events.synced(watch->ctx);
    if (watch->untaken)
        leat_timer_start(watch->loop, &watch->again, AGAIN_NS / 2 + below(watch, AGAIN_NS));
    watch->doing = WATCH_FOLLOWS;
    go(watch);
}

static void ended_well(struct leat_k8s_watch *watch, uint64_t lasted_ns)
{
    watch->stats.rewatches++;
    if (lasted_ns >= SETTLED_NS) {
        wait_for(watch, WATCH_FOLLOWS, below(watch, PAUSE_NS));
        return;
    }
    note(&watch->stats.server_errors, LEAT_COUNT_K8S_SERVER_ERRORS);
    fail(watch, LEAT_LOG_WARN, WATCH_FOLLOWS, "ends at once", 0);
}

/* ---- a call ---- */

static leat_rc on_found(void *ctx, enum split_found what, struct leat_slice json)
{
    struct leat_k8s_watch *watch = ctx;
    switch (what) {
    case SPLIT_EVENT:
        return watch__event(watch, json);
    case SPLIT_ITEM:
        return watch__item(watch, json);
    case SPLIT_META:
        return watch__meta(watch, json);
    default:
        note(&watch->stats.left_out, LEAT_COUNT_K8S_LEFT_OUT);
        return LEAT_OK;
    }
}

static void on_head(struct leat_k8s_call *call, int status)
{
    ((struct leat_k8s_watch *)call->ctx)->status = status;
}

static bool on_bytes(struct leat_k8s_call *call, struct leat_slice piece)
{
    struct leat_k8s_watch *watch = call->ctx;
    leat_timer_start(watch->loop, &watch->idle, watch->doing == WATCH_LISTS ? LIST_IDLE_NS : FOLLOW_IDLE_NS);
    if (watch->status != 200) {
        uint32_t room = WATCH_STATUS_BYTES - watch->status_len, len = piece.len < room ? piece.len : room;
        if (len)
            memcpy(watch->status_body + watch->status_len, piece.at, len);
        watch->status_len += len;
        return len == piece.len;
    }
    watch->split_rc = k8s_split_feed(&watch->split, piece);
    if (watch->untaken && watch->doing == WATCH_FOLLOWS && !leat_timer_runs(&watch->again))
        leat_timer_start(watch->loop, &watch->again, AGAIN_NS / 2 + below(watch, AGAIN_NS));
    return watch->split_rc == LEAT_OK;
}

static void free_watch(struct leat_k8s_watch *watch)
{
    leat_strbuf_done(&watch->target);
    leat_strbuf_done(&watch->page);
    k8s_split_done(&watch->split);
    k8s_known_done(&watch->known);
    leat_free((void *)(uintptr_t)watch->conf.path);
    leat_free((void *)(uintptr_t)watch->conf.field_selector);
    leat_free((void *)(uintptr_t)watch->conf.label_selector);
    leat_free((void *)(uintptr_t)watch->conf.who);
    leat_free(watch);
}

static void judge(struct leat_k8s_watch *watch, int status, bool whole, uint64_t peer_ns, const struct leat_err *err)
{
    bool lists = watch->doing == WATCH_LISTS;
    uint64_t lasted = leat_loop_now_ns(watch->loop) - watch->call_ns;
    if (!lists && lasted >= SETTLED_NS)
        watch->failures = 0;
    if (watch->split_rc == LEAT_ENOMEM)
        fail(watch, LEAT_LOG_WARN, WATCH_LISTS, "out of memory", 0);
    else if (watch->told_expired || status == 410)
        expired(watch);
    else if (watch->split_rc == LEAT_EPARSE)
        garbled(watch);
    else if (status && status != 200)
        refused(watch, status, peer_ns);
    else if (!lists && watch->next == WATCH_LISTS && err) /* on_again gave it up */
        wait_for(watch, WATCH_LISTS, 0);
    else if (err || !status)
        unreached(watch, err);
    else if (!whole || (lists && !watch->has_meta))
        garbled(watch);
    else if (lists)
        listed(watch);
    else
        ended_well(watch, lasted);
}

static void on_done(struct leat_k8s_call *call, int status, uint64_t retry_after_ns, const struct leat_err *err)
{
    struct leat_k8s_watch *watch = call->ctx;
    bool whole = k8s_split_whole(&watch->split);
    watch->calling = false;
    leat_timer_stop(watch->loop, &watch->idle);
    k8s_split_done(&watch->split);
    if (watch->closing) {
        free_watch(watch);
        return;
    }
    if (watch->status && watch->status != 200)
        status = watch->status; /* told by the head or by an ERROR event, whatever became of the rest */
    judge(watch, status, whole, retry_after_ns, err);
}

static void begin_list(struct leat_k8s_watch *watch)
{
    if (watch->page.len)
        return; /* a further page */
    watch->pass++;
    watch->untaken = false;
    leat_timer_stop(watch->loop, &watch->again);
}

static void go(struct leat_k8s_watch *watch)
{
    bool lists = watch->doing == WATCH_LISTS;
    uint64_t seconds = FOLLOW_S_MIN + below(watch, FOLLOW_S_MORE);
    if (lists)
        begin_list(watch);
    if (watch__target(watch, seconds) != LEAT_OK) {
        fail(watch, LEAT_LOG_WARN, watch->doing, "out of memory", 0);
        return;
    }
    watch->split.is_list = lists;
    watch->split_rc = LEAT_OK;
    watch->status = 0;
    watch->status_len = 0;
    watch->silent = watch->told_expired = watch->has_meta = false;
    watch->next = watch->doing;
    watch->call_ns = leat_loop_now_ns(watch->loop);
    watch->call = (struct leat_k8s_call){
        .target = leat_slice_of(watch->target.at, (uint32_t)watch->target.len),
        .accept = !watch->conf.metadata_only ? NULL : lists ? ACCEPT_METADATA_LIST : ACCEPT_METADATA,
        .timeout_ns = lists ? LIST_NS_MAX : seconds * SECOND + FOLLOW_EXTRA_NS,
        .head = on_head,
        .bytes = on_bytes,
        .done = on_done,
        .ctx = watch};
    watch->calling = true;
    leat_timer_start(watch->loop, &watch->idle, lists ? LIST_IDLE_NS : FOLLOW_IDLE_NS);
    leat_k8s_send(watch->client, &watch->call);
}

/* ---- timers ---- */

static void on_wait(struct leat_timer *timer)
{
    struct leat_k8s_watch *watch = timer->ctx;
    watch->doing = watch->next;
    if (watch->doing == WATCH_LISTS)
        leat_strbuf_clear(&watch->page); /* from the first page */
    go(watch);
}

static void on_idle(struct leat_timer *timer)
{
    struct leat_k8s_watch *watch = timer->ctx;
    watch->silent = true;
    leat_k8s_cancel(watch->client, &watch->call);
}

static void on_again(struct leat_timer *timer)
{
    struct leat_k8s_watch *watch = timer->ctx;
    if (watch->calling && watch->doing == WATCH_FOLLOWS) {
        watch->next = WATCH_LISTS;
        leat_k8s_cancel(watch->client, &watch->call);
    } else if (!watch->calling) {
        watch->next = WATCH_LISTS; /* after the wait */
    }
}

/* ---- public ---- */

static leat_rc keep(const char **to, const char *text)
{
    if (!text || !*text) {
        *to = NULL;
        return LEAT_OK;
    }
    *to = leat_strdup(text);
    return *to ? LEAT_OK : LEAT_ENOMEM;
}

static leat_rc keep_conf(struct leat_k8s_watch *watch, const struct leat_k8s_watch_conf *conf)
{
    watch->conf = *conf;
    watch->conf.path = watch->conf.field_selector = watch->conf.label_selector = watch->conf.who = NULL;
    leat_rc rc = keep(&watch->conf.path, conf->path);
    if (rc == LEAT_OK)
        rc = keep(&watch->conf.field_selector, conf->field_selector);
    if (rc == LEAT_OK)
        rc = keep(&watch->conf.label_selector, conf->label_selector);
    if (rc == LEAT_OK)
        rc = keep(&watch->conf.who, conf->who ? conf->who : "kubernetes");
    return rc;
}

static bool is_path(const char *path) /* of plain characters: it goes into a request line */
{
    for (const char *c = path; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || strchr("?#%\"\\", *c))
            return false;
    return path[0] == '/';
}

leat_rc leat_k8s_watch_open(struct leat_k8s_client *client, const struct leat_k8s_watch_conf *conf,
                            const struct leat_k8s_watch_events *events, void *ctx, struct leat_k8s_watch **ret_watch,
                            struct leat_err *reterr)
{
    if (!conf->path || !is_path(conf->path))
        return LEAT_RAISE(reterr, LEAT_EINVAL, 0, "\"%s\" is no path of the Kubernetes API", conf->path ? conf->path : "");
    struct leat_k8s_watch *watch = leat_zalloc(1, sizeof *watch);
    if (!watch)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    watch->client = client;
    watch->loop = leat_k8s_client_loop(client);
    watch->events = *events;
    watch->ctx = ctx;
    watch->wait = (struct leat_timer){.fire = on_wait, .ctx = watch};
    watch->idle = (struct leat_timer){.fire = on_idle, .ctx = watch};
    watch->again = (struct leat_timer){.fire = on_again, .ctx = watch};
    watch->split = (struct k8s_split){
        .bytes_max = conf->object_bytes_max ? conf->object_bytes_max : OBJECT_BYTES_MAX, .found = on_found, .ctx = watch};
    if (keep_conf(watch, conf) != LEAT_OK) {
        free_watch(watch);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    }
    wait_for(watch, WATCH_LISTS, 0);
    *ret_watch = watch;
    return LEAT_OK;
}

struct leat_k8s_watch *leat_k8s_watch_close(struct leat_k8s_watch *watch)
{
    if (!watch || watch->closing)
        return NULL;
    watch->closing = true;
    leat_timer_stop(watch->loop, &watch->wait);
    leat_timer_stop(watch->loop, &watch->idle);
    leat_timer_stop(watch->loop, &watch->again);
    if (watch->calling)
        leat_k8s_cancel(watch->client, &watch->call); /* its end frees the watch */
    else
        free_watch(watch);
    return NULL;
}

bool leat_k8s_watch_synced(const struct leat_k8s_watch *watch)
{
    return watch->synced;
}

const struct leat_k8s_watch_stats *leat_k8s_watch_stats(const struct leat_k8s_watch *watch)
{
    return &watch->stats;
}

void leat_k8s_watch_dump(const struct leat_k8s_watch *watch, struct leat_strbuf *out)
{
    static const char *const doing[] = {"waits", "lists", "follows"};
    const struct leat_k8s_watch_stats *s = &watch->stats;
    leat_strbuf_printf(out, "%s %s from %s%s: %u objects, %llu lists, %llu events, %llu expired, %llu unreachable, "
                            "%llu refused, %llu garbage, %llu left out\n",
                       doing[watch->doing], watch->conf.path, leat_k8s_client_server(watch->client),
                       watch->synced ? "" : " (not listed yet)", s->objects, (unsigned long long)s->lists,
                       (unsigned long long)s->events, (unsigned long long)s->expired, (unsigned long long)s->unreachable,
                       (unsigned long long)(s->unauthorized + s->forbidden + s->throttled + s->server_errors),
                       (unsigned long long)s->garbage, (unsigned long long)s->left_out);
}
