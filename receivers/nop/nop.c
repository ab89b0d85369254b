/* SPDX-License-Identifier: Apache-2.0 */
/* nop -- a receiver that receives nothing: the one to copy. */
#include "receivers/receiver.h"

struct nop_conf {
    char unused;
};
struct nop {
    struct leat_host *host;
};

static const struct leat_field fields[] = {{NULL, LEAT_BOOL, 0, NULL, NULL}};
static const struct leat_counter_def counters[] = {{NULL, NULL, NULL}};

static leat_rc nop_check(const void *conf, struct leat_err *reterr)
{
    (void)conf;
    (void)reterr;
    return LEAT_OK;
}

static leat_rc nop_start(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct nop *nop = state;
    (void)conf;
    (void)reterr;
    nop->host = host;
    return LEAT_OK;
}

static void nop_pause(void *state)
{
    (void)state;
}
static void nop_resume(void *state)
{
    (void)state;
}
static void nop_stop(void *state, void (*stopped)(void *ctx), void *ctx)
{
    (void)state;
    stopped(ctx); /* nothing is on its way */
}

static void nop_dump(const void *state, struct leat_strbuf *out)
{
    (void)state;
    leat_strbuf_puts(out, "receives nothing\n");
}

static void nop_close(void *state)
{
    ((struct nop *)state)->host = NULL;
}

LEAT_RECEIVER(nop, .summary = "receives nothing", .signals = LEAT_ALL_SIGNALS, .forms = LEAT_FORM_OTLP,
              .conf_size = sizeof(struct nop_conf), .state_size = sizeof(struct nop), .fields = fields,
              .counters = counters, .check = nop_check, .start = nop_start, .pause = nop_pause, .resume = nop_resume,
              .stop = nop_stop, .dump = nop_dump, .close = nop_close);
