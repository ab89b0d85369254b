/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to bulk requests. The bytes lie in a block of their own length, so that a read past the end is seen; what a
 * row points at lies in the input; the reader ends; a complete reply is one that stays complete with a blank behind it.
 */
#include <stdlib.h>

#include "agent/base/check.h"
#include "proto/bulk_json/bulk_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check_inside(struct leat_slice text, struct leat_slice body)
{
    LEAT_CHECK(text.len == 0 || (text.at >= body.at && text.at + text.len <= body.at + body.len));
}

static bool read_all(struct leat_slice body, uint32_t *ret_rows)
{
    struct bulk_reply reply;
    struct bulk_reply_row row;
    uint32_t rows = 0;
    bulk_reply_begin(&reply, body);
    while (bulk_reply_next(&reply, &row)) {
        check_inside(row.type, body);
        check_inside(row.reason, body);
        LEAT_CHECK(row.status >= 0 && row.status <= 999);
        LEAT_CHECK(bulk_reply_reason(&row) < BULK_REASON_COUNT);
        LEAT_CHECK(row.status != 0 || bulk_reply_fate(&row, true) == BULK_AGAIN);
        rows++;
        LEAT_CHECK(rows <= body.len / 2);
    }
    LEAT_CHECK(!bulk_reply_next(&reply, &row));
    *ret_rows = rows;
    return reply.complete;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    uint32_t rows, again;
    if (len > 1u << 20)
        return 0;
    uint8_t *copy = malloc(len + 1);
    if (!copy)
        return 0;
    if (len)
        memcpy(copy, at, len);
    copy[len] = ' ';
    bool complete = read_all(leat_slice_of(copy, (uint32_t)len), &rows);
    bool longer = read_all(leat_slice_of(copy, (uint32_t)len + 1), &again);
    LEAT_CHECK(complete == longer && (!complete || rows == again));
    free(copy);
    return 0;
}
