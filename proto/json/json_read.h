/* SPDX-License-Identifier: Apache-2.0 */
/* json_read -- a strict pull parser (RFC 8259): ask for the next token until JSON_END or JSON_ERROR.
 *
 * Why      what comes from outside is nested as its sender likes; a parser that does not recurse cannot be toppled.
 * Threads  a plain struct; the text is borrowed and must be flat.
 * Owns     nothing, allocates nothing; tokens point into the text.
 * Limits   nesting depth_max, at most JSON_DEPTH_MAX.
 * Fails    JSON_ERROR; `why` says what, json_offset says where. It stays failed. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/slice.h"

#define JSON_DEPTH_MAX 1024u

enum json_type {
    JSON_ERROR,
    JSON_END,
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

struct json_token {
    enum json_type type;
    bool escaped; /* the string holds escapes: json_unescape before use */
    bool integer; /* the number has neither fraction nor exponent */
    uint32_t len;
    const char *at; /* KEY, STRING: between the quotes; NUMBER: as written */
};

struct json_reader {
    const char *begin, *at, *end;
    const char *why;
    uint32_t depth, depth_max;
    uint8_t expect;
    uint8_t is_object[JSON_DEPTH_MAX / 8]; /* by depth: an object or an array */
};

void json_begin(struct json_reader *reader, const void *at, size_t len, uint32_t depth_max);
enum json_type json_next(struct json_reader *reader, struct json_token *ret_token);
/* After a KEY, or where a value is due: passes over one whole value. False: JSON_ERROR. */
bool json_skip(struct json_reader *reader);
/* Passes over the rest of the object or array whose opening token was read at depth `depth` (reader->depth then). */
bool json_skip_to(struct json_reader *reader, uint32_t depth);
static inline uint64_t json_offset(const struct json_reader *reader)
{
    return (uint64_t)(reader->at - reader->begin);
}

/* Writes the string as UTF-8, at most token->len bytes; half surrogates become U+FFFD. The answer is the length. */
uint32_t json_unescape(const struct json_token *token, char *to);
static inline bool json_is(const struct json_token *token, const char *text)
{
    return token->len == strlen(text) && memcmp(token->at, text, token->len) == 0;
}
