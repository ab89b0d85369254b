/* SPDX-License-Identifier: Apache-2.0 */
/* leat run: build, start, serve own metrics, drain on a signal; reload.c puts another configuration in force. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/app/cli/run_inner.h"
#include "agent/app/memory.h"

/* ---- stopping ---- */

static void on_drained(void *ctx)
{
    struct leat_run *run = ctx;
    leat_loop_stop(run->loop);
}

void leat_run__drain(struct leat_run *run)
{
    run->dropped_before = leat_graph_dropped(run->graph);
    leat_graph_drain(run->graph, (uint64_t)run->plan->settings.shutdown_timeout_ns, on_drained, run);
}

static void stop(struct leat_run *run, int signum)
{
    if (run->stops++ > 0) {
        leat_log(LEAT_LOG_WARN, "leat", "%s again: stopping at once", strsignal(signum));
        leat_graph_abandon(run->graph);
        return;
    }
    leat_log(LEAT_LOG_INFO, "leat", "%s: draining, for %lld s at most", strsignal(signum),
             (long long)(run->plan->settings.shutdown_timeout_ns / 1000000000));
    if (run->next) /* the drain that a reload began is the last one now */
        run->next = leat_plan_free(run->next);
    else
        leat_run__drain(run);
}

static void on_signal(void *ctx, int signum)
{
    struct leat_run *run = ctx;
    if (signum == SIGHUP)
        leat_reload__ask(run);
    else
        stop(run, signum);
}

/* The exit code tells of the drain alone; what was dropped in all the time before was counted and logged when it was.
 */
uint64_t leat_run__tell_loss(const struct leat_run *run)
{
    uint64_t dropped = leat_graph_dropped(run->graph), late = dropped - run->dropped_before;
    if (!leat_graph_balances(run->graph))
        leat_log(LEAT_LOG_ERROR, "leat", "the ledger does not balance: please report this");
    if (late)
        leat_log(LEAT_LOG_ERROR, "leat",
                 "drained; %llu items were dropped on the way, %llu in all, see leat_dropped_items_total",
                 (unsigned long long)late, (unsigned long long)dropped);
    else
        leat_log(LEAT_LOG_INFO, "leat", "drained, nothing was dropped on the way; %llu items in all",
                 (unsigned long long)dropped);
    return late;
}

/* ---- starting ---- */

static int log_file_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        (void)fprintf(stderr, "leat: cannot open the log file %s; logging to stderr\n", path);
    return fd;
}

void leat_run__log_settings(struct leat_run *run)
{
    static const enum leat_level levels[] = {LEAT_LOG_DEBUG, LEAT_LOG_INFO, LEAT_LOG_WARN, LEAT_LOG_ERROR};
    const struct leat_telemetry *telemetry = &run->plan->telemetry;
    int level = telemetry->log_level, old = run->log_fd;
    struct leat_log_conf conf = {
        .level = levels[level > 3 ? 3 : level], .json = telemetry->log_encoding == LEAT_LOG_JSON, .fd = 2};
    const char *path = telemetry->log_output_paths.count ? telemetry->log_output_paths.at[0] : "stderr";
    run->log_fd = 0;
    if (strcmp(path, "stdout") == 0)
        conf.fd = 1;
    else if (strcmp(path, "stderr") != 0 && (run->log_fd = log_file_open(path)) > 0)
        conf.fd = run->log_fd;
    leat_log_configure(&conf);
    if (old > 0)
        (void)close(old);
}

static leat_rc watches_open(struct leat_run *run, struct leat_err *reterr)
{
    static const int signals[LEAT_RUN_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < LEAT_RUN_SIGNALS; i++)
        rc = leat_signal_watch_open(run->loop, signals[i], on_signal, run, &run->watches[i], reterr);
    return rc;
}

/* A signal that comes while nobody watches waits; the shards' threads leave signals to the main thread. */
static void signals_mask(int how)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(how, &set, NULL);
}

leat_rc leat_run__begin(struct leat_run *run, struct leat_err *reterr)
{
    struct leat_graph_opts opts = {.plan = run->plan, .world = leat_world_real()};
    leat_memory_limits(&run->plan->settings, leat_memory_available(), &opts.memory_hard_bytes, &opts.memory_soft_bytes);
    leat_rc rc = leat_graph_build(&opts, &run->graph, reterr);
    if (rc != LEAT_OK)
        return rc;
    run->loop = leat_graph_loop(run->graph);
    rc = watches_open(run, reterr);
    if (rc == LEAT_OK)
        rc = leat_run__pages_open(run, reterr);
    if (rc == LEAT_OK)
        rc = leat_graph_start(run->graph, reterr);
    if (rc == LEAT_OK)
        signals_mask(SIG_UNBLOCK);
    return rc;
}

void leat_run__end(struct leat_run *run)
{
    signals_mask(SIG_BLOCK);
    leat_run__pages_close(run);
    for (uint32_t i = 0; i < LEAT_RUN_SIGNALS; i++) {
        leat_signal_watch_close(run->watches[i]);
        run->watches[i] = NULL;
    }
    run->graph = leat_graph_free(run->graph);
    run->loop = NULL;
}

static int start(struct leat_run *run)
{
    struct leat_err err = {0};
    (void)mallopt(M_ARENA_MAX, 1);
    (void)signal(SIGPIPE, SIG_IGN);
    leat_run__name_instance(run);
    leat_run__log_settings(run);
    signals_mask(SIG_BLOCK);
    if (leat_run__libraries(&err) == LEAT_OK && leat_run__begin(run, &err) == LEAT_OK) {
        run->began_ns = leat_loop_now_ns(run->loop);
        leat_log(LEAT_LOG_INFO, "leat", "running, version " LEAT_VERSION);
        return LEAT_EXIT_OK;
    }
    leat_log(LEAT_LOG_ERROR, "leat", "cannot start: %s", err.text);
    return err.code == LEAT_ECONFIG ? LEAT_EXIT_CONFIG : LEAT_EXIT_START;
}

int leat_cli_run(const struct leat_cli *cli)
{
    int code = LEAT_EXIT_OK;
    struct leat_run run = {.cli = cli, .plan = leat_cli_plan(cli, &code)};
    if (!run.plan)
        return code;
    code = start(&run);
    if (code == LEAT_EXIT_OK)
        do
            leat_loop_run(run.loop);
        while (leat_reload__swap(&run, &code));
    leat_run__end(&run);
    leat_plan_free(run.plan);
    if (run.log_fd > 0)
        (void)close(run.log_fd);
    return code;
}
