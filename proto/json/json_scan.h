/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan -- the first byte of a string that JSON does not let stand for itself: ", \ or a control character. */
#pragma once
#include <stdint.h>

const char *json__special(const char *at, const char *end);
const char *json__special_scalar(const char *at, const char *end);
