/* SPDX-License-Identifier: Apache-2.0 */
/* pprof_form -- what the core does to scraped profiles without knowing them: agent/base/form.h filled in.
 *
 * Why      a payload is a chain of series messages (pprof_push.h), one profile each: an item is one profile. Series behind
 *          series are a longer payload, so that merging, cutting and picking copy nothing.
 * Threads  pure functions over borrowed chains, on the shard that owns them.
 * Fails    as agent/base/form.h says. */
#pragma once
#include "agent/base/form.h"

extern const struct leat_form_ops pprof_form;
