/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_json_number -- the scalars of OTLP/JSON as protobuf carries them. Shared inside this folder. */
#pragma once
#include "proto/json/json_read.h"
#include "proto/otlp/otlp_schema.h"

/* The value of a number, bool or enum as a varint or fixed field holds it. NULL: fine; else what is wrong. */
const char *otlp__json_number(const struct otlp_field *f, const struct json_token *t, uint64_t *ret_value);
/* Decoders write to `to` (room for t->len) and answer the length, or -1. */
int64_t otlp__json_base64(const struct json_token *t, uint8_t *to);
int64_t otlp__json_hex(const struct json_token *t, uint8_t *to);
