/* SPDX-License-Identifier: Apache-2.0 */
/* bulk_fields -- a document as a list of dotted names, then sorted, made unique and written, nested or as they are.
 *
 * Why      mappings that put resource, scope and record attributes side by side meet the same name twice, and "a"
 * beside "a.b": search engines refuse such documents whole. Rule     of two equal names the last one put wins; "a"
 * beside "a.b" becomes "a.value". Threads  one shard's. Owns     its lists, kept from document to document, until
 * _done. Values are borrowed until _write. Fails    `failed` is sticky until _clear: no memory. */
#pragma once
#include "proto/bulk_json/bulk_value.h"

struct bulk_field {
    uint32_t key, key_len; /* in `keys` */
    uint32_t order;
    uint32_t json, json_len; /* in `texts`; json_len 0: the value */
    struct otlp_value value;
};
struct bulk_fields {
    struct bulk_field *at;
    uint32_t count, room;
    struct leat_strbuf keys, texts;
    bool failed;
};
void bulk_fields_clear(struct bulk_fields *fields);
void bulk_fields_done(struct bulk_fields *fields);
/* Maps become their leaves, named key.inner; `prefix` (may be "") stands before, with its dot. */
void bulk_fields_put(struct bulk_fields *fields, const char *prefix, struct leat_slice key,
                     const struct otlp_value *value);
void bulk_fields_text(struct bulk_fields *fields, const char *key, struct leat_slice text);
void bulk_fields_integer(struct bulk_fields *fields, const char *key, int64_t value);
/* A value that is JSON already: put it into the answer, then call _json_end. */
struct leat_strbuf *bulk_fields_json(struct bulk_fields *fields, const char *key);
void bulk_fields_json_end(struct bulk_fields *fields);
/* {"name":value,...}; `nested`: dots open objects. Sorts the list: put no more before the next clear. */
void bulk_fields_write(struct bulk_fields *fields, struct leat_strbuf *out, bool nested);
