/* SPDX-License-Identifier: Apache-2.0 */
/* Documents whose attributes stand beside one another: the log data model and the Elastic Common Schema. */
#include "proto/bulk_json/bulk_doc.h"

/* ---- the log data model ---- */

static void put_all(struct bulk_fields *fields, const char *prefix, struct leat_slice message, uint32_t number)
{
    struct otlp_attribute attribute;
    while (otlp_attribute_next(&message, number, &attribute))
        bulk_fields_put(fields, prefix, attribute.key, &attribute.value);
}

static void put_hex(struct bulk_fields *fields, const char *key, struct leat_slice id)
{
    if (id.len == 0)
        return;
    bulk_put_hex(bulk_fields_json(fields, key), id);
    bulk_fields_json_end(fields);
}

static void put_time(struct bulk_doc *doc, const char *key, uint64_t time_ns)
{
    struct bulk_fields *fields = &doc->fields;
    if (doc->opts.unix_timestamp) {
        bulk_fields_integer(fields, key, (int64_t)(time_ns / 1000000));
        return;
    }
    bulk_put_time(bulk_fields_json(fields, key), &doc->clock, time_ns);
    bulk_fields_json_end(fields);
}

static void put_body(struct bulk_fields *fields, const struct otlp_value *body)
{
    if (body->kind != OTLP_EMPTY)
        bulk_fields_put(fields, "", LEAT_SLICE("Body"), body);
}

void bulk_doc__model_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns, struct leat_strbuf *out)
{
    struct bulk_fields *fields = &doc->fields;
    const char *prefix = doc->opts.mapping == BULK_FLATTEN ? "" : "Attributes.";
    const char *field = doc->opts.timestamp_field;
    bulk_fields_clear(fields);
    put_all(fields, prefix, doc->resource, 1);
    put_time(doc, field && *field ? field : "@timestamp", time_ns);
    put_hex(fields, "TraceId", log->trace_id);
    put_hex(fields, "SpanId", log->span_id);
    bulk_fields_integer(fields, "TraceFlags", log->flags);
    if (log->severity_text.len)
        bulk_fields_text(fields, "SeverityText", log->severity_text);
    bulk_fields_integer(fields, "SeverityNumber", log->severity_number);
    put_body(fields, &log->body);
    put_all(fields, prefix, log->attributes, 6);
    bulk_fields_write(fields, out, !doc->opts.keep_dots);
}

/* ---- the Elastic Common Schema ---- */

struct name {
    const char *from, *to; /* to "": left out */
};

static const struct name resource_names[] = {{"service.instance.id", "service.node.name"},
                                             {"deployment.environment", "service.environment"},
                                             {"deployment.environment.name", "service.environment"},
                                             {"telemetry.sdk.name", ""},
                                             {"telemetry.sdk.language", "service.language.name"},
                                             {"telemetry.sdk.version", "service.language.version"},
                                             {"telemetry.distro.name", ""},
                                             {"telemetry.distro.version", ""},
                                             {"cloud.platform", "cloud.service.name"},
                                             {"container.image.tags", "container.image.tag"},
                                             {"host.name", "host.hostname"},
                                             {"host.arch", "host.architecture"},
                                             {"process.executable.path", "process.executable"},
                                             {"process.runtime.name", "service.runtime.name"},
                                             {"process.runtime.version", "service.runtime.version"},
                                             {"os.name", "host.os.name"},
                                             {"os.type", "host.os.platform"},
                                             {"os.description", "host.os.full"},
                                             {"os.version", "host.os.version"},
                                             {"k8s.deployment.name", "kubernetes.deployment.name"},
                                             {"k8s.namespace.name", "kubernetes.namespace"},
                                             {"k8s.node.name", "kubernetes.node.name"},
                                             {"k8s.pod.name", "kubernetes.pod.name"},
                                             {"k8s.pod.uid", "kubernetes.pod.uid"},
                                             {"k8s.job.name", "kubernetes.job.name"},
                                             {"k8s.cronjob.name", "kubernetes.cronjob.name"},
                                             {"k8s.statefulset.name", "kubernetes.statefulset.name"},
                                             {"k8s.replicaset.name", "kubernetes.replicaset.name"},
                                             {"k8s.daemonset.name", "kubernetes.daemonset.name"},
                                             {"k8s.container.name", "kubernetes.container.name"},
                                             {"k8s.cluster.name", "orchestrator.cluster.name"},
                                             {0}};
static const struct name record_names[] = {{"event.name", "event.action"},
                                           {"exception.message", "error.message"},
                                           {"exception.stacktrace", "error.stack_trace"},
                                           {"exception.type", "error.type"},
                                           {"exception.escaped", "event.error.exception.handled"},
                                           {0}};
static const struct name span_names[] = {{"db.system", "span.db.type"},
                                         {"db.namespace", "span.db.instance"},
                                         {"db.query.text", "span.db.statement"},
                                         {"messaging.system", "span.message.queue.name"},
                                         {0}};

static const char *name_of(const struct name *names, struct leat_slice key)
{
    for (; names && names->from; names++)
        if (leat_slice_is(key, names->from))
            return names->to;
    return NULL;
}

static void put_named(struct bulk_fields *fields, const struct name *names, struct leat_slice message, uint32_t number)
{
    struct otlp_attribute attribute;
    while (otlp_attribute_next(&message, number, &attribute)) {
        const char *to = name_of(names, attribute.key);
        if (to && *to)
            bulk_fields_put(fields, "", leat_slice_str(to), &attribute.value);
        if (!to || leat_slice_is(attribute.key, "host.name"))
            bulk_fields_put(fields, "", attribute.key, &attribute.value);
    }
}

static void put_stream(struct bulk_fields *fields, const struct bulk_stream *stream)
{
    if (!stream || stream->type.len == 0)
        return;
    bulk_fields_text(fields, "data_stream.type", stream->type);
    bulk_fields_text(fields, "data_stream.dataset", stream->dataset);
    bulk_fields_text(fields, "data_stream.namespace", stream->namespace);
}

static void put_shared(struct bulk_doc *doc)
{
    struct bulk_fields *fields = &doc->fields;
    bulk_fields_clear(fields);
    put_named(fields, resource_names, doc->resource, 1);
    put_named(fields, NULL, doc->scope_attributes, 3);
}

void bulk_doc__ecs_log(struct bulk_doc *doc, const struct otlp_log *log, uint64_t time_ns,
                       const struct bulk_stream *stream, struct leat_strbuf *out)
{
    struct bulk_fields *fields = &doc->fields;
    put_shared(doc);
    put_named(fields, record_names, log->attributes, 6);
    put_stream(fields, stream); /* behind the record's own, which may name the same */
    put_time(doc, "@timestamp", time_ns);
    put_hex(fields, "trace.id", log->trace_id);
    put_hex(fields, "span.id", log->span_id);
    if (log->event_name.len)
        bulk_fields_text(fields, "event.action", log->event_name);
    if (log->severity_number)
        bulk_fields_integer(fields, "event.severity", log->severity_number);
    if (log->severity_text.len)
        bulk_fields_text(fields, "log.level", log->severity_text);
    if (log->body.kind == OTLP_MAP)
        put_all(fields, "", log->body.text, 1);
    else if (log->body.kind != OTLP_EMPTY) {
        bulk_put_string(bulk_fields_json(fields, "message"), &log->body);
        bulk_fields_json_end(fields);
    }
    bulk_fields_write(fields, out, !doc->opts.keep_dots);
}

/* [{"trace":{"id":...},"span":{"id":...}}]; Link{1 trace id, 2 span id} */
static void put_links(struct bulk_fields *fields, struct leat_slice span)
{
    struct leat_slice link;
    struct pb_field trace, id;
    struct leat_strbuf *out = NULL;
    while (otlp_message_next(&span, 13, &link)) {
        if (!otlp_get(link, 1, &trace) || !otlp_get(link, 2, &id) || trace.wire != PB_LEN || id.wire != PB_LEN)
            continue;
        if (out)
            leat_strbuf_putc(out, ',');
        else
            leat_strbuf_putc(out = bulk_fields_json(fields, "span.links"), '[');
        BULK_PUTS(out, "{\"trace\":{\"id\":");
        bulk_put_hex(out, leat_slice_of(trace.at, trace.len));
        BULK_PUTS(out, "},\"span\":{\"id\":");
        bulk_put_hex(out, leat_slice_of(id.at, id.len));
        BULK_PUTS(out, "}}");
    }
    if (!out)
        return;
    leat_strbuf_putc(out, ']');
    bulk_fields_json_end(fields);
}

void bulk_doc__ecs_span(struct bulk_doc *doc, const struct otlp_span *span, uint64_t time_ns,
                        const struct bulk_stream *stream, struct leat_strbuf *out)
{
    static const char *const kinds[] = {"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
    struct bulk_fields *fields = &doc->fields;
    put_shared(doc);
    put_named(fields, span_names, span->message, 9);
    put_stream(fields, stream);
    put_time(doc, "@timestamp", time_ns);
    put_hex(fields, "trace.id", span->trace_id);
    put_hex(fields, "span.id", span->span_id);
    put_hex(fields, "parent.id", span->parent_span_id);
    bulk_fields_text(fields, "span.name", span->name);
    bulk_fields_text(fields, "span.kind", leat_slice_str(kinds[span->kind < 6 ? span->kind : 0]));
    bulk_fields_integer(
        fields, "event.duration",
        span->end_unix_nano > span->start_unix_nano ? (int64_t)(span->end_unix_nano - span->start_unix_nano) : 0);
    if (span->status_code)
        bulk_fields_text(fields, "event.outcome", leat_slice_str(span->status_code == 2 ? "failure" : "success"));
    put_links(fields, span->message);
    bulk_fields_write(fields, out, !doc->opts.keep_dots);
}
