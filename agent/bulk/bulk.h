/* SPDX-License-Identifier: Apache-2.0 */
/* bulk -- encode, judge and prepare for servers of the bulk API: what the OpenSearch and Elasticsearch exporters share.
 *
 * Why      the two differ in keys, defaults and names; how documents are put together, what each row of an answer
 * means, and how a document sent twice is stored once, is one thing. Threads  one state per exporter id, signal and
 * shard. Owns     the addresses, buffers and caches of its state; what the configuration names is borrowed. Limits
 * request_bytes_max before compression ends a request; answers of LEAT_BULK_REPLY_MAX are read. Fails    LEAT_ENOMEM:
 * the batch is encoded again later; LEAT_ECONFIG at open.
 *
 * Ids      with own_ids each document is named by the load it was first sent with (64 bits by chance) and its place in
 * it. It keeps that name however it is split and repeated, so that an attempt whose answer was lost is met by 409 and
 * not stored twice; two equal lines are two documents. */
#pragma once
#include "agent/base/counter.h"
#include "agent/base/world.h"
#include "agent/deliver/request.h"
#include "proto/bulk_json/bulk_doc.h"
#include "proto/bulk_json/bulk_index.h"
#include "proto/bulk_json/bulk_reply.h"

#define LEAT_BULK_REPLY_MAX (4u << 20)
#define LEAT_BULK_ENDPOINTS_MAX 16u

struct leat_bulk_conf { /* what the exporters' keys come to */
    const char *const *endpoints;
    uint32_t endpoint_count;
    const char *pipeline;
    const char *authorization; /* a header's value; NULL: none; copied */
    bool index_action;         /* "index" instead of "create" */
    bool own_ids;
    uint64_t request_bytes_max;
    struct bulk_doc_opts doc;
    struct bulk_index index;
    const char *stream_type; /* documents say where they go: pieces dataset_piece and namespace_piece of the index */
    uint32_t dataset_piece, namespace_piece;
    bool put_template, data_stream;
};

struct leat_bulk {
    enum leat_signal signal;
    struct leat_world *world;
    uint64_t *counts; /* by row of leat_bulk_counters; may be NULL */
    struct leat_bulk_conf conf;
    char *urls[LEAT_BULK_ENDPOINTS_MAX], *template_urls[LEAT_BULK_ENDPOINTS_MAX], *authorization;
    struct bulk_doc doc;
    struct bulk_index index;
    uint64_t index_second;           /* for which it was put together, where it has a date */
    struct leat_strbuf text, action; /* the request's last page; {"create":{"_index":"..." of the current index */
    struct bulk_stream stream;
};

extern const struct leat_counter_def leat_bulk_counters[];

leat_rc leat_bulk_open(struct leat_bulk *bulk, const struct leat_bulk_conf *conf, enum leat_signal signal,
                       struct leat_world *world, uint64_t *counts, struct leat_err *reterr) LEAT_MUST_CHECK;
/* The descriptor's functions; `state` is a struct leat_bulk. */
leat_rc leat_bulk_prepare(void *state, struct leat_requests *out, struct leat_err *reterr);
leat_rc leat_bulk_encode(void *state, const struct leat_batch *batch, struct leat_requests *out,
                         struct leat_err *reterr);
leat_rc leat_bulk_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void leat_bulk_close(void *state);

/* Rules that both exporters' check() share: addresses, the pipeline's name. */
leat_rc leat_bulk_check(const struct leat_bulk_conf *conf, struct leat_err *reterr);

/* ---- inside agent/bulk ---- */
enum { LEAT_BULK__DOCUMENTS, LEAT_BULK__TEMPLATE }; /* request tags */
leat_rc leat_bulk__headers(const struct leat_bulk *bulk, struct leat_request *request, struct leat_slice type);
void leat_bulk__count(struct leat_bulk *bulk, uint32_t row, uint64_t n);
leat_rc leat_bulk__judge_template(const struct leat_reply *reply, struct leat_verdict *out);
/* What every name of this index begins with: itself when it is always the same (`*ret_exact`). */
uint32_t leat_bulk__prefix(const struct bulk_index *index, char to[BULK_INDEX_NAME_MAX + 1], bool *ret_exact);
