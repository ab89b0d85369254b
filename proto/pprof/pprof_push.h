/* SPDX-License-Identifier: Apache-2.0 */
/* pprof_push -- series of Pyroscope's push.v1 PushRequest: labels beside one profile whose bytes stay untouched.
 *
 * Why      the in-memory form of scraped profiles (pprof_form) is what the store's API takes.
 * Shape    PushRequest.series = 1; RawProfileSeries { labels = 1 { name = 1, value = 2 }, samples = 2 }, RawSample {
 *          raw_profile = 1, ID = 2 }. A series of ours has one sample.
 * Threads  one user at a time.
 * Owns     what is written shares the profile's blocks. A reader owns a scratch for the labels, until _close.
 * Limits   PPROF_PUSH_LABEL_BYTES_MAX of labels in a series.
 * Fails    LEAT_EPARSE for anything else in a payload, LEAT_ENOMEM. */
#pragma once
#include "agent/base/err.h"
#include "proto/protobuf/pb_write.h"

#define PPROF_PUSH_ID_LEN 36u /* a UUID as text */
#define PPROF_PUSH_LABEL_BYTES_MAX (1u << 20)

/* ---- writing ---- */
void pprof_push_label(struct pb_buf *labels, struct leat_slice name, struct leat_slice value);
void pprof_push_id(const uint8_t bytes[16], char text[PPROF_PUSH_ID_LEN]);
/* One series field behind `out`; `profile` is shared. */
leat_rc pprof_push_put(struct leat_chain *out, struct leat_slice labels, const char id[PPROF_PUSH_ID_LEN],
                       const struct leat_chain *profile) LEAT_MUST_CHECK;

/* ---- reading ---- */
struct pprof_series {
    uint64_t at, len;                 /* the field in the payload, tag included */
    struct leat_slice labels;         /* pprof_push_label_next; until the next _next */
    uint64_t sample_at, sample_len;   /* its sample field, tag included */
    uint64_t profile_at, profile_len; /* the profile's bytes */
    bool is_gzip;
};
struct pprof_push {
    struct pb_cursor cursor;
    const struct leat_chain *payload;
    struct pb_buf labels;
    leat_rc rc;
};
void pprof_push_open(struct pprof_push *push, const struct leat_chain *payload);
bool pprof_push_next(struct pprof_push *push, struct pprof_series *ret_series); /* false: the end, or an error */
leat_rc pprof_push_close(struct pprof_push *push, struct leat_err *reterr);
bool pprof_push_label_next(struct leat_slice *labels, struct leat_slice *ret_name, struct leat_slice *ret_value);
