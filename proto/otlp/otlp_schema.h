/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_schema -- OTLP's messages as tables: one row a field, shared by every reader and writer of this folder.
 *
 * Why      the validator, the JSON reader and writer, cut and pick, and the tests must agree about what a field is.
 * Threads  const tables.
 * Note     opentelemetry-proto 1.10 (profiles v1development included). */
#pragma once
#include <stdint.h>

#include "agent/base/form.h"

enum otlp_kind {
    OTLP_MSG,
    OTLP_STRING, /* UTF-8 */
    OTLP_BYTES,
    OTLP_ID16, /* bytes, 0 or 16 of them; hex in JSON */
    OTLP_ID8,  /* bytes, 0 or 8 of them; hex in JSON */
    OTLP_BOOL,
    OTLP_ENUM,
    OTLP_UINT32,
    OTLP_INT32,
    OTLP_SINT32,
    OTLP_UINT64,
    OTLP_INT64,
    OTLP_FIXED32,
    OTLP_FIXED64,
    OTLP_SFIXED64,
    OTLP_DOUBLE,
    OTLP_PACKED = 32, /* repeated numbers: this bit and the kind of one of them */
    OTLP_PACKED_INT32 = OTLP_PACKED + OTLP_INT32,
    OTLP_PACKED_INT64 = OTLP_PACKED + OTLP_INT64,
    OTLP_PACKED_UINT64 = OTLP_PACKED + OTLP_UINT64,
    OTLP_PACKED_FIXED64 = OTLP_PACKED + OTLP_FIXED64,
    OTLP_PACKED_DOUBLE = OTLP_PACKED + OTLP_DOUBLE,
};

enum otlp_flag {
    OTLP_REPEATED = 1,
    OTLP_PRESENT = 2,   /* oneof or optional: a zero that is there means something */
    OTLP_ALWAYS = 4,    /* JSON shows the message even when it is absent */
    OTLP_CONTAINER = 8, /* leads to items */
    OTLP_ITEM = 16,
    OTLP_SAMPLE = 32,
};

struct otlp_msg;

struct otlp_field {
    const char *json, *name; /* "timeUnixNano", "time_unix_nano" */
    uint8_t json_len, name_len;
    uint8_t number, kind, flags;
    uint8_t wire;    /* as usually written: packed numbers are length-delimited */
    uint16_t counts; /* 1: an item, 2: a sample, else 0; an index into the validator's counters */
    const struct otlp_msg *msg;
};

#define OTLP_TAGS 136u /* the highest field number is 16 */

struct otlp_msg {
    const char *name;
    const struct otlp_field *fields; /* by number, rising */
    uint32_t field_count;
    uint8_t by_tag[OTLP_TAGS]; /* 1 + index of the field with this tag; 0: none */
};

/* The message with this number, or NULL. */
const struct otlp_field *otlp_field_by_number(const struct otlp_msg *msg, uint32_t number);
const struct otlp_field *otlp_field_by_json(const struct otlp_msg *msg, const void *name, size_t len);
uint32_t otlp_wire_of(unsigned kind); /* of one value of the kind */

const struct otlp_msg *otlp_request_of(enum leat_signal signal); /* Export<Signal>ServiceRequest */

#define OTLP_MESSAGES(X)                                                                                               \
    X(AnyValue)                                                                                                        \
    X(ArrayValue) X(KeyValueList) X(KeyValue) X(InstrumentationScope) X(EntityRef) X(Resource) X(LogRecord)            \
        X(ScopeLogs) X(ResourceLogs) X(ExportLogsServiceRequest) X(SpanEvent) X(SpanLink) X(SpanStatus) X(Span)        \
            X(ScopeSpans) X(ResourceSpans) X(ExportTraceServiceRequest) X(Exemplar) X(NumberDataPoint)                 \
                X(HistogramDataPoint) X(Buckets) X(ExponentialHistogramDataPoint) X(ValueAtQuantile)                   \
                    X(SummaryDataPoint) X(Gauge) X(Sum) X(Histogram) X(ExponentialHistogram) X(Summary) X(Metric)      \
                        X(ScopeMetrics) X(ResourceMetrics) X(ExportMetricsServiceRequest) X(ValueType) X(Sample)       \
                            X(Profile) X(ScopeProfiles) X(ResourceProfiles) X(Mapping) X(Line) X(Location) X(Function) \
                                X(Link) X(KeyValueAndUnit) X(Stack) X(ProfilesDictionary)                              \
                                    X(ExportProfilesServiceRequest)

#define X(Name) extern const struct otlp_msg otlp_##Name;
OTLP_MESSAGES(X)
#undef X
