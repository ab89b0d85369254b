/* SPDX-License-Identifier: Apache-2.0 */
/* What a client may send after the preface, to a server session with small limits. The first byte says how the rest is
 * cut into reads. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/net/h2/h2_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static int head(void *ctx, const struct leat_grpc_incoming *incoming, const char **ret_message)
{
    (void)ctx;
    *ret_message = "refused";
    return incoming->path.len == 2 ? LEAT_GRPC_UNIMPLEMENTED : 0;
}

static void call(void *ctx, struct leat_grpc_call *grpc, const struct leat_grpc_incoming *incoming,
                 struct leat_chain *message)
{
    (void)ctx;
    if (incoming->path.len == 3)
        return; /* never answered */
    if (incoming->path.len == 4)
        leat_grpc_reply_error(grpc, LEAT_GRPC_UNAVAILABLE, LEAT_SLICE("later"), LEAT_SLICE("\x08\x0e"));
    else
        leat_grpc_reply(grpc, message);
}

static void gone(void *ctx, struct leat_grpc_call *grpc)
{
    (void)ctx;
    (void)grpc;
}

static void feed(struct leat_h2_server *server, const uint8_t *at, size_t len, uint64_t now_ns)
{
    struct leat_mem *mem = leat_mem_new((uint32_t)len);
    if (!mem)
        abort();
    memcpy(mem->at, at, len);
    leat_h2__server_feed(server, (struct leat_slice){mem->at, (uint32_t)len, mem}, now_ns);
    leat_h2__server_pump(server, 0, now_ns);
    leat_h2__server_taken(server, server->h2.out.bytes);
    leat_chain_done(&server->h2.out);
    leat_h2__server_tick(server, now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static const struct leat_grpc_handler handler = {head, call, gone};
    static const struct leat_grpc_server_limits limits = {.message_bytes_max = 4096,
                                                          .streams_max = 8,
                                                          .header_bytes_max = 1024,
                                                          .glitches_max = 64,
                                                          .resets_burst = 16,
                                                          .partial_bytes_max = 8192,
                                                          .unsent_bytes_max = 65536,
                                                          .ping_min_interval_ns = 1000000000};
    struct leat_h2_service service;
    struct leat_h2_server *server;
    uint64_t now = 1;
    size_t piece = len && at[0] ? at[0] : 65536;
    leat_h2__service_init(&service, &limits, &handler, NULL);
    if (leat_h2__server_open(&service, "fuzz", false, now, &server) != LEAT_OK)
        abort();
    feed(server, (const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, now);
    for (size_t i = len ? 1 : 0; i < len; i += piece)
        feed(server, at + i, len - i < piece ? len - i : piece, now += 1000000);
    (void)leat_h2__server_close(server);
    leat_h2__service_done(&service);
    LEAT_CHECK(leat_pool_blocks_out(leat_pool_here()) == 0);
    return 0;
}
