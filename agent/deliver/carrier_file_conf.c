/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/carrier.h"

#define F(member) LEAT_AT(struct leat_file_carrier_conf, member)
#define R(member)                                                         \
    (uint32_t)(offsetof(struct leat_file_carrier_conf, rotation.member) - \
               offsetof(struct leat_file_carrier_conf, rotation))

static const char *const compressions[] = {"", "zstd", NULL};

static const struct leat_field rotation_fields[] = {/* offsets count from the section's start */
                                                    {.key = "max_megabytes",
                                                     .type = LEAT_INT,
                                                     .offset = R(max_megabytes),
                                                     .deflt = "100",
                                                     .max = 1e9,
                                                     .doc = "size at which the file is turned over"},
                                                    {.key = "max_days",
                                                     .type = LEAT_INT,
                                                     .offset = R(max_days),
                                                     .deflt = "0",
                                                     .max = 1e5,
                                                     .doc = "backups older than this are removed; 0: never"},
                                                    {.key = "max_backups",
                                                     .type = LEAT_INT,
                                                     .offset = R(max_backups),
                                                     .deflt = "100",
                                                     .max = 4096,
                                                     .doc = "how many backups are kept; 0: all"},
                                                    {.key = "localtime",
                                                     .type = LEAT_BOOL,
                                                     .offset = R(localtime),
                                                     .deflt = "false",
                                                     .doc = "name backups by local time instead of UTC"},
                                                    {0}};

static const struct leat_field group_fields[] = {
    {.key = "enabled", .type = LEAT_REFUSED, .doc = "everything goes to one file"},
    {.key = "resource_attribute", .type = LEAT_REFUSED, .doc = "everything goes to one file"},
    {.key = "max_open_files", .type = LEAT_REFUSED, .doc = "everything goes to one file"},
    {0}};

const struct leat_field leat_file_carrier_fields[] = {
    {.key = "path", .type = LEAT_STRING, .offset = F(path), .flags = LEAT_REQUIRED, .doc = "file to write"},
    {.key = "append",
     .type = LEAT_BOOL,
     .offset = F(append),
     .deflt = "false",
     .doc = "write behind what is there; else the file is emptied at start"},
    {.key = "create_directory",
     .type = LEAT_BOOL,
     .offset = F(create_directory),
     .deflt = "false",
     .doc = "make missing folders"},
    {.key = "directory_permissions",
     .type = LEAT_STRING,
     .offset = F(directory_permissions),
     .deflt = "\"0755\"",
     .doc = "octal mode of folders that are made"},
    {.key = "rotation",
     .type = LEAT_SECTION,
     .offset = F(rotation),
     .fields = rotation_fields,
     .present = LEAT_PRESENT(struct leat_file_carrier_conf, rotation.present),
     .doc = "turn full files over; off unless written"},
    {.key = "compression",
     .type = LEAT_ENUM,
     .offset = F(compression),
     .deflt = "\"\"",
     .choices = compressions,
     .doc = "zstd: each message is compressed and stands behind its length (4 bytes, big-endian)"},
    {.key = "flush_interval",
     .type = LEAT_IGNORED,
     .doc = "bytes are written as they come: nothing waits for a flush"},
    {.key = "group_by", .type = LEAT_SECTION, .fields = group_fields, .doc = "not supported"},
    {.key = "encoding", .type = LEAT_REFUSED, .doc = "encoding extensions are not supported; use format"},
    {0}};
