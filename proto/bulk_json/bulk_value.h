/* SPDX-License-Identifier: Apache-2.0 */
/* bulk_value -- OTLP values, ids and times as the JSON that search engines index.
 *
 * Why      documents of every mapping are made of these; times are formatted once a second.
 * Threads  as the strbuf.
 * Fails    the strbuf's sticky error.
 * Form     whole numbers as numbers; reals always with a radix point or an exponent (the first document decides whether
 * a field holds whole numbers), NaN and infinities as null; bytes as base64; maps and arrays as they nest. */
#pragma once
#include "proto/json/json_write.h"
#include "proto/otlp/otlp_view.h"

/* A string literal. */
#define BULK_PUTS(out, text) leat_strbuf_put((out), (text), sizeof(text) - 1)

void bulk_put_value(struct leat_strbuf *out, const struct otlp_value *value);
/* Any value as one JSON string; what is no string as its JSON text. */
void bulk_put_string(struct leat_strbuf *out, const struct otlp_value *value);
/* As bulk_put_string, without quotes and escapes. */
void bulk_put_plain(struct leat_strbuf *out, const struct otlp_value *value);
void bulk_put_integer(struct leat_strbuf *out, int64_t value);
void bulk_put_hex(struct leat_strbuf *out, struct leat_slice bytes); /* quoted */
static inline void bulk_put_text(struct leat_strbuf *out, struct leat_slice text)
{
    json_put_string(out, text.at, text.len);
}
/* {"k":v,...}: the attributes `number` of a message. Of two by one name the last is put; "a" beside "a.b" becomes
 * "a.value", since servers refuse both. False: there was none (then "{}" was put). */
bool bulk_put_attributes(struct leat_strbuf *out, struct leat_slice fields, uint32_t number);

struct bulk_clock { /* {0} to begin with */
    uint64_t second;
    char text[19]; /* of that second: 2006-01-02T15:04:05 */
    bool set;
};
void bulk_clock_to(struct bulk_clock *clock, uint64_t unix_ns);
/* "2006-01-02T15:04:05.000000000Z", quoted. */
void bulk_put_time(struct leat_strbuf *out, struct bulk_clock *clock, uint64_t unix_ns);
