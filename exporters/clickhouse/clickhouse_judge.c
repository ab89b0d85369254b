/* SPDX-License-Identifier: Apache-2.0 */
/* ClickHouse says what went wrong by a code of its own: the HTTP status says less, and a 200 may carry an error too, when
 * it was sent before the statement had ended. */
#include <ctype.h>

#include "exporters/clickhouse/clickhouse.h"

enum meaning { BUSY, UNSURE, SIZE, SCHEMA, SETUP, STATEMENT, ROWS };

static const struct {
    uint16_t code;
    uint8_t meaning;
} codes[] = {
    {16, SCHEMA},      /* NO_SUCH_COLUMN_IN_TABLE */
    {20, ROWS},        /* NUMBER_OF_COLUMNS_DOESNT_MATCH */
    {27, ROWS},        /* CANNOT_PARSE_INPUT_ASSERTION_FAILED */
    {33, ROWS},        /* CANNOT_READ_ALL_DATA */
    {47, SCHEMA},      /* UNKNOWN_IDENTIFIER: of a view on it */
    {53, SCHEMA},      /* TYPE_MISMATCH */
    {60, SCHEMA},      /* UNKNOWN_TABLE */
    {62, STATEMENT},   /* SYNTAX_ERROR */
    {73, STATEMENT},   /* UNKNOWN_FORMAT */
    {81, SCHEMA},      /* UNKNOWN_DATABASE */
    {115, SETUP},      /* UNKNOWN_SETTING: of the address, so nothing passes */
    {117, ROWS},       /* INCORRECT_DATA */
    {159, UNSURE},     /* TIMEOUT_EXCEEDED */
    {164, SETUP},      /* READONLY */
    {192, SETUP},      /* UNKNOWN_USER */
    {193, SETUP},      /* WRONG_PASSWORD */
    {194, SETUP},      /* REQUIRED_PASSWORD */
    {201, BUSY},       /* QUOTA_EXCEEDED */
    {202, BUSY},       /* TOO_MANY_SIMULTANEOUS_QUERIES */
    {203, BUSY},       /* NO_FREE_CONNECTION */
    {209, UNSURE},     /* SOCKET_TIMEOUT */
    {210, UNSURE},     /* NETWORK_ERROR */
    {225, BUSY},       /* NO_ZOOKEEPER */
    {236, UNSURE},     /* ABORTED */
    {241, SIZE},       /* MEMORY_LIMIT_EXCEEDED */
    {242, BUSY},       /* TABLE_IS_READ_ONLY */
    {243, BUSY},       /* NOT_ENOUGH_SPACE */
    {252, BUSY},       /* TOO_MANY_PARTS */
    {279, BUSY},       /* ALL_CONNECTION_TRIES_FAILED */
    {285, BUSY},       /* TOO_FEW_LIVE_REPLICAS */
    {286, BUSY},       /* UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE */
    {319, UNSURE},     /* UNKNOWN_STATUS_OF_INSERT */
    {344, SETUP},      /* SUPPORT_IS_DISABLED: settings that do not go together */
    {394, UNSURE},     /* QUERY_WAS_CANCELLED */
    {439, BUSY},       /* CANNOT_SCHEDULE_TASK */
    {497, SETUP},      /* ACCESS_DENIED */
    {516, SETUP},      /* AUTHENTICATION_FAILED */
    {745, BUSY},       /* SERVER_OVERLOADED */
    {999, BUSY},       /* KEEPER_EXCEPTION */
};

#define TYPE_MISMATCH 53u
#define SMALL_ROWS 1000u /* so few are not what fills a server's memory */
#define TEXT(reply) (int)((reply)->body.len < 140 ? (reply)->body.len : 140), (const char *)(reply)->body.at

static bool body_has(const struct leat_reply *reply, const char *words)
{
    return reply->body.len && memmem(reply->body.at, reply->body.len, words, strlen(words)) != NULL;
}

/* A view on the table failed. The table has the rows already: in parts, which have other tokens, it would have them again. */
static bool in_a_view(const struct leat_reply *reply)
{
    return body_has(reply, "while pushing to view");
}

static uint32_t number_at(const uint8_t *at, const uint8_t *end)
{
    uint32_t n = 0;
    for (; at < end && isdigit(*at) && n < 100000; at++)
        n = n * 10 + (uint32_t)(*at - '0');
    return n;
}

/* "Code: 27. DB::Exception: ..." wherever it stands. */
static uint32_t code_in_body(struct leat_slice body)
{
    static const char head[] = "Code: ", tail[] = ". DB::Exception";
    const uint8_t *at = body.at, *end = at + body.len;
    while (body.len && (at = memmem(at, (size_t)(end - at), head, sizeof head - 1)) != NULL) {
        const uint8_t *digits = at += sizeof head - 1;
        while (at < end && isdigit(*at))
            at++;
        if ((size_t)(end - at) >= sizeof tail - 1 && memcmp(at, tail, sizeof tail - 1) == 0)
            return number_at(digits, at);
    }
    return 0;
}

static uint32_t code_of(const struct leat_reply *reply)
{
    struct leat_slice header = leat_headers_get(reply->headers, "X-ClickHouse-Exception-Code");
    uint32_t code = header.len ? number_at(header.at, header.at + header.len) : 0;
    return code ? code : code_in_body(reply->body);
}

static leat_rc again(struct leat_verdict *out, bool busy)
{
    out->kind = LEAT_VERDICT_RETRY;
    out->slow_down = busy;
    return LEAT_OK;
}

/* The statement goes against what is there. Hold: the queue waits for it to be put right. Drop: this is lost, and what comes
 * next meets tables made and described anew; preparing itself goes on, one table shall not stop the others. */
static leat_rc judge_schema(struct clickhouse_state *clickhouse, const struct leat_request *request,
                            struct leat_verdict *out)
{
    out->prepare_again = true;
    out->kind = clickhouse->conf->on_schema_error == CLICKHOUSE_SCHEMA_HOLD ? LEAT_VERDICT_HOLD : LEAT_VERDICT_DROP;
    if (out->kind == LEAT_VERDICT_HOLD || !(request->tag & CLICKHOUSE_DESCRIBE))
        return LEAT_OK;
    clickhouse->there[CLICKHOUSE_TABLE_OF(request->tag)].unfit = true;
    return request->count ? LEAT_OK : leat_verdict_delivered(out, 0);
}

static leat_rc judge_code(struct clickhouse_state *clickhouse, const struct leat_reply *reply, enum meaning meaning,
                          struct leat_verdict *out)
{
    bool whole = in_a_view(reply);
    switch (meaning) {
    case BUSY: /* "Too many partitions for single INSERT block": days apart, which fewer rows are not */
        if (!body_has(reply, "oo many partitions for single INSERT"))
            return again(out, true);
        out->kind = whole ? LEAT_VERDICT_DROP : LEAT_VERDICT_SPLIT;
        return LEAT_OK;
    case UNSURE: /* sent again with the same token */
        return again(out, false);
    case SIZE:
        if (whole || reply->request->count <= SMALL_ROWS)
            return again(out, true);
        out->kind = LEAT_VERDICT_SPLIT;
        out->slow_down = true;
        return LEAT_OK;
    case SCHEMA:
        return judge_schema(clickhouse, reply->request, out);
    case SETUP:
        out->kind = LEAT_VERDICT_HOLD;
        return LEAT_OK;
    case STATEMENT:
    case ROWS:
        break;
    }
    out->kind = LEAT_VERDICT_DROP;
    out->isolate = meaning == ROWS && !whole;
    return LEAT_OK;
}

/* Whatever answered with no code of ClickHouse's is something before it, or not it at all. */
static leat_rc judge_status(const struct leat_reply *reply, struct leat_verdict *out)
{
    int status = reply->status;
    if (body_has(reply, "is for clickhouse-client program"))
        return leat_verdict_hold(out, "this is the port of the native protocol; the endpoint's must be that of HTTP (8123)");
    if (status == 401 || status == 403 || status == 404 || status / 100 == 3)
        return leat_verdict_hold(out, "status %d: %.*s", status, TEXT(reply));
    if (status == 413)
        return leat_verdict_split(out, "status 413: %.*s", TEXT(reply));
    if (status == 408 || status == 429 || status / 100 == 5) {
        (void)leat_verdict_retry(out, "status %d: %.*s", status, TEXT(reply));
        out->slow_down = true;
        return LEAT_OK;
    }
    return leat_verdict_drop(out, true, "status %d: %.*s", status, TEXT(reply));
}

static leat_rc judge_failure(struct clickhouse_state *clickhouse, const struct leat_reply *reply, uint32_t code,
                             struct leat_verdict *out)
{
    if (code == 0)
        return judge_status(reply, out);
    (void)leat_verdict_drop(out, true, "status %d, code %u: %.*s", reply->status, code, TEXT(reply)); /* for its text */
    out->isolate = false;
    if (code == TYPE_MISMATCH && !in_a_view(reply) && clickhouse__gives_way(clickhouse, reply->request, out->text)) {
        out->kind = LEAT_VERDICT_REENCODE;
        return LEAT_OK;
    }
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return judge_code(clickhouse, reply, (enum meaning)codes[i].meaning, out);
    if (reply->status / 100 == 4)
        return judge_code(clickhouse, reply, ROWS, out);
    return again(out, true);
}

/* Requests that cover rows describe a table first that was not fit for them: now they are written as it is. */
static leat_rc judge_description(struct clickhouse_state *clickhouse, const struct leat_reply *reply,
                                 struct leat_verdict *out)
{
    struct leat_err err = {0};
    leat_rc rc = clickhouse__learn(clickhouse, CLICKHOUSE_TABLE_OF(reply->request->tag), reply->body, &err);
    if (rc == LEAT_ENOMEM)
        return leat_verdict_retry(out, "%s", err.text);
    if (rc == LEAT_EPARSE)
        return leat_verdict_hold(out, "%s", err.text);
    if (rc != LEAT_OK) {
        (void)leat_verdict_drop(out, false, "%s", err.text);
        return judge_schema(clickhouse, reply->request, out);
    }
    out->kind = reply->request->count ? LEAT_VERDICT_REENCODE : LEAT_VERDICT_DELIVERED;
    return LEAT_OK;
}

/* No rows are in a description: none is to blame, parts would fare no better. But for the schema's errors the queue waits for
 * it, as it does when it is prepared. */
static void judge_no_description(struct leat_verdict *out)
{
    if (out->kind == LEAT_VERDICT_SPLIT)
        out->kind = LEAT_VERDICT_RETRY;
    if (out->kind == LEAT_VERDICT_DROP && !out->prepare_again)
        out->kind = LEAT_VERDICT_HOLD;
    out->isolate = false;
}

leat_rc clickhouse_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    uint32_t code = code_of(reply);
    bool describes = reply->request->tag & CLICKHOUSE_DESCRIBE; /* its body is an answer, which may hold any words */
    (void)reterr;
    if (reply->status / 100 == 2 && (describes || !code))
        return describes ? judge_description(state, reply, out) : leat_verdict_delivered(out, 0);
    leat_rc rc = judge_failure(state, reply, code, out);
    if (describes)
        judge_no_description(out);
    return rc;
}
