/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/sd_file.h"

#include <fnmatch.h>
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/discovery/discovery_inner.h"
#include "agent/loop/stream.h"

#define SETTLE_NS 200000000u /* writers write more than once */

struct pattern {
    char *folder; /* "." when the path has none */
    bool bare;
    const char *name;
    struct leat_file_watch *watch;
};
struct file_source {
    struct leat_sd_source base;
    const struct leat_file_sd_conf *conf;
    struct leat_timer timer;
    struct pattern *patterns;
    uint32_t round, files;
    bool changed;
};

/* ---- the check ---- */

static const char *extension(const char *path)
{
    static const char *const known[] = {".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML", NULL};
    const char *dot = strrchr(path, '.');
    for (uint32_t i = 0; dot && known[i]; i++)
        if (strcmp(known[i], dot) == 0)
            return known[i];
    return NULL;
}

leat_rc leat_sd__file_check(const struct leat_file_sd_conf *conf, struct leat_err *reterr)
{
    if (conf->files.count == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "file service discovery config must contain at least one path name");
    for (uint32_t i = 0; i < conf->files.count; i++) {
        const char *path = conf->files.at[i], *slash = strrchr(path, '/'), *star = strpbrk(path, "*?[");
        if (!extension(path) || (slash && star && star < slash))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "path name \"%.150s\" is not valid for file discovery", path);
    }
    return LEAT_OK;
}

/* ---- one file ---- */

static leat_rc each_group(void *ctx, struct leat_sd_group *group)
{
    struct file_source *source = ctx;
    group->round = source->round;
    return leat_sd__groups_put(&source->base.groups, group);
}

static leat_rc count_group(void *ctx, struct leat_sd_group *group)
{
    (void)ctx;
    bool failed = group->arena.failed;
    leat_sd__group_free(group);
    return failed ? LEAT_ENOMEM : LEAT_OK;
}

static leat_rc parse(struct file_source *source, const char *path, const char *at, size_t len, struct leat_err *reterr)
{
    bool json = strcasecmp(extension(path), ".json") == 0;
    leat_rc (*read)(const struct leat_sd_read *, const void *, size_t, struct leat_err *) =
        json ? leat_sd__read_json : leat_sd__read_yaml;
    struct leat_sd_read all = {leat_slice_str(path), "__meta_filepath", count_group, source};
    leat_rc rc = read(&all, at, len, reterr); /* all of it or nothing: looked through first */
    all.each = each_group;
    return rc == LEAT_OK ? read(&all, at, len, reterr) : rc;
}

static leat_rc load(struct leat_world *world, const char *path, char **ret_text, size_t *ret_len, struct leat_err *reterr)
{
    struct leat_stat stat;
    int fd = world->disk->open(world, path, LEAT_O_READ, 0);
    if (fd < 0)
        return LEAT_RAISE(reterr, LEAT_EIO, -fd, "%s", strerror(-fd));
    int sys = world->disk->fstat(world, fd, &stat);
    char *text = NULL;
    size_t len = 0;
    leat_rc rc = LEAT_OK;
    if (sys == 0 && stat.size > LEAT_SD_ANSWER_BYTES_MAX)
        rc = LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "larger than %u MiB", LEAT_SD_ANSWER_BYTES_MAX >> 20);
    else if (sys == 0 && !(text = leat_alloc(stat.size + 1)))
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    ssize_t got = 1;
    while (rc == LEAT_OK && sys == 0 && len < stat.size && got > 0) {
        got = world->disk->pread(world, fd, text + len, stat.size - len, len);
        sys = got < 0 ? (int)got : 0;
        len += got > 0 ? (size_t)got : 0;
    }
    (void)world->disk->close(world, fd);
    if (rc == LEAT_OK && sys < 0)
        rc = LEAT_RAISE(reterr, LEAT_EIO, -sys, "%s", strerror(-sys));
    if (rc != LEAT_OK) {
        leat_free(text);
        return rc;
    }
    *ret_text = text;
    *ret_len = len;
    return LEAT_OK;
}

/* Groups of a file that cannot be understood now stay as they are. */
static void keep_groups(struct file_source *source, const char *path)
{
    char key[4200];
    struct leat_sd_group *group;
    for (uint32_t i = 0;; i++) {
        int len = snprintf(key, sizeof key, "%s:%u", path, i);
        if (len < 0 || (size_t)len >= sizeof key)
            return;
        group = leat_sd__groups_get(&source->base.groups, leat_slice_of(key, (uint32_t)len));
        if (!group)
            return;
        group->round = source->round;
    }
}

static void read_file(struct file_source *source, const char *path)
{
    struct leat_err err = {0};
    char *text = NULL;
    size_t len = 0;
    if (source->files++ >= LEAT_SD_FILES_MAX) {
        leat_sd__failed(&source->base, "more than %u files: %s is left out", LEAT_SD_FILES_MAX, path);
        return;
    }
    leat_rc rc = load(leat_loop_world(leat_sd__loop(&source->base)), path, &text, &len, &err);
    if (rc == LEAT_OK)
        rc = parse(source, path, text, len, &err);
    leat_free(text);
    if (rc != LEAT_OK) {
        keep_groups(source, path);
        leat_sd__failed(&source->base, "%s: %s", path, err.text);
    }
}

/* ---- all of them ---- */

struct walk {
    struct file_source *source;
    const struct pattern *pattern;
};

static int each_entry(void *ctx, const char *name, int is_dir)
{
    struct walk *walk = ctx;
    char path[4096];
    if (is_dir == 1 || fnmatch(walk->pattern->name, name, FNM_PERIOD) != 0)
        return 0;
    bool bare = walk->pattern->bare;
    int len = bare ? snprintf(path, sizeof path, "%s", name)
                   : snprintf(path, sizeof path, "%s/%s", walk->pattern->folder, name);
    if (len > 0 && (size_t)len < sizeof path)
        read_file(walk->source, path);
    return 0;
}

static void on_change(void *ctx, const char *name)
{
    struct file_source *source = ctx;
    (void)name;
    if (source->changed) /* a folder that never rests does not put it off */
        return;
    source->changed = true;
    leat_timer_start(leat_sd__loop(&source->base), &source->timer, SETTLE_NS);
}

static void refresh(struct leat_timer *timer)
{
    struct file_source *source = timer->ctx;
    struct leat_loop *loop = leat_sd__loop(&source->base);
    struct leat_world *world = leat_loop_world(loop);
    source->round++;
    source->files = 0;
    source->changed = false;
    for (uint32_t i = 0; i < source->conf->files.count; i++) {
        struct pattern *pattern = &source->patterns[i];
        struct walk walk = {source, pattern};
        if (!pattern->watch && !leat_loop_is_simulated(loop) && /* a hint: without it the interval remains */
            leat_file_watch_open(loop, pattern->folder, on_change, source, &pattern->watch, NULL) != LEAT_OK)
            pattern->watch = NULL;
        int rc = world->disk->list(world, pattern->folder, each_entry, &walk);
        if (rc < 0)
            leat_sd__failed(&source->base, "%s: %s", pattern->folder, strerror(-rc));
    }
    (void)leat_sd__groups_sweep(&source->base.groups, source->round);
    source->base.refreshes++;
    leat_sd__changed(&source->base);
    leat_timer_start(loop, timer, (uint64_t)source->conf->refresh_interval_ns);
}

static void close_file(struct leat_sd_source *base)
{
    struct file_source *source = LEAT_CONTAINER(base, struct file_source, base);
    leat_timer_stop(leat_sd__loop(base), &source->timer);
    for (uint32_t i = 0; source->patterns && i < source->conf->files.count; i++) {
        if (source->patterns[i].watch)
            leat_file_watch_close(source->patterns[i].watch);
        leat_free(source->patterns[i].folder);
    }
    leat_free(source->patterns);
    leat_sd__done(base);
}

static leat_rc split(struct pattern *pattern, const char *path)
{
    const char *slash = strrchr(path, '/');
    pattern->name = slash ? slash + 1 : path;
    pattern->bare = !slash;
    pattern->folder = !slash         ? leat_strdup(".")
                      : slash == path ? leat_strdup("/")
                                      : leat_strndup(path, (size_t)(slash - path));
    return pattern->folder ? LEAT_OK : LEAT_ENOMEM;
}

leat_rc leat_sd__file_open(struct leat_sd_job *job, const struct leat_file_sd_conf *conf,
                           struct leat_sd_source **ret_source, struct leat_err *reterr)
{
    struct file_source *source = leat_zalloc(1, sizeof *source);
    if (!source)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_sd__init(&source->base, job, "file_sd");
    source->base.close = close_file;
    source->conf = conf;
    source->timer = (struct leat_timer){.fire = refresh, .ctx = source};
    source->patterns = leat_zalloc(conf->files.count, sizeof *source->patterns);
    leat_rc rc = source->patterns ? LEAT_OK : LEAT_ENOMEM;
    for (uint32_t i = 0; i < conf->files.count && rc == LEAT_OK; i++)
        rc = split(&source->patterns[i], conf->files.at[i]);
    if (rc != LEAT_OK) {
        close_file(&source->base);
        return LEAT_RAISE(reterr, rc, 0, "out of memory");
    }
    *ret_source = &source->base;
    leat_timer_start(leat_sd__loop(&source->base), &source->timer, 0);
    return LEAT_OK;
}
