/* SPDX-License-Identifier: Apache-2.0 */
/* For processors without a vector twin here. */
#include "proto/utf8/utf8.h"

const uint8_t *(*utf8_high)(const uint8_t *at, const uint8_t *end) = utf8_high_scalar;
