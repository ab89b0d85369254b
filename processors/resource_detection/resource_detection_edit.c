/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/resource_detection/resource_detection.h"

static leat_rc edit(void *state, struct leat_batch *batch, struct leat_err *reterr)
{
    static const struct otlp_edit_context no_context;
    struct resource_detection *detection = state;
    struct leat_chain edited;
    uint64_t before = batch->payload.bytes;
    leat_rc rc = otlp_edit_resources(detection->edit, batch->signal, &batch->payload, &no_context, &edited, reterr);
    if (rc != LEAT_OK)
        return rc;
    leat_chain_done(&batch->payload);
    batch->payload = edited;
    batch->pinned_bytes += edited.bytes > before ? edited.bytes - before : 0;
    return LEAT_OK;
}

leat_rc resource_detection__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                                 struct leat_err *reterr)
{
    (void)signal;
    struct resource_detection *detection = state;
    detection->host = host;
    leat_rework_init(&detection->rework, host, edit, detection);
    leat_rc rc = detection_find(conf, host->world, &detection->found, reterr);
    if (rc != LEAT_OK)
        return rc;
    return otlp_edit_open(&(struct leat_items){detection->found.at, detection->found.count}, &detection->edit, reterr);
}

leat_rc resource_detection__admit(void *state, const struct leat_batch *batch)
{
    (void)batch;
    return leat_rework_admit(&((struct resource_detection *)state)->rework);
}

struct leat_batch *resource_detection__process(void *state, struct leat_batch *batch)
{
    return leat_rework_process(&((struct resource_detection *)state)->rework, batch);
}

bool resource_detection__flush(void *state)
{
    return leat_rework_flush(&((struct resource_detection *)state)->rework);
}

uint64_t resource_detection__held(const void *state)
{
    return ((const struct resource_detection *)state)->rework.kept_items;
}

void resource_detection__dump(const void *state, struct leat_strbuf *out)
{
    const struct detection_found *found = &((const struct resource_detection *)state)->found;
    for (uint32_t i = 0; i < found->count; i++)
        leat_strbuf_printf(out, "%s = %s\n", found->at[i].key, found->at[i].value.text);
}

void resource_detection__close(void *state)
{
    struct resource_detection *detection = state;
    if (!detection->host)
        return;
    leat_rework_close(&detection->rework);
    detection->edit = otlp_edit_close(detection->edit);
    leat_arena_done(&detection->found.arena);
}
