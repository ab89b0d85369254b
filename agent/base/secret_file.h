/* SPDX-License-Identifier: Apache-2.0 */
/* secret_file -- a small file with a token or a password, read again when it has changed.
 *
 * Why      credentials are mounted as files and replaced under a running process.
 * Threads  one user at a time. Reads block, at most once a second and only after a change.
 * Owns     its copy of the text, which is wiped before it is freed. {.world, .path} is a file that was not read yet.
 * Limits   SECRET_FILE_BYTES_MAX.
 * Fails    when it cannot be read and never could; later failures keep what was read last. The text is in no message.
 */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/world.h"

#define LEAT_SECRET_FILE_BYTES_MAX 65536u

struct leat_secret_file {
    struct leat_world *world;
    const char *path;
    uint64_t looked_ns; /* monotonic; 0: never */
    struct leat_stat seen;
    char *text;
    uint32_t len;
    uint32_t version; /* goes up whenever the text was read anew */
};
/* The text without the line ends and blanks at its end; borrowed until the next call. */
leat_rc leat_secret_file_get(struct leat_secret_file *file, struct leat_slice *ret_text, struct leat_err *reterr);
void leat_secret_file_done(struct leat_secret_file *file);
/* The same in the same time, whatever differs; only the lengths may be guessed. */
bool leat_secret_eq(struct leat_slice a, struct leat_slice b);
