/* SPDX-License-Identifier: Apache-2.0 */
/* resource -- changes the attributes of resources; private to this folder.
 *
 * Threads  one state per pipeline and shard.
 * Owns     its program; a batch that could not be edited for want of memory, until it can.
 * Fails    as agent/pipe/rework.h says: nothing is lost for want of memory. */
#pragma once
#include "agent/pipe/rework.h"
#include "processors/processor.h"
#include "proto/otlp_edit/otlp_edit.h"

enum resource_row { RESOURCE_LIMITED };

struct resource_conf {
    struct leat_items attributes; /* struct otlp_edit_action_conf */
};

struct resource {
    struct leat_host *host;
    struct otlp_edit *edit;
    struct leat_rework rework;
    uint64_t limited; /* as counted so far */
};

extern const struct leat_field resource_fields[];
extern const struct leat_counter_def resource_counters[];
leat_rc resource__check(const void *conf, struct leat_err *reterr);
leat_rc resource__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                       struct leat_err *reterr);
leat_rc resource__admit(void *state, const struct leat_batch *batch);
struct leat_batch *resource__process(void *state, struct leat_batch *batch);
bool resource__flush(void *state);
uint64_t resource__held(const void *state);
void resource__close(void *state);
