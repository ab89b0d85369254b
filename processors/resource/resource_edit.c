/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/resource/resource.h"

static const char *header(const void *ctx, const char *key)
{
    return leat_meta_get(ctx, key);
}

static leat_rc edit(void *state, struct leat_batch *batch, struct leat_err *reterr)
{
    struct resource *resource = state;
    struct otlp_edit_context context = {header, batch->meta};
    struct leat_chain edited;
    uint64_t before = batch->payload.bytes;
    leat_rc rc = otlp_edit_resources(resource->edit, batch->signal, &batch->payload, &context, &edited, reterr);
    uint64_t limited = otlp_edit_limited(resource->edit);
    leat_host_count(resource->host, RESOURCE_LIMITED, limited - resource->limited);
    resource->limited = limited;
    if (rc != LEAT_OK)
        return rc;
    leat_chain_done(&batch->payload);
    batch->payload = edited;
    batch->pinned_bytes += edited.bytes > before ? edited.bytes - before : 0; /* what was there is still held */
    return LEAT_OK;
}

leat_rc resource__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                       struct leat_err *reterr)
{
    (void)signal;
    struct resource *resource = state;
    resource->host = host;
    leat_rework_init(&resource->rework, host, edit, resource);
    return otlp_edit_open(&((const struct resource_conf *)conf)->attributes, &resource->edit, reterr);
}

leat_rc resource__admit(void *state, const struct leat_batch *batch)
{
    (void)batch;
    return leat_rework_admit(&((struct resource *)state)->rework);
}

struct leat_batch *resource__process(void *state, struct leat_batch *batch)
{
    return leat_rework_process(&((struct resource *)state)->rework, batch);
}

bool resource__flush(void *state)
{
    return leat_rework_flush(&((struct resource *)state)->rework);
}
uint64_t resource__held(const void *state)
{
    return ((const struct resource *)state)->rework.kept_items;
}

void resource__close(void *state)
{
    struct resource *resource = state;
    leat_rework_close(&resource->rework);
    resource->edit = otlp_edit_close(resource->edit);
}
