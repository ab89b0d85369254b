/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/exporters/clickhouse/clickhouse_kit.h"

static struct clickhouse_target target_of(struct subject *s, const char *endpoint)
{
    struct clickhouse_target target = {0};
    struct leat_err err = {0};
    s->http.endpoint = endpoint;
    EXPECT_OK_ERR(clickhouse__target_open(&s->conf, &s->http, &target, &err), &err);
    return target;
}

/* Guarantees: each form of the Collector's addresses leads to the HTTP port that is meant. */
LEAT_TEST(clickhouse_reads_addresses)
{
    static const struct {
        const char *endpoint, *url, *database;
    } table[] = {
        {"http://ch:8123", "http://ch:8123/?", "default"},
        {"http://ch", "http://ch:8123/?", "default"},
        {"https://ch", "https://ch:8443/?", "default"},
        {"https://ch:443/otel", "https://ch:443/?", "otel"},
        {"tcp://127.0.0.1:9000?dial_timeout=10s", "http://127.0.0.1:8123/?", "default"},
        {"tcp://ch:9440/otel?secure=true&max_open_conns=3", "https://ch:8443/?", "otel"},
        {"tcp://ch:9440", "https://ch:8443/?", "default"},
        {"clickhouse://ch:9000/o%20tel", "http://ch:8123/?", "o tel"},
        {"clickhouse://ch:18123/otel", "http://ch:18123/?", "otel"},
        {"clickhouse://ch:18123?secure=1&http_path=/proxy/x", "https://ch:18123/proxy/x?", "default"},
        {"clickhouse://[::1]:9000/", "http://[::1]:8123/?", "default"},
        {"clickhouse://[::1]?database=d", "http://[::1]:8123/?", "d"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct subject s;
        subject_defaults(&s);
        struct clickhouse_target target = target_of(&s, table[i].endpoint);
        EXPECT_STR(target.url.at, table[i].url);
        EXPECT_STR(target.database, table[i].database);
        EXPECT_EQ(target.settings.len, 0);
        EXPECT_EQ(target.native_port, strstr(table[i].endpoint, ":9000") || strstr(table[i].endpoint, ":9440"));
        clickhouse__target_done(&target);
    }
}

/* Guarantees: keys win over the address, connection_params over its parameters; the database only when it is not the
 * default; what is no parameter of the driver's is a setting of the server's. */
LEAT_TEST(clickhouse_knows_who_wins)
{
    struct subject s;
    struct leat_pair pairs[] = {{"compress", "zstd"}, {"max_execution_time", "60"}, {"b", "a b&c"}};
    subject_defaults(&s);
    s.conf.async_insert = true;
    s.conf.connection_params = (struct leat_map){pairs, 3};
    struct clickhouse_target target =
        target_of(&s, "clickhouse://me:p%40ss@ch/otel?compress=gzip&max_execution_time=5&async_insert=false");
    EXPECT_STR(target.user, "me");
    EXPECT_STR(target.password, "p@ss");
    EXPECT_STR(target.database, "otel");
    EXPECT_STR(target.settings.at, "&max_execution_time=60&b=a%20b%26c");
    EXPECT_EQ(target.coding, LEAT_CODING_ZSTD);
    EXPECT(!target.async_insert);
    clickhouse__target_done(&target);
    s.conf.username = "you";
    s.conf.password = "secret";
    s.conf.database = "mine";
    s.conf.connection_params.count = 0;
    s.conf.compress = 2;
    target = target_of(&s, "clickhouse://me:p@ch/otel?username=they");
    EXPECT_STR(target.user, "you");
    EXPECT_STR(target.password, "secret");
    EXPECT_STR(target.database, "mine");
    EXPECT_EQ(target.coding, LEAT_CODING_LZ4);
    EXPECT(target.async_insert);
    clickhouse__target_done(&target);
}

/* Guarantees: what leat does not do is refused with a sentence that names it. */
LEAT_TEST(clickhouse_refuses_addresses)
{
    static const struct {
        const char *endpoint, *words;
    } table[] = {{"ch:9000", "begins with none of"},
                 {"ftp://ch", "begins with none of"},
                 {"tcp://a:9000,b:9000", "one address only"},
                 {"tcp://", "no host"},
                 {"tcp://ch:x", "no port"},
                 {"tcp://ch:0", "no port"},
                 {"http://ch/a/b", "database's name"},
                 {"http://ch?skip_verify=true", "insecure_skip_verify"},
                 {"http://ch?compress=br", "none of none, lz4"},
                 {"http://ch?wait_for_async_insert=0", "lose or repeat"},
                 {"http://ch?insert_deduplication_token=x", "leat makes one"},
                 {"http://ch?a-b=1", "no name of a setting"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct subject s;
        struct clickhouse_target target;
        struct leat_err err = {0};
        subject_defaults(&s);
        s.http.endpoint = table[i].endpoint;
        EXPECT_RC(clickhouse__target_open(&s.conf, &s.http, &target, &err), LEAT_ECONFIG);
        if (!strstr(err.text, table[i].words))
            fail_msg("%s: %s", table[i].endpoint, err.text);
    }
}

LEAT_TEST(clickhouse_checks_its_keys)
{
    struct subject s;
    struct leat_exporter_conf conf = {.id = "clickhouse", .own = &s.conf, .carrier = &s.http};
    struct leat_err err = {0};
    subject_defaults(&s);
    EXPECT_OK(clickhouse_check(&conf, &err));
    s.conf.ttl_ns = 1;
    EXPECT_RC(clickhouse_check(&conf, &err), LEAT_ECONFIG);
    subject_defaults(&s);
    s.http.compression = LEAT_CODING_SNAPPY;
    EXPECT_RC(clickhouse_check(&conf, &err), LEAT_ECONFIG);
    subject_defaults(&s);
    s.conf.metrics_tables.sum.name = "";
    EXPECT_RC(clickhouse_check(&conf, &err), LEAT_ECONFIG);
    subject_defaults(&s);
    s.http.endpoint = "";
    EXPECT_RC(clickhouse_check(&conf, &err), LEAT_ECONFIG);
}

LEAT_TEST_OOM(clickhouse_addresses_survive_without_memory)
{
    struct subject s;
    struct clickhouse_target target = {0};
    subject_defaults(&s);
    s.http.endpoint = "clickhouse://me:p@ch:9000/otel?a=b&http_path=x";
    leat_rc rc = clickhouse__target_open(&s.conf, &s.http, &target, NULL);
    clickhouse__target_done(&target);
    return rc;
}
