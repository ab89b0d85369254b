/* SPDX-License-Identifier: Apache-2.0 */
/* From the exporters back to the receivers: fan-outs, processors, and each receiver's door out. */
#include <stdio.h>

#include "agent/app/conversions.h"
#include "agent/app/graph_inner.h"
#include "agent/base/alloc.h"

/* ---- a processor as a node ---- */

static struct leat_graph__processor *of(struct leat_stage *node)
{
    return LEAT_CONTAINER(node, struct leat_graph__processor, node);
}

static leat_rc processor_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    struct leat_graph__processor *processor = of(node);
    bool stopping = processor->head && processor->shard->phase != LEAT_PHASE_RUN; /* what is inside leaves, no more comes */
    leat_rc rc = stopping ? LEAT_AGAIN : LEAT_OK;
    if (rc == LEAT_OK && processor->type->admit)
        rc = processor->type->admit(processor->state, batch);
    if (rc == LEAT_OK && !processor->type->accepts_on_take)
        rc = leat_stage_reserve(processor->host.next, batch);
    if (rc != LEAT_OK)
        leat_ledger__add(&processor->host.ledger[batch->signal].refused, batch->item_count);
    return rc;
}

static void processor_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    struct leat_graph__processor *processor = of(node);
    if (!processor->type->accepts_on_take)
        leat_stage_cancel(processor->host.next, batch);
}

static void processor_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct leat_graph__processor *processor = of(node);
    struct leat_ledger *ledger = &processor->host.ledger[batch->signal];
    leat_ledger_in(ledger, batch->item_count, batch->payload.bytes);
    struct leat_batch *out = processor->type->process(processor->state, batch);
    if (!out) {
        processor_cancel(node, NULL); /* kept or ended: the room behind is not needed now */
        return;
    }
    leat_ledger_out(ledger, out->item_count, out->payload.bytes);
    leat_stage_put(processor->host.next, out);
}

static bool processor_drained(const struct leat_stage *node)
{
    return leat_stage_drained(LEAT_CONTAINER(node, const struct leat_graph__processor, node)->host.next);
}

static const struct leat_stage_ops processor_ops = {processor_reserve, processor_cancel, processor_put,
                                                   processor_drained};

static void wake_processor(struct leat_waiter *waiter)
{
    struct leat_graph__processor *processor = waiter->ctx;
    if (processor->type->flush)
        (void)processor->type->flush(processor->state);
}

static leat_rc processor_open(struct leat_shard *shard, const struct leat_plan_pipeline *pipeline, uint32_t part,
                              struct leat_stage *next, struct leat_stage **ret_node, struct leat_err *reterr)
{
    struct leat_graph__processor *processor = &shard->processors[shard->processor_count++];
    processor->node.ops = &processor_ops;
    processor->part = &shard->graph->plan->parts[part];
    processor->type = processor->part->type->descriptor;
    processor->pipeline = pipeline;
    processor->shard = shard;
    processor->head = part == pipeline->processors.at[0];
    leat_graph__host_init(&processor->host, shard, processor->part->id);
    processor->host.next = next;
    processor->host.waiter = (struct leat_waiter){.wake = wake_processor, .ctx = processor};
    leat_list_init(&processor->host.waiter.link);
    processor->state = leat_zalloc(1, processor->type->state_size);
    processor->host.counts = leat_graph__counts_new(processor->type->counters);
    if (!processor->state || !processor->host.counts)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    processor->open = true;
    leat_rc rc = processor->type->open ? processor->type->open(processor->state, processor->part->conf, pipeline->signal,
                                                               &processor->host, reterr) : LEAT_OK;
    if (rc != LEAT_OK)
        return leat_err_wrap(reterr, "%s", processor->part->id);
    *ret_node = &processor->node;
    return LEAT_OK;
}

/* ---- fan-outs ---- */

static const char *label_new(struct leat_shard *shard, const char *from, const char *to)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s > %s", from, to);
    const char **labels = leat_realloc(shard->labels, (shard->label_count + 1) * sizeof *labels);
    if (!labels)
        return NULL;
    shard->labels = labels;
    char *label = leat_strdup(text);
    if (label)
        labels[shard->label_count++] = label;
    return label;
}

static leat_rc fanout_new(struct leat_shard *shard, uint32_t count, struct leat_fanout **ret_fanout)
{
    struct leat_fanout **fanouts = leat_realloc(shard->fanouts, (shard->fanout_count + 1) * sizeof *fanouts);
    if (!fanouts)
        return LEAT_ENOMEM;
    shard->fanouts = fanouts;
    leat_rc rc = leat_fanout_open(shard->loop, count, (uint64_t)shard->graph->plan->settings.fanout_wait_ns, ret_fanout);
    if (rc == LEAT_OK)
        fanouts[shard->fanout_count++] = *ret_fanout;
    return rc;
}

/* The exporter's door, with a conversion before it where it does not take what arrives. */
static struct leat_stage *exporter_node(struct leat_shard *shard, const struct leat_plan_pipeline *pipeline, uint32_t part,
                                        uint32_t arriving)
{
    struct leat_graph__exporter *exporter = leat_graph__exporter_find(shard, part, pipeline->signal);
    return leat_graph__convert_before(shard, pipeline, exporter->part, arriving, exporter->type->forms, exporter->node);
}

/* Forms that every exporter takes, and those that only some do. */
static uint32_t common_forms(const struct leat_plan *plan, const struct leat_part_list *exporters, uint32_t *ret_any)
{
    uint32_t all = UINT32_MAX;
    *ret_any = 0;
    for (uint32_t i = 0; i < exporters->count; i++) {
        uint32_t forms = ((const struct leat_exporter_type *)plan->parts[exporters->at[i]].type->descriptor)->forms;
        all &= forms;
        *ret_any |= forms;
    }
    return all;
}

static leat_rc exporters_node(struct leat_shard *shard, const struct leat_plan_pipeline *pipeline,
                              struct leat_stage **ret_node)
{
    const struct leat_part_list *list = &pipeline->exporters;
    uint32_t arriving = leat_conversions_arriving(shard->graph->plan, pipeline, pipeline->processors.count);
    if (list->count == 1) {
        *ret_node = exporter_node(shard, pipeline, list->at[0], arriving);
        return LEAT_OK;
    }
    uint32_t any, all = common_forms(shard->graph->plan, list, &any);
    uint32_t once = arriving & ~any ? all : UINT32_MAX; /* a form that nobody takes is converted once, for all */
    struct leat_fanout *fanout;
    leat_rc rc = fanout_new(shard, list->count, &fanout);
    for (uint32_t i = 0; rc == LEAT_OK && i < list->count; i++) {
        struct leat_graph__exporter *exporter = leat_graph__exporter_find(shard, list->at[i], pipeline->signal);
        struct leat_branch *branch = leat_fanout_branch(fanout, i);
        branch->to = once == UINT32_MAX ? exporter_node(shard, pipeline, list->at[i], arriving) : exporter->node;
        branch->label = label_new(shard, pipeline->id, exporter->part->id);
        rc = branch->label ? LEAT_OK : LEAT_ENOMEM;
    }
    if (rc == LEAT_OK)
        *ret_node = leat_graph__convert_before(shard, pipeline, NULL, arriving, once, leat_fanout_node(fanout));
    return rc;
}

/* ---- pipelines ---- */

static leat_rc head_of(struct leat_shard *shard, const struct leat_plan_pipeline *pipeline, struct leat_stage **ret_node,
                       struct leat_err *reterr)
{
    if (exporters_node(shard, pipeline, ret_node) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_rc rc = LEAT_OK;
    for (uint32_t i = pipeline->processors.count; rc == LEAT_OK && i-- > 0;) {
        rc = processor_open(shard, pipeline, pipeline->processors.at[i], *ret_node, ret_node, reterr);
        if (rc != LEAT_OK)
            break;
        struct leat_graph__processor *processor = &shard->processors[shard->processor_count - 1];
        *ret_node = leat_graph__convert_before(shard, pipeline, processor->part,
                                               leat_conversions_arriving(shard->graph->plan, pipeline, i),
                                               processor->type->forms, *ret_node);
    }
    return rc;
}

static bool names(const struct leat_part_list *list, uint32_t part)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (list->at[i] == part)
            return true;
    return false;
}

/* What the answer to a client waits for, by what stands behind it. */
static void milestones(struct leat_shard *shard, const struct leat_plan_pipeline *pipeline, struct leat_host *host)
{
    const struct leat_plan *plan = shard->graph->plan;
    for (uint32_t i = 0; i < pipeline->processors.count; i++)
        if (((const struct leat_processor_type *)plan->parts[pipeline->processors.at[i]].type->descriptor)->accepts_on_take)
            return;
    for (uint32_t i = 0; i < pipeline->exporters.count; i++) {
        const struct leat_plan_part *part = &plan->parts[pipeline->exporters.at[i]];
        struct leat_exporter_conf conf = leat_graph__exporter_conf(part->type->descriptor, part);
        host->waits_final[pipeline->signal] |= !conf.deliver->queue.enabled || conf.deliver->queue.wait_for_result;
        host->waits_room[pipeline->signal] |= conf.deliver->queue.enabled && conf.deliver->queue.block_on_overflow;
    }
}

static leat_rc connect(struct leat_shard *shard, struct leat_graph__receiver *receiver, enum leat_signal signal,
                       struct leat_stage *const *heads)
{
    const struct leat_plan *plan = shard->graph->plan;
    uint32_t part = (uint32_t)(receiver->part - plan->parts), count = 0, n = 0;
    struct leat_stage *only = NULL;
    for (uint32_t p = 0; p < plan->pipeline_count; p++)
        if (plan->pipelines[p].signal == signal && names(&plan->pipelines[p].receivers, part)) {
            only = heads[p];
            count++;
            milestones(shard, &plan->pipelines[p], &receiver->host);
        }
    receiver->host.out[signal] = only;
    if (count < 2)
        return LEAT_OK;
    struct leat_fanout *fanout;
    leat_rc rc = fanout_new(shard, count, &fanout);
    for (uint32_t p = 0; rc == LEAT_OK && p < plan->pipeline_count; p++) {
        if (plan->pipelines[p].signal != signal || !names(&plan->pipelines[p].receivers, part))
            continue;
        struct leat_branch *branch = leat_fanout_branch(fanout, n++);
        branch->to = heads[p];
        branch->label = label_new(shard, receiver->part->id, plan->pipelines[p].id);
        rc = branch->label ? LEAT_OK : LEAT_ENOMEM;
    }
    if (rc == LEAT_OK)
        receiver->host.out[signal] = leat_fanout_node(fanout);
    return rc;
}

static void wake_receiver(struct leat_waiter *waiter)
{
    struct leat_graph__receiver *receiver = waiter->ctx;
    if (receiver->type->resume)
        receiver->type->resume(receiver->state);
}

/* The first shard makes it; the others find it. */
static leat_rc shared_of(struct leat_graph__receiver *receiver)
{
    struct leat_graph *graph = receiver->shard->graph;
    void **shared = &graph->shared[receiver->part - graph->plan->parts];
    if (!*shared && receiver->type->shared_size)
        *shared = leat_zalloc(1, receiver->type->shared_size);
    receiver->host.shared = *shared;
    return *shared || !receiver->type->shared_size ? LEAT_OK : LEAT_ENOMEM;
}

static leat_rc receiver_new(struct leat_shard *shard, const struct leat_plan_part *part, struct leat_stage *const *heads)
{
    struct leat_graph__receiver *receiver = &shard->receivers[shard->receiver_count++];
    receiver->part = part;
    receiver->type = part->type->descriptor;
    receiver->shard = shard;
    leat_graph__host_init(&receiver->host, shard, part->id);
    receiver->host.patient = receiver->type->patient;
    receiver->host.waiter = (struct leat_waiter){.wake = wake_receiver, .ctx = receiver};
    leat_list_init(&receiver->host.waiter.link);
    receiver->state = leat_zalloc(1, receiver->type->state_size);
    receiver->host.counts = leat_graph__counts_new(receiver->type->counters);
    leat_rc rc = receiver->state && receiver->host.counts ? shared_of(receiver) : LEAT_ENOMEM;
    for (int signal = 0; rc == LEAT_OK && signal < LEAT_SIGNAL_COUNT; signal++)
        rc = connect(shard, receiver, (enum leat_signal)signal, heads);
    return rc;
}

static leat_rc receivers_new(struct leat_shard *shard, struct leat_stage *const *heads)
{
    const struct leat_plan *plan = shard->graph->plan;
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < plan->part_count; i++)
        if (plan->parts[i].kind == LEAT_KIND_RECEIVER && plan->parts[i].used)
            rc = receiver_new(shard, &plan->parts[i], heads);
    return rc;
}

uint64_t *leat_graph__counts_new(const struct leat_counter_def *rows)
{
    uint32_t count = 0;
    while (rows && rows[count].name)
        count++;
    return leat_zalloc(count, sizeof(uint64_t));
}

leat_rc leat_graph__pipelines_open(struct leat_shard *shard, struct leat_err *reterr)
{
    const struct leat_plan *plan = shard->graph->plan;
    uint32_t processors = 0, exporters = 0;
    for (uint32_t p = 0; p < plan->pipeline_count; p++) {
        processors += plan->pipelines[p].processors.count;
        exporters += plan->pipelines[p].exporters.count;
    }
    shard->converts = leat_zalloc(processors + exporters + plan->pipeline_count, sizeof *shard->converts);
    shard->processors = leat_zalloc(processors, sizeof *shard->processors);
    shard->receivers = leat_zalloc(plan->part_count, sizeof *shard->receivers);
    struct leat_stage **heads = leat_zalloc(plan->pipeline_count, sizeof *heads);
    leat_rc rc = shard->converts && shard->processors && shard->receivers && heads ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    for (uint32_t p = 0; rc == LEAT_OK && p < plan->pipeline_count; p++)
        rc = head_of(shard, &plan->pipelines[p], &heads[p], reterr);
    if (rc == LEAT_OK && receivers_new(shard, heads) != LEAT_OK)
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_free(heads);
    return rc;
}

void leat_graph__pipelines_close(struct leat_shard *shard)
{
    for (uint32_t i = 0; i < shard->receiver_count; i++) {
        struct leat_graph__receiver *receiver = &shard->receivers[i];
        leat_gate_forget(&receiver->host.waiter);
        leat_host_done(&receiver->host);
        if (receiver->open)
            receiver->type->close(receiver->state);
        leat_free(receiver->state);
        leat_free(receiver->host.counts);
    }
    for (uint32_t i = 0; i < shard->processor_count; i++) {
        struct leat_graph__processor *processor = &shard->processors[i];
        leat_gate_forget(&processor->host.waiter);
        if (processor->open && processor->type->close)
            processor->type->close(processor->state);
        leat_free(processor->state);
        leat_free(processor->host.counts);
    }
    for (uint32_t i = 0; i < shard->fanout_count; i++)
        leat_fanout_close(shard->fanouts[i]);
    for (uint32_t i = 0; i < shard->label_count; i++)
        leat_free((void *)(uintptr_t)shard->labels[i]);
    leat_free(shard->converts);
    leat_free(shard->fanouts);
    leat_free(shard->labels);
    leat_free(shard->processors);
    leat_free(shard->receivers);
    shard->receiver_count = shard->processor_count = shard->fanout_count = shard->label_count = shard->convert_count = 0;
}
