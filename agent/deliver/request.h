/* SPDX-License-Identifier: Apache-2.0 */
/* request -- what an exporter makes of a batch, what came back, and what that means.
 *
 * Why      encode and judge are pure: bytes in, bytes and verdicts out. Who sends, waits and retries is agent/deliver.
 * Threads  one shard's.
 * Owns     a request owns its body and what it was given through leat_requests_keep; strings in it are static, the
 *          exporter state's, or kept. A reply and its slices are valid during judge only. */
#pragma once
#include "agent/base/form.h"
#include "agent/net/http.h"
#include "agent/pipe/batch.h"

enum leat_carrier_kind {
    LEAT_CARRIER_NONE,   /* delivered as soon as encoded (nop) */
    LEAT_CARRIER_OUTPUT, /* the process's own standard output or error (debug) */
    LEAT_CARRIER_FILE,
    LEAT_CARRIER_HTTP,
    LEAT_CARRIER_GRPC,
    LEAT_CARRIER_OWN,    /* a foreign client with threads of its own: the exporter's carrier_open */
    LEAT_CARRIER_COUNT
};

#define LEAT_REQUEST_HEADERS_MAX 8u

struct leat_request {
    struct leat_chain body;  /* before compression unless `precoded` */
    bool precoded;           /* the carrier's compression does not apply (snappy of Loki, gzip inside) */
    const char *url;         /* HTTP: absolute. GRPC: "/package.Service/Method" */
    const char *const *urls; /* HTTP: addresses that are as good as `url`; each attempt goes to the next that answers. NULL: one */
    uint32_t url_count;
    uint32_t reply_bytes_max; /* HTTP: how much of the answer `judge` sees; 0: 64 KiB */
    struct leat_header headers[LEAT_REQUEST_HEADERS_MAX];
    uint32_t header_count;
    uint64_t order_key;      /* 0: none; else one in flight per key, in order of encode. An item keeps its key when encoded again */
    /* The items it covers: first..first+count-1 of the batch, or the bits of `bitmap` (leat_bitmap_*, over all items of
     * the batch; kept alive by the request) with `count` of them set. */
    uint32_t first, count;
    uint8_t *bitmap;
    uint32_t tag;            /* the exporter's word: which table, which protocol version */
    struct leat_mem *note;   /* LEAT_CARRIER_OWN: what only the exporter and its carrier understand; the request's */
};

/* Names for items that stay theirs however often they are encoded: the load they left the queue in, and their place in it. */
struct leat_origin {
    uint64_t token; /* the load's, by chance */
    uint32_t first; /* item i of the batch is item first+i of the load, or items[i] */
    const uint32_t *items;
};
static inline uint32_t leat_origin_item(const struct leat_origin *origin, uint32_t i)
{
    return origin->items ? origin->items[i] : origin->first + i;
}

struct leat_requests {
    struct leat_request *at;
    uint32_t count, room;
    struct leat_chain kept;  /* what header values point into */
    struct leat_reject {
        uint32_t item, count;
        const char *reason;  /* static */
    } *rejects;              /* items that have no form at the destination: dropped{cannot_encode} */
    uint32_t reject_count, reject_room;
    struct leat_origin origin; /* set by deliver before encode */
};
/* A zeroed request at the end, covering nothing yet; valid until the next add. NULL: out of memory. */
struct leat_request *leat_requests_add(struct leat_requests *requests) LEAT_MUST_CHECK;
leat_rc leat_request_header(struct leat_request *request, struct leat_slice name, struct leat_slice value) LEAT_MUST_CHECK;
leat_rc leat_requests_reject(struct leat_requests *requests, uint32_t item, uint32_t count, const char *reason) LEAT_MUST_CHECK;
/* A copy of some text that lives as long as the requests. */
leat_rc leat_requests_keep(struct leat_requests *requests, const void *at, uint32_t len, struct leat_slice *ret_kept) LEAT_MUST_CHECK;
void leat_request_done(struct leat_request *request);
void leat_requests_done(struct leat_requests *requests);

struct leat_reply {
    const struct leat_request *request;
    int status;                   /* HTTP status or gRPC code */
    struct leat_slice message;    /* gRPC: grpc-message */
    struct leat_slice body;       /* HTTP: at most reply_bytes_max of it. gRPC: the response message */
    struct leat_headers headers;  /* HTTP */
    bool has_retry_after;         /* Retry-After in either form, RetryInfo */
    uint64_t retry_after_ns;
};

enum leat_verdict_kind {
    LEAT_VERDICT_DELIVERED,    /* `rejected` of its items were taken and refused: dropped{rejected_items} */
    LEAT_VERDICT_RETRY,        /* all of it again, after the peer's time or our backoff */
    LEAT_VERDICT_RETRY_ITEMS,  /* the items in `again` alone; those in `refused` are dropped, the rest was delivered */
    LEAT_VERDICT_REENCODE,     /* encode again now: another protocol version */
    LEAT_VERDICT_SPLIT,        /* too large: halves */
    LEAT_VERDICT_DROP,         /* never. `isolate`: nothing of it was kept, so smaller parts may pass */
    LEAT_VERDICT_HOLD          /* nothing passes (credentials, address): keep the queue, probe every 30 s */
};
struct leat_verdict {
    enum leat_verdict_kind kind;
    uint32_t rejected;
    uint8_t *again, *refused; /* RETRY_ITEMS: bitmaps over the request's items (0 = its first), preset and zeroed by deliver */
    bool isolate;
    bool slow_down;           /* the peer is busy: fewer at once */
    bool prepare_again;       /* what was prepared is gone or has changed: once more, before the next batch */
    char text[192];           /* for people */
};
/* Each fills `out` and answers LEAT_OK, so that a judge can end with it. */
leat_rc leat_verdict_delivered(struct leat_verdict *out, uint32_t rejected);
leat_rc leat_verdict_retry(struct leat_verdict *out, const char *fmt, ...) LEAT_PRINTF(2, 3);
leat_rc leat_verdict_split(struct leat_verdict *out, const char *fmt, ...) LEAT_PRINTF(2, 3);
leat_rc leat_verdict_drop(struct leat_verdict *out, bool isolate, const char *fmt, ...) LEAT_PRINTF(3, 4);
leat_rc leat_verdict_hold(struct leat_verdict *out, const char *fmt, ...) LEAT_PRINTF(2, 3);

/* What an exporter is, as deliver sees it. */
struct leat_codec {
    leat_rc (*prepare)(void *state, struct leat_requests *out, struct leat_err *reterr); /* NULL: nothing to prepare */
    leat_rc (*encode)(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr);
    leat_rc (*judge)(void *state, const struct leat_reply *reply, struct leat_verdict *out, struct leat_err *reterr);
    void *state;
};
