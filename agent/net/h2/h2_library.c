/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/h2_library.h"

#include <nghttp2/nghttp2.h>

int leat_h2_library_number(void)
{
    return nghttp2_version(0)->version_num;
}

const char *leat_h2_library_text(void)
{
    return nghttp2_version(0)->version_str;
}

leat_rc leat_h2_library_check(int number, const char *text, struct leat_err *reterr)
{
    if (number >= LEAT_H2_LIBRARY_MIN)
        return LEAT_OK;
    return LEAT_RAISE(reterr, LEAT_EUNSUPPORTED, 0, "nghttp2 %s is too old: 1.52.0 or newer is needed", text);
}
