/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/deliver/url.h"
#include "exporters/prometheus_remote_write/prometheus_remote_write.h"

#define AT(member) LEAT_AT(struct prw_conf, member)
#define WITHIN(section, member) (LEAT_AT(struct prw_conf, section.member) - LEAT_AT(struct prw_conf, section))
#define BATCH_BYTES 3000000u /* where 0 is given, as the Collector has it */
#define REFUSED(name, why) {.key = name, .type = LEAT_REFUSED, .doc = why}

static const char *const messages[] = {"auto", "prometheus.WriteRequest", "io.prometheus.write.v2.Request", NULL};
static const char *const strategies[] = {"", "UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes",
                                         "NoUTF8EscapingWithSuffixes", "NoTranslation", NULL};
static const char *const reserved[] = {"Content-Encoding", "Content-Type", "User-Agent", "X-Prometheus-Remote-Write-Version"};

static const struct leat_field resource_fields[] = {
    {"enabled", LEAT_BOOL, WITHIN(resource_labels, enabled), "false", "OTLP: every resource attribute is a label of every series", 0},
    {"exclude_service_attributes", LEAT_BOOL, WITHIN(resource_labels, exclude_service_attributes), "false",
     "but for service.name, service.namespace and service.instance.id", 0},
    {0}};

static const struct leat_field target_info_fields[] = {
    {"enabled", LEAT_BOOL, WITHIN(target_info, enabled), "true", "OTLP: a target_info series tells the resource's other attributes", 0},
    {0}};

const struct leat_field prw_fields[] = {
    {"namespace", LEAT_STRING, AT(prefix), NULL, "put before every metric name, with an underscore", 0},
    {.key = "external_labels", .type = LEAT_MAP, .offset = AT(external_labels), .doc = "labels for every series that lacks them"},
    {"max_batch_size_bytes", LEAT_INT, AT(batch_bytes_max), "3000000", "a request ends after so many bytes before compression", 0, 0, 1e9},
    {"max_batch_request_parallelism", LEAT_INT, AT(parallel_max), "0",
     "requests under way at once, each of other series; 0: remote_write_queue::num_consumers", 0, 0, 1000},
    {.key = "resource_to_telemetry_conversion", .type = LEAT_SECTION, .offset = AT(resource_labels), .fields = resource_fields,
     .doc = "resource attributes as labels"},
    REFUSED("resource_constant_labels", "use resource_to_telemetry_conversion"),
    {.key = "target_info", .type = LEAT_SECTION, .offset = AT(target_info), .fields = target_info_fields,
     .doc = "the target_info series"},
    {"disable_scope_info", LEAT_BOOL, AT(disable_scope_info), "false", "OTLP: no otel_scope_ labels", 0},
    {"add_metric_suffixes", LEAT_BOOL, AT(add_metric_suffixes), "true", "OTLP: unit and type behind the name; translation_strategy wins", 0},
    {.key = "translation_strategy", .type = LEAT_ENUM, .offset = AT(strategy), .choices = strategies,
     .doc = "OTLP: how names are translated"},
    {"send_metadata", LEAT_BOOL, AT(send_metadata), "false", "1.0: type, help and unit once a minute (2.0 has them in each request)", 0},
    {.key = "protobuf_message", .type = LEAT_ENUM, .offset = AT(message), .deflt = "auto", .choices = messages,
     .doc = "auto: 2.0, and 1.0 where the destination does not take it"},
    {"retry_on_http_429", LEAT_BOOL, AT(retry_on_429), "true", "try again after status 429; off: drop (a key of leat's own)", 0},
    {.key = "include_metadata_keys", .type = LEAT_STRINGS, .offset = AT(metadata_keys), .doc = "client headers that are sent on; at most 4"},
    {"series_cache_size", LEAT_INT, AT(series_max), "262144", "series of which names and labels are remembered (a key of leat's own)",
     0, 1024, 16777216},
    REFUSED("wal", "the queue is kept in memory"),
    REFUSED("http", "write the client's keys beside the others"),
    REFUSED("convert_explicit_histograms_to_nhcb", "histograms with explicit bounds stay classic series"),
    REFUSED("keep_classic_histograms", "histograms with explicit bounds stay classic series"),
    {0}};

#define D(member) LEAT_AT(struct leat_deliver_conf, member)
const struct leat_field prw_delivery_fields[] = {
    {"timeout", LEAT_DURATION, D(timeout_ns), "5s", "longest wait for one attempt", 0, 0, 86400e9},
    {.key = "remote_write_queue", .type = LEAT_SECTION, .offset = D(queue), .fields = leat_deliver_queue_fields,
     .doc = "the queue before the destination"},
    {.key = "retry_on_failure", .type = LEAT_SECTION, .offset = D(retry), .fields = leat_deliver_retry_fields,
     .doc = "when and how often to try again"},
    {0}};

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (leat_slice_ieq(leat_slice_str(name), leat_slice_str(reserved[i])))
            return true;
    return false;
}

static leat_rc check_headers(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct prw_conf *own = conf->own;
    const struct leat_http_client_conf *http = conf->carrier;
    for (uint32_t i = 0; i < http->headers.count; i++)
        if (is_reserved(http->headers.at[i].key))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "headers: %s belongs to the protocol", http->headers.at[i].key);
    for (uint32_t i = 0; i < own->metadata_keys.count; i++)
        if (is_reserved(own->metadata_keys.at[i]))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "include_metadata_keys: %s belongs to the protocol", own->metadata_keys.at[i]);
    if (own->metadata_keys.count > PRW_METADATA_KEYS_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "include_metadata_keys: more than %u", PRW_METADATA_KEYS_MAX);
    return LEAT_OK;
}

leat_rc prw_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct prw_conf *own = conf->own;
    const struct leat_http_client_conf *http = conf->carrier;
    struct leat_url url;
    if (!http->endpoint || !*http->endpoint)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint is required: http://prometheus:9090/api/v1/write");
    if (leat_url_parse(http->endpoint, &url, reterr) != LEAT_OK)
        return reterr ? leat_err_wrap(reterr, "endpoint") : LEAT_ECONFIG;
    if (http->compression != LEAT_CODING_NONE && http->compression != LEAT_CODING_SNAPPY)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "compression: remote write has snappy only");
    if (own->message == PRW_ONE && (own->strategy == PRW_UTF8_SUFFIXES || own->strategy == PRW_AS_IS))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "translation_strategy: %s needs remote write 2.0", strategies[own->strategy]);
    for (uint32_t i = 0; i < own->external_labels.count; i++)
        if (!*own->external_labels.at[i].key || !own->external_labels.at[i].value || !*own->external_labels.at[i].value)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "external_labels: an empty name or value");
    return check_headers(conf, reterr);
}

static int by_name(const void *a, const void *b)
{
    return rw_name_compare(((const struct rw_label *)a)->name, ((const struct rw_label *)b)->name);
}

static leat_rc external_open(struct prw_state *prw, struct leat_err *reterr)
{
    const struct leat_map *map = &prw->conf->external_labels;
    const struct rw_namer namer = {0};
    struct leat_strbuf name = {0};
    uint32_t count = 0;
    prw->external = map->count ? leat_zalloc(map->count, sizeof *prw->external) : NULL;
    for (uint32_t i = 0; prw->external && i < map->count; i++) {
        bool named = rw_label_name(&name, &namer, leat_slice_str(map->at[i].key));
        char *copy = named && !name.failed ? leat_strndup(name.at, name.len) : NULL;
        if (!copy) {
            leat_strbuf_done(&name);
            prw->scraped.external_count = count;
            return LEAT_RAISE(reterr, named ? LEAT_ENOMEM : LEAT_ECONFIG, 0, "external_labels: \"%.64s\" is no label name", map->at[i].key);
        }
        prw->external[count++] = (struct rw_label){leat_slice_str(copy), leat_slice_str(map->at[i].value)};
        prw->scraped.external_count = count;
    }
    leat_strbuf_done(&name);
    if (map->count && !prw->external)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (count)
        qsort(prw->external, count, sizeof *prw->external, by_name);
    return LEAT_OK;
}

static struct rw_namer namer_of(const struct prw_conf *conf)
{
    bool suffixes = conf->strategy == PRW_UNSET ? conf->add_metric_suffixes
                                                : conf->strategy == PRW_ESCAPE_SUFFIXES || conf->strategy == PRW_UTF8_SUFFIXES;
    return (struct rw_namer){.suffixes = suffixes, .utf8 = conf->strategy == PRW_UTF8_SUFFIXES || conf->strategy == PRW_AS_IS,
                             .prefix = leat_slice_str(conf->prefix ? conf->prefix : "")};
}

static uint32_t power_of_two(int64_t n)
{
    uint32_t power = 1024;
    while (power < n)
        power *= 2;
    return power;
}

leat_rc prw_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                 struct leat_err *reterr)
{
    (void)signal;
    struct prw_state *prw = state;
    const struct prw_conf *own = conf->own;
    const struct leat_http_client_conf *http = conf->carrier;
    prw->conf = own;
    prw->counts = conf->counts;
    prw->world = world;
    prw->url = http->endpoint;
    prw->request_bytes_max = own->batch_bytes_max ? (uint64_t)own->batch_bytes_max : BATCH_BYTES;
    int64_t parallel = own->parallel_max ? own->parallel_max : conf->deliver->queue.num_consumers;
    prw->shard_count = (uint32_t)(parallel < PRW_SHARDS_MAX ? parallel : PRW_SHARDS_MAX);
    struct rw_otlp_conf otlp = {.namer = namer_of(own), .target_info = own->target_info.enabled,
                                .scope_labels = !own->disable_scope_info, .resource_labels = own->resource_labels.enabled,
                                .no_service_labels = own->resource_labels.exclude_service_attributes,
                                .series_max = (uint32_t)own->series_max};
    rw_otlp_init(&prw->otlp, &otlp);
    rw1_init(&prw->one, &prw->scraped, power_of_two(own->series_max));
    rw2_init(&prw->two, &prw->scraped, power_of_two(own->series_max));
    leat_rc rc = external_open(prw, reterr);
    prw->scraped.external = prw->external;
    prw->translated = prw->scraped; /* their names have the prefix already */
    prw->scraped.prefix = leat_slice_str(own->prefix ? own->prefix : "");
    return rc;
}

void prw_dump(const void *state, struct leat_strbuf *out)
{
    const struct prw_state *prw = state;
    leat_strbuf_printf(out, "protocol %s, series known %u and %u, matched anew %llu\n", prw__sends_two(prw) ? "2.0" : "1.0",
                       prw->one.used, prw->two.used, (unsigned long long)prw->one.matched);
}

void prw_close(void *state)
{
    struct prw_state *prw = state;
    for (uint32_t i = 0; i < prw->scraped.external_count; i++)
        leat_free((void *)(uintptr_t)prw->external[i].name.at);
    leat_free(prw->external);
    leat_free(prw->families);
    pb_buf_done(&prw->metadata);
    rw1_done(&prw->one);
    rw2_done(&prw->two);
    rw_otlp_done(&prw->otlp);
    prw->scraped.external_count = prw->family_size = 0;
    prw->external = NULL;
    prw->families = NULL;
}
