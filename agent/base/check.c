/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void leat_check_failed(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "leat: invariant broken at %s:%d: %s\n", file, line, what);
    abort();
}
