/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are not complete yet, bounded each and all together. */
#include <stdio.h>
#include <string.h>

#include "agent/base/alloc.h"
#include "receivers/file_log/file_log.h"

#define PARTS_PERIOD_NS 5000000000ull /* the Collector's for the parts of a line */
#define KEEP_ROOM 16384u              /* a buffer up to this size is kept for the next record */

static uint32_t room_for(const struct file_log_held *held, uint64_t len)
{
    uint64_t room = held->room ? held->room : 1024;
    while (room < len)
        room *= 2;
    return (uint32_t)room;
}

bool file_log__held_fits(const struct file_log *state, const struct file_log_held *held, uint64_t len, int64_t limit)
{
    uint64_t all = held->len + len;
    if (all > UINT32_MAX / 4 || (limit > 0 && all > (uint64_t)limit))
        return false;
    return all <= held->room ||
           state->held_bytes + room_for(held, all) - held->room <= (uint64_t)state->conf->max_held_bytes;
}

static bool grow(struct file_log *state, struct file_log_held *held, uint64_t len)
{
    if (len <= held->room)
        return true;
    uint32_t room = room_for(held, len);
    uint8_t *at = leat_realloc(held->at, room);
    if (!at)
        return false;
    state->held_bytes += room - held->room;
    held->at = at;
    held->room = room;
    return true;
}

static void describe(struct file_log_held *held, const struct file_log_record *record)
{
    held->time_ns = record->time_ns;
    (void)snprintf(held->tag, sizeof held->tag, "%s", record->tag ? record->tag : "");
}

leat_rc file_log__held_put(struct file_log *state, struct file_log_held *held, const struct file_log_record *record,
                           const char *with, bool newest)
{
    size_t with_len = held->active ? strlen(with) : 0;
    if (!grow(state, held, (uint64_t)held->len + with_len + record->len + 1))
        return LEAT_ENOMEM;
    if (!held->active) {
        held->active = true;
        held->from = record->from;
        held->len = held->count = 0;
        held->matched = held->ended = false;
    }
    if (held->count == 0 || newest)
        describe(held, record);
    memcpy(held->at + held->len, with, with_len);
    memcpy(held->at + held->len + with_len, record->body, record->len);
    held->len += (uint32_t)with_len + record->len;
    held->count++;
    held->touched_ns = leat_loop_now_ns(state->host->loop);
    state->out.copied += record->len;
    return LEAT_OK;
}

void file_log__held_done(struct file_log *state, struct file_log_held *held)
{
    state->held_bytes -= held->room;
    leat_free(held->at);
    *held = (struct file_log_held){0};
}

leat_rc file_log__held_flush(struct file_log *state, struct file_log_file *file, uint32_t stage, uint32_t stream)
{
    struct file_log_held *held = &file->held[stage][stream];
    struct file_log_record record = {.body = held->at,
                                     .len = held->len,
                                     .stream = (uint8_t)stream,
                                     .tag = held->tag[0] ? held->tag : NULL,
                                     .time_ns = held->time_ns,
                                     .from = held->from};
    leat_rc rc = stage == 0 && state->recombine ? file_log__recombine(state, file, &record)
                                                : file_log__put(state, file, &record);
    if (rc != LEAT_OK)
        return rc;
    if (held->count > 1)
        file_log__count(state, FILE_LOG_JOINED, held->count);
    held->active = false;
    held->len = held->count = 0;
    if (held->room > KEEP_ROOM)
        file_log__held_done(state, held);
    return LEAT_OK;
}

static bool is_due(const struct file_log *state, const struct file_log_held *held, uint32_t stage, uint64_t now_ns)
{
    uint64_t period = stage == 0 ? PARTS_PERIOD_NS : (uint64_t)state->recombine->force_flush_period;
    return held->ended || now_ns - held->touched_ns >= period;
}

leat_rc file_log__held_tick(struct file_log *state, struct file_log_file *file, uint64_t now_ns, bool all)
{
    for (uint32_t stage = 0; stage < 2; stage++)
        for (uint32_t stream = 0; stream < FILE_LOG_STREAMS; stream++) {
            struct file_log_held *held = &file->held[stage][stream];
            if (!held->active || !(all || is_due(state, held, stage, now_ns)))
                continue;
            leat_rc rc = file_log__held_flush(state, file, stage, stream);
            if (rc != LEAT_OK)
                return rc;
            if (stage == 0)
                file_log__count(state, FILE_LOG_UNFINISHED, 1);
        }
    return LEAT_OK;
}
