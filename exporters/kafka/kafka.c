/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/kafka/kafka.h"

static const struct leat_counter_def counters[] = {
#define X(id, name, help) {name, "", help},
    KAFKA_COUNTS(X)
#undef X
    {0}};

/* A request waits for `linger` in the client while others join it: ten at once would be a thousand a second at most. */
static const struct leat_default defaults[] = {{"sending_queue::num_consumers", "50"}, {0}};

LEAT_EXPORTER(kafka, .summary = "any signal to Kafka topics, by librdkafka", .signals = LEAT_ALL_SIGNALS,
              .forms = LEAT_FORM_OTLP, .carrier = LEAT_CARRIER_OWN, .conf_size = sizeof(struct kafka_conf),
              .state_size = sizeof(struct kafka_state), .fields = kafka_fields, .defaults = defaults, .counters = counters,
              .check = kafka_check, .open = kafka_open, .carrier_open = kafka_carrier_open, .encode = kafka_encode,
              .judge = kafka_judge, .close = kafka_close);
