/* SPDX-License-Identifier: Apache-2.0 */
/* http1_head -- start line and headers of HTTP/1.1 messages, strictly by RFC 9112; private to agent/net.
 *
 * Why      pure and shared by server, client and fuzzers. What two parsers could read in two ways is refused: bare LF,
 *          folded lines, space before the colon, length beside chunked, two lengths, other codings than chunked.
 * Threads  any.
 * Owns     nothing: slices point into the text.
 * Fails    requests: the status to answer with; responses: false. */
#pragma once
#include "agent/net/http.h"

struct leat_http1_scan {
    uint32_t at, lines; /* bytes looked at; complete lines seen */
    uint32_t line_at;   /* where the unfinished line begins */
};
enum leat_http1_found { LEAT_HEAD_MORE, LEAT_HEAD_WHOLE, LEAT_HEAD_BAD };
/* Looks for the empty line, resuming where it stopped. WHOLE: the head is scan->at bytes, the empty line included. */
enum leat_http1_found leat_http1__scan(const uint8_t *text, uint32_t len, struct leat_http1_scan *scan);
/* A head that comes in pieces gets a block of its own, which grows: a slow peer must not pin pages. Adds `bytes` to the
 * *io_len that are in *io_head (NULL: none yet). LEAT_ENOMEM: nothing has changed. */
leat_rc leat_http1__gather(struct leat_mem **io_head, uint32_t *io_len, struct leat_slice bytes) LEAT_MUST_CHECK;

struct leat_http1_head {
    int minor;                        /* HTTP/1.minor */
    struct leat_slice method, target; /* requests */
    int status;                       /* responses */
    struct leat_headers headers;
    uint64_t content_length; /* when has_length */
    bool has_length, chunked, close, keep_alive, expect_continue;
};

/* `text` is a whole head; `room` holds at least scan.lines headers. 0, or the status to refuse with. */
int leat_http1__parse_request(const uint8_t *text, uint32_t len, struct leat_header *room,
                              struct leat_http1_head *ret_head);
bool leat_http1__parse_response(const uint8_t *text, uint32_t len, struct leat_header *room,
                                struct leat_http1_head *ret_head);

bool leat_http1__is_token(struct leat_slice s); /* may be a header name */
bool leat_http1__is_value(struct leat_slice s); /* may be a header value */
const char *leat_http1__reason(int status);
