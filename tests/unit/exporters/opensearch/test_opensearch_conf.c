/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/opensearch/opensearch.h"
#include "tests/kit/kit.h"

static struct opensearch_conf own;
static struct leat_http_client_conf http;

static struct leat_exporter_conf usual(void)
{
    own = (struct opensearch_conf){.dataset = "default", .namespace = "namespace", .request_bytes_max = 1 << 20};
    own.mapping.dedot = own.mapping.manage_index_template = own.document_ids = true;
    http = (struct leat_http_client_conf){.endpoint = "https://search:9200/"};
    return (struct leat_exporter_conf){.id = "opensearch", .own = &own, .carrier = &http};
}

static void refuse(const struct leat_exporter_conf *conf, const char *words)
{
    struct leat_err err = {0};
    EXPECT_RC(opensearch_check(conf, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, words));
}

/* Guarantees: what cannot work is refused at start, with its key. */
LEAT_TEST(opensearch_refuses_what_cannot_work)
{
    struct leat_exporter_conf conf = usual();
    EXPECT_OK(opensearch_check(&conf, NULL));
    http.endpoint = NULL;
    refuse(&conf, "endpoint is required");
    http.endpoint = "search:9200";
    refuse(&conf, "endpoint");
    http.endpoint = "http://search:9200/?pretty";
    refuse(&conf, "query");
    conf = usual();
    own.logs.index = "Logs";
    refuse(&conf, "logs_index");
    own.logs.index = "logs-%{open";
    refuse(&conf, "logs_index");
    own.logs.index = NULL;
    own.traces.index = "a b";
    refuse(&conf, "traces_index");
    conf = usual();
    own.dataset = "";
    refuse(&conf, "dataset");
    conf = usual();
    own.namespace = "Big";
    refuse(&conf, "namespace");
    conf = usual();
    own.pipeline = "a/b";
    refuse(&conf, "pipeline");
    conf = usual();
    own.data_stream = true;
    own.bulk_action = 1;
    refuse(&conf, "bulk_action");
}

/* Guarantees: index names and addresses as the keys say, for either signal; logs' own mode takes no spans. */
LEAT_TEST(opensearch_names_its_indexes)
{
    static const char *more[] = {"http://second:9200"};
    struct leat_exporter_conf conf = usual();
    struct leat_bulk bulk = {0};
    struct leat_err err = {0};
    own.endpoints = (struct leat_strings){more, 1};
    EXPECT_OK(opensearch_open(&bulk, &conf, LEAT_TRACES, leat_world_real(), NULL));
    bulk_index_resolve(&bulk.index, (struct leat_slice){0}, 9, (struct leat_slice){0}, (struct leat_slice){0}, 0);
    EXPECT_STR(bulk.index.name, "ss4o_traces-default-namespace");
    EXPECT(strncmp(bulk.urls[0], "https://search:9200/_bulk?", 26) == 0);
    EXPECT(strncmp(bulk.urls[1], "http://second:9200/_bulk?", 25) == 0);
    EXPECT_EQ(bulk.conf.doc.mapping, BULK_SS4O);
    leat_bulk_close(&bulk);
    own.mapping.mode = 3;
    own.logs.index = "x";
    own.logs.time_format = "yyyy";
    bulk = (struct leat_bulk){0};
    EXPECT_OK(opensearch_open(&bulk, &conf, LEAT_LOGS, leat_world_real(), NULL));
    bulk_index_resolve(&bulk.index, (struct leat_slice){0}, 6, (struct leat_slice){0}, (struct leat_slice){0}, 0);
    EXPECT_STR(bulk.index.name, "x-1970");
    EXPECT_EQ(bulk.conf.doc.mapping, BULK_BODYMAP);
    leat_bulk_close(&bulk);
    bulk = (struct leat_bulk){0};
    EXPECT_RC(opensearch_open(&bulk, &conf, LEAT_TRACES, leat_world_real(), &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "bodymap"));
    leat_bulk_close(&bulk);
}
