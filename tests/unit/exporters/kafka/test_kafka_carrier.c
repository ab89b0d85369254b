/* SPDX-License-Identifier: Apache-2.0 */
/* The carrier against librdkafka's own mock brokers, with real threads and a real loop. */
#include <time.h>

#include "agent/loop/loop.h"
#include "tests/unit/exporters/kafka/bench.h"

#include <librdkafka/rdkafka_mock.h> /* wants rdkafka.h before it */

#define PRODUCE 0 /* the APIs' keys */
#define INIT_PRODUCER_ID 22
#define SENT_MAX 64u
#define SECOND 1000000000ull

struct sent {
    struct leat_parcel parcel;
    uint32_t done;
    int status; /* of the reply; -1: an error */
    leat_rc err;
    uint32_t codes_bad; /* records with a code, of many */
    struct rig *rig;
};

struct rig {
    struct bench bench;
    rd_kafka_t *host;
    rd_kafka_mock_cluster_t *cluster;
    struct leat_loop *loop;
    struct leat_carrier *carrier;
    struct leat_requests requests;
    struct sent sent[SENT_MAX];
    uint32_t open;
    struct leat_timer deadline;
    bool late;
};

static void on_done(struct leat_parcel *parcel, const struct leat_reply *reply, const struct leat_err *err)
{
    struct sent *sent = LEAT_CONTAINER(parcel, struct sent, parcel);
    sent->done++;
    sent->status = reply ? reply->status : -1;
    sent->err = err ? err->code : LEAT_OK;
    for (uint32_t i = 0; reply && i < reply->body.len / 4; i++) {
        int32_t code;
        memcpy(&code, reply->body.at + 4 * i, 4);
        sent->codes_bad += code != 0;
    }
    sent->rig->open--;
}

static void on_deadline(struct leat_timer *timer)
{
    ((struct rig *)timer->ctx)->late = true;
}

/* All but the carrier. */
static struct rig *rig_make(void (*configure)(struct kafka_conf *own), enum leat_signal signal, int partitions)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[200];
    EXPECT_EQ(rd_kafka_conf_set(conf, "client.id", "mock", why, sizeof why), RD_KAFKA_CONF_OK);
    rig->host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    EXPECT(rig->host != NULL);
    rig->cluster = rd_kafka_mock_cluster_new(rig->host, 1);
    EXPECT_EQ(rd_kafka_mock_topic_create(rig->cluster, "t", partitions, 1), 0);
    bench_init(&rig->bench, rd_kafka_mock_cluster_bootstraps(rig->cluster));
    for (int i = 0; i < LEAT_SIGNAL_COUNT; i++)
        rig->bench.own.signals[i].topic = "t";
    if (configure)
        configure(&rig->bench.own);
    bench_open(&rig->bench, signal);
    EXPECT_OK(leat_loop_open(leat_world_real(), &rig->loop, NULL));
    rig->deadline = (struct leat_timer){.fire = on_deadline, .ctx = rig};
    return rig;
}

static struct rig *rig_open(void (*configure)(struct kafka_conf *own), enum leat_signal signal, int partitions)
{
    struct rig *rig = rig_make(configure, signal, partitions);
    EXPECT_OK(kafka_carrier_open(&rig->bench.state, rig->loop, &rig->carrier, NULL));
    return rig;
}

static void send_all(struct rig *rig, const struct recipe *recipe)
{
    struct leat_batch *batch = bench_batch(rig->bench.state.signal, recipe, 1);
    EXPECT_OK(kafka_encode(&rig->bench.state, batch, &rig->requests, NULL));
    leat_batch_free(batch);
    EXPECT(rig->requests.count <= SENT_MAX);
    for (uint32_t i = 0; i < rig->requests.count; i++) {
        rig->sent[i] = (struct sent){.rig = rig, .parcel = {.request = &rig->requests.at[i], .signal = rig->bench.state.signal,
                                                            .timeout_ns = 5 * SECOND, .done = on_done}};
        rig->open++;
        rig->carrier->ops->send(rig->carrier, &rig->sent[i].parcel);
        EXPECT_EQ(rig->sent[i].done, 0);
    }
}

/* Until all is told, or so long. */
static void run(struct rig *rig, uint64_t seconds)
{
    rig->late = false;
    leat_timer_start(rig->loop, &rig->deadline, seconds * SECOND);
    while (rig->open && !rig->late)
        (void)leat_loop_run_once(rig->loop, true);
    leat_timer_stop(rig->loop, &rig->deadline);
}

/* So long, whatever is told. */
static void wait_for(struct rig *rig, uint64_t seconds)
{
    rig->late = false;
    leat_timer_start(rig->loop, &rig->deadline, seconds * SECOND);
    while (!rig->late)
        (void)leat_loop_run_once(rig->loop, true);
}

static void forget(struct rig *rig)
{
    EXPECT_EQ(rig->open, 0);
    leat_requests_done(&rig->requests);
}

static void rig_close(struct rig *rig)
{
    forget(rig);
    rig->carrier->ops->close(rig->carrier);
    kafka_close(&rig->bench.state);
    leat_loop_close(rig->loop);
    rd_kafka_mock_cluster_destroy(rig->cluster);
    rd_kafka_destroy(rig->host);
    free(rig);
    EXPECT_EQ(leat_pool_blocks_out(leat_pool_here()), 0);
}

static void expect_status(const struct rig *rig, int status)
{
    for (uint32_t i = 0; i < rig->requests.count; i++) {
        EXPECT_EQ(rig->sent[i].done, 1);
        EXPECT_EQ(rig->sent[i].status, status);
    }
}

/* ---- reading back ---- */

typedef void visit(void *ctx, const rd_kafka_message_t *message);

static void consume(struct rig *rig, int partitions, uint32_t wanted, visit *fn, void *ctx)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[200];
    EXPECT_EQ(rd_kafka_conf_set(conf, "bootstrap.servers", rig->bench.brokers[0], why, sizeof why), RD_KAFKA_CONF_OK);
    EXPECT_EQ(rd_kafka_conf_set(conf, "group.id", "g", why, sizeof why), RD_KAFKA_CONF_OK);
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; p++)
        rd_kafka_topic_partition_list_add(list, "t", p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    (void)rd_kafka_poll_set_consumer(reader);
    EXPECT_EQ(rd_kafka_assign(reader, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    while (wanted) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, 10000);
        EXPECT(message != NULL);
        if (message->err == 0) {
            fn(ctx, message);
            wanted--;
        }
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
}

/* ---- the tests ---- */

/* sarama's hash partitioner, as its documentation says: FNV-1a over the key, taken as int32, its remainder made positive.
 */
static int32_t sarama_partition(const uint8_t *key, size_t len, int32_t partitions)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ key[i]) * 16777619u;
    int32_t partition = (int32_t)((int64_t)(int32_t)hash % partitions);
    return partition < 0 ? -partition : partition;
}

/* The Java client's, as its documentation says: murmur2 (seed 0x9747b28c) without its sign. */
static int32_t java_partition(const uint8_t *key, size_t len, int32_t partitions)
{
    const uint32_t m = 0x5bd1e995;
    uint32_t hash = 0x9747b28c ^ (uint32_t)len;
    EXPECT_EQ(len % 4, 0); /* the keys here have no odd end */
    for (size_t i = 0; i < len; i += 4) {
        uint32_t k = (key[i] | (uint32_t)key[i + 1] << 8 | (uint32_t)key[i + 2] << 16 | (uint32_t)key[i + 3] << 24) * m;
        hash = (hash * m) ^ ((k ^ (k >> 24)) * m);
    }
    hash = (hash ^ (hash >> 13)) * m;
    return (int32_t)((hash ^ (hash >> 15)) & 0x7fffffff) % partitions;
}

struct places {
    int32_t (*rule)(const uint8_t *key, size_t len, int32_t partitions);
    uint32_t seen, wrong, partitions[7];
};

static void check_place(void *ctx, const rd_kafka_message_t *message)
{
    struct places *places = ctx;
    places->seen++;
    EXPECT_EQ(message->key_len, 32);
    places->partitions[message->partition]++;
    places->wrong += message->partition != places->rule(message->key, message->key_len, 7);
}

static void keyed_text(struct kafka_conf *own)
{
    own->signals[LEAT_LOGS].encoding = KAFKA_TEXT;
    own->logs_by_trace_id = true;
}

static void keyed_as_java(struct kafka_conf *own)
{
    keyed_text(own);
    own->partitioner.sticky = true;
    own->partitioner.hasher = KAFKA_MURMUR2;
}

static void expect_places(void (*set)(struct kafka_conf *own), int32_t (*rule)(const uint8_t *key, size_t len, int32_t partitions))
{
    struct rig *rig = rig_open(set, LEAT_LOGS, 7);
    struct places places = {.rule = rule};
    send_all(rig, &(struct recipe){.records = 10000, .traces = 10000});
    run(rig, 30);
    expect_status(rig, 0);
    consume(rig, 7, 10000, check_place, &places);
    EXPECT_EQ(places.seen, 10000);
    EXPECT_EQ(places.wrong, 0);
    for (int i = 0; i < 7; i++)
        EXPECT(places.partitions[i] > 1000);
    EXPECT_EQ(rig->sent[0].codes_bad, 0);
    rig_close(rig);
}

/* Guarantees: 10,000 keys go to the partitions that sarama, and the Collector, would choose; or Java's client. */
LEAT_TEST(kafka_partitions_as_sarama) { expect_places(keyed_text, sarama_partition); }
LEAT_TEST(kafka_partitions_as_java) { expect_places(keyed_as_java, java_partition); }

static void count_place(void *ctx, const rd_kafka_message_t *message)
{
    struct places *places = ctx;
    places->seen++;
    places->partitions[message->partition]++;
}

static void round_robin_text(struct kafka_conf *own)
{
    own->signals[LEAT_LOGS].encoding = KAFKA_TEXT;
    own->partitioner.round_robin = true;
    own->producer.max_buffered_messages = 10;
}

/* Guarantees: round robin is even; a client that takes ten records at once gets them all, ten by ten. */
LEAT_TEST(kafka_waits_for_room_and_goes_round)
{
    struct rig *rig = rig_open(round_robin_text, LEAT_LOGS, 4);
    struct places places = {0};
    send_all(rig, &(struct recipe){.records = 100});
    run(rig, 30);
    expect_status(rig, 0);
    EXPECT(rig->bench.counts[KAFKA_COUNT_QUEUE_FULL] > 0);
    consume(rig, 4, 100, count_place, &places);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(places.partitions[i], 25);
    rig_close(rig);
}

static void trickle(struct kafka_conf *own)
{
    own->producer.max_message_bytes = 2000;
    own->producer.max_buffered_bytes = 1;
}

/* Scenario:   a slow broker, requests that are cut small, and room for one byte in the client.
 * Guarantees: the client has one request at a time, all the same all arrive; what waits does so before it. */
LEAT_TEST(kafka_keeps_out_of_the_client_what_would_wait_there)
{
    const uint64_t round_trip_ms = 50;
    struct rig *rig = rig_open(trickle, LEAT_LOGS, 4);
    EXPECT_EQ(rd_kafka_mock_broker_set_rtt(rig->cluster, 1, (int)round_trip_ms), 0);
    uint64_t began = leat_loop_now_ns(rig->loop);
    send_all(rig, &(struct recipe){.records = 32, .body_len = 500});
    EXPECT(rig->requests.count > 6);
    run(rig, 30);
    expect_status(rig, 0);
    EXPECT(leat_loop_now_ns(rig->loop) - began >= rig->requests.count * round_trip_ms * 1000000);
    EXPECT_EQ(rig->bench.counts[KAFKA_COUNT_QUEUE_FULL], rig->requests.count - 1);
    rig_close(rig);
}

static struct headers_seen {
    char static_value[32], id[64];
} headers_seen;

static void note_headers(void *ctx, const rd_kafka_message_t *message)
{
    (void)ctx;
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    EXPECT_EQ(rd_kafka_message_headers(message, &headers), 0);
    EXPECT_EQ(rd_kafka_header_get_last(headers, "cluster", &value, &len), 0);
    (void)snprintf(headers_seen.static_value, sizeof headers_seen.static_value, "%.*s", (int)len, (const char *)value);
    EXPECT_EQ(rd_kafka_header_get_last(headers, "leat.batch_id", &value, &len), 0);
    (void)snprintf(headers_seen.id, sizeof headers_seen.id, "%.*s", (int)len, (const char *)value);
}

static void with_header(struct kafka_conf *own)
{
    static struct leat_pair pair = {"cluster", "demo"};
    own->record_headers = (struct leat_map){&pair, 1};
}

/* Guarantees: an error that brokers recover from is librdkafka's to repeat: the sender hears of success alone. */
LEAT_TEST(kafka_bears_brokers_that_change_their_mind)
{
    struct rig *rig = rig_open(with_header, LEAT_LOGS, 1);
    rd_kafka_mock_push_request_errors(rig->cluster, PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    send_all(rig, &(struct recipe){.records = 5});
    run(rig, 30);
    expect_status(rig, 0);
    consume(rig, 1, 1, note_headers, NULL);
    EXPECT_STR(headers_seen.static_value, "demo");
    EXPECT_EQ(strlen(headers_seen.id), 32);
    rig_close(rig);
}

/* Guarantees: what a broker refuses comes back with its code, and it passes when the broker agrees. */
LEAT_TEST(kafka_brings_back_a_refusal)
{
    struct rig *rig = rig_open(NULL, LEAT_LOGS, 1);
    rd_kafka_mock_push_request_errors(rig->cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    send_all(rig, &(struct recipe){.records = 5});
    run(rig, 30);
    expect_status(rig, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    for (int tries = 0; tries < 100 && rig->sent[0].status; tries++) { /* librdkafka asks for the topic anew before it goes on */
        struct timespec moment = {.tv_nsec = 100000000};
        forget(rig);
        (void)nanosleep(&moment, NULL);
        send_all(rig, &(struct recipe){.records = 5});
        run(rig, 30);
    }
    expect_status(rig, 0);
    rig_close(rig);
}

static void small_messages(struct kafka_conf *own)
{
    own->producer.max_message_bytes = 2000;
}

/* Guarantees: a record over max_message_bytes is told too large, without a broker. */
LEAT_TEST(kafka_tells_what_is_too_large)
{
    struct rig *rig = rig_open(small_messages, LEAT_LOGS, 1);
    send_all(rig, &(struct recipe){.records = 1, .body_len = 5000});
    run(rig, 30);
    expect_status(rig, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    rig_close(rig);
}

static void text_only(struct kafka_conf *own)
{
    own->signals[LEAT_LOGS].encoding = KAFKA_TEXT;
    own->producer.linger_ns = 50000000;
}

static void check_one_by_one(rd_kafka_resp_err_t refusal)
{
    struct rig *rig = rig_open(text_only, LEAT_LOGS, 1);
    struct places places = {0};
    rd_kafka_mock_push_request_errors(rig->cluster, PRODUCE, 1, refusal);
    send_all(rig, &(struct recipe){.records = 50});
    run(rig, 30);
    expect_status(rig, 0);
    EXPECT_EQ(rig->sent[0].codes_bad, 0);
    EXPECT_EQ(rig->bench.counts[KAFKA_COUNT_PRODUCERS], 2);
    consume(rig, 1, 50, count_place, &places);
    EXPECT_EQ(places.seen, 50);
    rig_close(rig);
}

/* Guarantees: a broker that finds a batch of records too large gets them one by one; none is lost or blamed for others. */
LEAT_TEST(kafka_sends_one_by_one_where_batches_are_too_large)
{
    check_one_by_one(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
}

/* Guarantees: so it is where the batch is larger than a segment of the topic. */
LEAT_TEST(kafka_sends_one_by_one_where_batches_are_larger_than_segments)
{
    check_one_by_one(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE);
}

/* Guarantees: after a fatal error the records come back to be tried again, and a new producer takes them. */
LEAT_TEST(kafka_makes_a_producer_anew_after_a_fatal_error)
{
    struct rig *rig = rig_open(NULL, LEAT_LOGS, 1);
    struct leat_verdict verdict = {0};
    rd_kafka_mock_push_request_errors(rig->cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    send_all(rig, &(struct recipe){.records = 5});
    run(rig, 30);
    EXPECT(rig->sent[0].status != 0);
    struct leat_reply reply = {.request = rig->sent[0].parcel.request, .status = rig->sent[0].status};
    EXPECT_OK(kafka_judge(&rig->bench.state, &reply, &verdict, NULL));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_RETRY);
    forget(rig);
    send_all(rig, &(struct recipe){.records = 5});
    run(rig, 30);
    expect_status(rig, 0);
    EXPECT_EQ(rig->bench.counts[KAFKA_COUNT_PRODUCERS], 2);
    rig_close(rig);
}

/* Guarantees: a broker that lets no producer live is asked ever less often, and the cause comes
 * back with the records. */
LEAT_TEST(kafka_takes_its_time_when_each_producer_fails)
{
    struct rig *rig = rig_make(NULL, LEAT_LOGS, 1);
    for (int i = 0; i < 500; i++)
        rd_kafka_mock_push_request_errors(rig->cluster, INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    EXPECT_OK(kafka_carrier_open(&rig->bench.state, rig->loop, &rig->carrier, NULL));
    send_all(rig, &(struct recipe){.records = 5});
    wait_for(rig, 4);
    EXPECT_EQ(rig->sent[0].status, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    EXPECT(rig->bench.counts[KAFKA_COUNT_PRODUCERS] >= 3);
    EXPECT(rig->bench.counts[KAFKA_COUNT_PRODUCERS] <= 5);
    rig_close(rig);
}

/* Guarantees: with the broker away nothing is told; given up, each parcel ends once; none outlives the carrier. */
LEAT_TEST(kafka_gives_up_when_told)
{
    struct rig *rig = rig_open(NULL, LEAT_LOGS, 1);
    (void)rd_kafka_mock_broker_set_down(rig->cluster, 1);
    send_all(rig, &(struct recipe){.records = 5});
    run(rig, 1);
    EXPECT_EQ(rig->open, 1);
    rig->carrier->ops->cancel(rig->carrier, &rig->sent[0].parcel);
    run(rig, 10);
    EXPECT_EQ(rig->sent[0].done, 1);
    EXPECT_EQ(rig->sent[0].err, LEAT_ECANCELED);
    rig_close(rig);
}

/* Guarantees: a parcel for which there is no memory is told so later, and the carrier lives on. */
LEAT_TEST(kafka_survives_without_memory)
{
    struct rig *rig = rig_open(NULL, LEAT_LOGS, 1);
    struct leat_batch *batch = bench_batch(LEAT_LOGS, &(struct recipe){.records = 1}, 1);
    EXPECT_OK(kafka_encode(&rig->bench.state, batch, &rig->requests, NULL));
    leat_batch_free(batch);
    rig->sent[0] = (struct sent){.rig = rig, .parcel = {.request = &rig->requests.at[0], .done = on_done}};
    rig->open = 1;
    leat_alloc_fail_at(1);
    rig->carrier->ops->send(rig->carrier, &rig->sent[0].parcel);
    leat_alloc_fail_at(0);
    rig->carrier->ops->cancel(rig->carrier, &rig->sent[0].parcel);
    EXPECT_EQ(rig->sent[0].done, 0);
    run(rig, 10);
    EXPECT_EQ(rig->sent[0].err, LEAT_ENOMEM);
    forget(rig);
    send_all(rig, &(struct recipe){.records = 1});
    run(rig, 10);
    expect_status(rig, 0);
    rig_close(rig);
}
