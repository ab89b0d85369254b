/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "agent/base/alloc.h"
#include "agent/deliver/carrier.h"
#include "agent/deliver/late.h"

#define WAIT_MS 100
#define WAITS_MAX 10 /* a terminal that does not read stops nobody for longer than a second */

struct output {
    struct leat_carrier base;
    struct leat_late late;
    int fd;
};

/* 0, or -errno. */
static int write_slice(struct output *output, struct leat_slice slice)
{
    struct leat_world *world = leat_loop_world(output->late.loop);
    for (int waits = 0; slice.len;) {
        ssize_t n = world->disk->write(world, output->fd, slice.at, slice.len);
        if (n > 0) {
            slice = leat_slice_sub(slice, (uint32_t)n, slice.len - (uint32_t)n);
            continue;
        }
        if (n != -EAGAIN || waits++ == WAITS_MAX)
            return n ? (int)n : -EIO;
        (void)poll(&(struct pollfd){.fd = output->fd, .events = POLLOUT}, 1, WAIT_MS);
    }
    return 0;
}

static void output_write(struct leat_late *late, struct leat_parcel *parcel)
{
    struct output *output = LEAT_CONTAINER(late, struct output, late);
    const struct leat_chain *body = &parcel->request->body;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < body->count; i++)
        rc = write_slice(output, body->vec[i]);
    if (rc == 0) {
        leat_deliver__finish_ok(late, parcel);
        return;
    }
    struct leat_err err;
    (void)LEAT_RAISE(&err, LEAT_EIO, -rc, "cannot write to the output: %s", strerror(-rc));
    parcel->done(parcel, NULL, &err);
}

static void output_send(struct leat_carrier *carrier, struct leat_parcel *parcel)
{
    leat_deliver__late_put(&((struct output *)carrier)->late, parcel);
}

static void output_cancel(struct leat_carrier *carrier, struct leat_parcel *parcel)
{
    (void)carrier; /* written later in this turn: its end is on the way */
    (void)parcel;
}

static void output_close(struct leat_carrier *carrier)
{
    struct output *output = (struct output *)carrier;
    leat_deliver__late_close(&output->late);
    leat_free(output);
}

static const struct leat_carrier_ops output_ops = {.send = output_send, .cancel = output_cancel, .close = output_close};

leat_rc leat_carrier_output_open(struct leat_loop *loop, int fd, struct leat_carrier **ret_carrier)
{
    struct output *output = leat_zalloc(1, sizeof *output);
    if (!output)
        return LEAT_ENOMEM;
    output->base.ops = &output_ops;
    output->fd = fd;
    leat_deliver__late_init(&output->late, loop, output_write);
    *ret_carrier = &output->base;
    return LEAT_OK;
}
