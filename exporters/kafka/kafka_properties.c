/* SPDX-License-Identifier: Apache-2.0 */
/* Our keys in librdkafka's words. */
#include <inttypes.h>
#include <stdio.h>

#include "exporters/kafka/kafka.h"

#define SCRAM_FIXED 0x020601ff /* 2.6.1: the client's nonce is sent once, as Kafka 4 demands */
#define MS 1000000

struct writer {
    rd_kafka_conf_t *to;
    struct leat_err *reterr;
    leat_rc rc;
};

static void set(struct writer *w, const char *name, const char *value)
{
    char why[200];
    if (w->rc == LEAT_OK && rd_kafka_conf_set(w->to, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        w->rc = LEAT_RAISE(w->reterr, LEAT_ECONFIG, 0, "librdkafka %s: %s", rd_kafka_version_str(), why);
}

static void set_text(struct writer *w, const char *name, const char *value)
{
    if (value && *value)
        set(w, name, value);
}

static void set_int(struct writer *w, const char *name, int64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    set(w, name, text);
}

static void set_bool(struct writer *w, const char *name, bool value)
{
    set(w, name, value ? "true" : "false");
}

static void set_list(struct writer *w, const char *name, const struct leat_strings *list, const char *between)
{
    struct leat_strbuf text = {0};
    for (uint32_t i = 0; i < list->count; i++)
        leat_strbuf_printf(&text, "%s%s", i ? between : "", list->at[i]);
    if (text.failed)
        w->rc = LEAT_RAISE(w->reterr, LEAT_ENOMEM, 0, "no memory for %s", name);
    else if (text.len)
        set(w, name, text.at);
    leat_strbuf_done(&text);
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t at_most(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- by theme ---- */

static void put_cluster(struct writer *w, const struct kafka_conf *own)
{
    set_list(w, "bootstrap.servers", &own->brokers, ",");
    set_text(w, "client.id", own->client_id);
    set(w, "client.software.name", "leat");
    set(w, "client.software.version", LEAT_VERSION);
    set_int(w, "connections.max.idle.ms", own->conn_idle_timeout_ns / MS);
    set_int(w, "topic.metadata.refresh.interval.ms", at_least(own->metadata_refresh_ns / MS, 10));
    set_int(w, "statistics.interval.ms", own->statistics_interval_ns / MS);
    set(w, "topic.metadata.propagation.max.ms", "10000"); /* a topic that nobody makes is an error after this */
    set(w, "reconnect.backoff.max.ms", "5000"); /* a broker that is back is noticed soon */
    set(w, "log.queue", "true");
    if (own->resolve_canonical)
        set(w, "client.dns.lookup", "resolve_canonical_bootstrap_servers_only");
}

static void put_auth(struct writer *w, const struct kafka_conf *own)
{
    static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    bool sasl = own->sasl.present || own->plain_text.present, tls = own->tls.present && !own->tls.insecure;
    set(w, "security.protocol", sasl && tls ? "sasl_ssl" : sasl ? "sasl_plaintext" : tls ? "ssl" : "plaintext");
    if (sasl) {
        set(w, "sasl.mechanism", own->sasl.present ? mechanisms[own->sasl.mechanism] : "PLAIN");
        set_text(w, "sasl.username", own->sasl.present ? own->sasl.username : own->plain_text.username);
        set_text(w, "sasl.password", own->sasl.present ? own->sasl.password : own->plain_text.password);
    }
    if (!tls)
        return;
    set_text(w, "ssl.ca.location", own->tls.ca_file);
    set_text(w, "ssl.ca.pem", own->tls.ca_pem);
    set_text(w, "ssl.certificate.location", own->tls.cert_file);
    set_text(w, "ssl.certificate.pem", own->tls.cert_pem);
    set_text(w, "ssl.key.location", own->tls.key_file);
    set_text(w, "ssl.key.pem", own->tls.key_pem);
    set_list(w, "ssl.cipher.suites", &own->tls.cipher_suites, ":");
    set_list(w, "ssl.curves.list", &own->tls.curve_preferences, ":");
    set_bool(w, "enable.ssl.certificate.verification", !own->tls.insecure_skip_verify);
    set(w, "ssl.endpoint.identification.algorithm", own->tls.insecure_skip_verify ? "none" : "https");
}

static void put_producer(struct writer *w, const struct kafka_conf *own, bool one_by_one)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    char linger[32];
    bool idempotent = own->producer.idempotent && own->producer.required_acks == -1;
    (void)snprintf(linger, sizeof linger, "%.3f", one_by_one ? 0 : (double)own->producer.linger_ns / MS);
    set_int(w, "acks", own->producer.required_acks);
    set_bool(w, "enable.idempotence", idempotent);
    set_int(w, "message.max.bytes", own->producer.max_message_bytes);
    set_int(w, "batch.size", own->producer.max_message_bytes);
    set_int(w, "batch.num.messages", one_by_one ? 1 : own->producer.flush_max_messages);
    set(w, "linger.ms", linger);
    set(w, "compression.codec", codecs[own->producer.compression]);
    if (own->producer.level != -1)
        set_int(w, "compression.level", own->producer.level);
    set_int(w, "queue.buffering.max.messages", own->producer.max_buffered_messages);
    set(w, "queue.buffering.max.kbytes", "2097151"); /* the sender bounds the bytes: values are its own */
    set_bool(w, "allow.auto.create.topics", own->producer.auto_topic_creation);
    if (own->partitioner.round_robin)
        set(w, "sticky.partitioning.linger.ms", "0"); /* else it decides for records without a key */
    else
        set(w, "partitioner", own->partitioner.hasher == KAFKA_MURMUR2 ? "murmur2_random" : "fnv1a_random");
}

int64_t kafka__record_ms(const struct leat_deliver_conf *deliver)
{
    return at_most((deliver->retry.enabled ? deliver->retry.max_elapsed_time_ns : deliver->timeout_ns) / MS, INT32_MAX);
}

/* `timeout` is one request's. A record is librdkafka's to repeat, under one sequence number, for as long as
 * retry_on_failure would try: brokers then leave out what came twice. */
static void put_times(struct writer *w, const struct leat_deliver_conf *deliver)
{
    int64_t request_ms = at_most(at_least(deliver->timeout_ns / MS, 10), 300000);
    set_int(w, "request.timeout.ms", request_ms);
    set_int(w, "socket.timeout.ms", at_most(request_ms + 1000, 300000));
    set_int(w, "message.timeout.ms", kafka__record_ms(deliver));
}

static int32_t next_partition(const rd_kafka_topic_t *topic, const void *key, size_t key_len, int32_t count, void *ctx,
                              void *message)
{
    (void)topic, (void)key, (void)key_len, (void)message;
    struct kafka_state *kafka = ctx;
    return (int32_t)(__atomic_fetch_add(&kafka->spread, 1, __ATOMIC_RELAXED) % (uint32_t)count);
}

leat_rc kafka__properties(struct kafka_state *kafka, bool one_by_one, rd_kafka_conf_t **ret_properties,
                          struct leat_err *reterr)
{
    struct writer w = {rd_kafka_conf_new(), reterr, LEAT_OK};
    if (kafka->own->partitioner.round_robin) { /* first: a later topic property joins it */
        rd_kafka_topic_conf_t *topic = rd_kafka_topic_conf_new();
        rd_kafka_topic_conf_set_partitioner_cb(topic, next_partition);
        rd_kafka_topic_conf_set_opaque(topic, kafka);
        rd_kafka_conf_set_default_topic_conf(w.to, topic);
    }
    put_cluster(&w, kafka->own);
    put_auth(&w, kafka->own);
    put_producer(&w, kafka->own, one_by_one);
    put_times(&w, kafka->conf->deliver);
    rd_kafka_conf_set_events(w.to, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_LOG);
    if (w.rc != LEAT_OK) {
        rd_kafka_conf_destroy(w.to);
        return w.rc;
    }
    *ret_properties = w.to;
    return LEAT_OK;
}

const char *kafka__library_warning(const struct kafka_conf *own, int version)
{
    if (own->sasl.present && own->sasl.mechanism > 0 && version < SCRAM_FIXED)
        return "before 2.6.1 it sends its SCRAM nonce twice, which Kafka 3.9.1, 4.0 and later refuse; build leat with a newer "
               "one (cmake -DLEAT_RDKAFKA_ROOT=...), or use SASL PLAIN over TLS";
    return NULL;
}
