/* SPDX-License-Identifier: Apache-2.0 */
/* Signals and file changes. */
#include <uv.h>

#include "agent/base/alloc.h"
#include "agent/loop/stream.h"

struct leat_signal_watch {
    uv_signal_t uv;
    void (*arrived)(void *ctx, int signum);
    void *ctx;
};

static void signalled(uv_signal_t *uv, int signum)
{
    struct leat_signal_watch *watch = uv->data;
    watch->arrived(watch->ctx, signum);
}

static void watch_gone(uv_handle_t *handle)
{
    leat_free(handle->data);
}

leat_rc leat_signal_watch_open(struct leat_loop *loop, int signum, void (*arrived)(void *ctx, int signum), void *ctx,
                               struct leat_signal_watch **ret_watch, struct leat_err *reterr)
{
    struct leat_signal_watch *watch = leat_zalloc(1, sizeof *watch);
    if (!watch)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "signal: out of memory");
    watch->arrived = arrived;
    watch->ctx = ctx;
    int rc = uv_signal_init(leat_loop__uv(loop), &watch->uv);
    if (rc != 0) {
        leat_free(watch);
        return LEAT_RAISE(reterr, LEAT_EIO, rc, "signal %d: %s", signum, uv_strerror(rc));
    }
    watch->uv.data = watch;
    rc = uv_signal_start(&watch->uv, signalled, signum);
    if (rc != 0) {
        leat_signal_watch_close(watch);
        return LEAT_RAISE(reterr, LEAT_EIO, rc, "signal %d: %s", signum, uv_strerror(rc));
    }
    *ret_watch = watch;
    return LEAT_OK;
}

void leat_signal_watch_close(struct leat_signal_watch *watch)
{
    if (watch)
        uv_close((uv_handle_t *)&watch->uv, watch_gone);
}

struct leat_file_watch {
    uv_fs_event_t uv;
    void (*changed)(void *ctx, const char *name);
    void *ctx;
};

static void file_changed(uv_fs_event_t *uv, const char *name, int events, int status)
{
    struct leat_file_watch *watch = uv->data;
    (void)events;
    if (status == 0)
        watch->changed(watch->ctx, name ? name : "");
}

leat_rc leat_file_watch_open(struct leat_loop *loop, const char *path, void (*changed)(void *ctx, const char *name),
                             void *ctx, struct leat_file_watch **ret_watch, struct leat_err *reterr)
{
    struct leat_file_watch *watch = leat_zalloc(1, sizeof *watch);
    if (!watch)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "watch: out of memory");
    watch->changed = changed;
    watch->ctx = ctx;
    (void)uv_fs_event_init(leat_loop__uv(loop), &watch->uv); /* cannot fail */
    watch->uv.data = watch;
    int rc = uv_fs_event_start(&watch->uv, file_changed, path, 0);
    if (rc != 0) {
        leat_file_watch_close(watch);
        return LEAT_RAISE(reterr, LEAT_EIO, rc, "watch %s: %s", path, uv_strerror(rc));
    }
    *ret_watch = watch;
    return LEAT_OK;
}

void leat_file_watch_close(struct leat_file_watch *watch)
{
    if (watch)
        uv_close((uv_handle_t *)&watch->uv, watch_gone);
}
