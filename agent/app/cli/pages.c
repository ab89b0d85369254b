/* SPDX-License-Identifier: Apache-2.0 */
/* Own metrics: a page for each reader of service::telemetry, in the words that reader wants. */
#include <stdio.h>
#include <string.h>

#include "agent/app/cli/run_inner.h"
#include "agent/base/alloc.h"
#include "agent/net/tls.h"
#include "agent/self/self.h"
#include "agent/self/self_style.h"

struct leat_run__page {
    struct leat_run *run;
    struct leat_self_style style;
    struct leat_self *self;
};

static void render(void *ctx, struct leat_strbuf *out)
{
    struct leat_run__page *page = ctx;
    struct leat_run *run = page->run;
    struct leat_strbuf bare = {0};
    leat_graph_metrics(run->graph, &bare);
    leat_self_metrics(leat_loop_now_ns(run->loop) - run->began_ns, &bare);
    leat_strbuf_printf(&bare,
                       "# HELP leat_tls_memory_bytes bytes of heap that OpenSSL holds\n"
                       "# TYPE leat_tls_memory_bytes gauge\nleat_tls_memory_bytes %llu\n",
                       (unsigned long long)leat_tls_memory_bytes());
    leat_self_target_info(&page->style, out);
    leat_self_restyle(&page->style, &bare, out);
    out->failed |= bare.failed;
    leat_strbuf_done(&bare);
}

static void on_dumped(void *ctx, struct leat_strbuf *text)
{
    struct leat_run__page *page = ctx;
    leat_self_dumped(page->self, text);
}

static leat_rc ask_dump(void *ctx)
{
    struct leat_run__page *page = ctx;
    return leat_graph_dump(page->run->graph, on_dumped, page);
}

/* A random UUID (RFC 9562, version 4): which run of leat this is. */
void leat_run__name_instance(struct leat_run *run)
{
    char *to = run->instance_id;
    struct leat_world *world = leat_world_real();
    uint64_t high = (world->random(world) & ~0xf000ull) | 0x4000, low = (world->random(world) << 2 >> 2) | 1ull << 63;
    (void)snprintf(to, sizeof run->instance_id, "%08llx-%04llx-%04llx-%04llx-%012llx", (unsigned long long)(high >> 32),
                   (unsigned long long)(high >> 16 & 0xffff), (unsigned long long)(high & 0xffff),
                   (unsigned long long)(low >> 48), (unsigned long long)(low & 0xffffffffffffull));
}

static leat_rc open_page(struct leat_run__page *page, const struct leat_metric_reader *reader, struct leat_err *reterr)
{
    char endpoint[300];
    page->style = (struct leat_self_style){.units = !reader->without_units,
                                           .type_suffix = !reader->without_type_suffix,
                                           .scope = !reader->without_scope_info,
                                           .resource = page->run->plan->telemetry.resource,
                                           .constant_labels = reader->constant_labels,
                                           .instance_id = page->run->instance_id};
    (void)snprintf(endpoint, sizeof endpoint, strchr(reader->host, ':') ? "[%s]:%lld" : "%s:%lld", reader->host,
                   (long long)reader->port);
    leat_rc rc = leat_self_open(page->run->loop, endpoint, render, page, &page->self, reterr);
    if (rc == LEAT_OK)
        leat_self_dump_with(page->self, ask_dump);
    return rc;
}

leat_rc leat_run__pages_open(struct leat_run *run, struct leat_err *reterr)
{
    const struct leat_telemetry *telemetry = &run->plan->telemetry;
    const struct leat_metric_reader *readers = telemetry->readers.at;
    if (telemetry->metric_level == LEAT_METRICS_NONE)
        return LEAT_OK;
    run->pages = leat_zalloc(telemetry->readers.count, sizeof *run->pages);
    if (!run->pages)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    run->page_count = telemetry->readers.count;
    for (uint32_t i = 0; i < run->page_count; i++) {
        run->pages[i].run = run;
        leat_rc rc = readers[i].written ? open_page(&run->pages[i], &readers[i], reterr) : LEAT_OK;
        if (rc != LEAT_OK)
            return rc;
    }
    return LEAT_OK;
}

void leat_run__pages_close(struct leat_run *run)
{
    if (run->graph)
        leat_graph_dump_forget(run->graph);
    for (uint32_t i = 0; i < run->page_count; i++)
        leat_self_close(run->pages[i].self);
    leat_free(run->pages);
    run->pages = NULL;
    run->page_count = 0;
}
