/* SPDX-License-Identifier: Apache-2.0 */
/* bulk_index -- which index a document goes to: text, %{attribute} from the record, its scope or its resource, a date.
 *
 *   otel-logs-%{service.name}    with fallback "unknown" and time format yyyy.MM.dd
 *
 * Why      names are put together per record only when they hold an attribute or a date; else once.
 * Threads  one shard's.
 * Owns     the pattern is borrowed; `name` is its own.
 * Limits   BULK_INDEX_PIECES_MAX pieces; names of BULK_INDEX_NAME_MAX bytes, cut behind.
 * Form     values in lower case; what may not stand in an index name becomes '_'. */
#pragma once
#include "proto/bulk_json/bulk_value.h"

#define BULK_INDEX_PIECES_MAX 16u
#define BULK_INDEX_NAME_MAX 255u
#define BULK_INDEX_VALUE_MAX 100u

struct bulk_index_piece {
    struct leat_slice text; /* literal, or the attribute's key */
    bool attribute;
    const char *fallback; /* of an attribute */
    const char *suffix;   /* put behind an attribute's value; NULL: nothing */
    const char *illegal;  /* characters that become '_' */
    uint32_t at, len;     /* where its value stands in the last name */
};
struct bulk_index {
    struct bulk_index_piece pieces[BULK_INDEX_PIECES_MAX];
    uint32_t count;
    const char *time_format; /* yyyy.MM.dd or %Y.%m.%d; NULL or "": no date */
    const char *separator;   /* before the date */
    bool varies;             /* by record */
    char name[BULK_INDEX_NAME_MAX + 1];
    uint32_t len;
    struct bulk_clock clock;
};
/* False: more pieces than fit, or a placeholder without an end. */
bool bulk_index_parse(struct bulk_index *index, const char *pattern, const char *fallback);
/* Fills in `name`. The lookups go through `attributes` (number 6 or 9), the scope, the resource. */
void bulk_index_resolve(struct bulk_index *index, struct leat_slice record, uint32_t number, struct leat_slice scope,
                        struct leat_slice resource, uint64_t unix_ns);
/* The value of piece `i` in the last name. */
static inline struct leat_slice bulk_index_value(const struct bulk_index *index, uint32_t i)
{
    return leat_slice_of(index->name + index->pieces[i].at, index->pieces[i].len);
}
bool bulk_index_name_is_valid(const char *name); /* of the literal parts: lower case, no forbidden characters */
