/* SPDX-License-Identifier: Apache-2.0 */
/* rig -- a file_log receiver with a fake clock, a folder of its own, and an out node that keeps what it is given.
 *
 * Use      rig_open, write files, rig_run; rig->lines are the bodies that came, in order. */
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/loop/loop.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/protobuf/pb_read.h"
#include "receivers/file_log/file_log.h"
#include "receivers/receiver.h"
#include "tests/kit/kit.h"

#define RIG_LINES_MAX 20000
#define RIG_BATCHES_MAX 4096
#define RIG_MS 1000000ull

struct rig {
    struct leat_world world;
    uint64_t now_ns;
    struct leat_loop *loop;
    struct leat_host host;
    struct leat_host_ops ops;
    struct leat_stage node;
    struct leat_gate gate;
    uint64_t counts[64];
    struct file_log_conf conf;
    struct file_log state;
    bool running, full, keep, stopped;
    char folder[64];
    char *lines[RIG_LINES_MAX];
    uint64_t times[RIG_LINES_MAX];
    uint32_t line_count;
    struct leat_batch *held[RIG_BATCHES_MAX]; /* with `keep`: not ended yet */
    uint32_t held_count;
    struct leat_slice last_resource, last_record; /* copied into scratch */
    uint8_t scratch[8192];
    struct leat_storage storage;
    void *value;
    size_t value_len;
    struct leat_strings include;
    const char *include_at[4];
    char include_text[4][256];
    struct file_log_operator operators[4];
};

extern const struct leat_receiver_type leat_receiver_file_log;

static inline struct rig *rig_of_world(struct leat_world *world)
{
    return LEAT_CONTAINER(world, struct rig, world);
}
static inline uint64_t rig_mono(struct leat_world *world)
{
    return rig_of_world(world)->now_ns;
}
static inline uint64_t rig_unix(struct leat_world *world)
{
    return 1700000000000000000ull + rig_of_world(world)->now_ns;
}
static inline uint64_t rig_random(struct leat_world *world)
{
    return ++rig_of_world(world)->now_ns;
}

/* ---- what came: a small reader of OTLP, apart from the writer under test ---- */

static inline const uint8_t *rig_varint(const uint8_t *at, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0;; shift += 7) {
        *ret |= (uint64_t)(*at & 0x7f) << shift;
        if (!(*at++ & 0x80))
            return at;
    }
}

/* Calls each for every length-delimited field; fixed64 ones come with len 8. */
static inline void rig_fields(const uint8_t *at, const uint8_t *end,
                              void (*each)(void *, uint32_t, const uint8_t *, uint64_t), void *ctx)
{
    while (at < end) {
        uint64_t tag, len = 0;
        at = rig_varint(at, &tag);
        if ((tag & 7) == 2)
            at = rig_varint(at, &len);
        else if ((tag & 7) == 1)
            len = 8;
        else
            at = rig_varint(at, &len), len = 0;
        EXPECT(at + len <= end);
        each(ctx, (uint32_t)(tag >> 3), at, len);
        at += len;
    }
    EXPECT(at == end);
}

struct rig_body {
    const uint8_t *at;
    uint64_t len, time;
};
static inline void rig_any(void *ctx, uint32_t number, const uint8_t *at, uint64_t len)
{
    (void)number;
    struct rig_body *body = ctx;
    body->at = at;
    body->len = len;
}
static inline void rig_record(void *ctx, uint32_t number, const uint8_t *at, uint64_t len)
{
    struct rig_body *body = ctx;
    if (number == 5)
        rig_fields(at, at + len, rig_any, body);
    else if (number == 1)
        memcpy(&body->time, at, 8);
}
static inline void rig_scope(void *ctx, uint32_t number, const uint8_t *at, uint64_t len)
{
    struct rig *rig = ctx;
    EXPECT_EQ(number, 2);
    struct rig_body body = {0};
    rig_fields(at, at + len, rig_record, &body);
    EXPECT(rig->line_count < RIG_LINES_MAX);
    rig->times[rig->line_count] = body.time;
    rig->lines[rig->line_count++] = strndup((const char *)body.at, body.len);
    if (len <= 4096) {
        memcpy(rig->scratch + 4096, at, len);
        rig->last_record = leat_slice_of(rig->scratch + 4096, (uint32_t)len);
    }
}
static inline void rig_resource(void *ctx, uint32_t number, const uint8_t *at, uint64_t len)
{
    struct rig *rig = ctx;
    if (number == 2) {
        rig_fields(at, at + len, rig_scope, rig);
    } else if (len <= 4096) {
        memcpy(rig->scratch, at, len);
        rig->last_resource = leat_slice_of(rig->scratch, (uint32_t)len);
    }
}
static inline void rig_request(void *ctx, uint32_t number, const uint8_t *at, uint64_t len)
{
    EXPECT_EQ(number, 1);
    rig_fields(at, at + len, rig_resource, ctx);
}

static inline bool rig_has(struct leat_slice hay, const char *needle)
{
    return hay.len && memmem(hay.at, hay.len, needle, strlen(needle)) != NULL;
}

/* ---- the out node ---- */

static inline leat_rc rig_reserve(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)batch;
    return LEAT_CONTAINER(node, struct rig, node)->full ? LEAT_AGAIN : LEAT_OK;
}
static inline void rig_cancel(struct leat_stage *node, const struct leat_batch *batch)
{
    (void)node;
    (void)batch;
}
static inline void rig_put(struct leat_stage *node, struct leat_batch *batch)
{
    struct rig *rig = LEAT_CONTAINER(node, struct rig, node);
    struct otlp_counts counts;
    struct leat_err err = {0};
    EXPECT_OK_ERR(otlp_validate(LEAT_LOGS, &batch->payload, &counts, &err), &err);
    EXPECT_EQ(counts.items, batch->item_count);
    uint8_t *flat = malloc(batch->payload.bytes + 1);
    EXPECT_EQ(leat_chain_put(&batch->payload, flat, batch->payload.bytes), batch->payload.bytes);
    rig_fields(flat, flat + batch->payload.bytes, rig_request, rig);
    free(flat);
    EXPECT(rig->held_count < RIG_BATCHES_MAX);
    rig->held[rig->held_count++] = batch;
}

/* Ends batch `index` of those held. */
static inline void rig_end(struct rig *rig, uint32_t index, enum leat_outcome outcome)
{
    struct leat_batch *batch = rig->held[index];
    memmove(rig->held + index, rig->held + index + 1, (--rig->held_count - index) * sizeof rig->held[0]);
    leat_batch_end(batch, outcome, LEAT_DROP_REFUSED);
}

/* ---- a storage of one value ---- */

static inline leat_rc rig_store_put(struct leat_storage *storage, const char *key, const void *value, size_t len,
                                    struct leat_err *reterr)
{
    struct rig *rig = LEAT_CONTAINER(storage, struct rig, storage);
    (void)key;
    (void)reterr;
    free(rig->value);
    rig->value = malloc(len);
    memcpy(rig->value, value, len);
    rig->value_len = len;
    return LEAT_OK;
}
static inline leat_rc rig_store_get(struct leat_storage *storage, const char *key, void **ret_value, size_t *ret_len,
                                    struct leat_err *reterr)
{
    struct rig *rig = LEAT_CONTAINER(storage, struct rig, storage);
    (void)key;
    if (!rig->value)
        return LEAT_ENOENT;
    *ret_value = leat_alloc(rig->value_len);
    if (!*ret_value)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    memcpy(*ret_value, rig->value, rig->value_len);
    *ret_len = rig->value_len;
    return LEAT_OK;
}
static inline void rig_store_close(struct leat_storage *storage)
{
    (void)storage;
}

static const struct leat_storage_ops rig_storage_ops = {rig_store_put, rig_store_get, rig_store_close};
static inline leat_rc rig_storage(struct leat_host *host, const char *id, const char *name,
                                  struct leat_storage **ret_storage, struct leat_err *reterr)
{
    struct rig *rig = LEAT_CONTAINER(host, struct rig, host);
    (void)id;
    (void)name;
    (void)reterr;
    rig->storage.ops = &rig_storage_ops;
    *ret_storage = &rig->storage;
    return LEAT_OK;
}

/* ---- life ---- */

static const struct leat_stage_ops rig_node_ops = {.reserve = rig_reserve, .cancel = rig_cancel, .put = rig_put};

/* The configuration as its defaults are; `pattern` is below the rig's folder. */
static inline void rig_include(struct rig *rig, const char *pattern)
{
    uint32_t i = rig->conf.include.count++;
    (void)snprintf(rig->include_text[i], sizeof rig->include_text[i], "%s/%s", rig->folder, pattern);
    rig->include_at[i] = rig->include_text[i];
    rig->conf.include.at = rig->include_at;
}

static inline struct rig *rig_new(const char *pattern)
{
    struct rig *rig = calloc(1, sizeof *rig);
    (void)snprintf(rig->folder, sizeof rig->folder, "/tmp/leat-file-log-XXXXXX");
    EXPECT(mkdtemp(rig->folder) != NULL);
    rig->world = (struct leat_world){rig_mono, rig_unix, rig_random, leat_world_real()->disk};
    rig->now_ns = 1000 * RIG_MS;
    rig->conf = (struct file_log_conf){.start_at = FILE_LOG_BEGINNING,
                                       .poll_interval = 200 * (int64_t)RIG_MS,
                                       .force_flush_period = 500 * (int64_t)RIG_MS,
                                       .max_concurrent_files = 1024,
                                       .fingerprint_size = 1000,
                                       .max_log_size = 1 << 20,
                                       .encoding = "utf-8",
                                       .include_file_name = true,
                                       .follow_symlinks = true,
                                       .max_inflight_bytes = 8 << 20,
                                       .max_batch_bytes = 256 << 10,
                                       .max_batch_records = 4096,
                                       .max_held_bytes = 32 << 20};
    rig_include(rig, pattern);
    return rig;
}

static inline void rig_container(struct rig *rig)
{
    rig->operators[rig->conf.operators.count++] =
        (struct file_log_operator){.type = "container", .add_metadata = true, .max_log_size = 1 << 20};
    rig->conf.operators.at = rig->operators;
}

static inline void rig_wake(struct leat_waiter *waiter)
{
    leat_receiver_file_log.resume(&((struct rig *)waiter->ctx)->state);
}

static inline leat_rc rig_start(struct rig *rig, struct leat_err *reterr)
{
    rig->state = (struct file_log){0};
    leat_rc opened = leat_loop_open_simulated(&rig->world, &rig->loop);
    if (opened != LEAT_OK)
        return opened;
    rig->ops = (struct leat_host_ops){.storage = rig_storage};
    rig->node.ops = &rig_node_ops;
    rig->host = (struct leat_host){.id = "file_log",
                                   .loop = rig->loop,
                                   .world = &rig->world,
                                   .shard_count = 1,
                                   .counts = rig->counts,
                                   .ops = &rig->ops};
    rig->host.out[LEAT_LOGS] = &rig->node;
    rig->host.gate = &rig->gate;
    leat_gate_init(&rig->gate, rig->loop);
    rig->host.waiter = (struct leat_waiter){.wake = rig_wake, .ctx = rig};
    leat_list_init(&rig->host.waiter.link);
    rig->running = true;
    rig->stopped = false;
    leat_rc rc = leat_receiver_file_log.check(&rig->conf, reterr);
    return rc == LEAT_OK ? leat_receiver_file_log.start(&rig->state, &rig->conf, &rig->host, reterr) : rc;
}

/* `ms` of fake time pass; unless `keep`, every batch is delivered at once. */
static inline void rig_run(struct rig *rig, uint64_t ms)
{
    uint64_t end = rig->now_ns + ms * RIG_MS;
    for (;;) {
        for (int i = 0; i < 4; i++) {
            (void)leat_loop_run_once(rig->loop, false);
            while (!rig->keep && rig->held_count)
                rig_end(rig, 0, LEAT_DELIVERED);
        }
        uint64_t due = leat_loop_next_due_ns(rig->loop);
        if (due > end)
            break;
        rig->now_ns = due > rig->now_ns ? due : rig->now_ns + 1;
    }
    rig->now_ns = end;
}

static inline void rig_on_stopped(void *ctx)
{
    ((struct rig *)ctx)->stopped = true;
}

/* As a crash: nothing more is saved, nothing is told. */
static inline void rig_kill(struct rig *rig)
{
    rig->state.dirty = false;
    rig->running = false;
    for (uint32_t i = 0; i < rig->held_count; i++) {
        struct file_log_pending *pending = LEAT_CONTAINER(rig->held[i]->ack, struct file_log_pending, ack);
        leat_free(pending);
        leat_batch_free(rig->held[i]);
    }
    rig->held_count = 0;
    if (!rig->loop)
        return;
    leat_receiver_file_log.close(&rig->state);
    leat_gate_done(&rig->gate);
    rig->loop = leat_loop_close(rig->loop);
}

static inline void rig_stop(struct rig *rig)
{
    leat_receiver_file_log.stop(&rig->state, rig_on_stopped, rig);
    while (rig->held_count)
        rig_end(rig, 0, LEAT_DELIVERED);
    EXPECT(rig->stopped);
    rig_kill(rig);
}

static inline void rig_forget_lines(struct rig *rig)
{
    while (rig->line_count)
        free(rig->lines[--rig->line_count]);
}

static inline void rig_remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char below[4096];
        if (snprintf(below, sizeof below, "%s/%s", path, d->d_name) < (int)sizeof below && unlink(below) != 0)
            rig_remove_tree(below);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path);
}

static inline void rig_free(struct rig *rig)
{
    if (rig->running)
        rig_stop(rig);
    rig_forget_lines(rig);
    free(rig->value);
    rig_remove_tree(rig->folder);
    free(rig);
}

/* ---- files ---- */

static inline const char *rig_path(const struct rig *rig, const char *name)
{
    static char path[4][512];
    static unsigned turn;
    char *at = path[turn++ % 4];
    (void)snprintf(at, sizeof path[0], "%s/%s", rig->folder, name);
    return at;
}

static inline void rig_append_bytes(struct rig *rig, const char *name, const void *at, size_t len)
{
    const char *path = rig_path(rig, name);
    for (const char *slash = path + strlen(rig->folder) + 1; (slash = strchr(slash, '/')); slash++) {
        char folder[512];
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        (void)mkdir(folder, 0700);
    }
    FILE *file = fopen(path, "ab");
    EXPECT(file != NULL);
    EXPECT_EQ(fwrite(at, 1, len, file), len);
    (void)fclose(file);
}
static inline void rig_append(struct rig *rig, const char *name, const char *text)
{
    rig_append_bytes(rig, name, text, strlen(text));
}
static inline void rig_rename(struct rig *rig, const char *from, const char *to)
{
    EXPECT_EQ(rename(rig_path(rig, from), rig_path(rig, to)), 0);
}
static inline uint64_t rig_count(const struct rig *rig, enum file_log_row row)
{
    return rig->counts[row];
}

/* The lines that came are exactly these, NULL-ended. */
static inline void rig_expect(const struct rig *rig, const char *const *lines)
{
    uint32_t n = 0;
    while (lines[n]) {
        EXPECT(n < rig->line_count);
        EXPECT_STR(rig->lines[n], lines[n]);
        n++;
    }
    EXPECT_EQ(rig->line_count, n);
}
#define RIG_EXPECT(rig, ...) rig_expect((rig), (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
