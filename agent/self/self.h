/* SPDX-License-Identifier: Apache-2.0 */
/* self -- what leat tells about itself over HTTP: /metrics for Prometheus, /debug/dump for people.
 *
 * Threads  shard 0.
 * Limits   a hundred connections; requests carry no body.
 * Note     the page is made by the caller (the graph knows who there is); process figures and core counters are added. */
#pragma once
#include "agent/base/strbuf.h"
#include "agent/loop/loop.h"

struct leat_self;
typedef void leat_self_render(void *ctx, struct leat_strbuf *out);

/* Serves on `endpoint` ("localhost:8888"). */
leat_rc leat_self_open(struct leat_loop *loop, const char *endpoint, leat_self_render *render, void *ctx,
                       struct leat_self **ret_self, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_self_close(struct leat_self *self);
/* /debug/dump: `ask` begins a dump (LEAT_OK) that leat_self_dumped answers, at once or later. One at a time. */
void leat_self_dump_with(struct leat_self *self, leat_rc (*ask)(void *ctx));
void leat_self_dumped(struct leat_self *self, struct leat_strbuf *text); /* takes the text */

/* The core's counters and the process's own figures, as Prometheus text. */
void leat_self_metrics(uint64_t up_ns, struct leat_strbuf *out);
/* Memory and CPU time of this process. */
struct leat_usage {
    uint64_t rss_bytes, data_bytes; /* resident; mapped for data */
    double cpu_seconds;
};
struct leat_usage leat_self_usage(void);
