/* SPDX-License-Identifier: Apache-2.0 */
/* Batches in, batches out; and those that wait for a pod.
 *
 * A batch waits when one of its sources waits for its pod, or stands in a batch that waits (then the order of that source would
 * be lost). A source waits once, pod_wait_timeout long; after that its data goes on as it is. Waiting batches are looked at in
 * their order whenever the feed has changed or a time is up. In each look the sources of those that stay are marked with the
 * look's number, `epoch`, so that what comes behind them stays too. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "processors/k8s_attributes/k8s_attributes.h"

#define TICK_NS 20000000ull

/* ---- one resource ---- */

static uint64_t now_ns(const struct k8s_attributes *k8s)
{
    return leat_loop_now_ns(k8s->host->loop);
}

static void give_up(struct k8s_attributes *k8s, struct k8s_source *source, enum k8s_attributes_row row)
{
    source->wait_until_ns = 0;
    leat_host_count(k8s->host, row, 1);
}

/* True: its pod may still come. */
static bool waits(struct k8s_attributes *k8s, struct k8s_source *source)
{
    if (source->facts[LEAT_K8S_POD]) {
        source->wait_until_ns = 0;
        source->waited = true; /* known once: when it is gone nobody waits for it again */
        return false;
    }
    if (!source->waited && k8s->conf->pod_wait_timeout_ns > 0) {
        source->waited = true;
        source->wait_until_ns = now_ns(k8s) + (uint64_t)k8s->conf->pod_wait_timeout_ns;
    }
    if (source->wait_until_ns && now_ns(k8s) >= source->wait_until_ns)
        give_up(k8s, source, K8S_GIVEN_UP);
    return source->wait_until_ns != 0;
}

static leat_rc with_pod(struct k8s_attributes *k8s, struct k8s_source *source, struct leat_slice address,
                        struct otlp_append *ret)
{
    leat_rc rc = k8s_source_refresh(k8s, source);
    if (rc != LEAT_OK)
        return rc;
    if (waits(k8s, source) || source->epoch == k8s->epoch)
        return LEAT_EBUSY;
    bool known = source->facts[LEAT_K8S_POD] != NULL;
    k8s->results[known ? K8S_FOUND : K8S_UNKNOWN]++;
    if (known)
        return k8s_block_of(k8s, source, ret);
    return k8s_address_block(k8s, address, ret);
}

/* LEAT_EBUSY: the batch has to wait. */
static leat_rc look(void *ctx, struct leat_slice resource, struct otlp_append *ret)
{
    struct k8s_attributes *k8s = ctx;
    struct k8s_source *source;
    struct leat_slice address;
    k8s_see(k8s, resource);
    leat_rc rc = k8s_source_of_resource(k8s, &source, &address);
    if (rc == LEAT_ENOMEM)
        return rc;
    if (k8s->all_epoch == k8s->epoch)
        return LEAT_EBUSY;
    if (source)
        return with_pod(k8s, source, address, ret);
    if (rc == LEAT_OK && address.len && !k8s->feed)
        return k8s_address_block(k8s, address, ret);
    if (k8s->nameless_epoch == k8s->epoch)
        return LEAT_EBUSY;
    k8s->results[rc == LEAT_EFULL ? K8S_UNKNOWN : K8S_NAMELESS]++;
    return LEAT_OK;
}

static leat_rc mark(void *ctx, struct leat_slice resource, struct otlp_append *ret)
{
    struct k8s_attributes *k8s = ctx;
    struct k8s_source *source;
    struct leat_slice address;
    (void)ret;
    k8s_see(k8s, resource);
    leat_rc rc = k8s_source_of_resource(k8s, &source, &address);
    if (rc == LEAT_OK && source)
        source->epoch = k8s->epoch;
    else
        k8s->nameless_epoch = k8s->epoch;
    return rc == LEAT_ENOMEM ? rc : LEAT_OK;
}

/* ---- one batch ---- */

static void begin(struct k8s_attributes *k8s, const struct leat_batch *batch)
{
    k8s->batch = batch;
    k8s->connection[0] = 0;
    if (!leat_peer_known(batch->peer))
        return;
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    bool v4 = memcmp(batch->peer, mapped, sizeof mapped) == 0;
    if (!inet_ntop(v4 ? AF_INET : AF_INET6, batch->peer + (v4 ? 12 : 0), k8s->connection, sizeof k8s->connection))
        k8s->connection[0] = 0;
}

static leat_rc edit(struct k8s_attributes *k8s, struct leat_batch *batch, struct leat_err *reterr)
{
    struct leat_chain edited;
    uint64_t before = batch->payload.bytes;
    memset(k8s->results, 0, sizeof k8s->results);
    begin(k8s, batch);
    leat_rc rc = otlp_append_resources(&batch->payload, &k8s->flat, look, k8s, &edited, reterr);
    if (rc != LEAT_OK)
        return rc;
    for (uint32_t row = 0; row <= K8S_NAMELESS; row++)
        leat_host_count(k8s->host, row, k8s->results[row]);
    leat_chain_done(&batch->payload);
    batch->payload = edited;
    batch->pinned_bytes += edited.bytes > before ? edited.bytes - before : 0;
    return LEAT_OK;
}

/* Its sources stand in a batch that waits. */
static void mark_batch(struct k8s_attributes *k8s, const struct leat_batch *batch)
{
    struct leat_chain same;
    begin(k8s, batch);
    if (otlp_append_resources(&batch->payload, &k8s->flat, mark, k8s, &same, NULL) == LEAT_OK)
        leat_chain_done(&same);
    else
        k8s->all_epoch = k8s->epoch; /* not known which: everything stays behind it */
}

static void drop_broken(struct k8s_attributes *k8s, struct leat_batch *batch, const struct leat_err *err)
{
    uint32_t missed;
    if (leat_log_may(&k8s->said, now_ns(k8s), &missed))
        leat_log(LEAT_LOG_ERROR, k8s->host->id, "%u items dropped: %s (%u times not said)", batch->item_count, err->text,
                 missed);
    leat_doomed_put(&k8s->broken, batch);
}

/* ---- keeping ---- */

static void keep(struct k8s_attributes *k8s, struct leat_list *list, struct leat_batch *batch)
{
    k8s->kept_items += batch->item_count;
    k8s->kept_bytes += batch->pinned_bytes;
    leat_list_push(list, &batch->link);
}

static void unkeep(struct k8s_attributes *k8s, struct leat_batch *batch, uint64_t bytes)
{
    k8s->kept_items -= batch->item_count;
    k8s->kept_bytes -= bytes;
}

static void tick_later(struct k8s_attributes *k8s)
{
    if (!leat_timer_runs(&k8s->tick))
        leat_timer_start(k8s->host->loop, &k8s->tick, TICK_NS);
}

/* What is ready goes on, as far as there is room. False: not all of it. */
static bool send_ready(struct k8s_attributes *k8s)
{
    while (!leat_list_empty(&k8s->ready)) {
        struct leat_batch *batch = LEAT_CONTAINER(k8s->ready.next, struct leat_batch, link);
        uint64_t items = batch->item_count, bytes = batch->pinned_bytes;
        leat_list_remove(&batch->link);
        leat_rc rc = leat_forward(k8s->host, batch);
        if (rc != LEAT_OK && leat_rc_fate(rc) == LEAT_FATE_RETRY) {
            leat_list_push_front(&k8s->ready, &batch->link);
            k8s->stuck = true;
            return false;
        }
        k8s->kept_items -= items;
        k8s->kept_bytes -= bytes;
        if (rc == LEAT_OK)
            continue;
        leat_host_drop(k8s->host, batch->signal, LEAT_DROP_REFUSED, items);
        leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_REFUSED);
    }
    return true;
}

/* Looks at all that wait; without memory the rest stays as it is until the next look. */
static void look_again(struct k8s_attributes *k8s)
{
    k8s->epoch++;
    LEAT_LIST_EACH(node, &k8s->waiting)
    {
        struct leat_batch *batch = LEAT_CONTAINER(node, struct leat_batch, link);
        struct leat_err err = {0};
        uint64_t bytes = batch->pinned_bytes;
        leat_rc rc = edit(k8s, batch, &err);
        if (rc == LEAT_EBUSY) {
            mark_batch(k8s, batch);
            continue;
        }
        if (rc == LEAT_ENOMEM) {
            k8s->all_epoch = k8s->epoch;
            break;
        }
        leat_list_remove(&batch->link);
        unkeep(k8s, batch, bytes);
        if (rc == LEAT_OK)
            keep(k8s, &k8s->ready, batch);
        else
            drop_broken(k8s, batch, &err);
    }
    if (leat_list_empty(&k8s->waiting))
        k8s->epoch++; /* nothing is marked any more */
}

static void stop_waiting(struct k8s_attributes *k8s, enum k8s_attributes_row row)
{
    for (uint32_t i = 0; k8s->buckets && i < K8S_BUCKETS; i++)
        for (struct k8s_source *source = k8s->buckets[i]; source; source = source->next)
            if (source->wait_until_ns)
                give_up(k8s, source, row);
}

static void on_tick(struct leat_timer *timer)
{
    struct k8s_attributes *k8s = timer->ctx;
    look_again(k8s);
    if (!k8s->stuck)
        (void)send_ready(k8s);
    if (!leat_list_empty(&k8s->waiting))
        tick_later(k8s);
}

static void wait_batch(struct k8s_attributes *k8s, struct leat_batch *batch)
{
    leat_host_count(k8s->host, K8S_WAITED, batch->item_count);
    mark_batch(k8s, batch);
    keep(k8s, &k8s->waiting, batch);
    tick_later(k8s);
    if (k8s->kept_items > (uint64_t)k8s->conf->pod_wait_items || k8s->kept_bytes > (uint64_t)k8s->conf->pod_wait_bytes)
        stop_waiting(k8s, K8S_OVERFLOW); /* at the next tick all of it goes on */
}

/* ---- the processor ---- */

leat_rc k8s_attributes__admit(void *state, const struct leat_batch *batch)
{
    struct k8s_attributes *k8s = state;
    if (!leat_list_empty(&k8s->ready))
        return LEAT_AGAIN;
    bool over = k8s->kept_items + batch->item_count > 2 * (uint64_t)k8s->conf->pod_wait_items ||
                k8s->kept_bytes + batch->pinned_bytes > 2 * (uint64_t)k8s->conf->pod_wait_bytes;
    if (over && k8s->kept_items)
        return LEAT_AGAIN; /* what waits is on its way out */
    if (!k8s->feed || !k8s->conf->wait_for_metadata || leat_k8s_feed_synced(k8s->feed))
        return LEAT_OK;
    return now_ns(k8s) - k8s->began_ns < (uint64_t)k8s->conf->wait_for_metadata_timeout_ns ? LEAT_AGAIN : LEAT_OK;
}

struct leat_batch *k8s_attributes__process(void *state, struct leat_batch *batch)
{
    struct k8s_attributes *k8s = state;
    struct leat_err err = {0};
    leat_rc rc = edit(k8s, batch, &err);
    if (rc == LEAT_OK)
        return batch;
    if (rc == LEAT_EBUSY || rc == LEAT_ENOMEM)
        wait_batch(k8s, batch); /* without memory: until the next look */
    else
        drop_broken(k8s, batch, &err);
    return NULL;
}

/* The gate calls it when there may be room; otherwise it is the end, and nothing waits any longer. */
bool k8s_attributes__flush(void *state)
{
    struct k8s_attributes *k8s = state;
    if (!k8s->stuck) {
        stop_waiting(k8s, K8S_GIVEN_UP);
        look_again(k8s);
    }
    k8s->stuck = false;
    (void)send_ready(k8s);
    return k8s->kept_items == 0;
}

uint64_t k8s_attributes__held(const void *state)
{
    return ((const struct k8s_attributes *)state)->kept_items;
}

void k8s_attributes__dump(const void *state, struct leat_strbuf *out)
{
    const struct k8s_attributes *k8s = state;
    leat_strbuf_printf(out, "%u sources remembered, %llu items in %llu bytes wait\n", k8s->source_count,
                       (unsigned long long)k8s->kept_items, (unsigned long long)k8s->kept_bytes);
    if (k8s->feed && k8s->host->shard == 0)
        leat_k8s_feed_dump(k8s->feed, out);
}

/* ---- opening ---- */

static void put_filters(const struct leat_items *items, bool labels, struct leat_strbuf *out)
{
    const struct k8s_label_filter_conf *filters = items->at;
    for (uint32_t i = 0; i < items->count; i++) {
        const char *value = filters[i].value ? filters[i].value : "";
        leat_strbuf_puts(out, out->len ? "," : "");
        if (filters[i].op < 2)
            leat_strbuf_printf(out, "%s%s%s", filters[i].key, filters[i].op ? "!=" : "=", value);
        else if (labels)
            leat_strbuf_printf(out, "%s%s", filters[i].op == 3 ? "!" : "", filters[i].key);
    }
}

static leat_rc node_of(const struct k8s_attributes_conf *conf, const char **ret_node, struct leat_err *reterr)
{
    const char *variable = conf->filter.node_from_env_var;
    *ret_node = conf->filter.node;
    if (!variable || !*variable)
        return LEAT_OK;
    *ret_node = getenv(variable);
    return *ret_node && **ret_node ? LEAT_OK
                                   : LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                                                "filter: node_from_env_var: the environment variable %s is not set", variable);
}

static leat_rc feed_conf(struct k8s_attributes *k8s, struct leat_strbuf *labels, struct leat_strbuf *fields,
                         struct leat_k8s_feed_conf *ret, struct leat_err *reterr)
{
    static const enum leat_k8s_auth auths[] = {LEAT_K8S_SERVICE_ACCOUNT, LEAT_K8S_KUBECONFIG, LEAT_K8S_NONE};
    const struct k8s_attributes_conf *conf = k8s->conf;
    put_filters(&conf->filter.labels, true, labels);
    put_filters(&conf->filter.fields, false, fields);
    *ret = (struct leat_k8s_feed_conf){
        .client = {.auth = auths[conf->auth_type], .context = conf->context},
        .namespace = conf->filter.namespace,
        .label_selector = labels->at,
        .field_selector = fields->at,
        .keep = {.labels = conf->extract.labels.count > 0,
                 .annotations = conf->extract.annotations.count > 0 || conf->extract.otel_annotations},
        .kinds = k8s->rules.kinds,
        .grace_ns = (uint64_t)conf->pod_delete_grace_period_ns,
        .who = k8s->host->id};
    if (labels->failed || fields->failed)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    return node_of(conf, &ret->node, reterr);
}

/* The feed that all instances with the same wishes share; shard 0 comes first and makes it. */
static leat_rc join(struct k8s_attributes *k8s, const struct leat_k8s_feed_conf *conf, struct leat_err *reterr)
{
    struct leat_strbuf name = {0};
    leat_k8s_feed_key(conf, &name);
    k8s->feed_slot = name.failed ? NULL : k8s->host->ops->common(k8s->host, name.at);
    leat_strbuf_done(&name);
    if (!k8s->feed_slot)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (*k8s->feed_slot) {
        k8s->feed = leat_k8s_feed_ref(*k8s->feed_slot);
        return LEAT_OK;
    }
    leat_rc rc = leat_k8s_feed_open(k8s->host->loop, conf, &k8s->feed, reterr);
    if (rc == LEAT_OK)
        *k8s->feed_slot = k8s->feed;
    return rc;
}

static leat_rc open_feed(struct k8s_attributes *k8s, struct leat_err *reterr)
{
    struct leat_strbuf labels = {0}, fields = {0};
    struct leat_k8s_feed_conf conf;
    leat_rc rc = feed_conf(k8s, &labels, &fields, &conf, reterr);
    if (rc == LEAT_OK)
        rc = join(k8s, &conf, reterr);
    leat_strbuf_done(&labels);
    leat_strbuf_done(&fields);
    return rc;
}

void k8s_attributes__use(struct k8s_attributes *k8s, struct leat_k8s_feed *feed)
{
    k8s->feed = leat_k8s_feed_ref(feed);
}

leat_rc k8s_attributes__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                             struct leat_err *reterr)
{
    (void)signal;
    struct k8s_attributes *k8s = state;
    k8s->conf = conf;
    k8s->host = host;
    k8s->epoch = 1;
    k8s->began_ns = leat_loop_now_ns(host->loop);
    k8s->tick = (struct leat_timer){.fire = on_tick, .ctx = k8s};
    leat_list_init(&k8s->waiting);
    leat_list_init(&k8s->ready);
    leat_doomed_init(&k8s->broken, host, LEAT_DROP_ENCODE);
    leat_rc rc = k8s_rules_open(&k8s->rules, k8s->conf, reterr);
    return rc == LEAT_OK && !k8s->conf->passthrough && host->ops ? open_feed(k8s, reterr) : rc;
}

static void drop_kept(struct k8s_attributes *k8s, struct leat_list *list)
{
    for (struct leat_list *node; (node = leat_list_pop(list));) {
        struct leat_batch *batch = LEAT_CONTAINER(node, struct leat_batch, link);
        leat_host_drop(k8s->host, batch->signal, LEAT_DROP_SHUTDOWN, batch->item_count);
        leat_batch_end(batch, LEAT_DROPPED, LEAT_DROP_SHUTDOWN);
    }
}

void k8s_attributes__close(void *state)
{
    struct k8s_attributes *k8s = state;
    if (!k8s->host)
        return;
    leat_timer_stop(k8s->host->loop, &k8s->tick);
    drop_kept(k8s, &k8s->ready);
    drop_kept(k8s, &k8s->waiting);
    leat_doomed_close(&k8s->broken);
    k8s_sources_close(k8s);
    leat_mem_unref(k8s->address_block.mem);
    pb_buf_done(&k8s->scratch);
    otlp_append_done(&k8s->flat);
    k8s_rules_close(&k8s->rules);
    if (leat_k8s_feed_close(k8s->feed) && k8s->feed_slot)
        *k8s->feed_slot = NULL;
}
