/* SPDX-License-Identifier: Apache-2.0 */
/* pprof_delta -- what grew since the last profile of the same target: for values that count from the process's start.
 *
 * Why      heap, mutex and block profiles say all that ever happened; a store wants what happened since the last time.
 * Which    alloc_objects, alloc_space, contentions, delay. Other values (inuse_space ...) stay as they are.
 * Same     a stack is told by its frames (addresses, function names, lines) and labels, not by ids, which change between
 *          profiles. Samples of which nothing is left are left out, and so is what only they named.
 * First    the first profile is the baseline: its counts are 0. So are those of one in which a count went back (the process
 *          was started again, and nobody knows since when).
 * Lost     what was written and did not leave is not lost: the next run begins where the last one began that was kept.
 * Threads  one user at a time.
 * Owns     a table of the last profile's counts: about 112 bytes a sample. {0} is one that has seen nothing.
 * Limits   PPROF_ENTRIES_MAX samples, by pprof_open.
 * Fails    LEAT_ENOMEM: nothing to keep; `out` is the caller's to drop. */
#pragma once
#include "proto/pprof/pprof.h"
#include "proto/protobuf/pb_write.h"

#define PPROF_DELTA_TYPES_MAX 4u

struct pprof_delta_entry {
    uint64_t key[2]; /* both 0: empty */
    int64_t counts[PPROF_DELTA_TYPES_MAX];
    bool written;    /* the profile in hand has this stack more than once: the growth is said once */
};
struct pprof_delta_table {
    struct pprof_delta_entry *at;
    uint32_t mask; /* room - 1 */
};
struct pprof_delta_seen { /* of one profile */
    struct pprof_delta_table table;
    uint64_t types_hash; /* names of the counts; 0: nothing seen */
    int64_t time_ns;
};
struct pprof_delta {
    struct pprof_delta_seen last, next; /* next: of the run that is not kept yet */
};
struct pprof_delta_said {
    bool cumulative;   /* false: no such value in this profile; nothing was written */
    bool first, reset;
    uint32_t samples;  /* written; 0: nothing grew */
};
/* Writes a profile that is not compressed behind what `out` holds. */
leat_rc pprof_delta_run(struct pprof_delta *delta, const struct pprof *now, struct pb_buf *out,
                        struct pprof_delta_said *ret_said) LEAT_MUST_CHECK;
void pprof_delta_keep(struct pprof_delta *delta); /* what the last run wrote is on its way: the next one begins there */
void pprof_delta_done(struct pprof_delta *delta);
uint64_t pprof_delta_bytes(const struct pprof_delta *delta); /* of memory */
