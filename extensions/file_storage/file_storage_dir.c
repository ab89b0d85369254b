/* SPDX-License-Identifier: Apache-2.0 */
/* The directory: made when asked, refused when others could plant files in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "extensions/file_storage/file_storage.h"

#define S_KIND 0170000u
#define S_FOLDER 0040000u
#define S_LINK 0120000u
#define OTHERS_WRITE 0002u
#define PATH_BYTES_MAX 3840u

static bool parse_mode(const char *text, uint32_t *ret_mode)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);
    *ret_mode = (uint32_t)mode;
    return *text && !*end && mode > 0 && mode <= 0777;
}

leat_rc file_storage__check(const void *ctx, struct leat_err *reterr)
{
    const struct file_storage_conf *conf = ctx;
    uint32_t mode;
    if (!conf->directory || !*conf->directory)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "directory: must not be empty");
    if (strlen(conf->directory) > PATH_BYTES_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "directory: over %u bytes", PATH_BYTES_MAX);
    if (!conf->directory_permissions || !parse_mode(conf->directory_permissions, &mode))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "directory_permissions: an octal number up to 0777 is needed");
    return LEAT_OK;
}

static int make_one(struct leat_world *world, const char *path, uint32_t mode)
{
    int rc = world->disk->mkdir(world, path, mode);
    return rc == -EEXIST ? 0 : rc;
}

static int make_all(struct leat_world *world, const char *directory, uint32_t mode)
{
    char path[PATH_BYTES_MAX + 1];
    size_t len = strlen(directory);
    memcpy(path, directory, len + 1);
    for (size_t i = 1; i < len; i++) {
        struct leat_stat st;
        if (path[i] != '/')
            continue;
        path[i] = 0;
        int rc = world->disk->stat(world, path, true, &st) == 0 ? 0 : make_one(world, path, mode);
        path[i] = '/';
        if (rc < 0)
            return rc;
    }
    return make_one(world, path, mode);
}

static leat_rc check_directory(struct leat_world *world, const char *path, struct leat_err *reterr)
{
    struct leat_stat st;
    int rc = world->disk->stat(world, path, false, &st);
    if (rc < 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, -rc, "directory %s: %s%s", path, strerror(-rc),
                          rc == -ENOENT ? "; create_directory: true makes it" : "");
    if ((st.mode & S_KIND) == S_LINK)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "directory %s: is a symbolic link", path);
    if ((st.mode & S_KIND) != S_FOLDER)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "directory %s: is no directory", path);
    if (st.mode & OTHERS_WRITE)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "directory %s: everybody may write there (mode %o)", path,
                          st.mode & 07777u);
    if (st.uid != geteuid() && st.uid != 0 && geteuid() != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "directory %s: belongs to user %u", path, st.uid);
    return LEAT_OK;
}

leat_rc file_storage__open(void *ctx, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct file_storage *state = ctx;
    state->conf = conf;
    state->host = host;
    uint32_t mode = 0750;
    struct leat_world *world = host->world;
    if (state->conf->create_directory) {
        (void)parse_mode(state->conf->directory_permissions, &mode);
        int rc = make_all(world, state->conf->directory, mode);
        if (rc < 0)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, -rc, "directory %s: %s", state->conf->directory, strerror(-rc));
    }
    return check_directory(world, state->conf->directory, reterr);
}

void file_storage__close(void *ctx)
{
    ((struct file_storage *)ctx)->host = NULL;
}
