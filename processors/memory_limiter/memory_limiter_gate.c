/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/available.h"
#include "processors/memory_limiter/memory_limiter.h"

static uint64_t measure(struct memory_limiter *limiter)
{
    uint64_t rss = 0, pages = leat_pool_budget(leat_pool_here())
                                  ? __atomic_load_n(&leat_pool_budget(leat_pool_here())->used_bytes, __ATOMIC_RELAXED)
                                  : 0;
    uint32_t missed;
    if (memory_limiter__rss(limiter->host->world, "/proc/self/statm", &rss) != LEAT_OK &&
        leat_log_may(&limiter->blind, leat_loop_now_ns(limiter->host->loop), &missed))
        leat_log(LEAT_LOG_WARN, limiter->host->id, "cannot read /proc/self/statm: only payload pages are counted");
    return rss > pages ? rss : pages;
}

static void say(const struct memory_limiter *limiter)
{
    if (limiter->refuses)
        leat_log(LEAT_LOG_WARN, limiter->host->id,
                 "memory usage is above the soft limit (%llu of %llu MiB): refusing data",
                 (unsigned long long)(limiter->used_bytes >> 20), (unsigned long long)(limiter->soft_bytes >> 20));
    else
        leat_log(LEAT_LOG_INFO, limiter->host->id, "memory usage is back within limits (%llu MiB): taking data again",
                 (unsigned long long)(limiter->used_bytes >> 20));
}

void memory_limiter__judge(struct memory_limiter *limiter, uint64_t used_bytes)
{
    bool before = limiter->refuses;
    limiter->used_bytes = used_bytes;
    limiter->refuses = used_bytes >= limiter->soft_bytes;
    if (used_bytes >= limiter->hard_bytes)
        leat_host_count(limiter->host, MEMORY_LIMITER_HARD, 1);
    if (before == limiter->refuses)
        return;
    say(limiter);
    if (before)
        leat_gate_open(limiter->host->gate); /* those who were told to come again */
}

static void check(struct memory_limiter *limiter)
{
    uint64_t used = measure(limiter);
    if (used >= limiter->soft_bytes) {
        memory_limiter__give_back(); /* cached pages are no reason to refuse */
        used = measure(limiter);
    }
    memory_limiter__judge(limiter, used);
}

static void on_timer(struct leat_timer *timer)
{
    struct memory_limiter *limiter = timer->ctx;
    check(limiter);
    leat_timer_start(limiter->host->loop, timer, limiter->interval_ns);
}

leat_rc memory_limiter__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                             struct leat_err *reterr)
{
    (void)signal;
    struct memory_limiter *limiter = state;
    const struct memory_limiter_conf *limits = conf;
    limiter->host = host;
    limiter->interval_ns = (uint64_t)limits->check_interval_ns;
    limiter->timer = (struct leat_timer){.fire = on_timer, .ctx = limiter};
    memory_limiter__limits(limits, leat_memory_available(), &limiter->soft_bytes, &limiter->hard_bytes);
    if (!limiter->soft_bytes)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "the limit is 0 bytes on this machine");
    check(limiter);
    leat_timer_start(host->loop, &limiter->timer, limiter->interval_ns);
    return LEAT_OK;
}

leat_rc memory_limiter__admit(void *state, const struct leat_batch *batch)
{
    struct memory_limiter *limiter = state;
    if (!limiter->refuses)
        return LEAT_OK;
    leat_host_count(limiter->host, MEMORY_LIMITER_REFUSED, batch->item_count);
    return LEAT_AGAIN;
}

struct leat_batch *memory_limiter__process(void *state, struct leat_batch *batch)
{
    struct memory_limiter *limiter = state;
    leat_host_count(limiter->host, MEMORY_LIMITER_ACCEPTED, batch->item_count);
    return batch;
}

void memory_limiter__dump(const void *state, struct leat_strbuf *out)
{
    const struct memory_limiter *limiter = state;
    leat_strbuf_printf(out, "%llu bytes used, soft limit %llu, limit %llu%s\n", (unsigned long long)limiter->used_bytes,
                       (unsigned long long)limiter->soft_bytes, (unsigned long long)limiter->hard_bytes,
                       limiter->refuses ? ", refusing" : "");
}

void memory_limiter__close(void *state)
{
    struct memory_limiter *limiter = state;
    if (limiter->host)
        leat_timer_stop(limiter->host->loop, &limiter->timer);
}
