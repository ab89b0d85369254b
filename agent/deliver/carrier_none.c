/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"
#include "agent/deliver/carrier.h"
#include "agent/deliver/late.h"

struct none {
    struct leat_carrier base;
    struct leat_late late;
};

static void none_send(struct leat_carrier *carrier, struct leat_parcel *parcel)
{
    struct none *none = (struct none *)carrier;
    leat_deliver__late_put(&none->late, parcel);
}

static void none_cancel(struct leat_carrier *carrier, struct leat_parcel *parcel)
{
    (void)carrier; /* its end is already on the way */
    (void)parcel;
}

static void none_close(struct leat_carrier *carrier)
{
    struct none *none = (struct none *)carrier;
    leat_deliver__late_close(&none->late);
    leat_free(none);
}

static const struct leat_carrier_ops none_ops = {.send = none_send, .cancel = none_cancel, .close = none_close};

leat_rc leat_carrier_none_open(struct leat_loop *loop, struct leat_carrier **ret_carrier)
{
    struct none *none = leat_zalloc(1, sizeof *none);
    if (!none)
        return LEAT_ENOMEM;
    none->base.ops = &none_ops;
    leat_deliver__late_init(&none->late, loop, leat_deliver__finish_ok);
    *ret_carrier = &none->base;
    return LEAT_OK;
}
