/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/attributes/attributes.h"

static const char *header(const void *ctx, const char *key)
{
    return leat_meta_get(ctx, key);
}

static leat_rc edit(void *state, struct leat_batch *batch, struct leat_err *reterr)
{
    struct attributes *attributes = state;
    struct otlp_edit_context context = {header, batch->meta};
    struct leat_chain edited;
    leat_rc rc = otlp_edit_records(attributes->edit, attributes->include, attributes->exclude, batch->signal,
                                   &batch->payload, &context, &edited, reterr);
    uint64_t limited = otlp_edit_limited(attributes->edit);
    leat_host_count(attributes->host, ATTRIBUTES_LIMITED, limited - attributes->limited);
    attributes->limited = limited;
    if (rc != LEAT_OK)
        return rc;
    leat_chain_done(&batch->payload);
    batch->payload = edited;
    batch->pinned_bytes = edited.bytes; /* the old bytes are let go of */
    return LEAT_OK;
}

leat_rc attributes__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                         struct leat_err *reterr)
{
    (void)signal;
    struct attributes *attributes = state;
    const struct attributes_conf *wanted = conf;
    attributes->host = host;
    leat_rework_init(&attributes->rework, host, edit, attributes);
    leat_rc rc = otlp_edit_open(&wanted->actions, &attributes->edit, reterr);
    if (rc == LEAT_OK && wanted->include.present)
        rc = otlp_edit_match_open(&wanted->include, &attributes->include, reterr);
    if (rc == LEAT_OK && wanted->exclude.present)
        rc = otlp_edit_match_open(&wanted->exclude, &attributes->exclude, reterr);
    return rc;
}

leat_rc attributes__admit(void *state, const struct leat_batch *batch)
{
    (void)batch;
    return leat_rework_admit(&((struct attributes *)state)->rework);
}

struct leat_batch *attributes__process(void *state, struct leat_batch *batch)
{
    return leat_rework_process(&((struct attributes *)state)->rework, batch);
}

bool attributes__flush(void *state)
{
    return leat_rework_flush(&((struct attributes *)state)->rework);
}
uint64_t attributes__held(const void *state)
{
    return ((const struct attributes *)state)->rework.kept_items;
}

void attributes__close(void *state)
{
    struct attributes *attributes = state;
    leat_rework_close(&attributes->rework);
    attributes->include = otlp_edit_match_close(attributes->include);
    attributes->exclude = otlp_edit_match_close(attributes->exclude);
    attributes->edit = otlp_edit_close(attributes->edit);
}
