/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp_reply/otlp_reply.h"

#include "proto/protobuf/pb_read.h"

/* ExportPartialSuccess: 1 rejected, 2 error_message. */
static leat_rc read_partial(struct pb_flat reader, struct otlp_reply *reply)
{
    struct pb_field field;
    int more;
    while ((more = pb_next(&reader, &field)) > 0) {
        if (field.number == 1 && field.wire == PB_VARINT)
            reply->rejected = field.value > INT64_MAX ? 0 : field.value; /* a negative count means nothing */
        else if (field.number == 2 && field.wire == PB_LEN)
            reply->text = leat_slice_of(field.at, field.len);
    }
    return more == 0 ? LEAT_OK : LEAT_EPARSE;
}

leat_rc otlp_reply_read(struct leat_slice body, struct otlp_reply *ret_reply)
{
    struct pb_flat reader = pb_flat_of(body.at, body.len);
    struct pb_field field;
    int more;
    ret_reply->rejected = 0;
    ret_reply->text = (struct leat_slice){0};
    while (body.len && (more = pb_next(&reader, &field)) != 0) {
        if (more < 0 || (field.number == 1 && field.wire != PB_LEN))
            return LEAT_EPARSE;
        if (field.number == 1 && read_partial(pb_sub(&field), ret_reply) != LEAT_OK)
            return LEAT_EPARSE;
    }
    return LEAT_OK;
}

leat_rc otlp_reply_status(struct leat_slice body, struct otlp_reply *ret_reply)
{
    struct pb_flat reader = pb_flat_of(body.at, body.len);
    struct pb_field field;
    int more;
    ret_reply->rejected = 0;
    ret_reply->text = (struct leat_slice){0};
    while (body.len && (more = pb_next(&reader, &field)) != 0) {
        if (more < 0)
            return LEAT_EPARSE;
        if (field.number == 2 && field.wire == PB_LEN) /* 1 code, 3 details */
            ret_reply->text = leat_slice_of(field.at, field.len);
    }
    return LEAT_OK;
}

bool otlp_reply_rate_limited(struct leat_slice text)
{
    static const char word[] = "RATE_LIMITED";
    return text.len && memmem(text.at, text.len, word, sizeof word - 1) != NULL;
}
