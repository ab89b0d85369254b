/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_put -- log records written straight into a caller's room, in the order they are read.
 *
 * Why      a tailed line is copied once: from the read buffer into the record being built here.
 * Threads  pure functions over the caller's bytes.
 * Owns     nothing. The caller asks for the size first, makes sure of the room, and puts.
 * Limits   texts and messages below 4 GiB.
 * Use      size = otlp_put_record_size(&record, &body_len); at = otlp_put_record(at, &record, body_len): one field 2 of
 *          ScopeLogs. A request around records: otlp_put_open .. otlp_put_close, whose lengths are filled in at the
 * end. */
#pragma once
#include "proto/protobuf/pb_write.h"

struct otlp_put_record {
    uint64_t time_unix_nano, observed_time_unix_nano; /* 0: left out */
    uint32_t severity_number, flags;                  /* 0: left out */
    uint32_t dropped_attributes;
    struct leat_slice severity_text, event_name;
    struct leat_slice body;            /* a string value */
    struct leat_slice attributes;      /* made by otlp_put_attribute* with field number 6 */
    const uint8_t *trace_id, *span_id; /* 16 and 8 bytes, or NULL */
};

/* Bytes of the record's whole field, tag and length included; *ret_len: of its message, for otlp_put_record. */
uint32_t otlp_put_record_size(const struct otlp_put_record *record, uint32_t *ret_len);
uint8_t *otlp_put_record(uint8_t *at, const struct otlp_put_record *record, uint32_t len);

/* ---- attributes: KeyValue as field `number` (6 in a log record, 1 in a resource, 3 in a scope) ---- */

uint32_t otlp_put_string_size(struct leat_slice key, struct leat_slice value);
uint8_t *otlp_put_string(uint8_t *at, uint32_t number, struct leat_slice key, struct leat_slice value);
#define OTLP_PUT_NUMBER_SIZE(key_len) ((key_len) + 40u) /* enough for any of the next three */
uint8_t *otlp_put_int(uint8_t *at, uint32_t number, struct leat_slice key, int64_t value);
uint8_t *otlp_put_double(uint8_t *at, uint32_t number, struct leat_slice key, double value);
uint8_t *otlp_put_bool(uint8_t *at, uint32_t number, struct leat_slice key, bool value);

/* ---- a request around them ----
 *
 * resource_logs { resource { attributes } scope_logs { scope { name version } records... } } with both outer lengths
 * held open in OTLP_PUT_LEN_BYTES bytes each (legal varints with leading zero groups). */
#define OTLP_PUT_LEN_BYTES 5u
struct otlp_put_open {
    uint8_t *resource_len, *scope_len; /* filled in by close */
};
/* Bytes otlp_put_open writes. */
uint32_t otlp_put_open_size(struct leat_slice resource_attributes, struct leat_slice scope_name,
                            struct leat_slice scope_version);
uint8_t *otlp_put_open(uint8_t *at, struct leat_slice resource_attributes, struct leat_slice scope_name,
                       struct leat_slice scope_version, struct otlp_put_open *ret_open);
void otlp_put_close(const struct otlp_put_open *open, const uint8_t *end);
