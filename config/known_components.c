/* SPDX-License-Identifier: Apache-2.0 */
/* The Collector's component names, old and new spelling, so that a known one that leat lacks is told from a typo. */
#include <string.h>

#include "config/catalog.h"

static const char *const receivers[] = {
    "otlp", "file_log", "filelog", "fluent_forward", "fluentforward", "host_metrics", "hostmetrics", "http_check",
    "httpcheck", "jaeger", "journald", "k8s_cluster", "k8s_events", "k8s_objects", "k8sobjects", "kubelet_stats",
    "kubeletstats", "otelarrow", "prometheus", "receiver_creator", "zipkin", "kafka", "kafka_metrics", "kafkametrics",
    "statsd", "syslog", "tcp_log", "tcplog", "udp_log", "udplog", "nop", "profiling", "file_stats", "filestats",
    "active_directory_ds", "aerospike", "apache", "apachespark", "awscloudwatch", "awscontainerinsightreceiver",
    "awsecscontainermetrics", "awsfirehose", "awss3", "awsxray", "azureblob", "azureeventhub", "azuremonitor",
    "bigip", "carbon", "chrony", "ciscoos", "cloudflare", "cloudfoundry", "collectd", "couchdb", "datadog",
    "docker_stats", "elasticsearch", "envoyals", "expvar", "faro", "flinkmetrics", "github", "gitlab",
    "googlecloudmonitoring", "googlecloudpubsub", "googlecloudspanner", "haproxy", "icmpcheck", "iis", "influxdb",
    "jmx", "kubeletstatsreceiver", "libhoney", "loki", "memcached", "mongodb", "mongodbatlas", "mysql", "namedpipe",
    "netflow", "netscaler", "nginx", "nsxt", "ntp", "opencensus", "oracledb", "osquery", "otlpjsonfile", "podman_stats",
    "postgresql", "pprof", "prometheus_remote_write", "prometheusremotewrite", "prometheus_simple", "pulsar",
    "purefa", "purefb", "rabbitmq", "redfish", "redis", "redisenterprise", "riak", "saphana", "sapm", "signalfx",
    "simpleprometheus", "skywalking", "snmp", "snowflake", "solace", "splunk_hec", "splunkenterprise", "sqlquery",
    "sqlserver", "sshcheck", "stef", "storm", "systemd", "tlscheck", "vcenter", "vcr", "wavefront", "webhookevent",
    "windowseventlog", "windowsperfcounters", "windowsservice", "yanggrpc", "zookeeper", NULL};

static const char *const processors[] = {
    "batch", "memory_limiter", "queuebatch", "attributes", "cumulative_to_delta", "cumulativetodelta",
    "deltatocumulative", "delta_to_cumulative", "deltatorate", "delta_to_rate", "drain", "filter", "groupbyattrs",
    "groupbytrace", "interval", "k8s_attributes", "k8sattributes", "log_dedup", "logdedup", "metricsgeneration",
    "metrics_transform", "metricstransform", "probabilistic_sampler", "redaction", "remotetap",
    "resource_detection", "resourcedetection", "resource", "tail_sampling", "transform", "metric_start_time",
    "metricstarttime", "coralogix", "datadogsemantics", "dnslookup", "geoip", "isolationforest", "logstransform",
    "lookup", "redis", "routing", "schema", "span", "sumologic", "unroll", NULL};

static const char *const exporters[] = {
    "debug", "nop", "otlp_grpc", "otlp", "otlp_http", "otlphttp", "file", "load_balancing", "loadbalancing",
    "otelarrow", "prometheus", "prometheus_remote_write", "prometheusremotewrite", "kafka", "clickhouse",
    "opensearch", "elasticsearch", "logging", "loki", "jaeger", "opencensus", "zipkin", "syslog", "pulsar",
    "rabbitmq", "pyroscope", "alertmanager", "alibabacloud_logservice", "awscloudwatchlogs", "awsemf", "awskinesis",
    "awss3", "awsxray", "azureblob", "azuredataexplorer", "azuremonitor", "bmchelix", "carbon", "cassandra",
    "coralogix", "datadog", "dataset", "doris", "faro", "googlecloud", "googlecloudpubsub", "googlecloudstorage",
    "googlemanagedprometheus", "honeycombmarker", "influxdb", "logicmonitor", "logzio", "mezmo", "opsramp", "sapm",
    "sematext", "sentry", "signalfx", "splunk_hec", "stef", "sumologic", "tencentcloud_logservice", "tinybird",
    "parquet", "dynatrace", NULL};

static const char *const connectors[] = {
    "forward", "count", "exceptions", "failover", "otlpjson", "roundrobin", "round_robin", "routing", "service_graph",
    "servicegraph", "span_metrics", "spanmetrics", "datadog", "grafanacloud", "metricsaslogs", "signaltometrics",
    "signal_to_metrics", "slowsql", "sum", NULL};

static const char *const extensions[] = {
    "zpages", "ack", "basicauth", "basic_auth", "bearertokenauth", "bearer_token_auth", "cgroup_runtime",
    "cgroupruntime", "headers_setter", "health_check", "healthcheckv2", "http_forwarder", "oauth2client",
    "host_observer", "k8s_observer", "oidc", "opamp", "pprof", "file_storage", "k8s_leader_elector", "asapclient",
    "avro_log_encoding", "aws_logs_encoding", "awsproxy", "azure_auth", "azure_encoding", "cfgarden_observer",
    "datadog", "db_storage", "docker_observer", "ecs_observer", "ecs_task_observer", "googleclientauth",
    "google_cloud_logentry_encoding", "jaegerencoding", "jaeger_encoding", "jaegerremotesampling",
    "json_log_encoding", "kafkatopics_observer", "memory_limiter", "otlp_encoding", "redis_storage",
    "remotetap", "sigv4auth", "skywalking_encoding", "solarwindsapmsettings", "sumologic", "text_encoding",
    "zipkin_encoding", "memory_ballast", NULL};

const char *const *leat_known_components(enum leat_kind kind)
{
    static const char *const *const tables[] = {receivers, processors, exporters, connectors, extensions};
    return tables[kind];
}

bool leat_known_component(enum leat_kind kind, const char *name)
{
    for (const char *const *known = leat_known_components(kind); *known; known++)
        if (strcmp(*known, name) == 0)
            return true;
    return false;
}

const char *leat_kind_name(enum leat_kind kind)
{
    static const char *const names[] = {"receiver", "processor", "exporter", "connector", "extension"};
    return names[kind];
}

const char *leat_kind_section(enum leat_kind kind)
{
    static const char *const names[] = {"receivers", "processors", "exporters", "connectors", "extensions"};
    return names[kind];
}

const struct leat_type_info *leat_catalog_find(const struct leat_catalog *catalog, enum leat_kind kind,
                                               const char *name, bool *ret_alias)
{
    bool alias = false;
    for (uint32_t i = 0; i < catalog->count; i++) {
        const struct leat_type_info *type = &catalog->types[i];
        if (type->kind != kind)
            continue;
        alias = false;
        for (const char *const *old = type->aliases; old && *old; old++)
            alias = alias || strcmp(*old, name) == 0;
        if (!alias && strcmp(type->name, name) != 0)
            continue;
        if (ret_alias)
            *ret_alias = alias;
        return type;
    }
    return NULL;
}
