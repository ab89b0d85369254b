/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/file_storage/file_storage.h"

#include "extensions/extension.h"

#define C(member) LEAT_AT(struct file_storage_conf, member)
#define COMPACTION "a client's file holds what is current and nothing else: there is nothing to compact"

static const struct leat_field compaction_fields[] = {
    {"on_start", LEAT_IGNORED, 0, NULL, COMPACTION},
    {"on_rebound", LEAT_IGNORED, 0, NULL, COMPACTION},
    {"directory", LEAT_IGNORED, 0, NULL, COMPACTION},
    {"rebound_needed_threshold_mib", LEAT_IGNORED, 0, NULL, COMPACTION},
    {"rebound_trigger_threshold_mib", LEAT_IGNORED, 0, NULL, COMPACTION},
    {"max_transaction_size", LEAT_IGNORED, 0, NULL, COMPACTION},
    {"check_interval", LEAT_IGNORED, 0, NULL, COMPACTION},
    {"cleanup_on_start", LEAT_IGNORED, 0, NULL, COMPACTION},
    {NULL, LEAT_BOOL, 0, NULL, NULL},
};

static const struct leat_field fields[] = {
    {"directory", LEAT_STRING, C(directory), "/var/lib/otelcol/file_storage",
     "where the files are; nobody else may write there"},
    {"create_directory", LEAT_BOOL, C(create_directory), "false",
     "make the directory (and those above it) when it is missing"},
    {"directory_permissions", LEAT_STRING, C(directory_permissions), "\"0750\"", "of a directory that is made, octal"},
    {"timeout", LEAT_DURATION, C(timeout), "1s", "accepted: there is no lock to wait for", .max = 3.6e12},
    {"fsync", LEAT_BOOL, C(fsync), "false", "survive a power cut, not only a crash of the process"},
    {"max_size", LEAT_SIZE, C(max_size), "64MiB", "largest file of one client; 0: no limit", .max = 4294967296.0},
    {"recreate", LEAT_IGNORED, 0, NULL, "a damaged file is always set aside and begun anew"},
    {"compaction", LEAT_SECTION, 0, NULL, "accepted and without effect", .fields = compaction_fields},
    {NULL, LEAT_BOOL, 0, NULL, NULL},
};

static const struct leat_counter_def counters[] = {
    [FILE_STORAGE_WRITES] = {"file_storage_writes_total", "result=\"ok\"", "files written"},
    [FILE_STORAGE_FAILED] = {"file_storage_writes_total", "result=\"failed\"", "files written"},
    [FILE_STORAGE_BYTES] = {"file_storage_written_bytes_total", "", "bytes written"},
    [FILE_STORAGE_BAD] = {"file_storage_damaged_files_total", "", "files that did not check out and were set aside"},
    {NULL, NULL, NULL},
};

static const char *const aliases[] = {NULL};

LEAT_EXTENSION(file_storage, .summary = "small values on disk: positions of tailed files", .aliases = aliases,
               .conf_size = sizeof(struct file_storage_conf), .state_size = sizeof(struct file_storage),
               .fields = fields, .counters = counters, .check = file_storage__check, .open = file_storage__open,
               .close = file_storage__close, .storage = file_storage__client);
