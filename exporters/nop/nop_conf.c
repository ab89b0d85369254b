/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/nop/nop.h"

/* One row per key: {.key = "endpoint", .type = LEAT_STRING, .offset = LEAT_AT(struct nop_conf, endpoint), .flags =
 * LEAT_REQUIRED, .doc = "where to send to"}. */
const struct leat_field nop_fields[] = {{0}};

/* Makes once what every batch needs: an address, a label, a table. */
leat_rc nop_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                 struct leat_err *reterr)
{
    (void)conf;
    (void)world;
    (void)reterr;
    struct nop_state *nop = state;
    nop->signal = signal;
    return LEAT_OK;
}

/* Frees what `open` made; also called when `open` failed half-way. */
void nop_close(void *state)
{
    (void)state;
}
