/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_repair.h"

#include "agent/base/counter.h"
#include "proto/otlp/otlp_schema.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/protobuf/pb_write.h"
#include "proto/utf8/utf8.h"

#define LEVELS_MAX (16 + 3 * OTLP_DEPTH_MAX)

struct repair {
    struct pb_buf out;
    uint32_t repaired;
};

static void text(struct repair *r, const struct pb_field *f)
{
    size_t len = utf8_repaired_len(f->at, f->len);
    uint8_t head[20];
    const uint8_t *end = pb_put_varint(pb_put_varint(head, PB_TAG(f->number, PB_LEN)), len);
    pb_buf_raw(&r->out, head, (size_t)(end - head));
    if (!pb_buf_room(&r->out, len))
        return;
    r->out.len += utf8_repair(f->at, f->len, r->out.at + r->out.len);
    r->repaired++;
}

static bool message(struct repair *r, const struct otlp_msg *msg, struct pb_flat in, unsigned level)
{
    struct pb_field f;
    int got;
    while ((got = pb_next(&in, &f)) == 1) {
        const struct otlp_field *known = f.wire == PB_LEN ? otlp_field_by_number(msg, f.number) : NULL;
        bool clean = !known || utf8_high(f.at, f.at + f.len) == f.at + f.len;
        if (!clean && known->kind == OTLP_MSG) {
            size_t opened = pb_buf_open(&r->out, PB_TAG(f.number, PB_LEN));
            if (level == LEVELS_MAX || !message(r, known->msg, pb_sub(&f), level + 1))
                return false;
            pb_buf_close(&r->out, opened);
        } else if (!clean && known->kind == OTLP_STRING && !utf8_ok(f.at, f.len)) {
            text(r, &f);
        } else {
            pb_buf_raw(&r->out, f.tag, (size_t)(in.at - f.tag));
        }
    }
    return got == 0;
}

leat_rc otlp_repair(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_payload,
                    struct leat_err *reterr)
{
    struct repair r = {0};
    struct leat_slice flat;
    *ret_payload = (struct leat_chain){0};
    leat_rc rc = leat_chain_flat(payload, &flat);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "otlp: repair");
    bool ok = message(&r, otlp_request_of(signal), pb_flat_of(flat.at, flat.len), 0);
    leat_mem_unref(flat.mem);
    rc = !ok ? LEAT_EPARSE : r.out.failed ? LEAT_ENOMEM : LEAT_OK;
    if (rc == LEAT_OK)
        rc = leat_chain_copy(ret_payload, r.out.at, (uint32_t)r.out.len);
    if (rc == LEAT_OK) {
        leat_copied(r.out.len);
        leat_count(LEAT_COUNT_UTF8_REPAIRED, r.repaired);
    }
    pb_buf_done(&r.out);
    return rc == LEAT_OK ? rc : LEAT_RAISE(reterr, rc, 0, "otlp: repair");
}
