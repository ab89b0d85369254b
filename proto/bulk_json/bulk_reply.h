/* SPDX-License-Identifier: Apache-2.0 */
/* bulk_reply -- the answer to a bulk request, read row by row, in one pass and in place.
 *
 * Why      HTTP 200 does not mean success: each row has its status. What is unknown must not be taken for stored.
 * Threads  pure; borrows the text.
 * Limits   nesting BULK_REPLY_DEPTH_MAX; rows are counted by the caller.
 * Fails    the reader ends early and `complete` stays false: truncated or no JSON. Rows read before are good.
 * Note     it reads what filter_path leaves (items.*.status, items.*.error) and any more as well. */
#pragma once
#include "proto/json/json_read.h"

#define BULK_REPLY_DEPTH_MAX 32u

struct bulk_reply_row {
    int status;               /* 0: the row has none */
    struct leat_slice type;   /* error.type, as written; {0} when there is none */
    struct leat_slice reason; /* error.reason, as written: JSON escapes stay */
};
struct bulk_reply {
    struct json_reader json;
    bool complete; /* the whole reply was read */
    uint8_t place;
};
void bulk_reply_begin(struct bulk_reply *reply, struct leat_slice body);
/* The next row; false: no more (see complete). */
bool bulk_reply_next(struct bulk_reply *reply, struct bulk_reply_row *ret_row);

/* What a row's status means for its document. */
enum bulk_fate { BULK_STORED, BULK_AGAIN, BULK_BLOCKED, BULK_REFUSED };
/* With `own_id` a conflict says that an earlier attempt stored it. */
enum bulk_fate bulk_reply_fate(const struct bulk_reply_row *row, bool own_id);

/* Why rows are refused, for the books. */
enum bulk_reason {
    BULK_REASON_MAPPING,
    BULK_REASON_ARGUMENT,
    BULK_REASON_INDEX,
    BULK_REASON_CONFLICT,
    BULK_REASON_BLOCKED,
    BULK_REASON_OTHER,
    BULK_REASON_COUNT
};
enum bulk_reason bulk_reply_reason(const struct bulk_reply_row *row);
