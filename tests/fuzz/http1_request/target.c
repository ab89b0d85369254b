/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: a head, then its body. The first byte says where the input is cut; the cut must not change the verdict, and
 * nothing that may split a line survives in a header. */
#include <stdlib.h>

#include "agent/base/check.h"
#include "agent/net/http1_body.h"
#include "agent/net/http1_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

struct outcome {
    int status;
    uint64_t body_bytes;
    enum leat_http1_step end;
    uint32_t left;
};

static void read_body(const struct leat_http1_head *head, const uint8_t *at, uint32_t len, uint32_t cut,
                      struct outcome *outcome)
{
    struct leat_http1_body body;
    leat_http1__body_begin(&body, head->chunked ? LEAT_BODY_CHUNKED : LEAT_BODY_LENGTH, head->content_length);
    cut = cut < len ? cut : len;
    for (int part = 0; part < 2; part++) {
        struct leat_slice in = part ? leat_slice_of(at + cut, len - cut) : leat_slice_of(at, cut), piece;
        do {
            outcome->end = leat_http1__body_next(&body, &in, &piece);
            outcome->body_bytes += outcome->end == LEAT_BODY_PIECE ? piece.len : 0;
        } while (outcome->end == LEAT_BODY_PIECE);
        outcome->left = in.len + (part ? 0 : len - cut);
        if (outcome->end != LEAT_BODY_MORE)
            return;
    }
}

static void check_headers(struct leat_headers headers)
{
    for (uint32_t i = 0; i < headers.count; i++) {
        LEAT_CHECK(leat_http1__is_token(headers.at[i].name));
        LEAT_CHECK(leat_http1__is_value(headers.at[i].value));
        LEAT_CHECK(!memchr(headers.at[i].value.at, '\n', headers.at[i].value.len) || headers.at[i].value.len == 0);
    }
}

static struct outcome read_all(const uint8_t *at, uint32_t len, uint32_t cut)
{
    struct outcome outcome = {.status = -1};
    struct leat_http1_scan scan = {0};
    struct leat_http1_head head;
    enum leat_http1_found found = leat_http1__scan(at, cut < len ? cut : len, &scan);
    if (found == LEAT_HEAD_MORE)
        found = leat_http1__scan(at, len, &scan);
    if (found != LEAT_HEAD_WHOLE) {
        outcome.status = found == LEAT_HEAD_BAD ? 400 : -1;
        return outcome;
    }
    struct leat_header *room = calloc(scan.lines, sizeof *room);
    LEAT_CHECK(room != NULL);
    outcome.status = leat_http1__parse_request(at, scan.at, room, &head);
    if (outcome.status == 0) {
        LEAT_CHECK(!(head.chunked && head.has_length));
        check_headers(head.headers);
        read_body(&head, at + scan.at, len - scan.at, cut, &outcome);
    }
    free(room);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    if (len < 1)
        return 0;
    struct outcome whole = read_all(at + 1, (uint32_t)len - 1, UINT32_MAX);
    struct outcome cut = read_all(at + 1, (uint32_t)len - 1, at[0]);
    LEAT_CHECK(whole.status == cut.status && whole.body_bytes == cut.body_bytes && whole.end == cut.end &&
               whole.left == cut.left);
    return 0;
}
