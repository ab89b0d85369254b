/* SPDX-License-Identifier: Apache-2.0 */
/* h2_frames -- nghttp2's callbacks, set in one place; private to agent/net/h2. */
#pragma once
#include "agent/net/h2/h2_session.h"

/* Above so many bytes waiting for the socket no DATA frame is made: messages stay where they are until it drains. */
#define LEAT_H2_OUT_MAX (1u << 20)

void leat_h2__callbacks(nghttp2_session_callbacks *to);
