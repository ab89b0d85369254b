/* SPDX-License-Identifier: Apache-2.0 */
/* strbuf -- text that grows: dumps, pages, messages. The error is sticky: call twelve puts, test once.
 *
 * Owns     its bytes until leat_strbuf_done. {0} is empty. `at` is always NUL-terminated once something was put.
 * Fails    `failed` stays true after the first allocation that failed; further puts do nothing. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/slice.h"

struct leat_strbuf {
    char *at;
    size_t len, room;
    bool failed;
};

void leat_strbuf_put(struct leat_strbuf *buf, const void *at, size_t len);
void leat_strbuf_puts(struct leat_strbuf *buf, const char *text);
void leat_strbuf_putc(struct leat_strbuf *buf, char c);
void leat_strbuf_printf(struct leat_strbuf *buf, const char *fmt, ...) LEAT_PRINTF(2, 3);
void leat_strbuf_json(struct leat_strbuf *buf, const void *at, size_t len); /* quoted and escaped JSON string */
void leat_strbuf_base64(struct leat_strbuf *buf, const void *at, size_t len); /* RFC 4648, section 4, padded */
void leat_strbuf_clear(struct leat_strbuf *buf);                           /* empties, keeps the room */
void leat_strbuf_done(struct leat_strbuf *buf);
char *leat_strbuf_steal(struct leat_strbuf *buf); /* the text, now the caller's (leat_free); NULL if failed */
