/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "processors/batch/batch.h"

#define C(member) LEAT_AT(struct batch_conf, member)

const struct leat_field batch_fields[] = {
    {"send_batch_size", LEAT_INT, C(send_batch_size), "8192",
     "items that set a batch going; 0: what comes goes at once", .max = 4294967295.0},
    {"timeout", LEAT_DURATION, C(timeout_ns), "200ms", "longest time an item waits for others; 0: none", .max = 3.6e12},
    {"send_batch_max_size", LEAT_INT, C(send_batch_max_size), "0", "most items of a batch that goes on; 0: no limit",
     .max = 4294967295.0},
    {"metadata_keys", LEAT_STRINGS, C(metadata_keys), NULL,
     "client headers (include_metadata) whose values are not mixed in one batch"},
    {"metadata_cardinality_limit", LEAT_INT, C(metadata_cardinality_limit), "1000",
     "most different sets of their values; further ones are refused for good", .min = 1, .max = 1e6},
    {0}};

const struct leat_counter_def batch_counters[] = {
    [BATCH_SIZE_TRIGGER] = {"processor_batch_batch_size_trigger_send_total", "", "batches sent because of their size"},
    [BATCH_TIMEOUT_TRIGGER] = {"processor_batch_timeout_trigger_send_total", "", "batches sent because of the timeout"},
    [BATCH_CARDINALITY] = {"processor_batch_metadata_cardinality", "", "sets of metadata values seen"},
    [BATCH_OVER_CARDINALITY] = {"processor_batch_over_cardinality_total", "", "items refused over the limit of sets"},
    {0}};

leat_rc batch__check(const void *conf, struct leat_err *reterr)
{
    const struct batch_conf *batch = conf;
    const struct leat_strings *keys = &batch->metadata_keys;
    if (batch->send_batch_max_size && batch->send_batch_max_size < batch->send_batch_size)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "send_batch_max_size must be greater or equal to send_batch_size");
    for (uint32_t i = 0; i < keys->count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcasecmp(keys->at[i], keys->at[k]) == 0)
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                                  "duplicate entry in metadata_keys: \"%s\" (case-insensitive)", keys->at[i]);
    return LEAT_OK;
}
