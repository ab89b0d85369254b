/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_validate.h"
#include "tests/unit/exporters/kafka/bench.h"

static struct leat_requests encode(struct bench *bench, const struct leat_batch *batch)
{
    struct leat_requests out = {0};
    struct leat_err err;
    EXPECT_OK_ERR(kafka_encode(&bench->state, batch, &out, &err), &err);
    return out;
}

static struct kafka_note *note_of(const struct leat_request *request)
{
    return (struct kafka_note *)(void *)request->note->at;
}

/* Each item of the batch is in one request. */
static void expect_cover(const struct leat_requests *out, uint32_t items)
{
    uint8_t *seen = calloc(1, items);
    for (uint32_t r = 0; r < out->count; r++) {
        const struct leat_request *request = &out->at[r];
        uint32_t count = 0;
        for (uint32_t i = 0; i < items; i++)
            if (request->bitmap ? leat_bitmap_get(request->bitmap, i) : i >= request->first && i < request->first + request->count)
                seen[i]++, count++;
        EXPECT_EQ(count, request->count);
    }
    for (uint32_t i = 0; i < items; i++)
        EXPECT_EQ(seen[i], 1);
    free(seen);
}

static uint32_t items_in(enum leat_signal signal, const struct leat_chain *body)
{
    struct otlp_counts counts;
    EXPECT_OK(otlp_validate(signal, body, &counts, NULL));
    return counts.items;
}

/* Guarantees: otlp_proto shares the batch's bytes, names the topic, and carries the same id each time. */
LEAT_TEST(kafka_gives_a_batch_whole)
{
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench_open(&bench, LEAT_LOGS);
    struct leat_batch *batch = bench_batch(LEAT_LOGS, &(struct recipe){.host = "a", .records = 3}, 1);
    uint64_t copied = leat_copied_bytes();
    struct leat_requests out = encode(&bench, batch), again = encode(&bench, batch);
    EXPECT_EQ(leat_copied_bytes(), copied);
    EXPECT_EQ(out.count, 1);
    EXPECT_STR(out.at[0].url, "otlp_logs");
    EXPECT(leat_chain_eq(&out.at[0].body, &batch->payload));
    EXPECT_EQ(out.at[0].body.vec[0].at, batch->payload.vec[0].at);
    EXPECT_EQ(out.at[0].header_count, 1);
    EXPECT(leat_slice_is(out.at[0].headers[0].name, "leat.batch_id"));
    EXPECT(leat_slice_eq(out.at[0].headers[0].value, again.at[0].headers[0].value));
    EXPECT_EQ(out.at[0].headers[0].value.len, 32);
    leat_requests_done(&out);
    leat_requests_done(&again);
    leat_batch_free(batch);
    kafka_close(&bench.state);
}

/* Guarantees: a batch over max_message_bytes is cut in pieces below it, all items covered once. */
LEAT_TEST(kafka_cuts_what_is_too_large)
{
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench.own.producer.max_message_bytes = 10000;
    bench_open(&bench, LEAT_LOGS);
    struct leat_batch *batch = bench_batch(LEAT_LOGS, &(struct recipe){.host = "a", .records = 500, .body_len = 100}, 1);
    struct leat_requests out = encode(&bench, batch);
    EXPECT(out.count > 5);
    expect_cover(&out, 500);
    for (uint32_t i = 0; i < out.count; i++) {
        EXPECT(out.at[i].body.bytes < 10000);
        EXPECT_EQ(items_in(LEAT_LOGS, &out.at[i].body), out.at[i].count);
    }
    leat_requests_done(&out);
    leat_batch_free(batch);
    kafka_close(&bench.state);
}

/* Guarantees: an id of zeros is none, as the Collector reads it: what has no trace goes anywhere, not all to one partition. */
LEAT_TEST(kafka_takes_zeros_for_no_trace)
{
    static const uint8_t id[16] = {[15] = 1}, zeros[16] = {0};
    struct kafka_key key = kafka__key_of_trace(leat_slice_of(id, 16));
    EXPECT_EQ(key.len, 32);
    EXPECT_EQ(memcmp(key.at, "00000000000000000000000000000001", 32), 0);
    EXPECT_EQ(kafka__key_of_trace(leat_slice_of(zeros, 16)).len, 0);
    EXPECT_EQ(kafka__key_of_trace(leat_slice_of(zeros, 0)).len, 0);
}

/* Guarantees: partition_traces_by_id makes a record for each trace with its id in hex as the key. */
LEAT_TEST(kafka_splits_traces_by_id)
{
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench.own.traces_by_id = true;
    bench_open(&bench, LEAT_TRACES);
    struct recipe recipes[] = {{.host = "a", .records = 50, .traces = 20}, {.host = "b", .records = 50, .traces = 25}};
    struct leat_batch *batch = bench_batch(LEAT_TRACES, recipes, 2);
    struct leat_requests out = encode(&bench, batch);
    EXPECT_EQ(out.count, 25);
    expect_cover(&out, 100);
    for (uint32_t i = 0; i < out.count; i++) {
        const struct kafka_key *key = kafka__note_keys(note_of(&out.at[i]));
        EXPECT_EQ(key->len, 32);
        EXPECT_BYTES(key->at, "a5a5a5a5a5a5a5a5a5a5a5a5000000", 30);
        EXPECT_EQ(items_in(LEAT_TRACES, &out.at[i].body), out.at[i].count);
        EXPECT_EQ(note_of(&out.at[i])->lens[0], out.at[i].body.bytes);
    }
    leat_requests_done(&out);
    leat_batch_free(batch);
    kafka_close(&bench.state);
}

/* Guarantees: resources with the same attributes, in any order, share a record and a key; points are counted. */
LEAT_TEST(kafka_splits_metrics_by_resource)
{
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench.own.metrics_by_resource = true;
    bench_open(&bench, LEAT_METRICS);
    struct recipe recipes[] = {{.host = "a", .records = 2}, {.host = "b", .records = 3}, {.host = "a", .records = 1}};
    struct leat_batch *batch = bench_batch(LEAT_METRICS, recipes, 3);
    EXPECT_EQ(batch->item_count, 12);
    struct leat_requests out = encode(&bench, batch);
    EXPECT_EQ(out.count, 2);
    expect_cover(&out, 12);
    EXPECT_EQ(out.at[0].count, 6);
    EXPECT_EQ(kafka__note_keys(note_of(&out.at[0]))->len, 16);
    leat_requests_done(&out);
    leat_batch_free(batch);
    struct pb_buf one = {0}, two = {0};
    put_attribute(&one, "k", "v"), put_attribute(&one, "l", "w");
    put_attribute(&two, "l", "w"), put_attribute(&two, "k", "v");
    struct kafka_key a = kafka__key_of_resource(leat_slice_of(one.at, (uint32_t)one.len)),
                     b = kafka__key_of_resource(leat_slice_of(two.at, (uint32_t)two.len));
    EXPECT_BYTES(a.at, b.at, 16);
    pb_buf_done(&one);
    pb_buf_done(&two);
    kafka_close(&bench.state);
}

/* Guarantees: each resource goes to the topic it names, the rest to the configured one; a client header outranks both. */
LEAT_TEST(kafka_takes_topics_from_data)
{
    static const struct leat_meta_pair pairs[] = {{"x-topic", "by_header"}};
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench.own.topic_from_attribute = "topic";
    bench_open(&bench, LEAT_LOGS);
    struct recipe recipes[] = {{.topic = "red", .records = 2}, {.records = 1}, {.topic = "red", .records = 1}};
    struct leat_batch *batch = bench_batch(LEAT_LOGS, recipes, 3);
    struct leat_requests out = encode(&bench, batch);
    EXPECT_EQ(out.count, 2);
    expect_cover(&out, 4);
    EXPECT_STR(out.at[0].url, "red");
    EXPECT_EQ(out.at[0].tag, KAFKA_TAG_TOPIC_OF_DATA);
    EXPECT_STR(out.at[1].url, "otlp_logs");
    EXPECT_EQ(out.at[1].tag, 0);
    leat_requests_done(&out);
    bench.own.signals[LEAT_LOGS].topic_from_metadata_key = "x-topic";
    batch->meta = leat_meta_new(pairs, 1);
    out = encode(&bench, batch);
    for (uint32_t i = 0; i < out.count; i++)
        EXPECT_STR(out.at[i].url, "by_header");
    leat_requests_done(&out);
    leat_batch_free(batch);
    kafka_close(&bench.state);
}

/* Guarantees: the data names as many topics as it may; what names another goes where the configuration says, and is counted. */
LEAT_TEST(kafka_bounds_the_topics_that_data_may_name)
{
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench.own.topic_from_attribute = "topic";
    bench.own.topics_max = 2;
    bench_open(&bench, LEAT_LOGS);
    struct recipe recipes[] = {{.topic = "red", .records = 1}, {.topic = "blue", .records = 1}, {.topic = "green", .records = 1},
                               {.topic = "red", .records = 1}, {.topic = "grey", .records = 1}};
    struct leat_batch *batch = bench_batch(LEAT_LOGS, recipes, 5);
    for (int round = 1; round < 3; round++) {
        struct leat_requests out = encode(&bench, batch);
        EXPECT_EQ(out.count, 3);
        expect_cover(&out, 5);
        EXPECT_STR(out.at[0].url, "red");
        EXPECT_EQ(out.at[0].count, 2);
        EXPECT_STR(out.at[1].url, "blue");
        EXPECT_STR(out.at[2].url, "otlp_logs");
        EXPECT_EQ(bench.counts[KAFKA_COUNT_TOPICS_OVER], 2 * round);
        leat_requests_done(&out);
    }
    static const struct leat_meta_pair pairs[] = {{"x-topic", "by_header"}};
    bench.own.topic_from_attribute = NULL;
    bench.own.signals[LEAT_LOGS].topic_from_metadata_key = "x-topic";
    batch->meta = leat_meta_new(pairs, 1);
    struct leat_requests out = encode(&bench, batch);
    EXPECT_STR(out.at[0].url, "otlp_logs");
    EXPECT_EQ(out.at[0].tag & KAFKA_TAG_TOPIC_OF_DATA, 0);
    leat_requests_done(&out);
    leat_batch_free(batch);
    kafka_close(&bench.state);
}

/* Guarantees: text is a record for each body as it is, raw the same with texts as JSON; topics and keys as elsewhere. */
LEAT_TEST(kafka_makes_records_of_bodies)
{
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench.own.topic_from_attribute = "topic";
    bench.own.signals[LEAT_LOGS].encoding = KAFKA_TEXT;
    bench.own.logs_by_trace_id = true;
    bench_open(&bench, LEAT_LOGS);
    struct recipe recipes[] = {{.records = 2, .traces = 2}, {.topic = "red", .records = 1}};
    struct leat_batch *batch = bench_batch(LEAT_LOGS, recipes, 2);
    struct leat_requests out = encode(&bench, batch);
    EXPECT_EQ(out.count, 2);
    expect_cover(&out, 3);
    struct kafka_note *note = note_of(&out.at[0]);
    EXPECT_EQ(note->count, 2);
    EXPECT(out.at[0].body.count == 1 && leat_slice_is(out.at[0].body.vec[0], "line 0line 1"));
    EXPECT_EQ(note->lens[1], 6);
    EXPECT_BYTES(kafka__note_keys(note)[1].at, "a5a5a5a5a5a5a5a5a5a5a5a500000001", 32);
    EXPECT_STR(out.at[1].url, "red");
    EXPECT_EQ(kafka__note_keys(note_of(&out.at[1]))[0].len, 0);
    EXPECT_EQ(out.at[0].header_count, 0);
    leat_requests_done(&out);
    bench.state.encoding = KAFKA_RAW;
    out = encode(&bench, batch);
    EXPECT(leat_slice_is(out.at[0].body.vec[0], "\"line 0\"\"line 1\""));
    leat_requests_done(&out);
    leat_batch_free(batch);
    kafka_close(&bench.state);
}

static leat_rc encode_once(struct bench *bench, enum leat_signal signal, const struct recipe *recipes)
{
    struct leat_requests out = {0};
    struct leat_batch *batch = bench_batch(signal, recipes, 2);
    leat_rc rc = batch ? kafka_encode(&bench->state, batch, &out, NULL) : LEAT_ENOMEM;
    leat_requests_done(&out);
    leat_batch_free(batch);
    kafka_close(&bench->state);
    return rc;
}

LEAT_TEST_OOM(kafka_encode_survives_any_failed_allocation)
{
    static const struct recipe recipes[] = {{.topic = "red", .host = "a", .records = 9, .traces = 4}, {.records = 5, .traces = 3}};
    struct bench bench;
    leat_rc rc = LEAT_OK;
    for (int way = 0; rc == LEAT_OK && way < 5; way++) {
        bench_init(&bench, "localhost:1");
        bench.own.topic_from_attribute = way == 4 ? NULL : "topic";
        bench.own.traces_by_id = way == 0;
        bench.own.logs_by_trace_id = way == 1;
        bench.own.producer.max_message_bytes = way == 4 ? 1000 : 1000000;
        bench.own.signals[LEAT_LOGS].encoding = way == 1 ? KAFKA_TEXT : way == 2 ? KAFKA_RAW : way == 3 ? KAFKA_OTLP_JSON : KAFKA_UNSET;
        rc = kafka_open(&bench.state, &bench.conf, way ? LEAT_LOGS : LEAT_TRACES, leat_world_real(), NULL);
        if (rc != LEAT_OK)
            kafka_close(&bench.state); /* half-open */
        else
            rc = encode_once(&bench, way ? LEAT_LOGS : LEAT_TRACES, recipes);
    }
    return rc;
}

/* Guarantees: OTLP/JSON where asked for, and bytes that are no OTLP end in an error. */
LEAT_TEST(kafka_writes_json)
{
    struct bench bench;
    bench_init(&bench, "localhost:1");
    bench.own.encoding = KAFKA_OTLP_JSON;
    bench_open(&bench, LEAT_LOGS);
    struct leat_batch *batch = bench_batch(LEAT_LOGS, &(struct recipe){.records = 1}, 1);
    struct leat_requests out = encode(&bench, batch);
    EXPECT(out.at[0].body.count == 1 && memmem(out.at[0].body.vec[0].at, out.at[0].body.bytes, "\"stringValue\":\"line 0\"", 22));
    leat_requests_done(&out);
    leat_chain_done(&batch->payload);
    EXPECT_OK(leat_chain_copy(&batch->payload, "\x0a\xff", 2));
    EXPECT_RC(kafka_encode(&bench.state, batch, &out, NULL), LEAT_EPARSE);
    leat_requests_done(&out);
    leat_batch_free(batch);
    kafka_close(&bench.state);
}
