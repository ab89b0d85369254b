/* SPDX-License-Identifier: Apache-2.0 */
/* The status is librdkafka's or the broker's error code. A request of several records brings one code each, as int32 in
 * the reply's body. */
#include "exporters/kafka/kafka.h"

enum meaning { STORED, AGAIN, BUSY, TOO_LARGE, REFUSED, NO_WAY, NO_TOPIC };

static enum meaning meaning_of(int32_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return STORED;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return TOO_LARGE;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
        return NO_WAY;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return NO_TOPIC;
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
        return BUSY;
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
        return REFUSED;
    default: /* brokers change, time passes, a fatal error got a new producer */
        return AGAIN;
    }
}

static leat_rc judge_one(const struct leat_request *request, int32_t code, struct leat_verdict *out)
{
    const char *name = rd_kafka_err2name((rd_kafka_resp_err_t)code), *text = rd_kafka_err2str((rd_kafka_resp_err_t)code);
    const char *topic = request->url ? request->url : "";
    enum meaning meaning = meaning_of(code);
    if (meaning == STORED)
        return leat_verdict_delivered(out, 0);
    if (meaning == TOO_LARGE)
        return leat_verdict_split(out, "topic %.60s: %s", topic, name);
    if (meaning == REFUSED)
        return leat_verdict_drop(out, true, "topic %.60s: %s: %s", topic, name, text);
    /* A topic that the data names holds up nobody else's: it is tried for max_elapsed_time. */
    if (meaning == NO_WAY || (meaning == NO_TOPIC && !(request->tag & KAFKA_TAG_TOPIC_OF_DATA)))
        return leat_verdict_hold(out, "topic %.60s: %s: %s", topic, name, text);
    (void)leat_verdict_retry(out, "topic %.60s: %s: %s", topic, name, text);
    out->slow_down = meaning == BUSY;
    return LEAT_OK;
}

/* Each record is the item of its number. Those that are stored are settled; of the rest each has its own end. */
static leat_rc judge_many(const struct leat_reply *reply, uint32_t count, struct leat_verdict *out)
{
    uint32_t stored = 0, again = 0, too_large = 0;
    int32_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        int32_t code;
        memcpy(&code, reply->body.at + i * sizeof code, sizeof code);
        enum meaning meaning = meaning_of(code);
        if (meaning == STORED) {
            stored++;
            continue;
        }
        last = code;
        bool bad = meaning == TOO_LARGE || meaning == REFUSED;
        too_large += meaning == TOO_LARGE;
        again += !bad;
        leat_bitmap_set(bad ? out->refused : out->again, i);
    }
    if (stored == count)
        return leat_verdict_delivered(out, 0);
    if (stored == 0 && again == count) /* all of one fate: retry or hold, as the last one says */
        return judge_one(reply->request, last, out);
    out->kind = LEAT_VERDICT_RETRY_ITEMS;
    (void)snprintf(out->text, sizeof out->text, "%u of %u records stored, %u too large, %u again: %s", stored, count, too_large,
                   again, rd_kafka_err2name((rd_kafka_resp_err_t)last));
    return LEAT_OK;
}

leat_rc kafka_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr)
{
    (void)state;
    (void)reterr;
    uint32_t count = reply->request->count;
    if (reply->body.len == count * sizeof(int32_t) && count > 1)
        return judge_many(reply, count, out);
    return judge_one(reply->request, reply->status, out);
}
