/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/elasticsearch/elasticsearch.h"
#include "proto/otlp/otlp_put.h"
#include "tests/kit/kit.h"

static struct elasticsearch_conf own;
static struct leat_http_client_conf http;

static struct leat_exporter_conf usual(void)
{
    own = (struct elasticsearch_conf){.request_bytes_max = 1 << 20, .document_ids = true};
    own.logstash_format.prefix_separator = "-";
    own.logstash_format.date_format = "%Y.%m.%d";
    http = (struct leat_http_client_conf){.endpoint = "https://es:9200"};
    return (struct leat_exporter_conf){.id = "elasticsearch", .own = &own, .carrier = &http};
}

static void refuse(const struct leat_exporter_conf *conf, const char *words)
{
    struct leat_err err = {0};
    EXPECT_RC(elasticsearch_check(conf, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, words));
}

/* Guarantees: what cannot work is refused at start, with its key. */
LEAT_TEST(elasticsearch_refuses_what_cannot_work)
{
    struct leat_exporter_conf conf = usual();
    EXPECT_OK(elasticsearch_check(&conf, NULL));
    http.endpoint = NULL;
    refuse(&conf, "endpoint is required");
    conf = usual();
    own.logs_index = "Logs";
    refuse(&conf, "logs_index");
    conf = usual();
    own.api_key = "a2V5";
    own.user = "u";
    refuse(&conf, "exclude each other");
    conf = usual();
    own.api_key = "a2V5\n";
    refuse(&conf, "api_key");
    conf = usual();
    own.pipeline = "a&b";
    refuse(&conf, "pipeline");
}

static const char *name_of(enum leat_signal signal, struct leat_slice record)
{
    static struct bulk_index index;
    struct leat_exporter_conf conf = usual();
    struct leat_bulk bulk = {0};
    EXPECT_OK(elasticsearch_open(&bulk, &conf, signal, leat_world_real(), NULL));
    index = bulk.index;
    bulk_index_resolve(&index, record, 6, (struct leat_slice){0}, (struct leat_slice){0}, 0);
    EXPECT_STR(bulk.conf.stream_type, signal == LEAT_TRACES ? "traces" : "logs");
    EXPECT_EQ(bulk_index_value(&index, bulk.conf.dataset_piece).len +
                  bulk_index_value(&index, bulk.conf.namespace_piece).len + strlen(bulk.conf.stream_type) + 2,
              index.len);
    leat_bulk_close(&bulk);
    return index.name;
}

/* Guarantees: data streams are named by the data_stream attributes, made fit, with the suffix of the server's
 * templates. */
LEAT_TEST(elasticsearch_names_its_streams)
{
    uint8_t room[256], *end = otlp_put_string(room, 6, LEAT_SLICE("data_stream.dataset"), LEAT_SLICE("My-App"));
    end = otlp_put_string(end, 6, LEAT_SLICE("data_stream.namespace"), LEAT_SLICE("Pro d-1"));
    EXPECT_STR(name_of(LEAT_LOGS, (struct leat_slice){0}), "logs-generic.otel-default");
    EXPECT_STR(name_of(LEAT_TRACES, (struct leat_slice){0}), "traces-generic.otel-default");
    EXPECT_STR(name_of(LEAT_LOGS, leat_slice_of(room, (uint32_t)(end - room))), "logs-my_app.otel-pro_d-1");
}

/* Guarantees: credentials of both kinds as headers; without any there is none. */
LEAT_TEST(elasticsearch_shows_who_it_is)
{
    struct leat_exporter_conf conf = usual();
    struct leat_bulk bulk = {0};
    EXPECT_OK(elasticsearch_open(&bulk, &conf, LEAT_LOGS, leat_world_real(), NULL));
    EXPECT(!bulk.authorization);
    leat_bulk_close(&bulk);
    own.user = "user";
    own.password = "pass:word";
    bulk = (struct leat_bulk){0};
    EXPECT_OK(elasticsearch_open(&bulk, &conf, LEAT_LOGS, leat_world_real(), NULL));
    EXPECT_STR(bulk.authorization, "Basic dXNlcjpwYXNzOndvcmQ=");
    leat_bulk_close(&bulk);
    own.user = NULL;
    own.api_key = "aWQ6a2V5";
    bulk = (struct leat_bulk){0};
    EXPECT_OK(elasticsearch_open(&bulk, &conf, LEAT_LOGS, leat_world_real(), NULL));
    EXPECT_STR(bulk.authorization, "ApiKey aWQ6a2V5");
    leat_bulk_close(&bulk);
}
