/* SPDX-License-Identifier: Apache-2.0 */
/* Lists from shard 0 to the instances of all shards. A member may leave while a list is on its way to it. */
#include <pthread.h>

#include "agent/base/alloc.h"
#include "agent/discovery/discovery.h"

/* Lists change seldom: one lock for all feeds of the process, never held while anybody is told. */
static pthread_mutex_t feeds_lock = PTHREAD_MUTEX_INITIALIZER;

struct parcel {
    struct leat_message message;
    struct leat_target_feed *feed; /* in host->shared: outlives the loops */
    struct leat_feed_member *member;
    uint32_t job;
    struct leat_targets *targets;
};

static bool is_member(const struct leat_target_feed *feed, const struct leat_feed_member *member)
{
    bool found = false;
    (void)pthread_mutex_lock(&feeds_lock);
    for (const struct leat_feed_member *at = feed->members; at && !found; at = at->next)
        found = at == member;
    (void)pthread_mutex_unlock(&feeds_lock);
    return found;
}

static void arrive(struct leat_message *message)
{
    struct parcel *parcel = LEAT_CONTAINER(message, struct parcel, message);
    if (is_member(parcel->feed, parcel->member)) /* leaves on this thread, so it stays until we are done */
        parcel->member->changed(parcel->member->ctx, parcel->job, parcel->targets);
    leat_targets_unref(parcel->targets);
    leat_free(parcel);
}

static leat_rc tell(struct leat_target_feed *feed, struct leat_feed_member *member, uint32_t job)
{
    struct parcel *parcel = leat_alloc(sizeof *parcel);
    if (!parcel)
        return LEAT_ENOMEM;
    *parcel = (struct parcel){.message = {.arrive = arrive}, .feed = feed, .member = member, .job = job};
    parcel->targets = leat_targets_ref(feed->last[job]);
    leat_handoff_post(member->loop, &parcel->message);
    return LEAT_OK;
}

leat_rc leat_feed_join(struct leat_target_feed *feed, struct leat_feed_member *member)
{
    leat_rc rc = LEAT_OK;
    (void)pthread_mutex_lock(&feeds_lock);
    member->joined = true;
    member->next = feed->members;
    feed->members = member;
    for (uint32_t job = 0; job < feed->job_count && rc == LEAT_OK; job++)
        if (feed->last[job])
            rc = tell(feed, member, job);
    if (rc != LEAT_OK) {
        feed->members = member->next;
        member->joined = false;
    }
    (void)pthread_mutex_unlock(&feeds_lock);
    return rc;
}

void leat_feed_leave(struct leat_target_feed *feed, struct leat_feed_member *member)
{
    if (!member->joined)
        return;
    (void)pthread_mutex_lock(&feeds_lock);
    for (struct leat_feed_member **at = &feed->members; *at; at = &(*at)->next)
        if (*at == member) {
            *at = member->next;
            break;
        }
    member->joined = false;
    (void)pthread_mutex_unlock(&feeds_lock);
}

static bool make_room(struct leat_target_feed *feed, uint32_t job)
{
    if (job < feed->job_count)
        return true;
    struct leat_targets **last = leat_zalloc(job + 1, sizeof(void *));
    if (!last)
        return false;
    for (uint32_t i = 0; i < feed->job_count; i++)
        last[i] = feed->last[i];
    leat_free(feed->last);
    feed->last = last;
    feed->job_count = job + 1;
    return true;
}

leat_rc leat_feed_publish(struct leat_target_feed *feed, uint32_t job, struct leat_targets *targets)
{
    leat_rc rc = LEAT_OK;
    (void)pthread_mutex_lock(&feeds_lock);
    if (make_room(feed, job)) {
        leat_targets_unref(feed->last[job]);
        feed->last[job] = targets;
        for (struct leat_feed_member *member = feed->members; member; member = member->next)
            if (tell(feed, member, job) != LEAT_OK)
                rc = LEAT_ENOMEM;
    } else {
        leat_targets_unref(targets);
        rc = LEAT_ENOMEM;
    }
    (void)pthread_mutex_unlock(&feeds_lock);
    return rc;
}

void leat_feed_done(struct leat_target_feed *feed)
{
    (void)pthread_mutex_lock(&feeds_lock);
    for (uint32_t job = 0; job < feed->job_count; job++)
        leat_targets_unref(feed->last[job]);
    leat_free(feed->last);
    feed->last = NULL;
    feed->job_count = 0;
    (void)pthread_mutex_unlock(&feeds_lock);
}
