/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of it all: scan, read what grew, stop when too much is unacknowledged, go on when room is made. */
#include <stdio.h>
#include <string.h>

#include "agent/base/alloc.h"
#include "receivers/file_log/file_log.h"

#define NS_PER_S 1000000000ull
#define READ_BYTES 262144u /* one read */
#define READS_PER_TURN 4u  /* then the loop's other work gets its turn */
#define SAVE_NS NS_PER_S

/* ---- one file ---- */

bool file_log__may_read(const struct file_log *state)
{
    return !state->paused && !state->stopping && !state->waiting &&
           state->inflight_bytes + state->out.bytes < (uint64_t)state->conf->max_inflight_bytes;
}

/* Closes the open file that has been quiet the longest, so that another one can be read. */
static bool make_way(struct file_log *state)
{
    struct file_log_file *quiet = NULL;
    LEAT_LIST_EACH (node, &state->files) {
        struct file_log_file *file = LEAT_CONTAINER(node, struct file_log_file, link);
        if (file->fd >= 0 && file->seen && file->offset >= file->size && (!quiet || file->grown_ns < quiet->grown_ns))
            quiet = file;
    }
    if (quiet)
        file_log__file_shut(state, quiet);
    return quiet != NULL;
}

static bool ready(struct file_log *state, struct file_log_file *file)
{
    if (file->fd >= 0)
        return true;
    if (state->open_count >= (uint64_t)state->conf->max_concurrent_files && !make_way(state))
        return false;
    return file_log__file_open(state, file) == LEAT_OK && !file->ignored;
}

static void begin_again(struct file_log *state, struct file_log_file *file)
{
    file_log__count(state, FILE_LOG_TRUNCATED, 1);
    if (file->read_to > file->offset) /* seen and not yet used */
        file_log__count(state, FILE_LOG_LOST_BYTES, file->read_to - file->offset);
    (void)file_log__file_restart(state, file); /* out of memory: noticed again at the next poll */
}

/* The file is shorter than what was read of it. */
static void shrunk(struct file_log *state, struct file_log_file *file)
{
    if (file->size == 0 || !file_log__same_head(state, file) || state->conf->on_truncate == FILE_LOG_READ_WHOLE) {
        begin_again(state, file);
    } else if (state->conf->on_truncate == FILE_LOG_READ_NEW && leat_list_empty(&file->ranges)) {
        uint64_t size = file->size;
        begin_again(state, file);
        file->offset = file->final = file->read_to = size;
        (void)file_log__same_head(state, file);
    }
}

static bool buffer_grow(struct file_log *state, size_t room)
{
    uint8_t *buf = leat_realloc(state->buf, room);
    if (!buf)
        return false;
    state->buf = buf;
    state->buf_room = room;
    return true;
}

static void remember_marker(struct file_log_file *file, const uint8_t *buf, size_t end)
{
    file->marker_len = end < FILE_LOG_MARKER ? (uint32_t)end : FILE_LOG_MARKER;
    memcpy(file->marker, buf + end - file->marker_len, file->marker_len);
}

static bool force_due(const struct file_log *state, const struct file_log_file *file)
{
    return state->conf->force_flush_period && file->read_to >= file->size &&
           leat_loop_now_ns(state->host->loop) - file->grown_ns >= (uint64_t)state->conf->force_flush_period;
}

/* Reads on from the position; the bytes before it come along and must be those that were there. False: nothing new. */
static bool read_on(struct file_log *state, struct file_log_file *file)
{
    struct leat_world *world = state->host->world;
    if (!state->buf && !buffer_grow(state, READ_BYTES))
        return false;
    uint64_t from = file->offset - file->marker_len;
    ssize_t n = world->disk->pread(world, file->fd, state->buf, state->buf_room, from);
    if (n < 0) {
        file_log__count(state, FILE_LOG_ERRORS, 1);
        return false;
    }
    if ((size_t)n < file->marker_len) {
        file->size = from + (uint64_t)n;
        return false;
    }
    if (memcmp(state->buf, file->marker, file->marker_len) != 0) {
        begin_again(state, file);
        return true;
    }
    size_t len = (size_t)n - file->marker_len, used = 0, before = file->marker_len;
    uint64_t end = file->offset + len, offset = file->offset;
    bool at_end = force_due(state, file) && end <= file->size;
    if (end > file->read_to) {
        file->grown_ns = leat_loop_now_ns(state->host->loop);
        file_log__count(state, FILE_LOG_BYTES, end - file->read_to);
        file->read_to = end;
        at_end = false;
    }
    if (end > file->size)
        file->size = end; /* it has grown since it was measured */
    leat_rc rc = file_log__lines(state, file, state->buf + before, len, at_end, &used);
    if (used)
        remember_marker(file, state->buf, before + used);
    if (file->offset != offset)
        file_log__range_settle(state, file);
    file_log__fingerprint_grow(state, file);
    if (used == 0 && rc == LEAT_OK && (size_t)n == state->buf_room && file_log__may_read(state))
        return buffer_grow(state, state->buf_room * 2); /* a line longer than the buffer; max_log_size ends this */
    return used != 0;
}

static bool read_file(struct file_log *state, struct file_log_file *file)
{
    if (file->gone || file->ignored || (file->size == file->offset && file->known))
        return false;
    if (!ready(state, file))
        return false;
    if (file->size < file->offset) {
        shrunk(state, file);
        if (file->size < file->offset)
            return false;
    }
    if (file->size <= file->offset ||
        (file->size <= file->read_to && file->read_to > file->offset && !force_due(state, file) && !file->unfinished))
        return false;
    return read_on(state, file);
}

/* ---- turns ---- */

/* Every file gets one read, then the next: a hot file does not starve the others. True: there was something. */
static bool round_of_reads(struct file_log *state, uint32_t *budget)
{
    bool progress = false;
    for (uint32_t n = state->file_count; n && *budget && file_log__may_read(state); n--) {
        struct leat_list *node = leat_list_pop(&state->files);
        leat_list_push(&state->files, node);
        if (read_file(state, LEAT_CONTAINER(node, struct file_log_file, link))) {
            progress = true;
            --*budget;
        }
    }
    return progress;
}

static void on_turn(struct leat_task *task)
{
    struct file_log *state = task->ctx;
    uint32_t budget = READS_PER_TURN;
    bool progress = true;
    state->observed_ns = state->host->world->unix_ns(state->host->world);
    while (progress && budget && file_log__may_read(state))
        progress = round_of_reads(state, &budget);
    if (progress && file_log__may_read(state)) {
        leat_loop_defer(state->host->loop, &state->turn);
        return;
    }
    if (!state->paused && !state->stopping)
        file_log__out_flush(state);     /* all was read, or enough */
    if (state->buf_room > READ_BYTES) { /* the long line is over */
        leat_free(state->buf);
        state->buf = NULL;
        state->buf_room = 0;
    }
}

static void flush_held(struct file_log *state)
{
    uint64_t now = leat_loop_now_ns(state->host->loop);
    LEAT_LIST_EACH (node, &state->files) {
        struct file_log_file *file = LEAT_CONTAINER(node, struct file_log_file, link);
        if (!file->gone && file_log__held_tick(state, file, now, false) != LEAT_OK)
            return;
    }
}

static void poll_now(struct file_log *state)
{
    file_log__scan(state);
    if (file_log__may_read(state)) {
        state->observed_ns = state->host->world->unix_ns(state->host->world);
        flush_held(state);
        leat_loop_defer(state->host->loop, &state->turn);
    } else {
        file_log__count(state, FILE_LOG_WAITED, 1);
        (void)file_log__emit_waiting(state);
    }
    uint64_t now = leat_loop_now_ns(state->host->loop);
    if (state->dirty && now - state->saved_ns >= SAVE_NS)
        file_log__save(state);
}

static void on_soon(struct leat_timer *timer)
{
    poll_now(timer->ctx);
}

static void on_poll(struct leat_timer *timer)
{
    struct file_log *state = timer->ctx;
    uint64_t bytes = state->host->counts[FILE_LOG_BYTES];
    leat_timer_start(state->host->loop, timer, (uint64_t)state->conf->poll_interval);
    poll_now(state);
    if (bytes == state->bytes_before)
        file_log__watch_arm(state);
    state->bytes_before = bytes;
}

/* ---- the receiver ---- */

static void finish(struct file_log *state)
{
    void (*stopped)(void *) = state->stopped;
    if (!stopped || !leat_list_empty(&state->inflight) || state->waiting)
        return;
    state->stopped = NULL;
    if (state->dirty)
        file_log__save(state);
    stopped(state->stopped_ctx);
}

void file_log__wake(struct file_log *state)
{
    if (state->stopping)
        finish(state);
    else if (file_log__may_read(state))
        leat_loop_defer(state->host->loop, &state->turn);
}

void file_log__pause(void *ctx)
{
    struct file_log *state = ctx;
    state->paused = true;
}

void file_log__resume(void *ctx)
{
    struct file_log *state = ctx;
    state->paused = false;
    if (file_log__emit_waiting(state))
        file_log__wake(state);
}

/* With a storage what was not taken is read again; without one it is offered a last time. */
void file_log__stop(void *ctx, void (*stopped)(void *), void *stopped_ctx)
{
    struct file_log *state = ctx;
    uint64_t now = leat_loop_now_ns(state->host->loop);
    leat_timer_stop(state->host->loop, &state->poll);
    leat_timer_stop(state->host->loop, &state->soon);
    leat_task_cancel(&state->turn);
    state->stopped = stopped;
    state->stopped_ctx = stopped_ctx;
    if (!state->storage) {
        LEAT_LIST_EACH (node, &state->files)
            (void)file_log__held_tick(state, LEAT_CONTAINER(node, struct file_log_file, link), now, true);
    }
    state->stopping = true;
    file_log__out_flush(state);
    if (state->storage)
        file_log__out_drop(state);
    finish(state);
}

void file_log__close(void *ctx)
{
    struct file_log *state = ctx;
    if (!state->host)
        return;
    leat_timer_stop(state->host->loop, &state->poll);
    leat_timer_stop(state->host->loop, &state->soon);
    leat_task_cancel(&state->turn);
    file_log__out_drop(state);
    LEAT_LIST_EACH (node, &state->files) {
        struct file_log_file *file = LEAT_CONTAINER(node, struct file_log_file, link);
        while (!leat_list_empty(&file->ranges))
            leat_free(LEAT_CONTAINER(leat_list_pop(&file->ranges), struct file_log_range, link));
        file_log__file_free(state, file);
    }
    if (state->storage)
        state->storage->ops->close(state->storage);
    state->line_start = leat_regex_close(state->line_start);
    state->line_end = leat_regex_close(state->line_end);
    state->entry = leat_regex_close(state->entry);
    leat_free(state->buckets);
    leat_free(state->buf);
    leat_free(state->scratch);
    state->host = NULL;
}

void file_log__dump(const void *ctx, struct leat_strbuf *out)
{
    const struct file_log *state = ctx;
    leat_strbuf_printf(out, "files %u open %u inflight_bytes %llu held_bytes %llu waiting %d\n", state->file_count,
                       state->open_count, (unsigned long long)state->inflight_bytes,
                       (unsigned long long)state->held_bytes, state->waiting != NULL);
    for (const struct leat_list *node = state->files.next; node != &state->files; node = node->next) {
        const struct file_log_file *file = LEAT_CONTAINER(node, struct file_log_file, link);
        leat_strbuf_printf(out, "%s ino %llu size %llu read %llu final %llu%s%s\n", file->path,
                           (unsigned long long)file->ino, (unsigned long long)file->size,
                           (unsigned long long)file->offset, (unsigned long long)file->final,
                           file->fd < 0 ? " closed" : "", file->seen ? "" : " unseen");
    }
}

static leat_rc open_regexes(struct file_log *state, struct leat_err *reterr)
{
    const struct file_log_conf *conf = state->conf;
    if (conf->multiline.line_start_pattern && *conf->multiline.line_start_pattern) {
        leat_rc rc = leat_regex_open(conf->multiline.line_start_pattern, &state->line_start, reterr);
        if (rc != LEAT_OK)
            return rc;
    }
    if (conf->multiline.line_end_pattern && *conf->multiline.line_end_pattern) {
        leat_rc rc = leat_regex_open(conf->multiline.line_end_pattern, &state->line_end, reterr);
        if (rc != LEAT_OK)
            return rc;
    }
    if (!state->recombine)
        return LEAT_OK;
    char arg[FILE_LOG_PATTERN_MAX];
    const char *test =
        state->recombine->is_first_entry ? state->recombine->is_first_entry : state->recombine->is_last_entry;
    leat_rc rc = file_log__test_parse(test, &state->entry_test, arg, sizeof arg, reterr);
    if (rc == LEAT_OK && state->entry_test == FILE_LOG_TEST_MATCHES)
        return leat_regex_open(arg, &state->entry, reterr);
    if (rc == LEAT_OK)
        memcpy(state->entry_tag, arg, strnlen(arg, sizeof state->entry_tag - 1)); /* test_parse bounds it */
    return rc;
}

static void find_operators(struct file_log *state)
{
    const struct file_log_operator *op = state->conf->operators.at;
    for (uint32_t i = 0; i < state->conf->operators.count; i++) {
        if (strcmp(op[i].type, "container") == 0)
            state->container = &op[i];
        else if (strcmp(op[i].type, "recombine") == 0)
            state->recombine = &op[i];
    }
}

leat_rc file_log__start(void *ctx, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct file_log *state = ctx;
    state->conf = conf;
    state->host = host;
    state->encoding = file_log__encoding(conf);
    state->poll = (struct leat_timer){.fire = on_poll, .ctx = state};
    state->soon = (struct leat_timer){.fire = on_soon, .ctx = state};
    leat_list_init(&state->folders);
    leat_list_init(&state->files);
    leat_list_init(&state->inflight);
    leat_task_init(&state->turn, on_turn, state);
    find_operators(state);
    leat_rc rc = open_regexes(state, reterr);
    file_log__describe_records(state);
    if (rc == LEAT_OK && state->conf->storage && *state->conf->storage)
        rc = file_log__load(state, reterr);
    if (rc == LEAT_OK)
        leat_timer_start(host->loop, &state->poll, 0);
    return rc;
}
