/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/debug/debug.h"

#define AT(member) LEAT_AT(struct debug_conf, member)

static const char *const verbosities[] = {"basic", "normal", "detailed", NULL};

const struct leat_field debug_fields[] = {
    {.key = "verbosity",
     .type = LEAT_ENUM,
     .offset = AT(verbosity),
     .deflt = "basic",
     .choices = verbosities,
     .doc = "basic: counts of each batch; normal: a line an item; detailed: all fields"},
    {.key = "sampling_initial",
     .type = LEAT_INT,
     .offset = AT(sampling_initial),
     .deflt = "2",
     .max = 1e9,
     .doc = "batches printed in each second before sampling begins"},
    {.key = "sampling_thereafter",
     .type = LEAT_INT,
     .offset = AT(sampling_thereafter),
     .deflt = "1",
     .max = 1e9,
     .doc = "then one in so many; 0: none"},
    {.key = "use_internal_logger", .type = LEAT_IGNORED, .doc = "text goes to standard error"},
    {.key = "output_paths", .type = LEAT_IGNORED, .doc = "text goes to standard error"},
    {0}};

leat_rc debug_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    (void)conf; /* the rows say it all */
    (void)reterr;
    return LEAT_OK;
}

leat_rc debug_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                   struct leat_world *world, struct leat_err *reterr)
{
    (void)reterr;
    struct debug_state *debug = state;
    debug->id = conf->id;
    debug->conf = conf->own;
    debug->world = world;
    debug->signal = signal;
    return LEAT_OK;
}

void debug_close(void *state)
{
    struct debug_state *debug = state;
    leat_strbuf_done(&debug->text);
}
