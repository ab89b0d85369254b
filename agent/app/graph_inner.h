/* SPDX-License-Identifier: Apache-2.0 */
/* graph_inner -- the structs of the graph; included inside agent/app only. */
#pragma once
#include <pthread.h>

#include "agent/app/graph.h"
#include "agent/deliver/sender.h"
#include "agent/pipe/convert.h"
#include "exporters/exporter.h"
#include "extensions/extension.h"
#include "processors/processor.h"
#include "receivers/receiver.h"

struct leat_shard;

struct leat_graph__extension {
    const struct leat_extension_type *type;
    const struct leat_plan_part *part;
    struct leat_host host;
    void *state;
    bool open;
    struct leat_client_auth client_auth;
    struct leat_server_auth server_auth;
};

/* One exporter and signal on one shard: a sender, or a door to the one on shard 0. */
struct leat_graph__exporter {
    const struct leat_exporter_type *type;
    const struct leat_plan_part *part;
    enum leat_signal signal;
    void *state;
    uint64_t *counts;
    bool open;
    struct leat_sender *sender;
    struct leat_sender_door *door;
    struct leat_stage *node;
};

struct leat_graph__processor {
    struct leat_stage node;
    const struct leat_processor_type *type;
    const struct leat_plan_part *part;
    const struct leat_plan_pipeline *pipeline;
    struct leat_shard *shard;
    struct leat_host host;
    void *state;
    bool open;
    bool head; /* receivers put into it */
};

/* Where a form arrives that the next one does not take. */
struct leat_graph__convert {
    struct leat_convert convert;
    const struct leat_plan_pipeline *pipeline;
    const struct leat_plan_part *before; /* NULL: before all exporters of the pipeline */
};

struct leat_graph__receiver {
    const struct leat_receiver_type *type;
    const struct leat_plan_part *part;
    struct leat_host host;
    void *state;
    bool open, stopped;
    struct leat_shard *shard;
};

/* A bound address of shard 0 and who serves it on each shard. */
struct leat_graph__listen {
    struct leat_graph *graph;
    const char *endpoint;
    struct leat_listener *listener;
    struct leat_graph__adopter {
        void (*adopt)(void *state, int fd);
        void *state;
        struct leat_host *host;
    } *adopters; /* one per shard */
    uint32_t next;
    struct leat_graph__listen *after;
};

/* What instances share by name. */
struct leat_graph__common {
    char *name;
    void *value;
    struct leat_graph__common *after;
};

enum leat_graph__phase { LEAT_PHASE_RUN, LEAT_PHASE_EMPTY, LEAT_PHASE_SEND, LEAT_PHASE_HOME, LEAT_PHASE_DONE };

struct leat_shard {
    struct leat_graph *graph;
    uint32_t index;
    struct leat_pool *pool;
    struct leat_loop *loop;
    struct leat_gate gate;
    pthread_t thread;
    bool threaded;
    struct leat_graph__extension *extensions;
    struct leat_graph__exporter *exporters;
    struct leat_graph__processor *processors;
    struct leat_graph__receiver *receivers;
    uint32_t extension_count, exporter_count, processor_count, receiver_count;
    struct leat_graph__convert *converts;
    uint32_t convert_count;
    struct leat_fanout **fanouts;
    const char **labels; /* of fan-out branches */
    uint32_t fanout_count, label_count;
    /* draining (graph_drain.c) */
    enum leat_graph__phase phase;
    uint32_t senders_left, receivers_left;
    bool abandoned;
    struct leat_timer poll;                          /* processors that are not empty yet */
    struct leat_message order, abandon_order, report; /* from and to shard 0 */
    /* dumping (graph_dump.c) */
    struct leat_message dump_order, dump_report;
    struct leat_strbuf dump; /* the shard's between order and report, then shard 0's */
};

struct leat_graph {
    const struct leat_plan *plan;
    struct leat_world *world;
    struct leat_budget budget;
    bool simulated, started;
    leat_rc (*carrier_open)(void *ctx, struct leat_loop *loop, const char *exporter_id, struct leat_carrier **ret_carrier);
    void *carrier_ctx;
    uint32_t shard_count;
    struct leat_shard *shards;
    struct leat_sender_totals *totals; /* per exporter slot, shared by all shards */
    struct leat_graph__listen *listens;
    void **shared; /* receivers' host->shared, per part; freed after the loops */
    struct leat_graph__common *commons;
    /* draining */
    enum leat_graph__phase phase;
    uint32_t reports_left;
    struct leat_timer deadline;
    bool abandon_sent;
    void (*drained)(void *ctx);
    void *drained_ctx;
    /* dumping */
    uint32_t dumps_left;
    void (*dumped)(void *ctx, struct leat_strbuf *text);
    void *dumped_ctx;
};

extern const struct leat_host_ops leat_graph__host_ops;
void leat_graph__host_init(struct leat_host *host, struct leat_shard *shard, const char *id);
struct leat_graph__extension *leat_graph__extension_find(struct leat_shard *shard, const char *id);
void leat_graph__listens_close(struct leat_graph *graph);
void leat_graph__commons_free(struct leat_graph *graph);

/* graph_exporter.c */
struct leat_exporter_conf leat_graph__exporter_conf(const struct leat_exporter_type *type,
                                                    const struct leat_plan_part *part);
leat_rc leat_graph__exporters_open(struct leat_shard *shard, struct leat_err *reterr);
void leat_graph__exporters_close(struct leat_shard *shard);
struct leat_graph__exporter *leat_graph__exporter_find(struct leat_shard *shard, uint32_t part, enum leat_signal signal);

/* graph_convert.c */
struct leat_stage *leat_graph__convert_before(struct leat_shard *shard, const struct leat_plan_pipeline *pipeline,
                                              const struct leat_plan_part *before, uint32_t arriving, uint32_t takes,
                                              struct leat_stage *next);

/* graph_pipeline.c: processors, fan-outs and the receivers' doors out */
leat_rc leat_graph__pipelines_open(struct leat_shard *shard, struct leat_err *reterr);
void leat_graph__pipelines_close(struct leat_shard *shard);
uint64_t *leat_graph__counts_new(const struct leat_counter_def *rows); /* one zero per row */

void leat_graph__drain_init(struct leat_shard *shard);
void leat_graph__dump_done(struct leat_shard *shard); /* after all loops are closed */
