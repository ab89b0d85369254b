/* SPDX-License-Identifier: Apache-2.0 */
/* cri -- one line of a container's log file, as kubelet's runtimes and Docker write it.
 *
 * Why      what a pod prints reaches the disk wrapped in one of two formats; the line inside is what people look for.
 * Threads  pure functions over (pointer, length), without the newline; nothing is allocated or kept.
 * Owns     nothing: what a line points at are the caller's bytes (for Docker, bytes of the caller's scratch).
 * Limits   a time stamp has at most 9 digits of fraction kept; more are dropped.
 * Fails    false: not a line of this format. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/slice.h"

enum cri_format { CRI_UNKNOWN, CRI_CONTAINERD, CRI_CRIO, CRI_DOCKER };

struct cri_line {
    int64_t unix_ns;
    struct leat_slice time;   /* as written */
    struct leat_slice stream; /* "stdout", "stderr" */
    struct leat_slice tags;   /* "F", "P", "P:x"; empty for Docker */
    struct leat_slice text;
    bool partial; /* goes on in the next line of the same stream */
};

/* RFC 3339 with up to 9 digits of fraction and any offset ("Z", "+02:00", "-0330"). The bytes used; 0: no time. */
uint32_t cri_time(const char *at, uint32_t len, int64_t *ret_unix_ns);

/* "2024-01-01T00:00:00.123456789Z stdout F text" */
bool cri_parse(const char *at, uint32_t len, struct cri_line *ret_line);

/* {"log":"text\n","stream":"stdout","time":"..."}: the text is unescaped into `scratch` (room for len bytes). A log
 * without a newline at its end is partial; the newline is taken off. */
bool cri_parse_docker(const char *at, uint32_t len, char *scratch, struct cri_line *ret_line);

/* Which format a first line is in: Docker begins with '{'; CRI-O writes an offset, containerd "Z". */
enum cri_format cri_detect(const char *at, uint32_t len);
