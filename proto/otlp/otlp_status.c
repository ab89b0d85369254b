/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_status.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/json/json_read.h"
#include "proto/json/json_write.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_schema.h"

#define SECOND_NS 1000000000ll
#define RETRY_SECONDS_MAX 315360000 /* ten years: longer is nonsense, and must not overflow */
#define JSON_DEPTH 32

static const char retry_type[] = "type.googleapis.com/google.rpc.RetryInfo";

static void keep_text(char to[static OTLP_MESSAGE_BYTES], const void *at, uint32_t len)
{
    uint32_t n = len < OTLP_MESSAGE_BYTES - 1 ? len : OTLP_MESSAGE_BYTES - 1;
    if (n)
        memcpy(to, at, n);
    to[n] = 0;
}

/* ---- partial success ---- */

void otlp_partial_put(struct pb_buf *out, int64_t rejected, const char *message)
{
    if (rejected == 0 && !*message)
        return;
    size_t opened = pb_buf_open(out, PB_TAG(1, PB_LEN));
    if (rejected)
        pb_buf_varint(out, PB_TAG(1, PB_VARINT), (uint64_t)rejected);
    if (*message)
        pb_buf_bytes(out, PB_TAG(2, PB_LEN), message, (uint32_t)strlen(message));
    pb_buf_close(out, opened);
}

void otlp_partial_put_json(struct leat_strbuf *out, enum leat_signal signal, int64_t rejected, const char *message)
{
    const char *name = otlp_response_of(signal)->fields[0].msg->fields[0].json;
    if (rejected == 0 && !*message) {
        leat_strbuf_puts(out, "{}");
        return;
    }
    leat_strbuf_puts(out, "{\"partialSuccess\":{");
    if (rejected)
        leat_strbuf_printf(out, "\"%s\":\"%lld\"%s", name, (long long)rejected, *message ? "," : "");
    if (*message) {
        leat_strbuf_puts(out, "\"errorMessage\":");
        json_put_string(out, message, strlen(message));
    }
    leat_strbuf_puts(out, "}}");
}

bool otlp_partial_of(struct leat_slice response, struct otlp_partial *ret_partial)
{
    struct pb_flat in = pb_flat_of(response.at, response.len);
    struct pb_field f, v;
    int got, inner = 0;
    *ret_partial = (struct otlp_partial){0};
    while ((got = pb_next(&in, &f)) == 1) {
        struct pb_flat partial = pb_sub(&f);
        while (f.number == 1 && f.wire == PB_LEN && (inner = pb_next(&partial, &v)) == 1) {
            if (v.number == 1 && v.wire == PB_VARINT)
                ret_partial->rejected = (int64_t)v.value;
            else if (v.number == 2 && v.wire == PB_LEN)
                keep_text(ret_partial->message, v.at, v.len);
        }
        if (inner < 0)
            return false;
    }
    return got == 0;
}

bool otlp_partial_of_json(enum leat_signal signal, struct leat_slice response, struct otlp_partial *ret_partial)
{
    struct pb_buf bytes = {0};
    bool ok = otlp_json_read_message(otlp_response_of(signal), response, &bytes, NULL) == LEAT_OK &&
              otlp_partial_of(leat_slice_of(bytes.at, (uint32_t)bytes.len), ret_partial);
    pb_buf_done(&bytes);
    return ok;
}

/* ---- status ---- */

void otlp_status_put(struct pb_buf *out, int32_t code, const char *message, int64_t retry_ns)
{
    if (code)
        pb_buf_varint(out, PB_TAG(1, PB_VARINT), (uint64_t)(int64_t)code);
    if (*message)
        pb_buf_bytes(out, PB_TAG(2, PB_LEN), message, (uint32_t)strlen(message));
    if (retry_ns < 0)
        return;
    size_t any = pb_buf_open(out, PB_TAG(3, PB_LEN));
    pb_buf_bytes(out, PB_TAG(1, PB_LEN), retry_type, sizeof retry_type - 1);
    size_t info = pb_buf_open(out, PB_TAG(2, PB_LEN)), delay = pb_buf_open(out, PB_TAG(1, PB_LEN));
    if (retry_ns / SECOND_NS)
        pb_buf_varint(out, PB_TAG(1, PB_VARINT), (uint64_t)(retry_ns / SECOND_NS));
    if (retry_ns % SECOND_NS)
        pb_buf_varint(out, PB_TAG(2, PB_VARINT), (uint64_t)(retry_ns % SECOND_NS));
    pb_buf_close(out, delay);
    pb_buf_close(out, info);
    pb_buf_close(out, any);
}

void otlp_status_put_json(struct leat_strbuf *out, int32_t code, const char *message, int64_t retry_ns)
{
    leat_strbuf_printf(out, "{\"code\":%d,\"message\":", code);
    json_put_string(out, message, strlen(message));
    if (retry_ns >= 0) {
        leat_strbuf_printf(out, ",\"details\":[{\"@type\":\"%s\",\"retryDelay\":\"%lld", retry_type,
                           (long long)(retry_ns / SECOND_NS));
        if (retry_ns % SECOND_NS)
            leat_strbuf_printf(out, ".%09lld", (long long)(retry_ns % SECOND_NS));
        leat_strbuf_puts(out, "s\"}]");
    }
    leat_strbuf_puts(out, "}");
}

static int64_t delay_of(int64_t seconds, int64_t nanos)
{
    if (seconds < 0 || nanos < 0 || nanos >= SECOND_NS)
        return 0;
    return (seconds < RETRY_SECONDS_MAX ? seconds : RETRY_SECONDS_MAX) * SECOND_NS + nanos;
}

/* RetryInfo { retry_delay = 1: Duration { seconds = 1, nanos = 2 } } */
static bool retry_info(const struct pb_field *bytes, int64_t *ret_ns)
{
    struct pb_flat in = pb_sub(bytes);
    struct pb_field f, v;
    int got, inner = 0;
    int64_t parts[3] = {0};
    while ((got = pb_next(&in, &f)) == 1) {
        struct pb_flat duration = pb_sub(&f);
        while (f.number == 1 && f.wire == PB_LEN && (inner = pb_next(&duration, &v)) == 1)
            if (v.number <= 2 && v.wire == PB_VARINT)
                parts[v.number] = (int64_t)v.value;
        if (inner < 0)
            return false;
    }
    *ret_ns = delay_of(parts[1], parts[2]);
    return got == 0;
}

static bool detail(struct pb_flat in, int64_t *retry_ns)
{
    struct pb_field f, value = {0};
    int got;
    bool is_retry = false;
    while ((got = pb_next(&in, &f)) == 1) {
        if (f.number == 1 && f.wire == PB_LEN)
            is_retry = leat_slice_is(leat_slice_of(f.at, f.len), retry_type);
        else if (f.number == 2 && f.wire == PB_LEN)
            value = f;
    }
    return got == 0 && (!is_retry || retry_info(&value, retry_ns));
}

bool otlp_status_of(struct leat_slice bytes, struct otlp_status *ret_status)
{
    struct pb_flat in = pb_flat_of(bytes.at, bytes.len);
    struct pb_field f;
    int got;
    *ret_status = (struct otlp_status){.retry_ns = -1};
    while ((got = pb_next(&in, &f)) == 1) {
        if (f.number == 1 && f.wire == PB_VARINT)
            ret_status->code = (int32_t)f.value;
        else if (f.number == 2 && f.wire == PB_LEN)
            keep_text(ret_status->message, f.at, f.len);
        else if (f.number == 3 && f.wire == PB_LEN && !detail(pb_sub(&f), &ret_status->retry_ns))
            return false;
    }
    return got == 0;
}

static void keep_json(char to[static OTLP_MESSAGE_BYTES], struct json_token t)
{
    char text[4 * OTLP_MESSAGE_BYTES];
    if (!t.escaped) {
        keep_text(to, t.at, t.len);
        return;
    }
    if (t.len > sizeof text) { /* cut where no escape is cut: in front of the first one in the last stretch */
        uint32_t from = (uint32_t)sizeof text - 24;
        const char *escape = memchr(t.at + from, '\\', 12);
        t.len = escape ? (uint32_t)(escape - t.at) : from + 12;
        while (t.len && t.at[t.len - 1] == '\\')
            t.len--;
    }
    keep_text(to, text, json_unescape(&t, text));
}

/* "5s", "1.5s" */
static void keep_delay(const struct json_token *t, int64_t *ret_ns)
{
    char text[40];
    if (t->len < 2 || t->len >= sizeof text || t->at[t->len - 1] != 's')
        return;
    memcpy(text, t->at, t->len - 1);
    text[t->len - 1] = 0;
    double seconds = strtod(text, NULL);
    if (seconds >= 0 && seconds < RETRY_SECONDS_MAX)
        *ret_ns = (int64_t)(seconds * (double)SECOND_NS + 0.5);
}

static int32_t small_number(const struct json_token *t)
{
    int32_t v = 0;
    for (uint32_t i = 0; i < t->len && i < 6 && t->at[i] >= '0' && t->at[i] <= '9'; i++)
        v = v * 10 + (t->at[i] - '0');
    return v;
}

bool otlp_status_of_json(struct leat_slice text, struct otlp_status *ret_status)
{
    struct json_reader r;
    struct json_token key, t;
    json_begin(&r, text.at, text.len, JSON_DEPTH);
    *ret_status = (struct otlp_status){.retry_ns = -1};
    if (json_next(&r, &t) != JSON_OBJECT)
        return false;
    while (json_next(&r, &key) > JSON_END) {
        if (key.type != JSON_KEY) /* the ends and elements of details */
            continue;
        if (json_is(&key, "details"))
            continue;
        if (json_next(&r, &t) == JSON_ERROR)
            return false;
        if (json_is(&key, "code") && t.type == JSON_NUMBER && r.depth == 1)
            ret_status->code = small_number(&t);
        else if (json_is(&key, "message") && t.type == JSON_STRING && r.depth == 1)
            keep_json(ret_status->message, t);
        else if (json_is(&key, "retryDelay") && t.type == JSON_STRING)
            keep_delay(&t, &ret_status->retry_ns);
    }
    return key.type == JSON_END;
}
