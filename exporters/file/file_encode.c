/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/file/file.h"
#include "proto/otlp/otlp_json_write.h"

static leat_rc put_json(struct file_state *file, const struct leat_batch *batch, struct leat_chain *body,
                        struct leat_err *reterr)
{
    leat_strbuf_clear(&file->text);
    leat_rc rc = otlp_json_write(batch->signal, &batch->payload, &file->text, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (!file->framed)
        leat_strbuf_putc(&file->text, '\n');
    if (file->text.failed || file->text.len > UINT32_MAX ||
        leat_chain_copy(body, file->text.at, (uint32_t)file->text.len) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a line");
    return LEAT_OK;
}

static leat_rc put_proto(const struct file_state *file, const struct leat_batch *batch, struct leat_chain *body,
                         struct leat_err *reterr)
{
    uint64_t len = batch->payload.bytes;
    const uint8_t prefix[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    if (len > UINT32_MAX)
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "a message of 4 GiB or more has no length in this format");
    if ((!file->framed && leat_chain_copy(body, prefix, sizeof prefix) != LEAT_OK) ||
        leat_chain_share_all(body, &batch->payload) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a message");
    return LEAT_OK;
}

leat_rc file_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct file_state *file = state;
    struct leat_request *request = leat_requests_add(out);
    if (!request)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    request->count = batch->item_count;
    request->precoded = true; /* the carrier compresses each message by itself */
    return file->format == FILE_FORMAT_JSON ? put_json(file, batch, &request->body, reterr)
                                            : put_proto(file, batch, &request->body, reterr);
}
