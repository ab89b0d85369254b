/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: the same command line is read again.
 *
 *   bad      every mistake is logged, nothing changes
 *   good     the graph drains (receivers stop, all that was accepted is delivered), is freed, and the new one starts
 *   no start the old configuration comes back
 *
 * Between the drain's begin and the new graph's start new connections are refused or wait in the kernel; what was
 * accepted before has its outcome, and what is read from files is read on where it was left. */
#include "agent/app/cli/run_inner.h"
#include "agent/base/counter.h"

/* Line by line, since a log is lines. */
static void log_lines(enum leat_level level, char *text)
{
    for (char *line = text, *end; line && *line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end)
            *end = 0;
        leat_log(level, "config", "%s", line);
    }
}

static struct leat_plan *load(const struct leat_run *run)
{
    struct leat_strbuf text = {0};
    struct leat_plan *plan = leat_cli_load(run->cli, &text);
    leat_strbuf_putc(&text, 0);
    if (!text.failed)
        log_lines(plan ? LEAT_LOG_WARN : LEAT_LOG_ERROR, text.at);
    leat_strbuf_done(&text);
    return plan;
}

void leat_reload__ask(struct leat_run *run)
{
    if (run->stops) {
        leat_log(LEAT_LOG_INFO, "leat", "no reload: leat is ending");
        return;
    }
    if (run->next) { /* read once more when this one is done: the file may have changed since */
        run->reload_again = true;
        return;
    }
    run->next = load(run);
    if (!run->next) {
        leat_count(LEAT_COUNT_RELOADS_BAD, 1);
        leat_log(LEAT_LOG_ERROR, "leat", "reload: the new configuration is bad; the old one stays in force");
        return;
    }
    leat_log(LEAT_LOG_INFO, "leat", "reload: the new configuration is good; draining, for %lld s at most",
             (long long)(run->plan->settings.shutdown_timeout_ns / 1000000000));
    leat_run__drain(run);
}

/* `old` is in force no more; it comes back when the new one does not start. */
static leat_rc replace(struct leat_run *run, struct leat_plan *old)
{
    struct leat_err err = {0};
    leat_run__log_settings(run);
    if (leat_run__begin(run, &err) == LEAT_OK) {
        leat_count(LEAT_COUNT_RELOADS, 1);
        leat_log(LEAT_LOG_INFO, "leat", "reload: the new configuration is in force");
        leat_plan_free(old);
        return LEAT_OK;
    }
    leat_count(LEAT_COUNT_RELOADS_BAD, 1);
    leat_log(LEAT_LOG_ERROR, "leat", "reload: cannot start: %s; the old configuration comes back", err.text);
    leat_run__end(run);
    leat_plan_free(run->plan);
    run->plan = old;
    leat_run__log_settings(run);
    err = (struct leat_err){0};
    leat_rc rc = leat_run__begin(run, &err);
    if (rc != LEAT_OK)
        leat_log(LEAT_LOG_ERROR, "leat", "reload: the old configuration does not start either: %s", err.text);
    return rc;
}

bool leat_reload__swap(struct leat_run *run, int *ret_exit)
{
    uint64_t lost = leat_run__tell_loss(run);
    if (!run->next) {
        *ret_exit = lost ? LEAT_EXIT_LOSS : LEAT_EXIT_OK;
        return false;
    }
    leat_count(LEAT_COUNT_RELOAD_DROPPED, lost); /* the graph's own books go with it */
    struct leat_plan *old = run->plan;
    leat_run__end(run);
    run->plan = run->next;
    run->next = NULL;
    if (replace(run, old) != LEAT_OK) {
        *ret_exit = LEAT_EXIT_START;
        return false;
    }
    if (run->reload_again) {
        run->reload_again = false;
        leat_reload__ask(run);
    }
    return true;
}
