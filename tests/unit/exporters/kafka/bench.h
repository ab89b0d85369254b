/* SPDX-License-Identifier: Apache-2.0 */
/* bench -- a kafka exporter's state with the configuration a test wants, and payloads to give it. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "exporters/kafka/kafka.h"
#include "proto/otlp/otlp_form.h"
#include "proto/protobuf/pb_write.h"
#include "tests/kit/kit.h"

struct bench {
    struct kafka_conf own;
    struct leat_deliver_conf deliver;
    struct leat_exporter_conf conf;
    uint64_t counts[KAFKA_COUNT_COUNT];
    struct kafka_state state;
    const char *brokers[1];
};

/* What the fields' defaults make of an empty configuration. */
static inline void bench_init(struct bench *bench, const char *brokers)
{
    *bench = (struct bench){.brokers = {brokers}};
    bench->own = (struct kafka_conf){.brokers = {bench->brokers, 1}, .client_id = "test", .metadata_refresh_ns = 600000000000,
                                     .batch_id_header = "leat.batch_id", .topics_max = 1000};
    bench->own.producer.max_message_bytes = 1000000;
    bench->own.producer.required_acks = bench->own.producer.level = -1;
    bench->own.producer.flush_max_messages = 10000;
    bench->own.producer.max_buffered_messages = 100000;
    bench->own.producer.max_buffered_bytes = 4000000;
    bench->own.producer.linger_ns = 1000000;
    bench->own.producer.auto_topic_creation = bench->own.producer.idempotent = true;
    bench->deliver = (struct leat_deliver_conf){.timeout_ns = 5000000000, .retry = {.enabled = true, .max_elapsed_time_ns = 60000000000}};
    bench->conf = (struct leat_exporter_conf){.id = "kafka", .own = &bench->own, .deliver = &bench->deliver, .counts = bench->counts};
}

static inline void bench_open(struct bench *bench, enum leat_signal signal)
{
    EXPECT_OK(kafka_check(&bench->conf, NULL));
    EXPECT_OK(kafka_open(&bench->state, &bench->conf, signal, leat_world_real(), NULL));
}

static inline void put_attribute(struct pb_buf *buf, const char *key, const char *value)
{
    size_t pair = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), key, (uint32_t)strlen(key));
    size_t any = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), value, (uint32_t)strlen(value));
    pb_buf_close(buf, any);
    pb_buf_close(buf, pair);
}

/* A trace id that is `n` at its end. */
static inline void trace_id_of(uint32_t n, uint8_t *id)
{
    memset(id, 0xa5, 16);
    for (int i = 0; i < 4; i++)
        id[15 - i] = (uint8_t)(n >> 8 * i);
}

struct recipe { /* of one resource */
    const char *topic, *host; /* attributes; NULL: absent */
    uint32_t records, traces; /* record i belongs to trace i % traces; 0: to none */
    uint32_t body_len;        /* 0: "line %u" */
};

static inline void put_log(struct pb_buf *buf, uint32_t i, const struct recipe *recipe)
{
    char text[24], *filler = NULL;
    uint8_t id[16];
    size_t record = pb_buf_open(buf, PB_TAG(2, PB_LEN)), body = pb_buf_open(buf, PB_TAG(5, PB_LEN));
    uint32_t len = (uint32_t)snprintf(text, sizeof text, "line %u", i);
    if (recipe->body_len) {
        len = recipe->body_len;
        filler = malloc(len);
        memset(filler, 'x', len);
    }
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), filler ? filler : text, len);
    free(filler);
    pb_buf_close(buf, body);
    if (recipe->traces) {
        trace_id_of(i % recipe->traces, id);
        pb_buf_bytes(buf, PB_TAG(9, PB_LEN), id, sizeof id);
    }
    pb_buf_close(buf, record);
}

static inline void put_span(struct pb_buf *buf, uint32_t i, const struct recipe *recipe)
{
    uint8_t id[16];
    size_t span = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    trace_id_of(recipe->traces ? i % recipe->traces : 0, id);
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), id, sizeof id);
    pb_buf_bytes(buf, PB_TAG(5, PB_LEN), "op", 2);
    pb_buf_close(buf, span);
}

/* A gauge of two points. */
static inline void put_metric(struct pb_buf *buf, uint32_t i, const struct recipe *recipe)
{
    (void)i, (void)recipe;
    size_t metric = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), "m", 1);
    size_t gauge = pb_buf_open(buf, PB_TAG(5, PB_LEN));
    for (int k = 0; k < 2; k++) {
        size_t point = pb_buf_open(buf, PB_TAG(1, PB_LEN));
        pb_buf_fixed64(buf, PB_TAG(3, PB_FIXED64), 1);
        pb_buf_close(buf, point);
    }
    pb_buf_close(buf, gauge);
    pb_buf_close(buf, metric);
}

/* NULL: out of memory. */
static inline struct leat_batch *bench_batch(enum leat_signal signal, const struct recipe *recipes, uint32_t count)
{
    static void (*const put[])(struct pb_buf *, uint32_t, const struct recipe *) = {put_log, put_metric, put_span};
    struct pb_buf buf = {0};
    struct leat_batch *batch = leat_batch_new(signal, &otlp_form);
    for (uint32_t r = 0; r < count; r++) {
        size_t outer = pb_buf_open(&buf, PB_TAG(1, PB_LEN)), resource = pb_buf_open(&buf, PB_TAG(1, PB_LEN));
        if (recipes[r].topic)
            put_attribute(&buf, "topic", recipes[r].topic);
        if (recipes[r].host)
            put_attribute(&buf, "host", recipes[r].host);
        pb_buf_close(&buf, resource);
        size_t scope = pb_buf_open(&buf, PB_TAG(2, PB_LEN));
        for (uint32_t i = 0; i < recipes[r].records; i++)
            put[signal](&buf, i, &recipes[r]);
        pb_buf_close(&buf, scope);
        pb_buf_close(&buf, outer);
    }
    leat_rc rc = batch && !buf.failed ? leat_chain_copy(&batch->payload, buf.at, (uint32_t)buf.len) : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = otlp_form.count(signal, &batch->payload, &batch->item_count, NULL);
    pb_buf_done(&buf);
    if (rc == LEAT_OK)
        return batch;
    leat_batch_free(batch);
    return NULL;
}
