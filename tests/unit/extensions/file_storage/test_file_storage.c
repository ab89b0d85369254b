/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extensions/extension.h"
#include "extensions/file_storage/file_storage.h"
#include "tests/kit/kit.h"

extern const struct leat_extension_type leat_extension_file_storage;

struct rig {
    char folder[64], directory[128], file[192], bad[200];
    uint64_t counts[8];
    struct leat_host host;
    struct file_storage_conf conf;
    struct file_storage state;
};

static void rig_open(struct rig *rig)
{
    *rig = (struct rig){.folder = "/tmp/leat-file-storage-XXXXXX"};
    EXPECT(mkdtemp(rig->folder) != NULL);
    (void)snprintf(rig->directory, sizeof rig->directory, "%s/a/b", rig->folder);
    (void)snprintf(rig->file, sizeof rig->file, "%s/client", rig->directory);
    (void)snprintf(rig->bad, sizeof rig->bad, "%s.bad", rig->file);
    rig->host = (struct leat_host){.id = "file_storage", .world = leat_world_real(), .counts = rig->counts};
    rig->conf = (struct file_storage_conf){.directory = rig->directory,
                                           .directory_permissions = "0700",
                                           .create_directory = true,
                                           .fsync = true,
                                           .max_size = 4096};
}

static leat_rc open_state(struct rig *rig, struct leat_err *reterr)
{
    leat_rc rc = leat_extension_file_storage.check(&rig->conf, reterr);
    return rc == LEAT_OK ? leat_extension_file_storage.open(&rig->state, &rig->conf, &rig->host, reterr) : rc;
}

static void rig_done(struct rig *rig)
{
    char command[300];
    (void)snprintf(command, sizeof command, "%s.tmp", rig->file);
    (void)unlink(command);
    (void)unlink(rig->file);
    (void)unlink(rig->bad);
    (void)rmdir(rig->directory);
    (void)snprintf(command, sizeof command, "%s/a", rig->folder);
    (void)rmdir(command);
    (void)rmdir(rig->folder);
}

static struct leat_storage *client(struct rig *rig)
{
    struct leat_storage *storage;
    struct leat_err err = {0};
    EXPECT_OK_ERR(leat_extension_file_storage.storage(&rig->state, "client", &storage, &err), &err);
    return storage;
}

static void check_value(struct leat_storage *storage, const char *key, const char *wanted)
{
    void *value;
    size_t len;
    EXPECT_OK(storage->ops->get(storage, key, &value, &len, NULL));
    EXPECT_EQ(len, strlen(wanted));
    EXPECT_BYTES(value, wanted, len);
    leat_free(value);
}

/* Scenario:   two keys are put, one replaced, one deleted, the client opened again.
 * Guarantees: the last values are there, the deleted one is not. */
LEAT_TEST(file_storage_keeps_what_was_put)
{
    struct rig rig;
    rig_open(&rig);
    EXPECT_OK(open_state(&rig, NULL));
    struct leat_storage *storage = client(&rig);
    EXPECT_OK(storage->ops->put(storage, "one", "first", 5, NULL));
    EXPECT_OK(storage->ops->put(storage, "two", "", 0, NULL));
    EXPECT_OK(storage->ops->put(storage, "three", "x", 1, NULL));
    EXPECT_OK(storage->ops->put(storage, "one", "second", 6, NULL));
    EXPECT_OK(storage->ops->put(storage, "three", NULL, 0, NULL));
    storage->ops->close(storage);
    storage = client(&rig);
    check_value(storage, "one", "second");
    check_value(storage, "two", "");
    void *value;
    size_t len;
    EXPECT_RC(storage->ops->get(storage, "three", &value, &len, NULL), LEAT_ENOENT);
    storage->ops->close(storage);
    rig_done(&rig);
}

/* Scenario:   each byte of a client's file is flipped in turn, and the file is cut at each length.
 * Guarantees: the damage is seen, the file set aside and counted, and the client begins empty and works. */
LEAT_TEST(file_storage_sets_damage_aside)
{
    struct rig rig;
    rig_open(&rig);
    EXPECT_OK(open_state(&rig, NULL));
    struct leat_storage *storage = client(&rig);
    EXPECT_OK(storage->ops->put(storage, "key", "value", 5, NULL));
    storage->ops->close(storage);
    char whole[256];
    FILE *file = fopen(rig.file, "rb");
    size_t len = fread(whole, 1, sizeof whole, file);
    (void)fclose(file);
    for (size_t i = 0; i < 2 * len; i++) {
        char bytes[256];
        memcpy(bytes, whole, len);
        bytes[i % len] ^= 0x40;
        file = fopen(rig.file, "wb");
        EXPECT_EQ(fwrite(i < len ? bytes : whole, 1, i < len ? len : i - len, file), i < len ? len : i - len);
        (void)fclose(file);
        storage = client(&rig);
        EXPECT_EQ(rig.counts[FILE_STORAGE_BAD], i + 1);
        EXPECT_EQ(access(rig.bad, F_OK), 0);
        void *value;
        EXPECT_RC(storage->ops->get(storage, "key", &value, &(size_t){0}, NULL), LEAT_ENOENT);
        EXPECT_OK(storage->ops->put(storage, "key", "again", 5, NULL));
        check_value(storage, "key", "again");
        storage->ops->close(storage);
    }
    rig_done(&rig);
}

/* Scenario:   the directory is a link, is writable by all, is missing; the client's file is a link.
 * Guarantees: each is refused with a sentence. */
LEAT_TEST(file_storage_refuses_planted_files)
{
    struct rig rig;
    char link_path[200];
    struct leat_err err = {0};
    struct leat_storage *storage;
    rig_open(&rig);
    EXPECT_OK(open_state(&rig, NULL));
    EXPECT_EQ(symlink("/etc/passwd", rig.file), 0);
    EXPECT_RC(leat_extension_file_storage.storage(&rig.state, "client", &storage, &err), LEAT_EIO);
    EXPECT(strstr(err.text, "symbolic link") != NULL);
    EXPECT_EQ(unlink(rig.file), 0);
    (void)snprintf(link_path, sizeof link_path, "%s/link", rig.folder);
    EXPECT_EQ(symlink(rig.directory, link_path), 0);
    rig.conf.directory = link_path;
    EXPECT_RC(open_state(&rig, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "symbolic link") != NULL);
    EXPECT_EQ(unlink(link_path), 0);
    rig.conf.create_directory = false;
    EXPECT_RC(open_state(&rig, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "create_directory") != NULL);
    rig.conf.directory = rig.directory;
    EXPECT_EQ(chmod(rig.directory, 0777), 0);
    EXPECT_RC(open_state(&rig, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "everybody") != NULL);
    rig_done(&rig);
}

/* Scenario:   a value over max_size; a disk that refuses (the directory is gone).
 * Guarantees: the error says so, the value from before stays. */
LEAT_TEST(file_storage_keeps_the_old_value_when_a_put_fails)
{
    struct rig rig;
    char big[5000] = {0};
    rig_open(&rig);
    EXPECT_OK(open_state(&rig, NULL));
    struct leat_storage *storage = client(&rig);
    EXPECT_OK(storage->ops->put(storage, "key", "old", 3, NULL));
    EXPECT_RC(storage->ops->put(storage, "key", big, sizeof big, NULL), LEAT_ELIMIT);
    check_value(storage, "key", "old");
    EXPECT_EQ(unlink(rig.file), 0);
    EXPECT_EQ(rmdir(rig.directory), 0);
    EXPECT_RC(storage->ops->put(storage, "key", "new", 3, NULL), LEAT_EIO);
    EXPECT_EQ(rig.counts[FILE_STORAGE_FAILED], 1);
    check_value(storage, "key", "old");
    storage->ops->close(storage);
    rig_done(&rig);
}

/* Guarantees: any allocation may fail: an error, nothing leaked, and what is on disk is whole. */
LEAT_TEST_OOM(file_storage_survives_any_failed_allocation)
{
    struct rig rig;
    rig_open(&rig);
    struct leat_storage *storage = NULL;
    void *value = NULL;
    size_t len;
    leat_rc rc = open_state(&rig, NULL);
    for (int round = 0; round < 2 && rc == LEAT_OK; round++) {
        rc = leat_extension_file_storage.storage(&rig.state, "client", &storage, NULL);
        if (rc != LEAT_OK)
            break;
        rc = storage->ops->put(storage, "key", "value", 5, NULL);
        rc = rc == LEAT_OK ? storage->ops->get(storage, "key", &value, &len, NULL) : rc;
        if (rc == LEAT_OK)
            leat_free(value);
        storage->ops->close(storage);
    }
    EXPECT_EQ(rig.counts[FILE_STORAGE_BAD], 0);
    rig_done(&rig);
    return rc;
}
