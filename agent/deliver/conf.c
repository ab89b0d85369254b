/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/conf.h"

#define Q(member) LEAT_AT(struct leat_queue_conf, member)
#define R(member) LEAT_AT(struct leat_retry_conf, member)
#define D(member) LEAT_AT(struct leat_deliver_conf, member)
#define S 1e9

static const char *const sizers[] = {"requests", "items", "bytes", NULL};
static const char *const batch_sizers[] = {"", "items", "bytes", NULL};

/* Offsets of a nested section count from the section's own struct. */
static const struct leat_field batch_fields[] = {
#define B(member) (uint32_t)(offsetof(struct leat_queue_conf, batch.member) - offsetof(struct leat_queue_conf, batch))
    {"enabled", LEAT_BOOL, B(enabled), "true", "merge queued batches before sending", 0},
    {"flush_timeout", LEAT_DURATION, B(flush_timeout_ns), "200ms", "send what is there after this time", 0, 1, 3600 * S},
    {"min_size", LEAT_INT, B(min_size), "8192", "send when this much is there", 0, 0, 1e12},
    {"max_size", LEAT_INT, B(max_size), "0", "never send more at once; 0: no limit", 0, 0, 1e12},
    {.key = "sizer", .type = LEAT_ENUM, .offset = B(sizer), .choices = batch_sizers,
     .doc = "what the sizes count: items or bytes; the queue's sizer when unset"},
    {0}};

const struct leat_field leat_deliver_queue_fields[] = {
    {"enabled", LEAT_BOOL, Q(enabled), "true", "off: the caller waits for the peer's answer", 0},
    {"num_consumers", LEAT_INT, Q(num_consumers), "10", "how many sends may be under way", 0, 1, 10000},
    {"queue_size", LEAT_INT, Q(queue_size), "1000", "how much may wait or be under way, in units of sizer", 0, 1, 1e15},
    {.key = "sizer", .type = LEAT_ENUM, .offset = Q(sizer), .deflt = "requests", .choices = sizers,
     .doc = "what queue_size counts"},
    {"wait_for_result", LEAT_BOOL, Q(wait_for_result), "false", "the caller hears what the peer said", 0},
    {"block_on_overflow", LEAT_BOOL, Q(block_on_overflow), "false",
     "push sources wait for room instead of being refused (pull sources always wait)", 0},
    {"storage", LEAT_REFUSED, Q(storage), NULL, "the queue is kept in memory; a disk queue is not available yet", 0},
    {.key = "batch", .type = LEAT_SECTION, .offset = Q(batch), .fields = batch_fields,
     .present = LEAT_PRESENT(struct leat_queue_conf, batch.present), .doc = "merge and split before sending; off unless written"},
    {0}};

const struct leat_field leat_deliver_retry_fields[] = {
    {"enabled", LEAT_BOOL, R(enabled), "true", "try again after temporary failures", 0},
    {"initial_interval", LEAT_DURATION, R(initial_interval_ns), "5s", "wait after the first failure", 0, 0, 86400 * S},
    {"randomization_factor", LEAT_DOUBLE, R(randomization_factor), "0.5", "each wait varies by this share", 0, 0, 1},
    {"multiplier", LEAT_DOUBLE, R(multiplier), "1.5", "growth of the wait", 0, 0, 1000},
    {"max_interval", LEAT_DURATION, R(max_interval_ns), "30s", "longest wait", 0, 0, 86400 * S},
    {"max_elapsed_time", LEAT_DURATION, R(max_elapsed_time_ns), "300s", "give up after this time; 0: never", 0, 0, 1e18},
    {"full_jitter", LEAT_BOOL, R(full_jitter), "false", "wait a uniform share of the interval (a key of leat's own)", 0},
    {0}};

static const struct leat_field dead_letter_fields[] = {
#define L(member) (D(dead_letter.member) - D(dead_letter))
    {"path", LEAT_STRING, L(path), NULL, "the file; created, and appended to", 0},
    {"max_size", LEAT_SIZE, L(bytes_max), "100MiB", "no more is written when the file has reached this size", 0, 4096, 1e15},
    {0}};

#define DELIVER_FIELDS(timeout)                                                                                 \
    {                                                                                                           \
        {"timeout", LEAT_DURATION, D(timeout_ns), timeout, "longest wait for one attempt", 0, 0, 86400 * S},    \
            {.key = "sending_queue", .type = LEAT_SECTION, .offset = D(queue), .fields = leat_deliver_queue_fields, \
             .doc = "the queue before the destination"},                                                        \
            {.key = "retry_on_failure", .type = LEAT_SECTION, .offset = D(retry), .fields = leat_deliver_retry_fields, \
             .doc = "when and how often to try again"},                                                         \
            {.key = "dead_letter", .type = LEAT_SECTION, .offset = D(dead_letter), .fields = dead_letter_fields, \
             .doc = "where items go that the destination refuses for good (a key of leat's own)"},              \
        {0}                                                                                                     \
    }
const struct leat_field leat_deliver_fields[] = DELIVER_FIELDS("5s");
const struct leat_field leat_deliver_http_fields[] = DELIVER_FIELDS("30s");

leat_rc leat_deliver_check(const struct leat_deliver_conf *conf, struct leat_err *reterr)
{
    const struct leat_queue_conf *queue = &conf->queue;
    if (!queue->enabled || !queue->batch.present || !queue->batch.enabled)
        return LEAT_OK;
    int sizer = queue->batch.sizer ? queue->batch.sizer : queue->sizer;
    if (queue->batch.max_size && queue->batch.max_size < queue->batch.min_size)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "sending_queue::batch: max_size must be 0 or at least min_size (%lld)",
                          (long long)queue->batch.min_size);
    if (sizer == queue->sizer && queue->batch.min_size > queue->queue_size)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "sending_queue::batch: min_size must not be greater than queue_size (%lld)",
                          (long long)queue->queue_size);
    return LEAT_OK;
}
