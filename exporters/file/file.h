/* SPDX-License-Identifier: Apache-2.0 */
/* file -- batches to a file: one line of OTLP/JSON each, or length-prefixed protobuf.
 *
 * Why      the simplest place to keep telemetry, and to look at it; readable by the Collector's otlp_json_file
 * receiver. Threads  as every exporter: one state per shard; the carrier writes. Fails    what cannot be written is
 * tried again (LEAT_EIO). */
#pragma once
#include "exporters/exporter.h"

enum file_format { FILE_FORMAT_JSON, FILE_FORMAT_PROTO };

struct file_conf {
    int format; /* enum file_format */
};

struct file_state {
    enum file_format format;
    bool framed; /* the carrier puts a length before each message */
    struct leat_strbuf text;
};

extern const struct leat_field file_fields[];

leat_rc file_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc file_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                  struct leat_err *reterr);
leat_rc file_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
leat_rc file_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void file_close(void *state);
