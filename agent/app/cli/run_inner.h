/* SPDX-License-Identifier: Apache-2.0 */
/* run_inner -- the state of `leat run`: what is in force, and what waits to take its place.
 *
 * Threads  shard 0, which is the main thread.
 * Owns     the plan in force, the one that waits, the graph, the pages and the watches.
 * Note     the graph brings the loop, so that everything on the loop is opened and closed with the graph. */
#pragma once
#include "agent/app/cli/cli.h"
#include "agent/app/graph.h"
#include "agent/loop/stream.h"

#define LEAT_RUN_SIGNALS 3u /* SIGTERM, SIGINT, SIGHUP */

struct leat_run__page; /* one reader of own metrics (pages.c) */

struct leat_run {
    const struct leat_cli *cli;
    struct leat_plan *plan;
    struct leat_plan *next; /* a good one that takes over when the graph has drained */
    struct leat_graph *graph;
    struct leat_loop *loop;
    struct leat_run__page *pages;
    uint32_t page_count;
    struct leat_signal_watch *watches[LEAT_RUN_SIGNALS];
    char instance_id[37];
    int log_fd; /* a file of our own; 0: stdout or stderr */
    uint64_t began_ns;
    uint64_t dropped_before; /* items, when the drain began */
    uint32_t stops;          /* signals so far */
    bool reload_again;       /* asked for while a reload was under way */
};

/* run.c */
leat_rc leat_run__begin(struct leat_run *run, struct leat_err *reterr) LEAT_MUST_CHECK; /* half-open is fine for end */
void leat_run__end(struct leat_run *run);                 /* all that begin opened; the plans stay */
void leat_run__drain(struct leat_run *run);               /* then the loop stops */
uint64_t leat_run__tell_loss(const struct leat_run *run); /* items that the drain dropped */
void leat_run__log_settings(struct leat_run *run);

/* libraries.c: logs their versions; refuses what is too old */
leat_rc leat_run__libraries(struct leat_err *reterr) LEAT_MUST_CHECK;

/* pages.c */
leat_rc leat_run__pages_open(struct leat_run *run, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_run__pages_close(struct leat_run *run);
void leat_run__name_instance(struct leat_run *run);

/* reload.c */
void leat_reload__ask(struct leat_run *run);
/* After the loop has stopped: true when another graph runs now; false when it is time to leave, with *ret_exit. */
bool leat_reload__swap(struct leat_run *run, int *ret_exit);
