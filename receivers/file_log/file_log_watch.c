/* SPDX-License-Identifier: Apache-2.0 */
/* inotify as the accelerator: when all is read and quiet, the folders of the files are watched, and the first change
 * brings the next poll forward. A watch that fired is closed until all is quiet again: a file that is always written to
 * costs no events, only polls. Without watches everything works, at poll_interval. */
#include <string.h>

#include "agent/base/alloc.h"
#include "agent/loop/stream.h"
#include "receivers/file_log/file_log.h"

#define SOON_NS 50000000ull /* changes are gathered for so long */
#define FOLDERS_MAX 256u

struct file_log_folder {
    struct leat_list link; /* state->folders */
    struct file_log *state;
    struct leat_file_watch *watch; /* NULL: not armed */
    uint32_t files;
    char path[];
};

static void changed(void *ctx, const char *name)
{
    struct file_log_folder *folder = ctx;
    struct file_log *state = folder->state;
    (void)name;
    leat_file_watch_close(folder->watch);
    folder->watch = NULL;
    if (!state->stopping && !leat_timer_runs(&state->soon))
        leat_timer_start(state->host->loop, &state->soon, SOON_NS);
}

static struct file_log_folder *folder_find(const struct file_log *state, const char *path, size_t len)
{
    for (const struct leat_list *node = state->folders.next; node != &state->folders; node = node->next) {
        struct file_log_folder *folder = LEAT_CONTAINER(node, struct file_log_folder, link);
        if (strncmp(folder->path, path, len) == 0 && !folder->path[len])
            return folder;
    }
    return NULL;
}

static struct file_log_folder *folder_new(struct file_log *state, const char *path, size_t len)
{
    if (state->folder_count == FOLDERS_MAX)
        return NULL;
    struct file_log_folder *folder = leat_alloc(sizeof *folder + len + 1);
    if (!folder)
        return NULL;
    *folder = (struct file_log_folder){.state = state};
    memcpy(folder->path, path, len);
    folder->path[len] = 0;
    leat_list_push(&state->folders, &folder->link);
    state->folder_count++;
    return folder;
}

void file_log__watch_join(struct file_log *state, struct file_log_file *file)
{
    const char *slash = strrchr(file->path, '/');
    bool useful = (uint64_t)state->conf->poll_interval > SOON_NS && !leat_loop_is_simulated(state->host->loop);
    if (!useful || !slash || slash == file->path)
        return;
    size_t len = (size_t)(slash - file->path);
    file->folder = folder_find(state, file->path, len);
    if (!file->folder)
        file->folder = folder_new(state, file->path, len); /* NULL: this one is polled only */
    if (file->folder)
        file->folder->files++;
}

void file_log__watch_leave(struct file_log *state, struct file_log_file *file)
{
    struct file_log_folder *folder = file->folder;
    file->folder = NULL;
    if (!folder || --folder->files)
        return;
    leat_file_watch_close(folder->watch);
    leat_list_remove(&folder->link);
    leat_free(folder);
    state->folder_count--;
}

void file_log__watch_arm(struct file_log *state)
{
    struct leat_err err = {0};
    LEAT_LIST_EACH (node, &state->folders) {
        struct file_log_folder *folder = LEAT_CONTAINER(node, struct file_log_folder, link);
        if (folder->watch || state->unwatched)
            continue;
        leat_rc rc = leat_file_watch_open(state->host->loop, folder->path, changed, folder, &folder->watch, &err);
        if (rc == LEAT_OK || rc == LEAT_ENOMEM)
            continue;
        folder->watch = NULL;
        file_log__count(state, FILE_LOG_UNWATCHED, 1);
        state->unwatched = true; /* the system's limit, mostly; the next quiet poll tries again */
    }
    state->unwatched = false;
}
