/* SPDX-License-Identifier: Apache-2.0 */
/* file_rotate -- backups of a file that is full: named by time, as many and as old as allowed; private to
 * agent/deliver.
 *
 * Why      "out.json" becomes "out-2024-01-31T23-59-59.999.json" beside it, as the Collector's file exporter does it.
 * Threads  one shard's; disk calls block.
 * Limits   BACKUPS_MAX names are looked at a time; what is beyond waits for the next rotation.
 * Fails    -errno of the rename; a backup that cannot be removed is tried again next time. */
#pragma once
#include "agent/base/world.h"
#include "agent/deliver/carrier.h"

#define LEAT_FILE_STAMP_BYTES 24u /* "2024-01-31T23-59-59.999" and its end */
void leat_deliver__file_stamp(uint64_t unix_ns, bool localtime, char to[LEAT_FILE_STAMP_BYTES]);
int leat_deliver__file_rotate(struct leat_world *world, const struct leat_file_carrier_conf *conf);
void leat_deliver__file_prune(struct leat_world *world, const struct leat_file_carrier_conf *conf);
/* Makes every missing folder above `path`. */
int leat_deliver__file_folders(struct leat_world *world, const char *path, uint32_t mode);
