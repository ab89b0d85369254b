/* SPDX-License-Identifier: Apache-2.0 */
/* check -- invariants that stay on in every build: a broken one ends the process with its place and its words. */
#pragma once

_Noreturn void leat_check_failed(const char *file, int line, const char *what);

/* Cheap enough for the per-batch path. */
#define LEAT_CHECK(cond) ((cond) ? (void)0 : leat_check_failed(__FILE__, __LINE__, #cond))

/* For the per-record path and for whole-structure walks: debug, sanitizer and simulation builds. */
#ifdef LEAT_DEBUG
#define LEAT_DCHECK(cond) LEAT_CHECK(cond)
#else
#define LEAT_DCHECK(cond) ((void)sizeof(cond))
#endif
