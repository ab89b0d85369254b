/* SPDX-License-Identifier: Apache-2.0 */
/* attributes -- changes the attributes of log records, spans and data points; private to this folder.
 *
 * Threads  one state per pipeline and shard.
 * Owns     its program; a batch that could not be edited for want of memory, until it can.
 * Fails    as agent/pipe/rework.h says: nothing is lost for want of memory. */
#pragma once
#include "agent/pipe/rework.h"
#include "processors/processor.h"
#include "proto/otlp_edit/otlp_edit.h"

enum attributes_row { ATTRIBUTES_LIMITED };

struct attributes_conf {
    struct leat_items actions; /* struct otlp_edit_action_conf */
    struct otlp_edit_match_conf include, exclude;
};

struct attributes {
    struct leat_host *host;
    struct otlp_edit *edit;
    struct otlp_edit_match *include, *exclude;
    struct leat_rework rework;
    uint64_t limited; /* as counted so far */
};

extern const struct leat_field attributes_fields[];
extern const struct leat_counter_def attributes_counters[];
leat_rc attributes__check(const void *conf, struct leat_err *reterr);
leat_rc attributes__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                         struct leat_err *reterr);
leat_rc attributes__admit(void *state, const struct leat_batch *batch);
struct leat_batch *attributes__process(void *state, struct leat_batch *batch);
bool attributes__flush(void *state);
uint64_t attributes__held(const void *state);
void attributes__close(void *state);
