/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/exporters/kafka/bench.h"

static struct leat_verdict judge(int status, uint32_t tag)
{
    struct leat_request request = {.count = 10, .url = "topic", .tag = tag};
    struct leat_reply reply = {.request = &request, .status = status};
    struct leat_verdict verdict = {0};
    EXPECT_OK(kafka_judge(NULL, &reply, &verdict, NULL));
    return verdict;
}

/* Guarantees: what time heals is tried again, size is split, credentials and topics are waited for, bad records go alone.
 */
LEAT_TEST(kafka_judges_each_code)
{
    static const struct {
        int code;
        enum leat_verdict_kind kind;
    } table[] = {{0, LEAT_VERDICT_DELIVERED},
                 {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, LEAT_VERDICT_SPLIT},
                 {RD_KAFKA_RESP_ERR__AUTHENTICATION, LEAT_VERDICT_HOLD},
                 {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, LEAT_VERDICT_HOLD},
                 {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, LEAT_VERDICT_HOLD},
                 {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, LEAT_VERDICT_HOLD},
                 {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, LEAT_VERDICT_HOLD},
                 {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, LEAT_VERDICT_HOLD},
                 {RD_KAFKA_RESP_ERR_INVALID_RECORD, LEAT_VERDICT_DROP},
                 {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, LEAT_VERDICT_DROP},
                 {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, LEAT_VERDICT_RETRY},
                 {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, LEAT_VERDICT_RETRY},
                 {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, LEAT_VERDICT_RETRY},
                 {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, LEAT_VERDICT_RETRY},
                 {12345, LEAT_VERDICT_RETRY}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        EXPECT_EQ(judge(table[i].code, 0).kind, table[i].kind);
    EXPECT(judge(RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, 0).slow_down);
    EXPECT(judge(RD_KAFKA_RESP_ERR_INVALID_RECORD, 0).isolate);
    EXPECT_EQ(judge(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, KAFKA_TAG_TOPIC_OF_DATA).kind, LEAT_VERDICT_RETRY);
}

/* Guarantees: of many records each has its own end; those of one fate share its verdict. */
LEAT_TEST(kafka_judges_each_record)
{
    uint8_t again[1] = {0}, refused[1] = {0};
    struct leat_request request = {.count = 4, .url = "topic"};
    int32_t codes[4] = {0, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 0};
    struct leat_reply reply = {.request = &request, .status = 10, .body = leat_slice_of(codes, sizeof codes)};
    struct leat_verdict verdict = {.again = again, .refused = refused};
    EXPECT_OK(kafka_judge(NULL, &reply, &verdict, NULL));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_RETRY_ITEMS);
    EXPECT_EQ(again[0], 2);
    EXPECT_EQ(refused[0], 4);
    for (int i = 0; i < 4; i++)
        codes[i] = RD_KAFKA_RESP_ERR__AUTHENTICATION;
    again[0] = refused[0] = 0;
    EXPECT_OK(kafka_judge(NULL, &reply, &verdict, NULL));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_HOLD);
    memset(codes, 0, sizeof codes);
    EXPECT_OK(kafka_judge(NULL, &reply, &verdict, NULL));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_DELIVERED);
}

/* Guarantees: the dozen numbers are found and summed over brokers; text that is no statistics changes nothing. */
LEAT_TEST(kafka_reads_statistics)
{
    static const char text[] =
        "{\"name\":\"x\",\"msg_cnt\":3,\"msg_size\":44,\"tx\":7,\"txmsgs\":9,\"brokers\":{"
        "\"a/1\":{\"state\":\"UP\",\"txretries\":2,\"rtt\":{\"avg\":150,\"min\":1},\"toppars\":{\"t\":{\"topic\":\"t\"}}},"
        "\"b/2\":{\"state\":\"INIT\",\"txretries\":1,\"rtt\":{\"avg\":90},\"wakeups\":[1,2]}},\"topics\":{\"t\":{\"tx\":999}}}";
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench_open(&bench, LEAT_LOGS);
    kafka__statistics(&bench.state, leat_slice_str(text));
    EXPECT_EQ(bench.counts[KAFKA_COUNT_QUEUED], 3);
    EXPECT_EQ(bench.counts[KAFKA_COUNT_QUEUED_BYTES], 44);
    EXPECT_EQ(bench.counts[KAFKA_COUNT_REQUESTS], 7);
    EXPECT_EQ(bench.counts[KAFKA_COUNT_MESSAGES], 9);
    EXPECT_EQ(bench.counts[KAFKA_COUNT_REQUEST_RETRIES], 3);
    EXPECT_EQ(bench.counts[KAFKA_COUNT_BROKERS_UP], 1);
    EXPECT_EQ(bench.counts[KAFKA_COUNT_RTT], 150);
    for (size_t len = 0; len < sizeof text - 1; len++) /* cut anywhere: nothing is taken of it */
        kafka__statistics(&bench.state, leat_slice_of(text, (uint32_t)len));
    kafka__statistics(&bench.state, LEAT_SLICE("[{\"msg_cnt\":1}]"));
    EXPECT_EQ(bench.counts[KAFKA_COUNT_QUEUED], 3);
    EXPECT_EQ(bench.counts[KAFKA_COUNT_REQUEST_RETRIES], 3);
    kafka_close(&bench.state);
}

/* Guarantees: SCRAM with a librdkafka before 2.6.1 is warned about, and nothing else is. */
LEAT_TEST(kafka_warns_of_old_scram)
{
    struct kafka_conf own = {.sasl = {.present = true, .mechanism = 1}};
    EXPECT(kafka__library_warning(&own, 0x020002ff) != NULL);
    EXPECT(kafka__library_warning(&own, 0x020600ff) != NULL);
    EXPECT(kafka__library_warning(&own, 0x020601ff) == NULL);
    own.sasl.mechanism = 0;
    EXPECT(kafka__library_warning(&own, 0x020002ff) == NULL);
}

static void expect_refused(const struct bench *bench, const char *word)
{
    struct leat_err err = {0};
    EXPECT_RC(kafka_check(&bench->conf, &err), LEAT_ECONFIG);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" does not speak of \"%s\"", err.text, word);
}

/* Guarantees: what cannot work is refused before anything runs, and the text names the key. */
LEAT_TEST(kafka_refuses_bad_configurations)
{
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench.own.logs_by_resource = bench.own.logs_by_trace_id = true;
    expect_refused(&bench, "cannot both");
    bench_init(&bench, "localhost:1");
    bench.own.traces_by_id = true;
    bench.own.signals[LEAT_TRACES].message_key_from_metadata_key = "x";
    expect_refused(&bench, "message_key_from_metadata_key");
    bench_init(&bench, "localhost:1");
    bench.own.sasl.present = true;
    expect_refused(&bench, "username");
    bench_init(&bench, "localhost:1");
    bench.own.tls = (struct leat_tls_conf){.present = true, .server_name_override = "x"};
    expect_refused(&bench, "server_name_override");
    bench_init(&bench, "localhost:1");
    bench.own.producer.compression = 1;
    bench.own.producer.level = 12;
    bench.own.partitioner.sticky = bench.own.partitioner.round_robin = true;
    expect_refused(&bench, "at most one");
    bench_init(&bench, "localhost:1");
    bench.own.partitioner.least_backup = true;
    expect_refused(&bench, "least_backup");
    bench_init(&bench, "localhost:1");
    bench.own.producer.linger_ns = 60000000000;
    expect_refused(&bench, "max_elapsed_time");
    bench.deliver.retry.enabled = false;
    expect_refused(&bench, "timeout");
    bench.own.producer.linger_ns = 4999000000;
    EXPECT_OK(kafka_check(&bench.conf, NULL));
    bench.deliver.retry.enabled = true;
    bench.deliver.retry.max_elapsed_time_ns = 0;
    bench.own.producer.linger_ns = 60000000000;
    EXPECT_OK(kafka_check(&bench.conf, NULL));
    bench_init(&bench, "localhost:1");
    bench.own.tls = (struct leat_tls_conf){.present = true, .ca_pem = "x"};
    EXPECT_OK(kafka_check(&bench.conf, NULL));
    bench.own.resolve_canonical = true;
    if (rd_kafka_version() < 0x02020000)
        expect_refused(&bench, "librdkafka");
}
