/* SPDX-License-Identifier: Apache-2.0 */
/* Exporters of one shard: state, carrier and sender of each exporter and signal in use. */
#include <stdio.h>
#include <unistd.h>

#include "agent/app/graph_inner.h"
#include "agent/base/alloc.h"
#include "agent/net/h2/grpc.h"

/* Destinations without a network answer at once: no queue, so a caller hears the outcome; a few tries soon after. */
static const struct leat_deliver_conf local_conf = {
    .queue = {.enabled = false, .num_consumers = 1, .queue_size = 1000},
    .retry = {.enabled = true, .initial_interval_ns = 100000000, .max_interval_ns = 5000000000,
              .max_elapsed_time_ns = 60000000000, .multiplier = 2, .randomization_factor = 0.1}};

/* How the registry lays out an exporter's shared confs (agent/app/registry.c). */
enum { SHARED_DELIVER, SHARED_CARRIER };

static bool has_network(const struct leat_exporter_type *type)
{
    return type->carrier == LEAT_CARRIER_HTTP || type->carrier == LEAT_CARRIER_GRPC || type->carrier == LEAT_CARRIER_OWN;
}

/* Each shard sends for itself; else shard 0 does for all. */
static bool sends_everywhere(const struct leat_exporter_type *type) { return has_network(type) && !type->ordered; }

static const struct leat_deliver_conf *deliver_of(const struct leat_exporter_type *type,
                                                  const struct leat_plan_part *part)
{
    return has_network(type) ? part->shared[SHARED_DELIVER] : &local_conf;
}

struct leat_exporter_conf leat_graph__exporter_conf(const struct leat_exporter_type *type,
                                                    const struct leat_plan_part *part)
{
    return (struct leat_exporter_conf){
        .id = part->id, .own = part->conf, .deliver = deliver_of(type, part),
        .carrier = type->carrier == LEAT_CARRIER_FILE  ? part->shared[0]
                   : type->carrier == LEAT_CARRIER_OWN ? NULL
                   : has_network(type)                 ? part->shared[SHARED_CARRIER] : NULL};
}

static leat_rc auth_of(struct leat_shard *shard, const char *id, const struct leat_client_auth **ret_auth,
                       struct leat_err *reterr)
{
    *ret_auth = NULL;
    if (!id)
        return LEAT_OK;
    struct leat_graph__extension *extension = leat_graph__extension_find(shard, id);
    if (!extension || !extension->client_auth.apply)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "extension \"%s\" is not in service::extensions, or gives no client credentials", id);
    *ret_auth = &extension->client_auth;
    return LEAT_OK;
}

static leat_rc carrier_open(struct leat_shard *shard, const struct leat_graph__exporter *exporter,
                            const struct leat_exporter_conf *conf, struct leat_carrier **ret_carrier,
                            struct leat_err *reterr)
{
    const struct leat_exporter_type *type = exporter->type;
    const struct leat_client_auth *auth;
    const struct leat_http_client_conf *http = conf->carrier;
    const struct leat_grpc_client_conf *grpc = conf->carrier;
    const struct leat_graph *graph = shard->graph;
    leat_rc rc;
    if (graph->carrier_open)
        return graph->carrier_open(graph->carrier_ctx, shard->loop, conf->id, ret_carrier);
    switch (type->carrier) {
    case LEAT_CARRIER_HTTP:
        rc = auth_of(shard, http->auth.authenticator, &auth, reterr);
        return rc ? rc : leat_carrier_http_open(shard->loop, conf->id, http, auth,
                                                (uint32_t)conf->deliver->queue.num_consumers, ret_carrier, reterr);
    case LEAT_CARRIER_GRPC:
        rc = auth_of(shard, grpc->auth.authenticator, &auth, reterr);
        return rc ? rc : leat_carrier_grpc_open(shard->loop, conf->id, grpc, auth, ret_carrier, reterr);
    case LEAT_CARRIER_FILE:
        return leat_carrier_file_open(shard->loop, conf->id, conf->carrier, ret_carrier, reterr);
    case LEAT_CARRIER_OWN:
        return type->carrier_open(exporter->state, shard->loop, ret_carrier, reterr);
    case LEAT_CARRIER_OUTPUT:
        return leat_carrier_output_open(shard->loop, STDERR_FILENO, ret_carrier);
    default:
        return leat_carrier_none_open(shard->loop, ret_carrier);
    }
}

static void coding_of(const struct leat_exporter_type *type, const struct leat_exporter_conf *conf,
                      struct leat_sender_opts *opts)
{
    if (type->carrier == LEAT_CARRIER_HTTP) {
        const struct leat_http_client_conf *http = conf->carrier;
        opts->coding = (enum leat_coding)http->compression;
        opts->coding_level = (int)http->compression_params.level;
    } else if (type->carrier == LEAT_CARRIER_GRPC) {
        opts->coding = (enum leat_coding)((const struct leat_grpc_client_conf *)conf->carrier)->compression;
        if (opts->coding == LEAT_CODING_SNAPPY) /* gRPC's is a stream of frames */
            opts->coding = LEAT_CODING_SNAPPY_FRAMED;
    }
}

static leat_rc sender_open(struct leat_shard *shard, struct leat_graph__exporter *exporter, uint32_t slot,
                           struct leat_err *reterr)
{
    const struct leat_exporter_type *type = exporter->type;
    struct leat_exporter_conf conf = leat_graph__exporter_conf(type, exporter->part);
    struct leat_sender_totals *totals = &shard->graph->totals[slot];
    struct leat_codec codec = {.prepare = type->prepare, .encode = type->encode, .judge = type->judge,
                               .state = exporter->state};
    if (shard->index == 0)
        leat_sender_totals_init(totals, conf.deliver, sends_everywhere(type) ? shard->graph->shard_count : 1);
    conf.counts = exporter->counts = leat_graph__counts_new(type->counters);
    if (!conf.counts)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    exporter->open = true;
    leat_rc rc = type->open ? type->open(exporter->state, &conf, exporter->signal, shard->graph->world, reterr) : LEAT_OK;
    struct leat_sender_opts opts = {.loop = shard->loop, .gate = &shard->gate, .id = conf.id,
                                    .signal = exporter->signal, .conf = conf.deliver, .codec = &codec, .totals = totals,
                                    .pace_bytes = (uint64_t)shard->graph->plan->settings.inflight_bytes};
    coding_of(type, &conf, &opts);
    if (rc == LEAT_OK)
        rc = carrier_open(shard, exporter, &conf, &opts.carrier, reterr);
    if (rc == LEAT_OK && (rc = leat_sender_open(&opts, &exporter->sender)) != LEAT_OK)
        opts.carrier->ops->close(opts.carrier);
    if (rc == LEAT_OK)
        exporter->node = leat_sender_node(exporter->sender);
    return rc;
}

/* A file is written by one shard; the others have a door to it. */
static leat_rc door_open(struct leat_shard *shard, struct leat_graph__exporter *exporter, uint32_t slot)
{
    leat_rc rc = leat_sender_door_open(shard->graph->shards[0].exporters[slot].sender, shard->loop, &exporter->door);
    if (rc == LEAT_OK)
        exporter->node = leat_sender_door_node(exporter->door);
    return rc;
}

static leat_rc exporter_open(struct leat_shard *shard, uint32_t part, enum leat_signal signal, struct leat_err *reterr)
{
    uint32_t slot = shard->exporter_count++;
    struct leat_graph__exporter *exporter = &shard->exporters[slot];
    exporter->part = &shard->graph->plan->parts[part];
    exporter->type = exporter->part->type->descriptor;
    exporter->signal = signal;
    if (shard->index > 0 && !sends_everywhere(exporter->type))
        return door_open(shard, exporter, slot);
    exporter->state = leat_zalloc(1, exporter->type->state_size);
    leat_rc rc = exporter->state ? sender_open(shard, exporter, slot, reterr)
                                 : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (rc != LEAT_OK)
        (void)leat_err_wrap(reterr, "%s", exporter->part->id);
    return rc;
}

struct leat_graph__exporter *leat_graph__exporter_find(struct leat_shard *shard, uint32_t part, enum leat_signal signal)
{
    for (uint32_t i = 0; i < shard->exporter_count; i++)
        if (shard->exporters[i].part == &shard->graph->plan->parts[part] && shard->exporters[i].signal == signal)
            return &shard->exporters[i];
    return NULL;
}

static uint32_t slots_max(const struct leat_plan *plan)
{
    uint32_t count = 0;
    for (uint32_t p = 0; p < plan->pipeline_count; p++)
        count += plan->pipelines[p].exporters.count;
    return count;
}

leat_rc leat_graph__exporters_open(struct leat_shard *shard, struct leat_err *reterr)
{
    const struct leat_plan *plan = shard->graph->plan;
    uint32_t slots = slots_max(plan);
    if (shard->index == 0)
        shard->graph->totals = leat_zalloc(slots, sizeof *shard->graph->totals);
    shard->exporters = leat_zalloc(slots, sizeof *shard->exporters);
    if (!shard->exporters || !shard->graph->totals)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_rc rc = LEAT_OK;
    for (uint32_t p = 0; p < plan->pipeline_count; p++) {
        const struct leat_plan_pipeline *pipeline = &plan->pipelines[p];
        for (uint32_t i = 0; rc == LEAT_OK && i < pipeline->exporters.count; i++)
            if (!leat_graph__exporter_find(shard, pipeline->exporters.at[i], pipeline->signal))
                rc = exporter_open(shard, pipeline->exporters.at[i], pipeline->signal, reterr);
    }
    return rc;
}

void leat_graph__exporters_close(struct leat_shard *shard)
{
    for (uint32_t i = 0; i < shard->exporter_count; i++) {
        struct leat_graph__exporter *exporter = &shard->exporters[i];
        leat_sender_door_close(exporter->door);
        leat_sender_close(exporter->sender);
        if (exporter->open && exporter->type->close)
            exporter->type->close(exporter->state);
        leat_free(exporter->state);
        leat_free(exporter->counts);
    }
    leat_free(shard->exporters);
    shard->exporters = NULL;
    shard->exporter_count = 0;
}
