/* SPDX-License-Identifier: Apache-2.0 */
/* resource_detection -- what the machine and the environment say of themselves, as resource attributes; private to this folder.
 *
 * Why      found once at start, then set on every resource as the resource processor would.
 * Threads  one state per pipeline and shard.
 * Owns     what was found, and the program made of it.
 * Limits   FOUND_MAX attributes, 64 KiB of them in the environment; `timeout` for the name service, once per process.
 * Fails    at start when the environment's list cannot be read; afterwards as agent/pipe/rework.h. */
#pragma once
#include <pthread.h>

#include "agent/base/arena.h"
#include "agent/pipe/rework.h"
#include "processors/processor.h"
#include "proto/otlp_edit/otlp_edit.h"

#define FOUND_MAX 128u
#define ENV_BYTES_MAX 65536u

enum detection_attribute { DETECT_HOST_NAME, DETECT_OS_TYPE, DETECT_HOST_ID, DETECT_HOST_ARCH, DETECT_OS_DESCRIPTION,
                           DETECT_COUNT };

struct detection_switch {
    bool enabled;
};
struct resource_detection_conf {
    struct leat_strings detectors;
    bool override;
    int64_t timeout_ns;
    struct {
        struct leat_strings hostname_sources;
        struct detection_switch attributes[DETECT_COUNT];
    } system;
};
extern const struct leat_field resource_detection_fields[];
leat_rc resource_detection__check(const void *conf, struct leat_err *reterr);

/* The attributes, the first to name one wins; texts live in the arena. */
struct detection_found {
    struct leat_arena arena;
    struct otlp_edit_action_conf at[FOUND_MAX];
    uint32_t count;
};
leat_rc detection_find(const struct resource_detection_conf *conf, struct leat_world *world, struct detection_found *found,
                       struct leat_err *reterr) LEAT_MUST_CHECK;
/* "a=b,c=d%20e". */
leat_rc detection_env(struct detection_found *found, const char *text, struct leat_err *reterr) LEAT_MUST_CHECK;

/* A question to the outside that may not be answered for long. It lives as long as the process. */
#define DETECTION_NAME_BYTES 256u
enum detection_stands { DETECTION_UNASKED, DETECTION_ASKED, DETECTION_KNOWN, DETECTION_UNKNOWN };
struct detection_question {
    bool (*ask)(char name[DETECTION_NAME_BYTES]); /* on a thread of its own */
    enum detection_stands stands;
    pthread_cond_t answered;
    char name[DETECTION_NAME_BYTES];
};
extern struct detection_question detection_full_name;
/* Waits at most so long, and only if nobody has waited in vain before. False: not known, `name` is as it was. */
bool detection_ask(struct detection_question *question, int64_t timeout_ns, char name[DETECTION_NAME_BYTES]);

struct resource_detection {
    struct leat_host *host;
    struct detection_found found;
    struct otlp_edit *edit;
    struct leat_rework rework;
};
leat_rc resource_detection__open(void *state, const void *conf, enum leat_signal signal, struct leat_host *host,
                                 struct leat_err *reterr);
leat_rc resource_detection__admit(void *state, const struct leat_batch *batch);
struct leat_batch *resource_detection__process(void *state, struct leat_batch *batch);
bool resource_detection__flush(void *state);
uint64_t resource_detection__held(const void *state);
void resource_detection__dump(const void *state, struct leat_strbuf *out);
void resource_detection__close(void *state);
