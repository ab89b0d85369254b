/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/headers_setter/headers_setter.h"

#define H(member) LEAT_AT(struct headers_setter_header, member)

static const char *const verbs[] = {"insert", "update", "upsert", "delete", NULL};

static const struct leat_field header_fields[] = {
    {"action", LEAT_ENUM, H(action), "upsert", "when to set it: not there, there, in any case; or take it away",
     .choices = verbs},
    {"key", LEAT_STRING, H(key), NULL, "the header's name", LEAT_REQUIRED},
    {"value", LEAT_STRING, H(value), NULL, "its value", LEAT_SECRET},
    {"value_file", LEAT_STRING, H(value_file), NULL, "a file with its value, read again when it changes"},
    {"from_context", LEAT_STRING, H(from_context), NULL, "the client header (include_metadata) to take it from"},
    {"from_attribute", LEAT_REFUSED, 0, NULL, "authenticators keep no attributes of a client here"},
    {"default_value", LEAT_STRING, H(default_value), NULL, "when the client sent none", LEAT_SECRET},
    {0}};

const struct leat_field headers_setter_fields[] = {
    {.key = "headers",
     .type = LEAT_LIST,
     .offset = LEAT_AT(struct headers_setter_conf, headers),
     .fields = header_fields,
     .item_size = sizeof(struct headers_setter_header),
     .doc = "the headers, in this order"},
    {"additional_auth", LEAT_REFUSED, 0, NULL,
     "an exporter has one authenticator; put the credentials among the headers"},
    {0}};

const struct leat_counter_def headers_setter_counters[] = {
    [HEADERS_SETTER_MISSING] = {"headers_setter_missing_total", "",
                                "headers left out: the client sent none and there is no default"},
    {0}};

static leat_rc check_one(const struct headers_setter_header *header, struct leat_err *reterr)
{
    int sources = (header->value != NULL) + (header->value_file != NULL) + (header->from_context != NULL);
    if (!*header->key)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "missing header name");
    if (header->action == HEADERS_DELETE)
        return sources ? LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%s\": delete takes no value", header->key) : LEAT_OK;
    if (sources != 1)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%s\" needs one of value, value_file and from_context",
                          header->key);
    if (header->default_value && !header->from_context)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%s\": default_value is for from_context", header->key);
    return LEAT_OK;
}

leat_rc headers_setter__check(const void *conf, struct leat_err *reterr)
{
    const struct leat_items *headers = &((const struct headers_setter_conf *)conf)->headers;
    const struct headers_setter_header *at = headers->at;
    if (!headers->count)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "missing headers configuration");
    for (uint32_t i = 0; i < headers->count; i++)
        if (check_one(&at[i], reterr) != LEAT_OK)
            return leat_err_wrap(reterr, "headers[%u]", i);
    return LEAT_OK;
}
