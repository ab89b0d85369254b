/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's full name. A name service may take a minute to say that it does not know, and there is one processor per
 * pipeline and shard: it is asked once per process, on a thread of its own, and what the first wait came to holds for all. */
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "processors/resource_detection/resource_detection.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *asker(void *ctx)
{
    struct detection_question *question = ctx;
    char name[DETECTION_NAME_BYTES] = "";
    bool known = question->ask(name);
    (void)pthread_mutex_lock(&lock);
    if (question->stands == DETECTION_ASKED) { /* else it comes too late */
        question->stands = known ? DETECTION_KNOWN : DETECTION_UNKNOWN;
        memcpy(question->name, name, sizeof name);
    }
    (void)pthread_cond_broadcast(&question->answered);
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

static void ask(struct detection_question *question) /* the lock is held */
{
    pthread_condattr_t clock;
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all, before;
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&question->answered, &clock);
    (void)pthread_condattr_destroy(&clock);
    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all); /* signals are the other threads' */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool begun = pthread_create(&thread, &detached, asker, question) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&detached);
    question->stands = begun ? DETECTION_ASKED : DETECTION_UNKNOWN;
}

static struct timespec after(int64_t ns)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ns / 1000000000;
    at.tv_nsec += ns % 1000000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool detection_ask(struct detection_question *question, int64_t timeout_ns, char name[DETECTION_NAME_BYTES])
{
    struct timespec end = after(timeout_ns);
    (void)pthread_mutex_lock(&lock);
    if (question->stands == DETECTION_UNASKED)
        ask(question);
    while (question->stands == DETECTION_ASKED)
        if (pthread_cond_timedwait(&question->answered, &lock, &end) != 0 && question->stands == DETECTION_ASKED) {
            question->stands = DETECTION_UNKNOWN;
            leat_log(LEAT_LOG_WARN, "resource_detection",
                     "the name service says nothing within %lld ms: host.name is taken from elsewhere until the next start",
                     (long long)(timeout_ns / 1000000));
        }
    bool known = question->stands == DETECTION_KNOWN;
    if (known)
        memcpy(name, question->name, DETECTION_NAME_BYTES);
    (void)pthread_mutex_unlock(&lock);
    return known;
}

static bool full_name(char name[DETECTION_NAME_BYTES])
{
    char host[DETECTION_NAME_BYTES] = "";
    struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM}, *list = NULL;
    if (gethostname(host, sizeof host - 1) != 0)
        return false;
    bool known = getaddrinfo(host, NULL, &hints, &list) == 0 && list && list->ai_canonname && *list->ai_canonname;
    if (known)
        (void)snprintf(name, DETECTION_NAME_BYTES, "%s", list->ai_canonname);
    if (list)
        freeaddrinfo(list);
    size_t len = known ? strlen(name) : 0;
    if (len && name[len - 1] == '.')
        name[len - 1] = 0;
    return known;
}

struct detection_question detection_full_name = {.ask = full_name};
