/* SPDX-License-Identifier: Apache-2.0 */
/* sd_file -- file_sd_configs: files of targets, read when they change and every refresh_interval.
 *
 * Rule     a file that cannot be read or understood keeps its last targets; one that is gone has none. */
#pragma once
#include "agent/discovery/sd_conf.h"

leat_rc leat_sd__file_check(const struct leat_file_sd_conf *conf, struct leat_err *reterr);
