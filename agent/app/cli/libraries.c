/* SPDX-License-Identifier: Apache-2.0 */
/* What leat stands on, as found at run time. */
#include "agent/app/cli/run_inner.h"
#include "agent/net/coding.h"
#include "agent/net/h2/h2_library.h"
#include "agent/net/tls.h"

leat_rc leat_run__libraries(struct leat_err *reterr)
{
    leat_log(LEAT_LOG_INFO, "leat", "nghttp2 %s, %s, %s, %s", leat_h2_library_text(), leat_tls_library(),
             leat_loop_library(), leat_coding_library());
    return leat_h2_library_check(leat_h2_library_number(), leat_h2_library_text(), reterr);
}
