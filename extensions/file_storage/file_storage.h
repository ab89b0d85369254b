/* SPDX-License-Identifier: Apache-2.0 */
/* file_storage -- one small file per client, replaced as a whole; private to this folder.
 *
 * Why      a client's values are few and small; a file that is either the old or the new one needs no repair.
 * Threads  one state per shard; a client belongs to one shard, and clients' names differ between shards.
 * Owns     a client keeps its values in memory until it is closed.
 * Limits   max_size bytes a client's file, FILE_STORAGE_KEYS_MAX keys.
 * Fails    a file that does not check out is set aside as *.bad and counted: the client begins empty. */
#pragma once
#include "agent/base/field.h"
#include "agent/pipe/host.h"

#define FILE_STORAGE_KEYS_MAX 1024u

enum file_storage_row {
    FILE_STORAGE_WRITES,
    FILE_STORAGE_FAILED,
    FILE_STORAGE_BYTES,
    FILE_STORAGE_BAD,
};

struct file_storage_conf {
    const char *directory, *directory_permissions;
    bool create_directory, fsync;
    int64_t timeout, max_size;
};

struct file_storage {
    const struct file_storage_conf *conf;
    struct leat_host *host;
};

leat_rc file_storage__check(const void *conf, struct leat_err *reterr);
leat_rc file_storage__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
void file_storage__close(void *state);
leat_rc file_storage__client(void *state, const char *client, struct leat_storage **ret_storage,
                             struct leat_err *reterr);
