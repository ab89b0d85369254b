/* SPDX-License-Identifier: Apache-2.0 */
/* For processors without a vector twin here. */
#include "proto/json/json_scan.h"

const char *json__special(const char *at, const char *end)
{
    return json__special_scalar(at, end);
}
