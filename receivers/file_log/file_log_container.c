/* SPDX-License-Identifier: Apache-2.0 */
/* The container operator: what a runtime wrapped is unwrapped, and the parts of a long line are joined per stream. */
#include <stdio.h>
#include <string.h>

#include "agent/base/alloc.h"
#include "proto/cri/cri.h"
#include "receivers/file_log/file_log.h"

#define DOCKER_PART_BYTES 16384u /* Docker cuts lines here; a shorter log without a newline is just a log */

static leat_rc pass_on(struct file_log *state, struct file_log_file *file, const struct file_log_record *record)
{
    return state->recombine ? file_log__recombine(state, file, record) : file_log__put(state, file, record);
}

static bool scratch_room(struct file_log *state, size_t len)
{
    if (len <= state->scratch_room)
        return true;
    size_t room = len < 16384 ? 16384 : len * 2;
    char *scratch = leat_realloc(state->scratch, room);
    if (!scratch)
        return false;
    state->scratch = scratch;
    state->scratch_room = room;
    return true;
}

static uint8_t stream_of(struct leat_slice stream)
{
    if (stream.len != 6 || memcmp(stream.at, "std", 3) != 0)
        return 0;
    return memcmp(stream.at + 3, "out", 3) == 0 ? 1 : memcmp(stream.at + 3, "err", 3) == 0 ? 2 : 0;
}

static const char *tag_of(struct leat_slice tags, char *scratch)
{
    if (tags.len == 1 && tags.at[0] == 'F')
        return "F";
    if (tags.len == 0)
        return NULL;
    (void)snprintf(scratch, FILE_LOG_TAG_MAX, "%.*s", LEAT_SLICE_ARGS(tags));
    return scratch;
}

/* A line that is in no format goes on as it is: it is somebody's log all the same. */
static leat_rc unknown_format(struct file_log *state, struct file_log_file *file, const uint8_t *at, uint32_t len,
                              uint64_t from)
{
    leat_rc rc = pass_on(state, file, &(struct file_log_record){.body = at, .len = len, .from = from});
    if (rc != LEAT_OK)
        return rc;
    uint32_t missed;
    file_log__count(state, FILE_LOG_BAD_FORMAT, 1);
    if (leat_log_may(&state->limit_format, leat_loop_now_ns(state->host->loop), &missed))
        leat_log(LEAT_LOG_WARN, state->host->id, "%s: offset %llu: not a container log line (and %u more)", file->path,
                 (unsigned long long)from, missed);
    return LEAT_OK;
}

/* A part, or the end of what parts began. */
static leat_rc join(struct file_log *state, struct file_log_file *file, const struct file_log_record *record,
                    bool partial)
{
    struct file_log_held *held = &file->held[0][record->stream];
    if (held->active && !file_log__held_fits(state, held, record->len + 1, state->container->max_log_size)) {
        leat_rc rc = file_log__held_flush(state, file, 0, record->stream);
        if (rc != LEAT_OK)
            return rc;
        file_log__count(state, FILE_LOG_UNFINISHED, 1);
    }
    if (!held->active &&
        (!partial || !file_log__held_fits(state, held, record->len + 1, state->container->max_log_size)))
        return pass_on(state, file, record);
    uint32_t before = held->len, count = held->count;
    leat_rc rc = file_log__held_put(state, held, record, "", false);
    if (rc != LEAT_OK || partial)
        return rc;
    rc = file_log__held_flush(state, file, 0, record->stream);
    if (rc != LEAT_OK) { /* the line comes again */
        held->len = before;
        held->count = count;
        held->active = count != 0;
    }
    return rc;
}

static bool parse(struct file_log *state, const uint8_t *at, uint32_t len, struct cri_line *ret_line)
{
    int format = state->container->format;
    const char *text = (const char *)at;
    if (format == FILE_LOG_DOCKER || (format == FILE_LOG_AUTO && at[0] == '{')) {
        if (!cri_parse_docker(text, len, state->scratch, ret_line))
            return false;
        ret_line->partial = ret_line->partial && ret_line->text.len >= DOCKER_PART_BYTES;
        return true;
    }
    return cri_parse(text, len, ret_line);
}

static leat_rc container(struct file_log *state, struct file_log_file *file, const uint8_t *at, uint32_t len,
                         uint64_t from)
{
    struct cri_line line;
    char tag[FILE_LOG_TAG_MAX];
    if (at[0] == '{' && !scratch_room(state, len))
        return LEAT_ENOMEM;
    if (!parse(state, at, len, &line))
        return unknown_format(state, file, at, len, from);
    struct file_log_record record = {.body = line.text.at,
                                     .len = line.text.len,
                                     .stream = stream_of(line.stream),
                                     .tag = tag_of(line.tags, tag),
                                     .time_ns = (uint64_t)line.unix_ns,
                                     .from = from};
    if (line.partial || file->held[0][record.stream].active)
        return join(state, file, &record, line.partial);
    return pass_on(state, file, &record);
}

leat_rc file_log__line(struct file_log *state, struct file_log_file *file, const uint8_t *at, uint32_t len,
                       uint64_t from)
{
    if (state->container)
        return container(state, file, at, len, from);
    return pass_on(state, file, &(struct file_log_record){.body = at, .len = len, .from = from});
}
