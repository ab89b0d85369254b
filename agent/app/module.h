/* SPDX-License-Identifier: Apache-2.0 */
/* module -- components that stand on a heavy library, opened when a configuration names them.
 *
 * Why      a library that nobody asked for costs nothing: not its pages, not its relocations, not its constructors.
 * Threads  the main thread, before shards start or while a new configuration is read.
 * Owns     what was opened stays until the process ends: descriptors point into it.
 * Limits   NAME.so in leat-modules beside the binary, or in ../lib/leat of it; LEAT_MODULES names another folder.
 * Fails    LEAT_ECONFIG with the path and the linker's reason; a module of another version is refused. */
#pragma once
#include "config/catalog.h"

leat_rc leat_module_open(enum leat_kind kind, const char *name, const void **ret_descriptor,
                         struct leat_err *reterr) LEAT_MUST_CHECK;

extern const char leat_module_version[]; /* every module's own (agent/app/module_version.c) */
