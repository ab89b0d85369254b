/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of answers. Source: OTLP specification 1.x, "OTLP/HTTP response"; google/rpc/status.proto (code = 1,
 * message = 2); Export*ServiceResponse (partial_success = 1 { rejected = 1, error_message = 2 }). */
#include "agent/base/alloc.h"
#include "proto/protobuf/pb_write.h"
#include "receivers/otlp/otlp.h"

#define TAG_VARINT(field) ((field) << 3)
#define TAG_BYTES(field) ((field) << 3 | 2)

static leat_rc body_of(const void *at, size_t len, bool failed, struct leat_chain *ret_body)
{
    return failed ? LEAT_ENOMEM : leat_chain_copy(ret_body, at, (uint32_t)len);
}

static leat_rc status_json(int code, const char *text, struct leat_chain *ret_body)
{
    struct leat_strbuf json = {0};
    leat_strbuf_printf(&json, "{\"code\":%d,\"message\":", code);
    leat_strbuf_json(&json, text, strlen(text));
    leat_strbuf_putc(&json, '}');
    leat_rc rc = body_of(json.at, json.len, json.failed, ret_body);
    leat_strbuf_done(&json);
    return rc;
}

leat_rc otlp_status_body(int code, const char *text, bool json, struct leat_chain *ret_body)
{
    if (json)
        return status_json(code, text, ret_body);
    struct pb_buf buf = {0};
    pb_buf_varint(&buf, TAG_VARINT(1), (uint64_t)code);
    pb_buf_bytes(&buf, TAG_BYTES(2), text, (uint32_t)strlen(text));
    leat_rc rc = body_of(buf.at, buf.len, buf.failed, ret_body);
    pb_buf_done(&buf);
    return rc;
}

static leat_rc success_json(enum leat_signal signal, const struct otlp_result *result, struct leat_chain *ret_body)
{
    static const char *const rejected[] = {"rejectedLogRecords", "rejectedDataPoints", "rejectedSpans",
                                           "rejectedProfiles"};
    struct leat_strbuf json = {0};
    leat_strbuf_puts(&json, "{\"partialSuccess\":{");
    if (result->rejected) {
        leat_strbuf_printf(&json, "\"%s\":\"%llu\",\"errorMessage\":", rejected[signal],
                           (unsigned long long)result->rejected);
        leat_strbuf_json(&json, result->text, strlen(result->text));
    }
    leat_strbuf_puts(&json, "}}");
    leat_rc rc = body_of(json.at, json.len, json.failed, ret_body);
    leat_strbuf_done(&json);
    return rc;
}

leat_rc otlp_success_body(enum leat_signal signal, const struct otlp_result *result, bool json,
                          struct leat_chain *ret_body)
{
    if (json)
        return success_json(signal, result, ret_body);
    if (!result->rejected)
        return LEAT_OK; /* an empty message is no bytes */
    struct pb_buf buf = {0};
    size_t partial = pb_buf_open(&buf, TAG_BYTES(1));
    pb_buf_varint(&buf, TAG_VARINT(1), result->rejected);
    pb_buf_bytes(&buf, TAG_BYTES(2), result->text, (uint32_t)strlen(result->text));
    pb_buf_close(&buf, partial);
    leat_rc rc = body_of(buf.at, buf.len, buf.failed, ret_body);
    pb_buf_done(&buf);
    return rc;
}

static char *lower_copy(struct leat_strbuf *text, struct leat_slice slice, bool lower)
{
    char *at = (char *)(uintptr_t)text->len; /* an offset until the buffer has stopped moving */
    leat_strbuf_put(text, slice.at, slice.len);
    for (size_t i = text->len - slice.len; lower && !text->failed && i < text->len; i++)
        if (text->at[i] >= 'A' && text->at[i] <= 'Z')
            text->at[i] = (char)(text->at[i] | 0x20);
    leat_strbuf_putc(text, 0);
    return at;
}

leat_rc otlp_meta(struct leat_headers headers, struct leat_meta **ret_meta)
{
    struct leat_strbuf text = {0};
    struct leat_meta_pair *pairs = leat_zalloc(headers.count, sizeof *pairs);
    *ret_meta = NULL;
    for (uint32_t i = 0; pairs && i < headers.count; i++) {
        pairs[i].key = lower_copy(&text, headers.at[i].name, true);
        pairs[i].value = lower_copy(&text, headers.at[i].value, false);
    }
    if (pairs && !text.failed) {
        for (uint32_t i = 0; i < headers.count; i++) {
            pairs[i].key = text.at + (uintptr_t)pairs[i].key;
            pairs[i].value = text.at + (uintptr_t)pairs[i].value;
        }
        *ret_meta = leat_meta_new(pairs, headers.count);
    }
    leat_free(pairs);
    leat_strbuf_done(&text);
    return *ret_meta ? LEAT_OK : LEAT_ENOMEM;
}
