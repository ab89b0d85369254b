/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/alloc.h"
#include "agent/base/log.h"
#include "exporters/kafka/kafka.h"

#define CONF struct kafka_conf
#define AT(member) LEAT_AT(CONF, member)
#define BYTES_MAX 1000000000.0

static const char *const encodings[] = {"", "otlp_proto", "otlp_json", NULL};
static const char *const log_encodings[] = {"", "otlp_proto", "otlp_json", "raw", "text", NULL};
static const char *const hashers[] = {"sarama_compat", "murmur2", NULL};
static const char *const compressions[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};
static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", NULL};
static const char *const default_topics[] = {"otlp_logs", "otlp_metrics", "otlp_spans", "otlp_profiles"};

#define SIGNAL_AT(member) LEAT_AT(struct kafka_signal_conf, member)
#define SIGNAL_FIELDS(topic_name)                                                                                      \
    {.key = "topic", .type = LEAT_STRING, .offset = SIGNAL_AT(topic), .doc = "the topic; unset: " topic_name},         \
        {.key = "topic_from_metadata_key",                                                                             \
         .type = LEAT_STRING,                                                                                          \
         .offset = SIGNAL_AT(topic_from_metadata_key),                                                                 \
         .doc = "client header that names the topic, where present; before topic_from_attribute and topic"},           \
    {                                                                                                                  \
        .key = "message_key_from_metadata_key", .type = LEAT_STRING,                                                   \
        .offset = SIGNAL_AT(message_key_from_metadata_key),                                                            \
        .doc = "client header whose value is the record's key, where present"                                          \
    }

static const struct leat_field log_fields[] = {SIGNAL_FIELDS("otlp_logs"),
                                               {.key = "encoding",
                                                .type = LEAT_ENUM,
                                                .offset = SIGNAL_AT(encoding),
                                                .deflt = "\"\"",
                                                .choices = log_encodings,
                                                .doc = "empty: otlp_proto; raw, text: a record for each log body"},
                                               {0}};
#define OTHER_FIELDS(topic_name)                      \
    {                                                 \
        SIGNAL_FIELDS(topic_name),                    \
            {.key = "encoding",                       \
             .type = LEAT_ENUM,                       \
             .offset = SIGNAL_AT(encoding),           \
             .deflt = "\"\"",                         \
             .choices = encodings,                    \
             .doc = "empty: otlp_proto"},             \
        {                                             \
            0                                         \
        }                                             \
    }
static const struct leat_field metric_fields[] = OTHER_FIELDS("otlp_metrics");
static const struct leat_field span_fields[] = OTHER_FIELDS("otlp_spans");
static const struct leat_field profile_fields[] = OTHER_FIELDS("otlp_profiles");

static const struct leat_field no_fields[] = {{0}};
static const struct leat_field sticky_fields[] = {
    {.key = "hasher",
     .type = LEAT_ENUM,
     .offset = AT(partitioner.hasher),
     .deflt = "sarama_compat",
     .choices = hashers,
     .doc = "sarama_compat: FNV-1a as the Collector and sarama; murmur2: as Java clients"},
    {0}};
static const struct leat_field partitioner_fields[] = {
    {.key = "sticky_key",
     .type = LEAT_SECTION,
     .fields = sticky_fields,
     .present = LEAT_PRESENT(CONF, partitioner.sticky),
     .doc = "the default: by hash of the key; without a key one partition for a while, then another"},
    {.key = "round_robin",
     .type = LEAT_SECTION,
     .fields = no_fields,
     .present = LEAT_PRESENT(CONF, partitioner.round_robin),
     .doc = "each record to the next partition, whatever its key"},
    {.key = "least_backup", /* written empty, as it is by nature, it must not pass for absent */
     .type = LEAT_SECTION,
     .fields = no_fields,
     .present = LEAT_PRESENT(CONF, partitioner.least_backup),
     .doc = "not supported: librdkafka does not tell how much waits for a partition"},
    {.key = "extension", .type = LEAT_REFUSED, .doc = "partitioner extensions are not supported"},
    {0}};

static const struct leat_field compression_fields[] = {
    {.key = "level",
     .type = LEAT_INT,
     .offset = AT(producer.level),
     .deflt = "-1",
     .min = -1,
     .max = 12,
     .doc = "gzip 0 to 9, lz4 0 to 12, zstd up to 12; -1: the codec's own"},
    {0}};
static const struct leat_field producer_fields[] = {
    {.key = "max_message_bytes",
     .type = LEAT_SIZE,
     .offset = AT(producer.max_message_bytes),
     .deflt = "1000000",
     .min = 1000,
     .max = BYTES_MAX,
     .doc = "a record is no larger, before compression; larger batches are cut"},
    {.key = "required_acks",
     .type = LEAT_INT,
     .offset = AT(producer.required_acks),
     .deflt = "-1",
     .min = -1,
     .max = 1,
     .doc = "-1: all in-sync replicas; 1: the leader; 0: nobody (the Collector's default is 1)"},
    {.key = "idempotent",
     .type = LEAT_BOOL,
     .offset = AT(producer.idempotent),
     .deflt = "true",
     .doc = "brokers leave out what librdkafka sends twice; with required_acks -1 alone"},
    {.key = "compression",
     .type = LEAT_ENUM,
     .offset = AT(producer.compression),
     .deflt = "none",
     .choices = compressions,
     .doc = "of the batches of records"},
    {.key = "compression_params", .type = LEAT_SECTION, .fields = compression_fields, .doc = "how hard"},
    {.key = "flush_max_messages",
     .type = LEAT_INT,
     .offset = AT(producer.flush_max_messages),
     .deflt = "10000",
     .min = 1,
     .max = 1000000,
     .doc = "records in one batch for a partition"},
    {.key = "linger",
     .type = LEAT_DURATION,
     .offset = AT(producer.linger_ns),
     .deflt = "10ms",
     .max = 900e9,
     .doc = "how long a batch for a partition waits to become larger"},
    {.key = "max_buffered_messages",
     .type = LEAT_INT,
     .offset = AT(producer.max_buffered_messages),
     .deflt = "100000",
     .min = 1,
     .max = 10000000,
     .doc = "records in the client at once; more wait before it (leat's own key)"},
    {.key = "max_buffered_bytes",
     .type = LEAT_SIZE,
     .offset = AT(producer.max_buffered_bytes),
     .deflt = "4MB",
     .min = 1,
     .max = BYTES_MAX,
     .doc = "bytes of records in the client at which more wait before it (leat's own key)"},
    {.key = "allow_auto_topic_creation",
     .type = LEAT_BOOL,
     .offset = AT(producer.auto_topic_creation),
     .deflt = "true",
     .doc = "the broker may make a topic that does not exist, if it is set up so"},
    {.key = "max_broker_write_bytes", .type = LEAT_IGNORED, .doc = "librdkafka writes batch by batch"},
    {0}};

static const struct leat_field metadata_fields[] = {
    {.key = "refresh_interval",
     .type = LEAT_DURATION,
     .offset = AT(metadata_refresh_ns),
     .deflt = "10m",
     .min = 10e6,
     .max = 3600e9,
     .doc = "how often brokers and partitions are asked for anew"},
    {.key = "full", .type = LEAT_IGNORED, .doc = "librdkafka asks for the topics in use"},
    {.key = "retry", .type = LEAT_IGNORED, .doc = "librdkafka asks until it knows"},
    {0}};

static const struct leat_field sasl_fields[] = {
    {.key = "mechanism",
     .type = LEAT_ENUM,
     .offset = AT(sasl.mechanism),
     .deflt = "PLAIN",
     .choices = mechanisms,
     .doc = "SCRAM with Kafka 4 needs librdkafka 2.6.1"},
    {.key = "username", .type = LEAT_STRING, .offset = AT(sasl.username), .doc = "who we are"},
    {.key = "password", .type = LEAT_STRING, .offset = AT(sasl.password), .flags = LEAT_SECRET, .doc = "and its proof"},
    {.key = "version", .type = LEAT_IGNORED, .doc = "librdkafka asks the broker"},
    {.key = "aws_msk", .type = LEAT_REFUSED, .doc = "AWS_MSK_IAM_OAUTHBEARER is not supported"},
    {.key = "oauthbearer_token_source", .type = LEAT_REFUSED, .doc = "OAUTHBEARER is not supported"},
    {0}};
static const struct leat_field plain_fields[] = {
    {.key = "username", .type = LEAT_STRING, .offset = AT(plain_text.username), .doc = "who we are"},
    {.key = "password",
     .type = LEAT_STRING,
     .offset = AT(plain_text.password),
     .flags = LEAT_SECRET,
     .doc = "and its proof"},
    {0}};
static const struct leat_field auth_fields[] = {
    {.key = "sasl",
     .type = LEAT_SECTION,
     .fields = sasl_fields,
     .present = LEAT_PRESENT(CONF, sasl.present),
     .doc = "a name and a password"},
    {.key = "plain_text",
     .type = LEAT_SECTION,
     .fields = plain_fields,
     .present = LEAT_PRESENT(CONF, plain_text.present),
     .flags = LEAT_DEPRECATED,
     .doc = "use sasl with mechanism PLAIN"},
    {.key = "tls", .type = LEAT_REFUSED, .doc = "write tls beside auth, not below it"},
    {.key = "kerberos", .type = LEAT_REFUSED, .doc = "Kerberos is not supported"},
    {0}};

#define SIGNAL(name, signal, rows)                                                         \
    {                                                                                      \
        .key = name, .type = LEAT_SECTION, .offset = AT(signals[signal]), .fields = rows,  \
        .doc = "topic and encoding of " name                                               \
    }
#define FLAG(name, member, text)                                                                      \
    {                                                                                                 \
        .key = name, .type = LEAT_BOOL, .offset = AT(member), .deflt = "false", .doc = text           \
    }
const struct leat_field kafka_fields[] = {
    {.key = "brokers",
     .type = LEAT_STRINGS,
     .offset = AT(brokers),
     .deflt = "[\"localhost:9092\"]",
     .doc = "where to ask for the cluster: host:port"},
    {.key = "client_id",
     .type = LEAT_STRING,
     .offset = AT(client_id),
     .deflt = "otel-collector",
     .doc = "the name brokers know us by in quotas and logs"},
    {.key = "protocol_version", .type = LEAT_IGNORED, .doc = "librdkafka asks the broker what it speaks"},
    {.key = "resolve_canonical_bootstrap_servers_only",
     .type = LEAT_BOOL,
     .offset = AT(resolve_canonical),
     .deflt = "false",
     .doc = "use the canonical names behind the addresses of brokers (librdkafka 2.2 or later)"},
    {.key = "conn_idle_timeout",
     .type = LEAT_DURATION,
     .offset = AT(conn_idle_timeout_ns),
     .deflt = "9m",
     .max = 2147483e9,
     .doc = "a connection without traffic is closed; 0: never"},
    SIGNAL("logs", LEAT_LOGS, log_fields),
    SIGNAL("metrics", LEAT_METRICS, metric_fields),
    SIGNAL("traces", LEAT_TRACES, span_fields),
    SIGNAL("profiles", LEAT_PROFILES, profile_fields),
    {.key = "topic",
     .type = LEAT_STRING,
     .offset = AT(topic),
     .flags = LEAT_DEPRECATED,
     .doc = "use logs::topic, metrics::topic, traces::topic"},
    {.key = "encoding",
     .type = LEAT_ENUM,
     .offset = AT(encoding),
     .deflt = "\"\"",
     .choices = log_encodings,
     .flags = LEAT_DEPRECATED,
     .doc = "use logs::encoding, metrics::encoding, traces::encoding"},
    {.key = "topic_from_attribute",
     .type = LEAT_STRING,
     .offset = AT(topic_from_attribute),
     .doc = "resource attribute that names the topic, where present; each resource goes its own way"},
    {.key = "max_topics",
     .type = LEAT_INT,
     .offset = AT(topics_max),
     .deflt = "1000",
     .min = 1,
     .max = 1e6,
     .doc = "topics that the data may name, per signal and shard; what names another goes to the configured topic (a key of leat's own)"},
    FLAG("partition_traces_by_id", traces_by_id, "a record for each trace, its id in hex the key"),
    FLAG("partition_logs_by_trace_id", logs_by_trace_id, "a record for each trace id, in hex the key"),
    FLAG("partition_logs_by_resource_attributes", logs_by_resource, "a record for each resource, keyed by its hash"),
    FLAG("partition_metrics_by_resource_attributes", metrics_by_resource,
         "a record for each resource, keyed by its hash"),
    {.key = "record_partitioner",
     .type = LEAT_SECTION,
     .fields = partitioner_fields,
     .doc = "how a record finds its partition; one of these"},
    {.key = "include_metadata_keys",
     .type = LEAT_STRINGS,
     .offset = AT(metadata_keys),
     .doc = "client headers that become headers of the record"},
    {.key = "record_headers",
     .type = LEAT_MAP,
     .offset = AT(record_headers),
     .doc = "headers of every record"},
    {.key = "batch_id_header",
     .type = LEAT_STRING,
     .offset = AT(batch_id_header),
     .deflt = "leat.batch_id",
     .doc = "header with a hash of the value, to know a repeat by; empty: none; never on raw and text (leat's own key)"},
    {.key = "producer", .type = LEAT_SECTION, .fields = producer_fields, .doc = "how records are sent"},
    {.key = "metadata", .type = LEAT_SECTION, .fields = metadata_fields, .doc = "what is known of the cluster"},
    {.key = "auth", .type = LEAT_SECTION, .fields = auth_fields, .doc = "who we are to the brokers"},
    {.key = "tls",
     .type = LEAT_SECTION,
     .offset = AT(tls),
     .fields = leat_tls_client_fields,
     .present = LEAT_PRESENT(CONF, tls.present),
     .doc = "written: brokers are spoken to by TLS"},
    {.key = "statistics_interval",
     .type = LEAT_DURATION,
     .offset = AT(statistics_interval_ns),
     .deflt = "5s",
     .max = 86400e9,
     .doc = "how often leat_kafka_* are brought up to date; 0: never (leat's own key)"},
    {0}};

static bool is_set(const char *text)
{
    return text && *text;
}

/* ---- checks ---- */

static leat_rc check_tls(const struct leat_tls_conf *tls, struct leat_err *reterr)
{
    const char *lacking = is_set(tls->server_name_override)                                  ? "server_name_override"
                          : is_set(tls->max_version)                                         ? "max_version"
                          : tls->reload_interval_ns                                          ? "reload_interval"
                          : tls->min_version && strcmp(tls->min_version, "1.2") != 0         ? "min_version"
                          : tls->include_system_ca_certs_pool && is_set(tls->ca_file)        ? "include_system_ca_certs_pool with ca_file"
                          : tls->include_system_ca_certs_pool && is_set(tls->ca_pem)         ? "include_system_ca_certs_pool with ca_pem"
                                                                                             : NULL;
    if (lacking)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "tls: librdkafka has no %s", lacking);
    return LEAT_OK;
}

static leat_rc check_keys(const struct kafka_conf *own, struct leat_err *reterr)
{
    if (own->logs_by_resource && own->logs_by_trace_id)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "partition_logs_by_resource_attributes and partition_logs_by_trace_id cannot both be enabled");
    const bool partitioned[LEAT_SIGNAL_COUNT] = {own->logs_by_resource || own->logs_by_trace_id,
                                                 own->metrics_by_resource, own->traces_by_id, false};
    for (int i = 0; i < LEAT_SIGNAL_COUNT; i++)
        if (partitioned[i] && is_set(own->signals[i].message_key_from_metadata_key))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s: message_key_from_metadata_key and partition_%s_by_... cannot both be set",
                              leat_signal_name((enum leat_signal)i), leat_signal_name((enum leat_signal)i));
    return LEAT_OK;
}

static leat_rc check_auth(const struct kafka_conf *own, struct leat_err *reterr)
{
    if (own->sasl.present && own->plain_text.present)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "auth: sasl and plain_text cannot both be set");
    if (own->sasl.present && (!is_set(own->sasl.username) || !is_set(own->sasl.password)))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "auth::sasl: username and password are required");
    if (own->plain_text.present && (!is_set(own->plain_text.username) || !is_set(own->plain_text.password)))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "auth::plain_text: username and password are required");
    return LEAT_OK;
}

/* librdkafka says so itself, but when a producer is made, and in its own words. */
static leat_rc check_linger(const struct kafka_conf *own, const struct leat_deliver_conf *deliver, struct leat_err *reterr)
{
    int64_t record_ms = kafka__record_ms(deliver);
    if (record_ms && own->producer.linger_ns >= record_ms * 1000000)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "producer::linger must be less than %s (%lld ms), or records expire while they wait",
                          deliver->retry.enabled ? "retry_on_failure::max_elapsed_time" : "timeout", (long long)record_ms);
    return LEAT_OK;
}

leat_rc kafka_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct kafka_conf *own = conf->own;
    if (own->brokers.count == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "brokers must name one at least");
    if (own->partitioner.sticky && own->partitioner.round_robin)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "record_partitioner: at most one may be set");
    if (own->partitioner.least_backup)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "record_partitioner: least_backup is not supported: librdkafka does not tell how much waits for a partition");
    if (own->encoding > KAFKA_OTLP_JSON)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "encoding: raw and text are for logs: use logs::encoding");
    leat_rc rc = check_keys(own, reterr);
    if (rc == LEAT_OK)
        rc = check_auth(own, reterr);
    if (rc == LEAT_OK)
        rc = check_tls(&own->tls, reterr);
    if (rc == LEAT_OK)
        rc = check_linger(own, conf->deliver, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct kafka_state state = {.conf = conf, .own = own};
    rd_kafka_conf_t *properties;
    rc = kafka__properties(&state, false, &properties, reterr); /* what librdkafka itself has to say */
    if (rc == LEAT_OK)
        rd_kafka_conf_destroy(properties);
    return rc;
}

/* ---- life ---- */

static leat_rc topics_new(struct kafka_state *kafka, struct leat_err *reterr)
{
    if (!is_set(kafka->own->topic_from_attribute) && !is_set(kafka->own->signals[kafka->signal].topic_from_metadata_key))
        return LEAT_OK;
    kafka->topics.room = 2;
    while (kafka->topics.room < 2 * (uint64_t)kafka->own->topics_max)
        kafka->topics.room *= 2;
    kafka->topics.at = leat_zalloc(kafka->topics.room, sizeof *kafka->topics.at);
    return kafka->topics.at ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
}

leat_rc kafka_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                   struct leat_world *world, struct leat_err *reterr)
{
    struct kafka_state *kafka = state;
    const struct kafka_conf *own = conf->own;
    const struct kafka_signal_conf *of_signal = &own->signals[signal];
    kafka->exporter_conf = *conf;
    kafka->conf = &kafka->exporter_conf;
    kafka->own = own;
    kafka->world = world;
    kafka->signal = signal;
    kafka->topic = is_set(of_signal->topic) ? of_signal->topic : is_set(own->topic) ? own->topic : default_topics[signal];
    kafka->encoding = of_signal->encoding ? (enum kafka_encoding)of_signal->encoding
                      : own->encoding     ? (enum kafka_encoding)own->encoding
                                          : KAFKA_OTLP_PROTO;
    return topics_new(kafka, reterr);
}

void kafka_close(void *state)
{
    struct kafka_state *kafka = state;
    leat_strbuf_done(&kafka->text);
    leat_free(kafka->topics.at);
    kafka->topics.at = NULL;
    kafka__groups_free(kafka->groups);
    kafka->groups = NULL;
}
