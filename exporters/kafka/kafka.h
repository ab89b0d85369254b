/* SPDX-License-Identifier: Apache-2.0 */
/* kafka -- batches as records of Kafka topics; librdkafka keeps the brokers, leat the queue and the books.
 *
 *   encode -> requests (topic, keys, values) -> carrier: produce .. delivery reports -> judge
 *
 * Why      a delivery report is the only proof that a record is stored: nothing is settled before it.
 * Threads  one producer per signal and shard. librdkafka's threads only post a wake-up (loop/handoff); reports are read on
 *          the shard's own thread, so that blocks are released where they were made.
 * Owns     values are not copied: librdkafka points into the request's body until its report has come.
 * Limits   producer::max_message_bytes; in the client producer::max_buffered_messages and _bytes, of num_consumers requests.
 * Fails    by the table in kafka_judge.c. After a fatal error the producer is made anew; nothing of it is lost. */
#pragma once
#include <librdkafka/rdkafka.h>

#include "agent/base/log.h"
#include "agent/net/tls.h"
#include "exporters/exporter.h"
#include "proto/otlp/otlp_view.h"

enum kafka_encoding { KAFKA_UNSET, KAFKA_OTLP_PROTO, KAFKA_OTLP_JSON, KAFKA_RAW, KAFKA_TEXT };
enum kafka_hasher { KAFKA_SARAMA, KAFKA_MURMUR2 };

struct kafka_signal_conf {
    const char *topic, *topic_from_metadata_key, *message_key_from_metadata_key;
    int encoding;
};

struct kafka_conf {
    struct leat_strings brokers;
    const char *client_id;
    int64_t conn_idle_timeout_ns;
    bool resolve_canonical;
    struct kafka_signal_conf signals[LEAT_SIGNAL_COUNT];
    const char *topic, *topic_from_attribute;
    int64_t topics_max;
    int encoding;
    bool traces_by_id, logs_by_trace_id, logs_by_resource, metrics_by_resource;
    struct {
        bool sticky, round_robin, least_backup;
        int hasher;
    } partitioner;
    struct leat_strings metadata_keys;
    struct leat_map record_headers;
    const char *batch_id_header;
    struct {
        int64_t max_message_bytes, required_acks, level, flush_max_messages, linger_ns, max_buffered_messages,
            max_buffered_bytes;
        int compression;
        bool auto_topic_creation, idempotent;
    } producer;
    int64_t metadata_refresh_ns, statistics_interval_ns;
    struct {
        bool present;
        int mechanism;
        const char *username, *password;
    } sasl;
    struct {
        bool present;
        const char *username, *password;
    } plain_text;
    struct leat_tls_conf tls;
};
extern const struct leat_field kafka_fields[];

/* What librdkafka says of itself every statistics_interval, and what the carrier counts. */
#define KAFKA_COUNTS(X)                                                                                                \
    X(QUEUED, "kafka_queued_messages", "records in the client, not yet reported")                                      \
    X(QUEUED_BYTES, "kafka_queued_bytes", "bytes of records in the client")                                            \
    X(MESSAGES, "kafka_messages_total", "records sent to brokers")                                                     \
    X(MESSAGE_BYTES, "kafka_message_bytes_total", "bytes of records sent to brokers, before compression")              \
    X(REQUESTS, "kafka_requests_total", "requests sent to brokers")                                                    \
    X(REQUEST_BYTES, "kafka_request_bytes_total", "bytes of requests sent to brokers")                                 \
    X(REQUEST_RETRIES, "kafka_request_retries_total", "requests sent again by the client")                             \
    X(REQUEST_ERRORS, "kafka_request_errors_total", "requests that could not be sent")                                 \
    X(REQUEST_TIMEOUTS, "kafka_request_timeouts_total", "requests without an answer in time")                          \
    X(CONNECTS, "kafka_connects_total", "connections tried")                                                           \
    X(DISCONNECTS, "kafka_disconnects_total", "connections lost")                                                      \
    X(BROKERS_UP, "kafka_brokers_up", "brokers connected now")                                                         \
    X(RTT, "kafka_broker_rtt_microseconds", "the slowest broker's mean round trip")                                    \
    X(QUEUE_FULL, "kafka_queue_full_total", "times records waited before the client: it had max_buffered_messages or _bytes")                                   \
    X(PRODUCERS, "kafka_producers_total", "producers made; more than one a shard: after fatal errors")                 \
    X(GATHERED, "kafka_gathered_total", "values that lay in pieces and were copied together")                          \
    X(TOPICS_OVER, "kafka_topics_over_limit_total", "topics named by the data and not used: max_topics are in use")

enum kafka_count {
#define X(id, name, help) KAFKA_COUNT_##id,
    KAFKA_COUNTS(X)
#undef X
        KAFKA_COUNT_COUNT
};

struct kafka_state {
    const struct leat_exporter_conf *conf; /* in `exporter_conf` */
    struct leat_exporter_conf exporter_conf;
    const struct kafka_conf *own;
    struct leat_world *world;
    enum leat_signal signal;
    enum kafka_encoding encoding;
    const char *topic; /* of the signal, when the data names none */
    uint32_t spread;   /* round robin: whose turn it is; librdkafka's threads count it up */
    struct leat_strbuf text; /* kept from batch to batch: JSON, bodies of records */
    struct kafka_groups *groups;
    struct {           /* hashes of the topics that the data has named; NULL: it names none */
        uint64_t *at;
        uint32_t room, count; /* a power of two, twice max_topics at least */
    } topics;
    uint64_t unconfigured[KAFKA_COUNT_COUNT]; /* counts when nobody gave us a place for them */
};

static inline void kafka__count(struct kafka_state *kafka, enum kafka_count count, uint64_t n)
{
    uint64_t *counts = kafka->conf->counts ? kafka->conf->counts : kafka->unconfigured;
    __atomic_add_fetch(&counts[count], n, __ATOMIC_RELAXED);
}
static inline void kafka__set(struct kafka_state *kafka, enum kafka_count count, uint64_t value)
{
    uint64_t *counts = kafka->conf->counts ? kafka->conf->counts : kafka->unconfigured;
    __atomic_store_n(&counts[count], value, __ATOMIC_RELAXED);
}

leat_rc kafka_check(const struct leat_exporter_conf *conf, struct leat_err *reterr);
leat_rc kafka_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                   struct leat_world *world, struct leat_err *reterr);
leat_rc kafka_carrier_open(void *state, struct leat_loop *loop, struct leat_carrier **ret_carrier,
                           struct leat_err *reterr);
leat_rc kafka_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
leat_rc kafka_judge(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
void kafka_close(void *state);

/* ---- what encode tells the carrier: request->url is the topic, request->headers the record's, request->note this. No
 * note: one record without a key, whose value is the whole body ---- */

#define KAFKA_KEY_BYTES_MAX 32u
struct kafka_key {
    uint8_t len; /* 0: none */
    uint8_t at[KAFKA_KEY_BYTES_MAX];
};
struct kafka_note {
    uint32_t count; /* records; they are the items of the request, unless it is one */
    bool keyed;
    uint32_t lens[]; /* of the values, one behind the other in the body; then, if keyed, struct kafka_key[count] */
};
static inline uint64_t kafka__note_size(uint32_t count, bool keyed)
{
    return sizeof(struct kafka_note) + count * (sizeof(uint32_t) + (keyed ? sizeof(struct kafka_key) : 0ull));
}
static inline struct kafka_key *kafka__note_keys(struct kafka_note *note)
{
    return (struct kafka_key *)(void *)(note->lens + note->count);
}
/* A block for so many records, zeroed. NULL: out of memory. */
struct kafka_note *kafka__note_new(struct leat_request *request, uint32_t count, bool keyed);

#define KAFKA_TAG_TOPIC_OF_DATA 1u /* request->tag: the data named the topic, not the configuration */

/* ---- kafka_group.c: which items belong together ---- */

struct kafka_group { /* one topic and key */
    struct leat_slice topic; /* at == NULL: the configured one */
    struct kafka_key key;
};
struct kafka_groups {
    struct kafka_group *at;
    uint32_t count, room;
    uint32_t *of_item; /* group of each item */
    uint32_t item_room;
    uint32_t *slots; /* hash table of group + 1 */
    uint32_t slot_count;
    struct leat_chain topics; /* copies of topic names */
};
bool kafka__groups_wanted(const struct kafka_state *kafka);
/* Sorts the batch's items into groups; LEAT_ENOMEM, or the walk's error. */
leat_rc kafka__groups_fill(struct kafka_state *kafka, const struct leat_batch *batch, struct leat_err *reterr);
void kafka__groups_free(struct kafka_groups *groups);
/* The topic that a resource's own attribute names; empty: none. */
struct leat_slice kafka__topic_of(struct kafka_state *kafka, struct leat_slice resource);
/* librdkafka keeps every topic it has met: is this one among the first max_topics? */
bool kafka__topic_admitted(struct kafka_state *kafka, struct leat_slice name);
struct kafka_key kafka__key_of_trace(struct leat_slice trace_id);
struct kafka_key kafka__key_of_resource(struct leat_slice resource);

/* kafka_encode.c */
leat_rc kafka__headers(const struct kafka_state *kafka, struct leat_requests *out, uint32_t index);
const char *kafka__topic_text(struct leat_requests *out, struct leat_slice topic); /* NULL: out of memory */
const char *kafka__topic_of_batch(struct kafka_state *kafka, const struct leat_batch *batch, uint32_t *ret_tag);
/* kafka_records.c: one record per log record */
leat_rc kafka__encode_records(struct kafka_state *kafka, const struct leat_batch *batch, struct leat_requests *out,
                              struct leat_err *reterr);

/* ---- kafka_properties.c ---- */

/* librdkafka's configuration out of ours; the caller's until rd_kafka_new takes it. */
leat_rc kafka__properties(struct kafka_state *kafka, bool one_by_one, rd_kafka_conf_t **ret_properties,
                          struct leat_err *reterr);
/* How long librdkafka tries a record; 0: for ever, as max_elapsed_time. */
int64_t kafka__record_ms(const struct leat_deliver_conf *deliver);
/* What an operator must know of this library's version before the first record; NULL: nothing. */
const char *kafka__library_warning(const struct kafka_conf *own, int version);

/* ---- kafka_events.c: what a producer says beside its reports ---- */

struct kafka_speech {
    struct kafka_state *kafka;
    struct leat_loop *loop;
    struct leat_log_limit limit;
};
void kafka__say_log(struct kafka_speech *speech, rd_kafka_event_t *event);
void kafka__say_error(struct kafka_speech *speech, rd_kafka_resp_err_t code, const char *text);
void kafka__statistics(struct kafka_state *kafka, struct leat_slice json);
