/* SPDX-License-Identifier: Apache-2.0 */
/* h2_library -- which nghttp2 this process has loaded, and whether it will do.
 *
 * Why      the program is linked against one version and may meet another; below 1.52.0 the defences against resets and
 *          header floods that the limits rely on are not there.
 * Threads  any.
 * Fails    LEAT_EUNSUPPORTED with both versions. */
#pragma once
#include "agent/base/err.h"

#define LEAT_H2_LIBRARY_MIN 0x013400 /* 1.52.0, as nghttp2 counts */

leat_rc leat_h2_library_check(int number, const char *text, struct leat_err *reterr) LEAT_MUST_CHECK;
int leat_h2_library_number(void);
const char *leat_h2_library_text(void); /* "1.52.0" */
