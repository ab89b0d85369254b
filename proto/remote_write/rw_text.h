/* SPDX-License-Identifier: Apache-2.0 */
/* rw_text -- numbers as label values: the shortest digits, never an exponent, as le and quantile have them. */
#pragma once
#include "agent/base/strbuf.h"

void rw_put_plain(struct leat_strbuf *out, double value);
