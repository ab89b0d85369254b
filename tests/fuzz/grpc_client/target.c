/* SPDX-License-Identifier: Apache-2.0 */
/* What a server may answer to three calls. The first byte says how the rest is cut into reads. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/net/h2/h2_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

#define CALLS 3

static void finished(void *ctx, struct leat_grpc_out *out, const struct leat_h2_outcome *outcome)
{
    (void)out;
    LEAT_CHECK(outcome->end != LEAT_H2_ANSWERED || outcome->status.code >= 0);
    ++*(int *)ctx;
}

static void feed(struct leat_h2_client *client, const uint8_t *at, size_t len, uint64_t now_ns)
{
    struct leat_mem *mem = leat_mem_new((uint32_t)len);
    if (!mem)
        abort();
    memcpy(mem->at, at, len);
    leat_h2__feed(&client->h2, (struct leat_slice){mem->at, (uint32_t)len, mem}, now_ns);
    leat_h2__pump(&client->h2);
    leat_chain_done(&client->h2.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static const uint8_t bytes[100000];
    const struct leat_grpc_client_opts opts = {.address = "x:1", .response_bytes_max = 4096};
    struct leat_chain message = {0};
    struct leat_grpc_out outs[CALLS];
    struct leat_h2_client *client;
    int ends = 0;
    size_t piece = len && at[0] ? at[0] : 65536;
    if (leat_chain_share(&message, leat_slice_of(bytes, sizeof bytes)) != LEAT_OK ||
        leat_h2__client_open(&opts, 1, &client) != LEAT_OK)
        abort();
    client->finished = finished;
    client->ctx = &ends;
    for (int i = 0; i < CALLS; i++) {
        outs[i] = (struct leat_grpc_out){.path = LEAT_SLICE("/a.B/C"), .message = &message};
        if (leat_h2__client_start(client, &outs[i]) != LEAT_OK)
            abort();
    }
    leat_h2__pump(&client->h2);
    for (size_t i = len ? 1 : 0; i < len; i += piece)
        feed(client, at + i, len - i < piece ? len - i : piece, 2 + i);
    (void)leat_h2__client_close(client, &(struct leat_err){.code = LEAT_ENET});
    LEAT_CHECK(ends == CALLS);
    leat_chain_done(&message);
    LEAT_CHECK(leat_pool_blocks_out(leat_pool_here()) == 0);
    return 0;
}
