/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_append -- attributes that stand ready as bytes, put at the end of resources by reference.
 *
 * Why      what is known about a source is encoded once and then spliced into each batch from it: a few slices a resource.
 * Threads  one user; `flat` is scratch that is used again.
 * Owns     the output is a new chain; input and blocks are shared by reference.
 * Fails    LEAT_EPARSE, LEAT_ENOMEM, or what `look` answered; the output is {0} then. */
#pragma once
#include "agent/base/err.h"
#include "proto/otlp/otlp_view.h"

#define OTLP_CUTS_MAX 64u

struct otlp_cut {
    uint32_t offset, len;
};
struct otlp_append {
    struct leat_slice block; /* fields of a Resource message; shared (its mem), empty: nothing is added */
    struct otlp_cut cuts[OTLP_CUTS_MAX]; /* whole fields of the resource to leave out, in order, apart */
    uint32_t cut_count;
};
/* `look` is asked for each resource: its message, flat, valid during the call (empty when there is none). `ret` comes zeroed but
 * for the room of `cuts`. Neither block nor cuts: the resource goes on untouched. */
leat_rc otlp_append_resources(const struct leat_chain *payload, struct otlp_flat *flat,
                              leat_rc (*look)(void *ctx, struct leat_slice resource, struct otlp_append *ret), void *ctx,
                              struct leat_chain *ret_payload, struct leat_err *reterr) LEAT_MUST_CHECK;
void otlp_append_done(struct otlp_flat *flat);
