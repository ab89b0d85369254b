/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_form -- what the core does to OTLP without knowing it: agent/base/form.h filled in.
 *
 * Why      a batch is split at a size, merged with its like, or three refused items of it are sent again.
 * Threads  pure functions over borrowed chains, on the shard that owns them.
 * Owns     outputs share the input's blocks; only the lengths of resources, scopes and metrics are written anew.
 * Limits   none of its own: a payload was bounded at the door.
 * Fails    as agent/base/form.h says. */
#pragma once
#include "agent/base/form.h"

extern const struct leat_form_ops otlp_form;
