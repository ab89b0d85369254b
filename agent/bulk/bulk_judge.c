/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer means: row by row where there are rows. What is unknown is sent again: its id says if it was stored.
 */
#include "agent/bulk/bulk.h"

#define TEXT(reply) (int)((reply)->body.len < 128 ? (reply)->body.len : 128), (const char *)(reply)->body.at
#define PART(slice, max) (int)((slice).len < (max) ? (slice).len : (max)), (const char *)(slice).at

enum { ROW_STORED_BEFORE = BULK_REASON_COUNT, ROW_BUSY, ROW_UNKNOWN };

struct tally {
    uint32_t rows, again, refused, blocked, stored_before, busy;
    uint32_t reasons[BULK_REASON_COUNT];
    struct bulk_reply_row first_bad; /* for people */
};

static void tally_row(struct tally *tally, const struct leat_bulk *bulk, const struct bulk_reply_row *row,
                      struct leat_verdict *out)
{
    uint32_t k = tally->rows++;
    enum bulk_fate fate = bulk_reply_fate(row, bulk->conf.own_ids);
    if (fate == BULK_STORED) {
        tally->stored_before += row->status == 409;
        return;
    }
    if (tally->again + tally->refused == 0 || (tally->refused == 0 && fate != BULK_AGAIN))
        tally->first_bad = *row; /* what is lost says more than what is repeated */
    if (fate == BULK_AGAIN) {
        leat_bitmap_set(out->again, k);
        tally->again++;
        tally->busy += row->status == 429;
        return;
    }
    leat_bitmap_set(out->refused, k);
    tally->refused++;
    tally->blocked += fate == BULK_BLOCKED;
    tally->reasons[bulk_reply_reason(row)]++;
}

static leat_rc verdict_of(struct leat_bulk *bulk, const struct tally *tally, uint32_t count, struct leat_verdict *out)
{
    const struct bulk_reply_row *bad = &tally->first_bad;
    if (tally->blocked == count)
        return leat_verdict_hold(out, "every document: status %d: %.*s: %.*s", bad->status, PART(bad->type, 48u),
                                 PART(bad->reason, 96u));
    for (uint32_t i = 0; i < BULK_REASON_COUNT; i++)
        leat_bulk__count(bulk, i, tally->reasons[i]);
    leat_bulk__count(bulk, ROW_STORED_BEFORE, tally->stored_before);
    leat_bulk__count(bulk, ROW_BUSY, tally->again - (count - tally->rows));
    leat_bulk__count(bulk, ROW_UNKNOWN, count - tally->rows);
    if (tally->again == 0 && tally->refused == 0)
        return leat_verdict_delivered(out, 0);
    (void)leat_verdict_retry(out, "%u of %u documents again, %u refused: status %d: %.*s: %.*s", tally->again, count,
                             tally->refused, bad->status, PART(bad->type, 48u), PART(bad->reason, 96u));
    if (tally->again < count)
        out->kind = LEAT_VERDICT_RETRY_ITEMS;
    out->slow_down = tally->busy != 0;
    return LEAT_OK;
}

static leat_rc judge_rows(struct leat_bulk *bulk, const struct leat_reply *reply, struct leat_verdict *out)
{
    struct bulk_reply rows;
    struct bulk_reply_row row;
    struct tally tally = {0};
    uint32_t count = reply->request->count;
    bulk_reply_begin(&rows, reply->body);
    while (bulk_reply_next(&rows, &row)) {
        if (tally.rows == count)
            return leat_verdict_retry(out, "the answer has more rows than documents were sent");
        tally_row(&tally, bulk, &row, out);
    }
    for (uint32_t k = tally.rows; k < count; k++, tally.again++)
        leat_bitmap_set(out->again, k);
    if (tally.rows == 0) {
        leat_bulk__count(bulk, ROW_UNKNOWN, count);
        return leat_verdict_retry(out, "the answer says nothing about the documents: %.*s", TEXT(reply));
    }
    return verdict_of(bulk, &tally, count, out);
}

leat_rc leat_bulk_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    struct leat_bulk *bulk = state;
    (void)reterr;
    int status = reply->status;
    if (reply->request->tag == LEAT_BULK__TEMPLATE)
        return leat_bulk__judge_template(reply, out);
    if (status / 100 == 2)
        return judge_rows(bulk, reply, out);
    if (status == 413)
        return leat_verdict_split(out, "status 413: %.*s", TEXT(reply));
    if (status == 401 || status == 403 || status == 404 || status / 100 == 3)
        return leat_verdict_hold(out, "status %d: %.*s", status, TEXT(reply));
    if (status == 408 || status == 429 || status / 100 == 5) {
        (void)leat_verdict_retry(out, "status %d: %.*s", status, TEXT(reply));
        out->slow_down = true;
        return LEAT_OK;
    }
    return leat_verdict_drop(out, true, "status %d: %.*s", status, TEXT(reply));
}
