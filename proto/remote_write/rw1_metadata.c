/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw1_put.h"

static void put_text(struct pb_buf *buf, uint32_t number, struct leat_slice text)
{
    if (text.len)
        pb_buf_bytes(buf, PB_TAG(number, PB_LEN), text.at, text.len);
}

void rw1_metadata(struct pb_buf *buf, const struct rw_outgoing *outgoing, const struct leat_prom_family *family)
{
    size_t at = pb_buf_open(buf, PB_TAG(3, PB_LEN));
    if (family->type)
        pb_buf_varint(buf, PB_TAG(1, PB_VARINT), family->type);
    if (outgoing->prefix.len) {
        size_t name = pb_buf_open(buf, PB_TAG(2, PB_LEN));
        pb_buf_raw(buf, outgoing->prefix.at, outgoing->prefix.len);
        pb_buf_raw(buf, "_", 1);
        pb_buf_raw(buf, family->name.at, family->name.len);
        pb_buf_close(buf, name);
    } else {
        put_text(buf, 2, family->name);
    }
    put_text(buf, 4, family->help);
    put_text(buf, 5, family->unit);
    pb_buf_close(buf, at);
}
