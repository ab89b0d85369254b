/* SPDX-License-Identifier: Apache-2.0 */
/* leat run: build, start, serve own metrics, drain on a signal. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/app/cli/cli.h"
#include "agent/app/graph.h"
#include "agent/app/memory.h"
#include "agent/loop/stream.h"
#include "agent/base/alloc.h"
#include "agent/self/self.h"
#include "agent/self/self_style.h"

struct run;
struct page { /* one reader of own metrics */
    struct run *run;
    struct leat_self_style style;
    struct leat_self *self;
};

struct run {
    struct leat_plan *plan;
    struct leat_graph *graph;
    struct leat_loop *loop;
    struct page *pages;
    uint32_t page_count;
    char instance_id[37];
    struct leat_signal_watch *watches[2];
    uint64_t began_ns;
    uint64_t dropped_before; /* items, when the drain began */
    uint32_t stops; /* signals so far */
};

static void render(void *ctx, struct leat_strbuf *out)
{
    struct page *page = ctx;
    struct run *run = page->run;
    struct leat_strbuf bare = {0};
    leat_graph_metrics(run->graph, &bare);
    leat_self_metrics(leat_loop_now_ns(run->loop) - run->began_ns, &bare);
    leat_self_target_info(&page->style, out);
    leat_self_restyle(&page->style, &bare, out);
    out->failed |= bare.failed;
    leat_strbuf_done(&bare);
}

/* ---- stopping ---- */

static void on_drained(void *ctx)
{
    struct run *run = ctx;
    leat_loop_stop(run->loop);
}

static void on_signal(void *ctx, int signum)
{
    struct run *run = ctx;
    if (run->stops++ == 0) {
        leat_log(LEAT_LOG_INFO, "leat", "%s: draining, for %lld s at most", strsignal(signum),
                 (long long)(run->plan->settings.shutdown_timeout_ns / 1000000000));
        run->dropped_before = leat_graph_dropped(run->graph);
        leat_graph_drain(run->graph, (uint64_t)run->plan->settings.shutdown_timeout_ns, on_drained, run);
        return;
    }
    leat_log(LEAT_LOG_WARN, "leat", "%s again: stopping at once", strsignal(signum));
    leat_graph_abandon(run->graph);
}

/* ---- starting ---- */

static void log_settings(const struct leat_telemetry *telemetry)
{
    static const enum leat_level levels[] = {LEAT_LOG_DEBUG, LEAT_LOG_INFO, LEAT_LOG_WARN, LEAT_LOG_ERROR};
    int level = telemetry->log_level;
    struct leat_log_conf conf = {.level = levels[level > 3 ? 3 : level], .json = telemetry->log_encoding == LEAT_LOG_JSON,
                                 .fd = 2};
    const char *path = telemetry->log_output_paths.count ? telemetry->log_output_paths.at[0] : "stderr";
    if (strcmp(path, "stdout") == 0)
        conf.fd = 1;
    else if (strcmp(path, "stderr") != 0)
        conf.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (conf.fd < 0) {
        conf.fd = 2;
        (void)fprintf(stderr, "leat: cannot open the log file %s; logging to stderr\n", path);
    }
    leat_log_configure(&conf);
}

/* A random UUID (RFC 9562, version 4): which run of leat this is. */
static void name_instance(char to[37])
{
    struct leat_world *world = leat_world_real();
    uint64_t high = (world->random(world) & ~0xf000ull) | 0x4000, low = (world->random(world) << 2 >> 2) | 1ull << 63;
    (void)snprintf(to, 37, "%08llx-%04llx-%04llx-%04llx-%012llx", (unsigned long long)(high >> 32),
                   (unsigned long long)(high >> 16 & 0xffff), (unsigned long long)(high & 0xffff),
                   (unsigned long long)(low >> 48), (unsigned long long)(low & 0xffffffffffffull));
}

static leat_rc open_page(struct page *page, const struct leat_metric_reader *reader, struct leat_err *reterr)
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
    return leat_self_open(page->run->loop, endpoint, render, page, &page->self, reterr);
}

static leat_rc open_self(struct run *run, struct leat_err *reterr)
{
    const struct leat_telemetry *telemetry = &run->plan->telemetry;
    const struct leat_metric_reader *readers = telemetry->readers.at;
    if (telemetry->metric_level == LEAT_METRICS_NONE)
        return LEAT_OK;
    run->pages = leat_zalloc(telemetry->readers.count, sizeof *run->pages);
    if (!run->pages)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    run->page_count = telemetry->readers.count;
    name_instance(run->instance_id);
    for (uint32_t i = 0; i < run->page_count; i++) {
        run->pages[i].run = run;
        leat_rc rc = readers[i].written ? open_page(&run->pages[i], &readers[i], reterr) : LEAT_OK;
        if (rc != LEAT_OK)
            return rc;
    }
    return LEAT_OK;
}

static leat_rc begin(struct run *run, struct leat_err *reterr)
{
    struct leat_graph_opts opts = {.plan = run->plan, .world = leat_world_real()};
    leat_memory_limits(&run->plan->settings, leat_memory_available(), &opts.memory_hard_bytes, &opts.memory_soft_bytes);
    leat_rc rc = leat_graph_build(&opts, &run->graph, reterr);
    if (rc != LEAT_OK)
        return rc;
    run->loop = leat_graph_loop(run->graph);
    run->began_ns = leat_loop_now_ns(run->loop);
    rc = leat_signal_watch_open(run->loop, SIGTERM, on_signal, run, &run->watches[0], reterr);
    if (rc == LEAT_OK)
        rc = leat_signal_watch_open(run->loop, SIGINT, on_signal, run, &run->watches[1], reterr);
    if (rc == LEAT_OK)
        rc = open_self(run, reterr);
    if (rc == LEAT_OK)
        rc = leat_graph_start(run->graph, reterr);
    return rc;
}

static void end(struct run *run)
{
    for (uint32_t i = 0; i < run->page_count; i++)
        leat_self_close(run->pages[i].self);
    leat_free(run->pages);
    for (int i = 0; i < 2; i++)
        if (run->watches[i])
            leat_signal_watch_close(run->watches[i]);
    leat_graph_free(run->graph);
    leat_plan_free(run->plan);
}

/* The exit code tells of the drain alone; what was dropped in all the time before was counted and logged when it was. */
static int result_of(const struct run *run)
{
    uint64_t dropped = leat_graph_dropped(run->graph), late = dropped - run->dropped_before;
    if (!leat_graph_balances(run->graph))
        leat_log(LEAT_LOG_ERROR, "leat", "the ledger does not balance: please report this");
    if (late)
        leat_log(LEAT_LOG_ERROR, "leat", "drained; %llu items were dropped on the way, %llu in all, see leat_dropped_items_total",
                 (unsigned long long)late, (unsigned long long)dropped);
    else
        leat_log(LEAT_LOG_INFO, "leat", "drained, nothing was dropped on the way; %llu items in all",
                 (unsigned long long)dropped);
    return late ? LEAT_EXIT_LOSS : LEAT_EXIT_OK;
}

int leat_cli_run(const struct leat_cli *cli)
{
    int code = LEAT_EXIT_OK;
    struct run run = {.plan = leat_cli_plan(cli, &code)};
    struct leat_err err = {0};
    if (!run.plan)
        return code;
    (void)mallopt(M_ARENA_MAX, 1);
    (void)signal(SIGPIPE, SIG_IGN);
    log_settings(&run.plan->telemetry);
    if (begin(&run, &err) != LEAT_OK) {
        leat_log(LEAT_LOG_ERROR, "leat", "cannot start: %s", err.text);
        end(&run);
        return err.code == LEAT_ECONFIG ? LEAT_EXIT_CONFIG : LEAT_EXIT_START;
    }
    leat_log(LEAT_LOG_INFO, "leat", "running, version " LEAT_VERSION);
    leat_loop_run(run.loop);
    code = result_of(&run);
    end(&run);
    return code;
}
