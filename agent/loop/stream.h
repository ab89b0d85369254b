/* SPDX-License-Identifier: Apache-2.0 */
/* stream -- TCP and unix sockets on a loop: listeners, connections, names to addresses.
 *
 * Why      reads land in the shard's shared read page (agent/base/mem.h), so that bytes arrive as slices, payloads lie
 *          dense and an idle connection holds no page; writes are gathered from chains.
 * Threads  the loop's own.
 * Owns     a stream belongs to whoever opened it, until its `closed` callback, which comes exactly once for each
 *          stream handed out, after which the stream is gone.
 * Limits   one read takes at most what is left of a page; unsent bytes are the caller's to watch
 *          (leat_stream_unsent). EMFILE pauses accepting for a second and is counted.
 * Fails    callbacks carry a leat_err: peer unreachable, reset, end of file ("closed by peer", code LEAT_OK). */
#pragma once
#include "agent/base/slice.h"
#include "agent/loop/loop.h"

struct leat_stream;

struct leat_stream_events {
    void (*opened)(void *ctx);                          /* outgoing: connected */
    void (*bytes)(void *ctx, struct leat_slice bytes);  /* the callee owns the reference */
    void (*drained)(void *ctx);                         /* all that was written has left; later in the turn */
    void (*closed)(void *ctx, const struct leat_err *why); /* last; why->code LEAT_OK: end of file or our own close */
};

/* host:port, [v6]:port, unix:/path; resolves names first (every address is tried in turn, starting at `skip`). */
leat_rc leat_stream_connect(struct leat_loop *loop, const char *address, uint32_t skip,
                            const struct leat_stream_events *events, void *ctx, struct leat_stream **ret_stream,
                            struct leat_err *reterr) LEAT_MUST_CHECK;
/* An accepted socket (from a listener's `accepted`): becomes a stream on this loop; the fd is ours also on failure. */
leat_rc leat_stream_adopt(struct leat_loop *loop, int fd, const struct leat_stream_events *events, void *ctx,
                          struct leat_stream **ret_stream, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_socket_drop(int fd); /* an accepted socket that nobody wants */
/* Takes all of `chain` (then {0}), also on failure. Tries at once; what the kernel does not take is sent later. */
leat_rc leat_stream_write(struct leat_stream *stream, struct leat_chain *chain) LEAT_MUST_CHECK;
uint64_t leat_stream_unsent(const struct leat_stream *stream);
void leat_stream_pause(struct leat_stream *stream); /* no `bytes` until resumed */
void leat_stream_resume(struct leat_stream *stream);
void leat_stream_close(struct leat_stream *stream); /* unsent bytes are dropped; `closed` follows later in this turn */
void leat_stream_close_flushed(struct leat_stream *stream); /* after what was written has left, or 5 s */
/* `bytes` are then lent for the call only (no block): for owners that transform them at once, as TLS does. */
void leat_stream_borrow(struct leat_stream *stream);
const char *leat_stream_peer(const struct leat_stream *stream); /* "10.1.2.3:4567", "unix" */

struct leat_listener;
/* `accepted` gets a connected, non-blocking socket, to be dealt to any shard and adopted there. */
leat_rc leat_listener_open(struct leat_loop *loop, const char *address, void (*accepted)(void *ctx, int fd), void *ctx,
                           struct leat_listener **ret_listener, struct leat_err *reterr) LEAT_MUST_CHECK;
uint16_t leat_listener_port(const struct leat_listener *listener);
void leat_listener_close(struct leat_listener *listener);

/* Signals and file changes, so that nobody else needs <uv.h>. */
struct leat_signal_watch;
leat_rc leat_signal_watch_open(struct leat_loop *loop, int signum, void (*arrived)(void *ctx, int signum), void *ctx,
                               struct leat_signal_watch **ret_watch, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_signal_watch_close(struct leat_signal_watch *watch);

struct leat_file_watch; /* inotify on a file or folder: a hint, never a promise */
leat_rc leat_file_watch_open(struct leat_loop *loop, const char *path, void (*changed)(void *ctx, const char *name),
                             void *ctx, struct leat_file_watch **ret_watch, struct leat_err *reterr) LEAT_MUST_CHECK;
void leat_file_watch_close(struct leat_file_watch *watch);
