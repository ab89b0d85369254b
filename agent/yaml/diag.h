/* SPDX-License-Identifier: Apache-2.0 */
/* diag -- what is wrong with a configuration, all of it, each with its place.
 *
 * Why      a user fixes a file in one go when every mistake is named at once, with file, line, column and key path.
 * Owns     nothing of its own: texts live in the arena the list was given.
 * Limits   LEAT_DIAGS_MAX entries; further ones are only counted (`left_out`).
 * Fails    when the arena does: the entry is lost, arena->failed says so, and the load ends with LEAT_ENOMEM. */
#pragma once
#include <stdint.h>

#include "agent/base/arena.h"
#include "agent/base/strbuf.h"

#define LEAT_DIAGS_MAX 200u

enum leat_severity { LEAT_ERROR, LEAT_WARNING };

struct leat_mark {
    const char *file;      /* as the user named it */
    uint32_t line, column; /* from 1; 0: the file as a whole */
};

struct leat_diag {
    enum leat_severity severity;
    struct leat_mark mark;
    const char *path; /* "receivers::otlp::protocols"; "" when the place says it all */
    const char *text;
};

struct leat_diag_list {
    struct leat_arena *arena;
    struct leat_diag *at;
    uint32_t count, room;
    uint32_t errors, warnings, left_out;
};

void leat_diag_add(struct leat_diag_list *list, enum leat_severity severity, struct leat_mark mark, const char *path,
                   const char *fmt, ...) LEAT_PRINTF(5, 6);
/* "file:line:column: error: path: text", one line each, errors first. */
void leat_diag_print(const struct leat_diag_list *list, struct leat_strbuf *out);
void leat_diag_print_one(const struct leat_diag *diag, struct leat_strbuf *out);
