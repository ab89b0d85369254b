/* SPDX-License-Identifier: Apache-2.0 */
/* The recombine operator: consecutive lines of one file and stream become one record. */
#include <string.h>

#include "receivers/file_log/file_log.h"

static bool matches(struct file_log *state, const struct file_log_record *record)
{
    if (state->entry_test == FILE_LOG_TEST_LOGTAG)
        return strcmp(record->tag ? record->tag : "", state->entry_tag) == 0;
    struct leat_slice match;
    return file_log__matches(state, state->entry, leat_slice_of(record->body, (uint32_t)record->len), &match);
}

static bool enough(const struct file_log_operator *op, const struct file_log_held *held)
{
    if (op->max_batch_size > 0 && held->count >= (uint64_t)op->max_batch_size)
        return true;
    return op->is_first_entry && !held->matched && op->max_unmatched_batch_size > 0 &&
           held->count >= (uint64_t)op->max_unmatched_batch_size;
}

leat_rc file_log__recombine(struct file_log *state, struct file_log_file *file, const struct file_log_record *record)
{
    const struct file_log_operator *op = state->recombine;
    struct file_log_held *held = &file->held[1][record->stream];
    const char *with = op->combine_with ? op->combine_with : "\n";
    uint64_t more = record->len + strlen(with) + 1;
    bool hit = matches(state, record), first = op->is_first_entry != NULL;
    if (held->active && (held->ended || (first && hit) || !file_log__held_fits(state, held, more, op->max_log_size))) {
        leat_rc rc = file_log__held_flush(state, file, 1, record->stream);
        if (rc != LEAT_OK)
            return rc;
    }
    if (!held->active && ((!first && hit) || !file_log__held_fits(state, held, more, op->max_log_size)))
        return file_log__put(state, file, record);
    leat_rc rc = file_log__held_put(state, held, record, with, op->overwrite_with == FILE_LOG_NEWEST);
    if (rc != LEAT_OK)
        return rc;
    held->matched |= hit;
    held->ended = (!first && hit) || enough(op, held);
    if (held->ended) /* without memory it stays, marked, and goes first next time */
        (void)file_log__held_flush(state, file, 1, record->stream);
    return LEAT_OK;
}
