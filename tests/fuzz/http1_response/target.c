/* SPDX-License-Identifier: Apache-2.0 */
/* Responses: head and body, as the client reads them. */
#include <stdlib.h>

#include "agent/base/check.h"
#include "agent/net/http1_body.h"
#include "agent/net/http1_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void read_body(const struct leat_http1_head *head, struct leat_slice in)
{
    struct leat_http1_body body;
    struct leat_slice piece;
    uint64_t bytes = 0;
    enum leat_http1_step step;
    enum leat_http1_mode mode = head->chunked      ? LEAT_BODY_CHUNKED
                                : head->has_length ? LEAT_BODY_LENGTH
                                                   : LEAT_BODY_TO_END;
    leat_http1__body_begin(&body, mode, head->content_length);
    uint32_t all = in.len;
    while ((step = leat_http1__body_next(&body, &in, &piece)) == LEAT_BODY_PIECE)
        bytes += piece.len;
    LEAT_CHECK(bytes + in.len <= all);
    LEAT_CHECK(step != LEAT_BODY_MORE || in.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct leat_http1_scan scan = {0};
    struct leat_http1_head head;
    if (leat_http1__scan(at, (uint32_t)len, &scan) != LEAT_HEAD_WHOLE)
        return 0;
    struct leat_header *room = calloc(scan.lines, sizeof *room);
    LEAT_CHECK(room != NULL);
    if (leat_http1__parse_response(at, scan.at, room, &head)) {
        LEAT_CHECK(head.status >= 100 && head.status <= 999 && !(head.chunked && head.has_length));
        read_body(&head, leat_slice_of(at + scan.at, (uint32_t)len - scan.at));
    }
    free(room);
    return 0;
}
