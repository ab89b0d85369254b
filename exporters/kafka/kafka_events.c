/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/base/log.h"
#include "exporters/kafka/kafka.h"
#include "proto/json/json_read.h"

static void say(struct kafka_speech *speech, enum leat_level level, const char *what, const char *text)
{
    uint32_t missed;
    if (!leat_log_may(&speech->limit, leat_loop_now_ns(speech->loop), &missed))
        return;
    if (missed)
        leat_log(level, speech->kafka->conf->id, "%s: %s (and %u more since the last message)", what, text, missed);
    else
        leat_log(level, speech->kafka->conf->id, "%s: %s", what, text);
}

void kafka__say_log(struct kafka_speech *speech, rd_kafka_event_t *event)
{
    const char *area, *text;
    int level;
    if (rd_kafka_event_log(event, &area, &text, &level) != 0)
        return;
    if (strcmp(area, "FAIL") != 0 && strcmp(area, "ERROR") != 0) /* those come as error events too */
        say(speech, level <= 3 ? LEAT_LOG_WARN : level <= 5 /* syslog's levels */ ? LEAT_LOG_INFO : LEAT_LOG_DEBUG, area, text);
}

void kafka__say_error(struct kafka_speech *speech, rd_kafka_resp_err_t code, const char *text)
{
    say(speech, LEAT_LOG_WARN, rd_kafka_err2name(code), text ? text : "");
}

/* ---- statistics: one object, of which a dozen numbers are of use ---- */

struct row {
    const char *key;
    enum kafka_count count;
};
static const struct row of_client[] = {{"msg_cnt", KAFKA_COUNT_QUEUED},      {"msg_size", KAFKA_COUNT_QUEUED_BYTES},
                                       {"txmsgs", KAFKA_COUNT_MESSAGES},     {"txmsg_bytes", KAFKA_COUNT_MESSAGE_BYTES},
                                       {"tx", KAFKA_COUNT_REQUESTS},         {"tx_bytes", KAFKA_COUNT_REQUEST_BYTES}};
static const struct row of_broker[] = {{"txretries", KAFKA_COUNT_REQUEST_RETRIES},
                                       {"txerrs", KAFKA_COUNT_REQUEST_ERRORS},
                                       {"req_timeouts", KAFKA_COUNT_REQUEST_TIMEOUTS},
                                       {"connects", KAFKA_COUNT_CONNECTS},
                                       {"disconnects", KAFKA_COUNT_DISCONNECTS}};
#define ROWS(table) (sizeof(table) / sizeof *(table))

struct sums {
    uint64_t at[KAFKA_COUNT_COUNT];
    bool told[KAFKA_COUNT_COUNT];
};

static uint64_t number_of(const struct json_token *token)
{
    char text[24] = {0};
    if (token->type != JSON_NUMBER || token->len >= sizeof text)
        return 0;
    memcpy(text, token->at, token->len);
    return text[0] == '-' ? 0 : strtoull(text, NULL, 10);
}

static void add(struct sums *sums, const struct row *rows, size_t count, const struct json_token *key,
                const struct json_token *value)
{
    for (size_t i = 0; i < count; i++)
        if (json_is(key, rows[i].key)) {
            sums->at[rows[i].count] += number_of(value);
            sums->told[rows[i].count] = true;
        }
}

/* The open object: each key is offered with its value; inner objects are passed over, but for one that is named. */
static bool read_object(struct json_reader *r, const struct row *rows, size_t count, struct sums *sums,
                        const char *inner, bool (*read_inner)(struct json_reader *r, struct sums *sums))
{
    struct json_token key, value;
    for (;;) {
        enum json_type type = json_next(r, &key);
        if (type == JSON_OBJECT_END)
            return true;
        if (type != JSON_KEY)
            return false;
        type = json_next(r, &value);
        if (type == JSON_OBJECT && inner && json_is(&key, inner)) {
            if (!read_inner(r, sums))
                return false;
        } else if (type == JSON_OBJECT || type == JSON_ARRAY) {
            if (!json_skip_to(r, r->depth))
                return false;
        } else if (type == JSON_STRING && json_is(&key, "state") && json_is(&value, "UP")) {
            sums->at[KAFKA_COUNT_BROKERS_UP]++;
        } else {
            add(sums, rows, count, &key, &value);
        }
    }
}

static bool read_rtt(struct json_reader *r, struct sums *sums)
{
    static const struct row row[] = {{"avg", KAFKA_COUNT_RTT}};
    struct sums own = {0};
    bool good = read_object(r, row, 1, &own, NULL, NULL);
    if (own.at[KAFKA_COUNT_RTT] > sums->at[KAFKA_COUNT_RTT])
        sums->at[KAFKA_COUNT_RTT] = own.at[KAFKA_COUNT_RTT];
    return good;
}

static bool read_brokers(struct json_reader *r, struct sums *sums)
{
    struct json_token token;
    for (;;) {
        enum json_type type = json_next(r, &token);
        if (type == JSON_OBJECT_END)
            return true;
        if (type != JSON_KEY || json_next(r, &token) != JSON_OBJECT ||
            !read_object(r, of_broker, ROWS(of_broker), sums, "rtt", read_rtt))
            return false;
    }
}

void kafka__statistics(struct kafka_state *kafka, struct leat_slice json)
{
    struct json_reader r;
    struct json_token token;
    struct sums sums = {0};
    sums.told[KAFKA_COUNT_BROKERS_UP] = sums.told[KAFKA_COUNT_RTT] = true;
    json_begin(&r, json.at, json.len, 32);
    if (json_next(&r, &token) != JSON_OBJECT ||
        !read_object(&r, of_client, ROWS(of_client), &sums, "brokers", read_brokers))
        return;
    for (int i = 0; i < KAFKA_COUNT_COUNT; i++)
        if (sums.told[i])
            kafka__set(kafka, (enum kafka_count)i, sums.at[i]);
}
