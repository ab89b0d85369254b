/* SPDX-License-Identifier: Apache-2.0 */
/* A file that left its path was rotated: it and those rotated after it are looked for beside the path. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/alloc.h"
#include "receivers/file_log/file_log.h"

#define S_KIND 0170000u
#define S_REGULAR 0100000u
#define PATH_BYTES_MAX 4096u

struct search {
    struct file_log *state;
    struct file_log_file *file;
    const char *base; /* "0.log" */
    size_t base_len, folder_len;
    char path[PATH_BYTES_MAX];
};

/* "0.log.20240101-000000", "app.log.1", "app.log-20240101" */
static bool is_rotated_name(const struct search *search, const char *name)
{
    return strncmp(name, search->base, search->base_len) == 0 &&
           (name[search->base_len] == '.' || name[search->base_len] == '-') &&
           isdigit((unsigned char)name[search->base_len + 1]);
}

static void moved_to(struct search *search, const struct leat_stat *st)
{
    struct file_log_file *file = search->file;
    char *path = leat_strdup(search->path);
    if (!path)
        return;
    leat_free(file->path);
    file->path = path;
    file->size = st->size;
    file->seen_ns = leat_loop_now_ns(search->state->host->loop);
    file_log__count(search->state, FILE_LOG_ROTATED, 1);
}

static int each_name(void *ctx, const char *name, int is_dir)
{
    struct search *search = ctx;
    struct leat_world *world = search->state->host->world;
    struct leat_stat st;
    if (is_dir == 1 || !is_rotated_name(search, name) ||
        snprintf(search->path + search->folder_len, sizeof search->path - search->folder_len, "%s", name) >=
            (int)(sizeof search->path - search->folder_len))
        return 0;
    if (world->disk->stat(world, search->path, search->state->conf->follow_symlinks, &st) != 0 ||
        (st.mode & S_KIND) != S_REGULAR)
        return 0;
    if (st.dev == search->file->dev && st.ino == search->file->ino)
        moved_to(search, &st);
    else if (file_log__mine(search->state, st.dev, st.ino) && st.mtime_ns >= search->file->mtime_ns &&
             !file_log__file_find(search->state, st.dev, st.ino))
        file_log__found(search->state, search->path, &st, true);
    return 0;
}

void file_log__siblings(struct file_log *state, struct file_log_file *file)
{
    struct leat_world *world = state->host->world;
    char folder[PATH_BYTES_MAX], base[256];
    const char *slash = strrchr(file->path, '/');
    size_t folder_len = slash ? (size_t)(slash - file->path) + 1 : 0;
    if (folder_len >= sizeof folder || snprintf(base, sizeof base, "%s", file->path + folder_len) >= (int)sizeof base)
        return;
    struct search search = {
        .state = state, .file = file, .base = base, .base_len = strlen(base), .folder_len = folder_len};
    memcpy(search.path, file->path, folder_len);
    memcpy(folder, file->path, folder_len);
    folder[folder_len] = 0;
    (void)world->disk->list(world, folder_len ? folder : ".", each_name, &search);
}
