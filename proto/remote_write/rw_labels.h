/* SPDX-License-Identifier: Apache-2.0 */
/* rw_labels -- the labels of a series as they leave: its own, the external ones it lacks, a namespace before its name.
 *
 * Threads  pure functions over the caller's bytes.
 * Owns     nothing; what is made anew lies in the caller's buffer until its next use.
 * Limits   names and values of a label pair below 64 KiB are an encoder's business, not ours.
 * Fails    the buffer's sticky error. */
#pragma once
#include "proto/prom/prom.h"
#include "proto/protobuf/pb_write.h"

struct rw_label {
    struct leat_slice name, value;
};
struct rw_outgoing {
    const struct rw_label *external; /* sorted by name; no empty name or value */
    uint32_t external_count;
    struct leat_slice prefix; /* before the metric's name; empty: none */
};

int rw_name_compare(struct leat_slice a, struct leat_slice b); /* as bytes */
/* One Label as field 1 (of a TimeSeries or an Exemplar, remote write 1.0). */
void rw_label_put(struct pb_buf *buf, struct leat_slice name, struct leat_slice value);
/* The next Label of such fields; false: no more. */
bool rw_label_next(struct leat_slice *fields, struct rw_label *ret_label);
/* The fields of the series as it leaves; borrowed from it when nothing changes, else from `scratch`. *ret_count: labels. */
struct leat_slice rw_labels_of(const struct rw_outgoing *outgoing, const struct leat_prom_series *series, struct pb_buf *scratch,
                               uint32_t *ret_count);
