/* SPDX-License-Identifier: Apache-2.0 */
/* json_write -- strings and numbers as JSON text, behind a strbuf.
 *
 * Why      clean text, which nearly all is, is copied in one piece; a vector scan finds the first byte that is not.
 * Threads  as the strbuf.
 * Fails    the strbuf's sticky error.
 * Note     bytes that are not UTF-8 become U+FFFD. */
#pragma once
#include "agent/base/strbuf.h"

void json_put_string(struct leat_strbuf *out, const void *at, size_t len);  /* quoted and escaped */
void json_put_escaped(struct leat_strbuf *out, const void *at, size_t len); /* without the quotes */
/* The shortest digits that read back as the same double; "NaN", "Infinity", "-Infinity" as strings. */
void json_put_double(struct leat_strbuf *out, double value);
