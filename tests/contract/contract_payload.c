/* SPDX-License-Identifier: Apache-2.0 */
/* Small OTLP messages, written by hand so that they depend on no encoder of ours. */
#include "tests/contract/contract.h"

struct bytes {
    uint8_t at[256];
    uint8_t len;
};

static void put(struct bytes *to, uint8_t tag, const void *at, uint8_t len)
{
    to->at[to->len++] = tag;
    to->at[to->len++] = len;
    memcpy(to->at + to->len, at, len);
    to->len = (uint8_t)(to->len + len);
}

static void put_fixed64(struct bytes *to, uint8_t tag, uint64_t value)
{
    to->at[to->len++] = tag;
    memcpy(to->at + to->len, &value, 8);
    to->len = (uint8_t)(to->len + 8);
}

static void wrap(struct bytes *to, uint8_t tag)
{
    struct bytes inner = *to;
    to->len = 0;
    put(to, tag, inner.at, inner.len);
}

static void log_record(struct bytes *out)
{
    put(out, 0x0a, "a line", 6); /* AnyValue.string_value */
    wrap(out, 0x2a);             /* LogRecord.body */
    put_fixed64(out, 0x09, 1700000000000000000ull);
    wrap(out, 0x12); /* ScopeLogs.log_records */
}

static void gauge(struct bytes *out)
{
    put_fixed64(out, 0x19, 1700000000000000000ull); /* NumberDataPoint.time_unix_nano */
    put_fixed64(out, 0x21, 0x3ff0000000000000ull);  /* as_double */
    wrap(out, 0x0a);                                /* Gauge.data_points */
    wrap(out, 0x2a);                                /* Metric.gauge */
    put(out, 0x0a, "m", 1);
    wrap(out, 0x12); /* ScopeMetrics.metrics */
}

static void span(struct bytes *out)
{
    put(out, 0x0a, "0123456789abcdef", 16);
    put(out, 0x12, "01234567", 8);
    put(out, 0x2a, "op", 2);
    wrap(out, 0x12); /* ScopeSpans.spans */
}

static void profile(struct bytes *out)
{
    put(out, 0x0a, "", 0);                  /* Profile.sample_type: the zero value */
    put(out, 0x12, "\x22\x01\x01", 3);      /* a sample of the value 1: without one there is nothing to deliver */
    put(out, 0x3a, "0123456789abcdef", 16); /* Profile.profile_id */
    wrap(out, 0x12);                        /* ScopeProfiles.profiles */
}

leat_rc contract_payload(enum leat_signal signal, uint32_t count, struct leat_chain *ret_payload)
{
    static void (*const make[])(struct bytes *) = {log_record, gauge, span, profile};
    struct bytes one = {0};
    make[signal](&one);
    wrap(&one, 0x12); /* Resource*.scope_* */
    wrap(&one, 0x0a); /* Export*ServiceRequest.resource_* */
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < count; i++)
        rc = leat_chain_copy(ret_payload, one.at, one.len);
    if (rc != LEAT_OK)
        leat_chain_done(ret_payload);
    return rc;
}
