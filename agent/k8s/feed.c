/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/k8s/feed.h"

#include <pthread.h>
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/base/list.h"

#define BUCKETS_FIRST 256u
#define SWEEP_NS 1000000000ull

/* One way to find an object; its facts are found by several. */
struct way {
    struct way *next; /* in its bucket */
    uint64_t hash;
    struct entry *entry;
};

enum { WAY_NAME, WAY_UID, WAY_IP, WAY_POD_NAME, WAYS_FIXED };

/* What is known of one object. */
struct entry {
    struct leat_k8s_facts *facts;
    uint64_t gone_ns;      /* 0: it is there */
    struct leat_list link; /* of the deleted ones, in order */
    uint32_t way_count;
    struct way ways[]; /* name, uid, ip, pod name, containers */
};

struct watched {
    struct leat_k8s_feed *feed;
    enum leat_k8s_kind kind;
    struct leat_k8s_watch *watch;
};

struct leat_k8s_feed {
    uint32_t refs;
    struct leat_loop *loop;
    struct leat_k8s_client *client;
    bool own_client;
    struct leat_k8s_keep keep;
    uint64_t grace_ns;
    struct watched watched[LEAT_K8S_KIND_COUNT];
    struct leat_timer sweep;
    uint64_t version;    /* atomic */
    uint32_t unsynced;   /* atomic: watches that have not listed yet */
    uint32_t pods, gone; /* atomic: pods known; deleted ones among them */
    pthread_mutex_t lock; /* the rest; taken by the loop's thread to write, by all to read */
    struct way **buckets;
    uint32_t bucket_count, way_count;
    struct leat_list deleted;
};

/* ---- hashes ---- */

static uint64_t hash_text(uint32_t way, struct leat_slice text)
{
    return XXH3_64bits_withSeed(text.at, text.len, way + 1);
}

static uint64_t hash_name(enum leat_k8s_kind kind, struct leat_slice ns, struct leat_slice name)
{
    uint64_t seed = 1000 + kind;
    seed ^= ns.len ? XXH3_64bits(ns.at, ns.len) : 0;
    return XXH3_64bits_withSeed(name.at, name.len, seed);
}

/* ---- the table ---- */

static struct way **bucket_of(const struct leat_k8s_feed *feed, uint64_t hash)
{
    return &feed->buckets[hash & (feed->bucket_count - 1)];
}

static void grow(struct leat_k8s_feed *feed) /* without memory the chains grow instead */
{
    uint32_t count = feed->bucket_count * 2, was = feed->bucket_count;
    struct way **buckets = leat_zalloc(count, sizeof *buckets), **old = feed->buckets;
    if (!buckets)
        return;
    feed->buckets = buckets;
    feed->bucket_count = count;
    for (uint32_t i = 0; i < was; i++)
        for (struct way *way; (way = old[i]);) {
            old[i] = way->next;
            struct way **at = bucket_of(feed, way->hash); /* behind: the order of a chain, newest first, stays */
            while (*at)
                at = &(*at)->next;
            way->next = NULL;
            *at = way;
        }
    leat_free(old);
}

static void link_way(struct leat_k8s_feed *feed, struct entry *entry, uint64_t hash)
{
    struct way *way = &entry->ways[entry->way_count++], **bucket = bucket_of(feed, hash);
    *way = (struct way){*bucket, hash, entry};
    *bucket = way;
    feed->way_count++;
}

static struct entry *entry_new(struct leat_k8s_facts *facts)
{
    struct entry *entry = leat_alloc(sizeof *entry + (WAYS_FIXED + facts->container_count) * sizeof *entry->ways);
    if (!entry)
        return NULL;
    entry->facts = facts;
    entry->gone_ns = 0;
    entry->way_count = 0;
    leat_list_init(&entry->link);
    return entry;
}

static void entry_link(struct leat_k8s_feed *feed, struct entry *entry)
{
    const struct leat_k8s_facts *f = entry->facts;
    while (feed->way_count > feed->bucket_count) {
        uint32_t was = feed->bucket_count;
        grow(feed);
        if (feed->bucket_count == was)
            break;
    }
    link_way(feed, entry, hash_name(f->kind, f->ns, f->name));
    if (f->kind != LEAT_K8S_POD)
        return;
    if (f->uid.len)
        link_way(feed, entry, hash_text(WAY_UID, f->uid));
    if (f->ip.len)
        link_way(feed, entry, hash_text(WAY_IP, f->ip));
    link_way(feed, entry, hash_text(WAY_POD_NAME, f->name));
    for (uint32_t i = 0; i < f->container_count; i++)
        if (f->containers[i].id.len)
            link_way(feed, entry, hash_text(WAYS_FIXED, f->containers[i].id));
}

static void entry_unlink(struct leat_k8s_feed *feed, struct entry *entry)
{
    for (uint32_t i = 0; i < entry->way_count; i++) {
        struct way **at = bucket_of(feed, entry->ways[i].hash);
        while (*at != &entry->ways[i])
            at = &(*at)->next;
        *at = entry->ways[i].next;
    }
    feed->way_count -= entry->way_count;
    leat_list_remove(&entry->link);
}

static void entry_free(struct entry *entry)
{
    leat_k8s_facts_unref(entry->facts);
    leat_free(entry);
}

static struct entry *find_name(const struct leat_k8s_feed *feed, enum leat_k8s_kind kind, struct leat_slice ns,
                               struct leat_slice name, struct leat_slice uid, bool any_uid)
{
    uint64_t hash = hash_name(kind, ns, name);
    for (struct way *way = *bucket_of(feed, hash); way; way = way->next) {
        const struct leat_k8s_facts *f = way->entry->facts;
        if (way->hash == hash && way == &way->entry->ways[0] && f->kind == kind && leat_slice_eq(f->ns, ns) &&
            leat_slice_eq(f->name, name) && (any_uid || leat_slice_eq(f->uid, uid)))
            return way->entry;
    }
    return NULL;
}

/* ---- what the watches say; on their loop ---- */

static void changed_now(struct leat_k8s_feed *feed)
{
    (void)__atomic_add_fetch(&feed->version, 1, __ATOMIC_RELEASE);
}

static void count_pod(struct leat_k8s_feed *feed, const struct entry *entry, int by)
{
    if (entry->facts->kind != LEAT_K8S_POD)
        return;
    (void)__atomic_add_fetch(&feed->pods, (uint32_t)by, __ATOMIC_RELAXED);
    if (entry->gone_ns)
        (void)__atomic_add_fetch(&feed->gone, (uint32_t)by, __ATOMIC_RELAXED);
}

static void drop_entry(struct leat_k8s_feed *feed, struct entry *entry) /* the lock is held */
{
    count_pod(feed, entry, -1);
    entry_unlink(feed, entry);
    entry_free(entry);
}

static void drop_deleted(struct leat_k8s_feed *feed, uint64_t before_ns)
{
    while (!leat_list_empty(&feed->deleted)) {
        struct entry *first = LEAT_CONTAINER(feed->deleted.next, struct entry, link);
        if (first->gone_ns > before_ns && feed->gone <= LEAT_K8S_DELETED_MAX)
            break;
        drop_entry(feed, first);
        changed_now(feed);
    }
}

static void on_sweep(struct leat_timer *timer)
{
    struct leat_k8s_feed *feed = timer->ctx;
    uint64_t now = leat_loop_now_ns(feed->loop);
    (void)pthread_mutex_lock(&feed->lock);
    drop_deleted(feed, now > feed->grace_ns ? now - feed->grace_ns : 0);
    bool more = !leat_list_empty(&feed->deleted);
    (void)pthread_mutex_unlock(&feed->lock);
    if (more)
        leat_timer_start(feed->loop, &feed->sweep, SWEEP_NS);
}

static void take_end(struct watched *watched, const struct leat_k8s_object *object)
{
    struct leat_k8s_feed *feed = watched->feed;
    (void)pthread_mutex_lock(&feed->lock);
    struct entry *entry = find_name(feed, watched->kind, object->ns, object->name, object->uid, false);
    if (entry && !entry->gone_ns) {
        count_pod(feed, entry, -1);
        entry->gone_ns = leat_loop_now_ns(feed->loop) | 1;
        count_pod(feed, entry, 1);
        leat_list_push(&feed->deleted, &entry->link);
        if (feed->gone > LEAT_K8S_DELETED_MAX)
            drop_deleted(feed, 0);
    }
    (void)pthread_mutex_unlock(&feed->lock);
    if (!leat_timer_runs(&feed->sweep))
        leat_timer_start(feed->loop, &feed->sweep, SWEEP_NS);
}

static leat_rc take_facts(struct leat_k8s_feed *feed, struct leat_k8s_facts *facts)
{
    (void)pthread_mutex_lock(&feed->lock);
    struct entry *was = find_name(feed, facts->kind, facts->ns, facts->name, facts->uid, false);
    if (was && !was->gone_ns && leat_k8s_facts_eq(was->facts, facts)) {
        (void)pthread_mutex_unlock(&feed->lock);
        leat_k8s_facts_unref(facts);
        return LEAT_OK;
    }
    struct entry *entry = entry_new(facts);
    if (entry && was)
        drop_entry(feed, was);
    if (entry) {
        entry_link(feed, entry);
        count_pod(feed, entry, 1);
    }
    (void)pthread_mutex_unlock(&feed->lock);
    if (!entry) {
        leat_k8s_facts_unref(facts);
        return LEAT_ENOMEM;
    }
    changed_now(feed);
    return LEAT_OK;
}

static leat_rc on_changed(void *ctx, const struct leat_k8s_object *object)
{
    struct watched *watched = ctx;
    struct leat_k8s_facts *facts;
    if (object->event == LEAT_K8S_DELETED) {
        take_end(watched, object);
        return LEAT_OK;
    }
    leat_rc rc = leat_k8s_facts_read(watched->kind, object->json, &watched->feed->keep, &facts);
    if (rc == LEAT_EPARSE) {
        leat_count(LEAT_COUNT_K8S_LEFT_OUT, 1); /* an object of another shape: listing it anew would not help */
        return LEAT_OK;
    }
    return rc == LEAT_OK ? take_facts(watched->feed, facts) : rc;
}

static void on_synced(void *ctx)
{
    struct watched *watched = ctx;
    if (!leat_k8s_watch_stats(watched->watch) || leat_k8s_watch_stats(watched->watch)->lists != 1)
        return;
    (void)__atomic_sub_fetch(&watched->feed->unsynced, 1, __ATOMIC_RELEASE);
    changed_now(watched->feed);
}

static const struct leat_k8s_watch_events watch_events = {on_changed, on_synced};

/* ---- looking up ---- */

static bool fits(const struct leat_k8s_facts *f, const struct leat_k8s_match *match)
{
    switch (match->by) {
    case LEAT_K8S_BY_UID:
        return leat_slice_eq(f->uid, match->value);
    case LEAT_K8S_BY_IP:
        return leat_slice_eq(f->ip, match->value);
    case LEAT_K8S_BY_CONNECTION:
        return !f->host_network && leat_slice_eq(f->ip, match->value);
    case LEAT_K8S_BY_NAME:
        return leat_slice_eq(f->name, match->value);
    case LEAT_K8S_BY_NAMESPACE:
        return leat_slice_eq(f->ns, match->value);
    case LEAT_K8S_BY_NODE:
        return leat_slice_eq(f->node, match->value);
    case LEAT_K8S_BY_HOSTNAME:
        return leat_slice_eq(f->hostname, match->value);
    default:
        break;
    }
    for (uint32_t i = 0; i < f->container_count; i++)
        if (leat_slice_eq(f->containers[i].id, match->value))
            return true;
    return false;
}

static uint64_t hash_of_match(const struct leat_k8s_match *match)
{
    static const uint32_t ways[] = {[LEAT_K8S_BY_UID] = WAY_UID, [LEAT_K8S_BY_IP] = WAY_IP,
                                    [LEAT_K8S_BY_CONNECTION] = WAY_IP, [LEAT_K8S_BY_NAME] = WAY_POD_NAME,
                                    [LEAT_K8S_BY_CONTAINER] = WAYS_FIXED};
    return hash_text(ways[match->by], match->value);
}

static const struct entry *better(const struct entry *a, const struct entry *b)
{
    if (!a || !b)
        return a ? a : b;
    if (!a->gone_ns != !b->gone_ns)
        return a->gone_ns ? b : a;
    if (a->gone_ns != b->gone_ns)
        return a->gone_ns > b->gone_ns ? a : b;
    uint32_t len = a->facts->created.len < b->facts->created.len ? a->facts->created.len : b->facts->created.len;
    return len && memcmp(a->facts->created.at, b->facts->created.at, len) < 0 ? b : a;
}

struct leat_k8s_facts *leat_k8s_feed_find(struct leat_k8s_feed *feed, const struct leat_k8s_match *matches, uint32_t count)
{
    const struct leat_k8s_match *lead = NULL;
    const struct entry *best = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (leat_k8s_by_leads(matches[i].by) && (!lead || matches[i].by < lead->by))
            lead = &matches[i];
    if (!lead || !lead->value.len)
        return NULL;
    uint64_t hash = hash_of_match(lead);
    (void)pthread_mutex_lock(&feed->lock);
    for (struct way *way = *bucket_of(feed, hash); way; way = way->next) {
        if (way->hash != hash || way->entry->facts->kind != LEAT_K8S_POD)
            continue;
        bool all = true;
        for (uint32_t i = 0; all && i < count; i++)
            all = fits(way->entry->facts, &matches[i]);
        if (all)
            best = better(best, way->entry);
    }
    struct leat_k8s_facts *facts = best ? leat_k8s_facts_ref(best->facts) : NULL;
    (void)pthread_mutex_unlock(&feed->lock);
    return facts;
}

struct leat_k8s_facts *leat_k8s_feed_object(struct leat_k8s_feed *feed, enum leat_k8s_kind kind, struct leat_slice ns,
                                            struct leat_slice name)
{
    if (!name.len)
        return NULL;
    (void)pthread_mutex_lock(&feed->lock);
    const struct entry *entry = find_name(feed, kind, ns, name, (struct leat_slice){0}, true);
    struct leat_k8s_facts *facts = entry ? leat_k8s_facts_ref(entry->facts) : NULL;
    (void)pthread_mutex_unlock(&feed->lock);
    return facts;
}

uint64_t leat_k8s_feed_version(const struct leat_k8s_feed *feed)
{
    return __atomic_load_n(&feed->version, __ATOMIC_ACQUIRE);
}

bool leat_k8s_feed_synced(const struct leat_k8s_feed *feed)
{
    return __atomic_load_n(&feed->unsynced, __ATOMIC_ACQUIRE) == 0;
}

uint32_t leat_k8s_feed_pods(const struct leat_k8s_feed *feed)
{
    return __atomic_load_n(&feed->pods, __ATOMIC_RELAXED);
}

/* ---- opening ---- */

static void put_key(struct leat_strbuf *out, const char *text)
{
    leat_strbuf_printf(out, "%zu:%s;", text ? strlen(text) : 0, text ? text : "");
}

void leat_k8s_feed_key(const struct leat_k8s_feed_conf *conf, struct leat_strbuf *out)
{
    leat_strbuf_printf(out, "k8s feed %d %d %d %u %llu;", (int)conf->client.auth, conf->keep.labels, conf->keep.annotations,
                       conf->kinds, (unsigned long long)conf->grace_ns);
    put_key(out, conf->client.service_account_dir);
    put_key(out, conf->client.kubeconfig);
    put_key(out, conf->client.context);
    put_key(out, conf->client.server);
    put_key(out, conf->client.token_file);
    put_key(out, conf->node);
    put_key(out, conf->namespace);
    put_key(out, conf->label_selector);
    put_key(out, conf->field_selector);
}

static void put_selector(struct leat_strbuf *out, const char *key, const char *value)
{
    if (value && *value)
        leat_strbuf_printf(out, "%s%s%s", out->len ? "," : "", key, value);
}

static leat_rc watch_one(struct leat_k8s_feed *feed, enum leat_k8s_kind kind, const struct leat_k8s_feed_conf *conf,
                         struct leat_err *reterr)
{
    static const char *const paths[] = {"/api/v1/pods", "/api/v1/namespaces", "/api/v1/nodes",
                                        "/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets",
                                        "/apis/apps/v1/daemonsets", "/apis/batch/v1/jobs"};
    struct leat_strbuf path = {0}, fields = {0};
    bool narrow = conf->namespace && *conf->namespace && kind != LEAT_K8S_NAMESPACE && kind != LEAT_K8S_NODE;
    const char *last = strrchr(paths[kind], '/');
    if (narrow)
        leat_strbuf_printf(&path, "%.*s/namespaces/%s%s", (int)(last - paths[kind]), paths[kind], conf->namespace, last);
    else
        leat_strbuf_puts(&path, paths[kind]);
    if (kind == LEAT_K8S_POD) {
        put_selector(&fields, "spec.nodeName=", conf->node);
        put_selector(&fields, "", conf->field_selector);
    } else if (kind == LEAT_K8S_NODE) {
        put_selector(&fields, "metadata.name=", conf->node);
    }
    struct watched *watched = &feed->watched[kind];
    *watched = (struct watched){.feed = feed, .kind = kind};
    struct leat_k8s_watch_conf watch = {.path = path.at,
                                        .field_selector = fields.at,
                                        .label_selector = kind == LEAT_K8S_POD ? conf->label_selector : NULL,
                                        .metadata_only = kind != LEAT_K8S_POD,
                                        .who = conf->who};
    leat_rc rc = path.failed || fields.failed ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory") : LEAT_OK;
    if (rc == LEAT_OK)
        rc = leat_k8s_watch_open(feed->client, &watch, &watch_events, watched, &watched->watch, reterr);
    leat_strbuf_done(&path);
    leat_strbuf_done(&fields);
    return rc;
}

static leat_rc feed_new(struct leat_loop *loop, const struct leat_k8s_feed_conf *conf, struct leat_k8s_feed **ret_feed,
                        struct leat_err *reterr)
{
    struct leat_k8s_feed *feed = leat_zalloc(1, sizeof *feed);
    struct way **buckets = leat_zalloc(BUCKETS_FIRST, sizeof *buckets);
    if (!feed || !buckets) {
        leat_free(feed);
        leat_free(buckets);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    }
    feed->refs = 1;
    feed->loop = loop;
    feed->keep = conf->keep;
    feed->grace_ns = conf->grace_ns;
    feed->buckets = buckets;
    feed->bucket_count = BUCKETS_FIRST;
    feed->sweep = (struct leat_timer){.fire = on_sweep, .ctx = feed};
    leat_list_init(&feed->deleted);
    (void)pthread_mutex_init(&feed->lock, NULL);
    *ret_feed = feed;
    return LEAT_OK;
}

static leat_rc begin(struct leat_k8s_feed *feed, const struct leat_k8s_feed_conf *conf, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    for (int kind = 0; rc == LEAT_OK && kind < LEAT_K8S_KIND_COUNT; kind++) {
        if (kind != LEAT_K8S_POD && !(conf->kinds & LEAT_K8S_KIND_BIT(kind)))
            continue;
        feed->unsynced++;
        rc = watch_one(feed, (enum leat_k8s_kind)kind, conf, reterr);
    }
    return rc;
}

leat_rc leat_k8s_feed_over(struct leat_k8s_client *client, const struct leat_k8s_feed_conf *conf,
                           struct leat_k8s_feed **ret_feed, struct leat_err *reterr)
{
    struct leat_k8s_feed *feed = NULL;
    leat_rc rc = feed_new(leat_k8s_client_loop(client), conf, &feed, reterr);
    if (rc != LEAT_OK)
        return rc;
    feed->client = client;
    rc = begin(feed, conf, reterr);
    if (rc == LEAT_OK)
        *ret_feed = feed;
    else
        (void)leat_k8s_feed_close(feed);
    return rc;
}

leat_rc leat_k8s_feed_open(struct leat_loop *loop, const struct leat_k8s_feed_conf *conf, struct leat_k8s_feed **ret_feed,
                           struct leat_err *reterr)
{
    struct leat_k8s_client *client;
    leat_rc rc = leat_k8s_client_open(loop, &conf->client, &client, reterr);
    if (rc != LEAT_OK)
        return rc;
    rc = leat_k8s_feed_over(client, conf, ret_feed, reterr);
    if (rc == LEAT_OK)
        (*ret_feed)->own_client = true;
    else
        leat_k8s_client_close(client);
    return rc;
}

struct leat_k8s_feed *leat_k8s_feed_ref(struct leat_k8s_feed *feed)
{
    feed->refs++;
    return feed;
}

bool leat_k8s_feed_close(struct leat_k8s_feed *feed)
{
    if (!feed || --feed->refs)
        return false;
    for (int kind = 0; kind < LEAT_K8S_KIND_COUNT; kind++)
        leat_k8s_watch_close(feed->watched[kind].watch);
    if (feed->own_client)
        leat_k8s_client_close(feed->client);
    leat_timer_stop(feed->loop, &feed->sweep);
    for (uint32_t i = 0; i < feed->bucket_count; i++)
        while (feed->buckets[i]) {
            struct entry *entry = feed->buckets[i]->entry;
            entry_unlink(feed, entry);
            entry_free(entry);
        }
    leat_free(feed->buckets);
    (void)pthread_mutex_destroy(&feed->lock);
    leat_free(feed);
    return true;
}

void leat_k8s_feed_dump(const struct leat_k8s_feed *feed, struct leat_strbuf *out)
{
    leat_strbuf_printf(out, "%u pods known, %u of them deleted, version %llu%s\n", leat_k8s_feed_pods(feed),
                       __atomic_load_n(&feed->gone, __ATOMIC_RELAXED), (unsigned long long)leat_k8s_feed_version(feed),
                       leat_k8s_feed_synced(feed) ? "" : ", not listed yet");
}
