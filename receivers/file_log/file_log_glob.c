/* SPDX-License-Identifier: Apache-2.0 */
/* doublestar's globs: * ? [class] {a,b} inside a path component, ** for any number of components. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "receivers/file_log/file_log.h"

#define PATH_BYTES_MAX 4096u
#define DEPTH_MAX 64u
#define STEPS_MAX 20000u /* a pattern of many stars gives up instead of burning the CPU */
#define S_KIND 0170000u
#define S_FOLDER 0040000u

/* ---- one component ---- */

/* *ret_next is after the class; false: the class is not closed. */
static bool class_match(const char *p, const char *end, unsigned char c, const char **ret_next, bool *ret_hit)
{
    bool negate = p < end && (*p == '!' || *p == '^'), hit = false, first = true;
    if (negate)
        p++;
    for (; p < end && (*p != ']' || first); first = false) {
        if (*p == '\\' && p + 1 < end)
            p++;
        unsigned char lo = (unsigned char)*p++, hi = lo;
        if (p + 1 < end && *p == '-' && p[1] != ']') {
            hi = (unsigned char)p[1];
            p += 2;
        }
        hit |= lo <= c && c <= hi;
    }
    *ret_next = p + 1;
    *ret_hit = hit != negate;
    return p < end;
}

static const char *brace_end(const char *p, const char *end)
{
    int depth = 0;
    for (; p < end; p++) {
        if (*p == '\\')
            p++;
        else if (*p == '{')
            depth++;
        else if (*p == '}' && --depth == 0)
            return p;
    }
    return NULL;
}

static bool part(const char *p, const char *end, const char *name, uint32_t *steps);

/* Each alternative followed by what comes after the braces, put together in scratch. */
static bool brace_match(const char *p, const char *end, const char *name, uint32_t *steps)
{
    char scratch[512];
    const char *close = brace_end(p, end), *from = p + 1;
    int depth = 0;
    for (const char *q = from; close && q <= close; q++) {
        depth += *q == '{';
        if (depth == 0 && (*q == ',' || q == close)) {
            int n =
                snprintf(scratch, sizeof scratch, "%.*s%.*s", (int)(q - from), from, (int)(end - close - 1), close + 1);
            if (n >= 0 && (size_t)n < sizeof scratch && part(scratch, scratch + n, name, steps))
                return true;
            from = q + 1;
        }
        depth -= *q == '}';
    }
    return false;
}

static bool star_match(const char *p, const char *end, const char *name, uint32_t *steps)
{
    while (p < end && *p == '*')
        p++;
    if (p == end)
        return true;
    for (;; name++) {
        if (part(p, end, name, steps))
            return true;
        if (!*name)
            return false;
    }
}

static bool part(const char *p, const char *end, const char *name, uint32_t *steps)
{
    for (; p < end; name++) {
        if (++*steps > STEPS_MAX)
            return false;
        if (*p == '*')
            return star_match(p, end, name, steps);
        if (*p == '{')
            return brace_match(p, end, name, steps);
        if (!*name)
            return false;
        if (*p == '[') {
            bool hit;
            if (!class_match(p + 1, end, (unsigned char)*name, &p, &hit) || !hit)
                return false;
            continue;
        }
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (*p == '?') {
            p++;
            continue;
        }
        if (*p++ != *name)
            return false;
    }
    return !*name;
}

bool file_log__glob_part(const char *pattern, size_t len, const char *name)
{
    uint32_t steps = 0;
    return part(pattern, pattern + len, name, &steps);
}

/* ---- whole paths ---- */

static size_t part_len(const char *p)
{
    return strcspn(p, "/");
}
static bool is_doublestar(const char *p, size_t len)
{
    return len == 2 && p[0] == '*' && p[1] == '*';
}

static bool path_match(const char *pattern, const char *path, uint32_t depth)
{
    while (*pattern) {
        size_t len = part_len(pattern), name_len = part_len(path);
        const char *rest = pattern + len + (pattern[len] == '/');
        if (is_doublestar(pattern, len)) {
            if (!*rest)
                return true;
            for (const char *p = path; depth < DEPTH_MAX; p++) {
                if (path_match(rest, p, depth + 1))
                    return true;
                p += part_len(p);
                if (!*p)
                    return false;
            }
            return false;
        }
        char name[256];
        if (name_len >= sizeof name || (!*path && len))
            return false;
        memcpy(name, path, name_len);
        name[name_len] = 0;
        if (!file_log__glob_part(pattern, len, name) || (pattern[len] == '/') != (path[name_len] == '/'))
            return false;
        pattern = rest;
        path += name_len + (path[name_len] == '/');
    }
    return !*path;
}

bool file_log__glob_match(const char *pattern, const char *path)
{
    return path_match(pattern, path, 0);
}

leat_rc file_log__glob_check(const char *pattern, struct leat_err *reterr)
{
    if (!*pattern)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "an empty pattern");
    if (strlen(pattern) >= PATH_BYTES_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "a pattern over %u bytes", PATH_BYTES_MAX - 1);
    if (strncmp(pattern, "/proc/", 6) == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%s\": links under /proc lead anywhere and are not followed",
                          pattern);
    for (const char *p = pattern; *p; p += part_len(p), p += *p == '/') {
        const char *end = p + part_len(p), *next;
        for (const char *q = p; q < end; q++) {
            bool hit;
            if (*q == '\\')
                q++;
            else if (*q == '{' && !brace_end(q, end))
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%s\": { without } in the same path component", pattern);
            else if (*q == '[' && !class_match(q + 1, end, 0, &next, &hit))
                return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%s\": [ without ]", pattern);
        }
    }
    return LEAT_OK;
}

/* ---- the walk ---- */

struct walk {
    struct leat_world *world;
    bool follow;
    void (*each)(void *ctx, const char *path, const struct leat_stat *st);
    void *ctx;
    uint32_t depth;
    char path[PATH_BYTES_MAX];
};

struct level {
    struct walk *walk;
    const char *pattern; /* from this component on */
    size_t path_len;
};

static void walk_on(struct walk *walk, const char *pattern, size_t path_len);

/* The new length of the path, 0: too long. */
static size_t add_name(struct walk *walk, size_t path_len, const char *name, size_t len)
{
    if (path_len + len + 2 > sizeof walk->path)
        return 0;
    if (path_len && walk->path[path_len - 1] != '/')
        walk->path[path_len++] = '/';
    memcpy(walk->path + path_len, name, len);
    walk->path[path_len + len] = 0;
    return path_len + len;
}

static void arrive(struct walk *walk)
{
    struct leat_stat st;
    if (walk->world->disk->stat(walk->world, walk->path, walk->follow, &st) == 0 && (st.mode & S_KIND) != S_FOLDER)
        walk->each(walk->ctx, walk->path, &st);
}

static void next_part(struct walk *walk, const char *pattern, size_t path_len)
{
    const char *rest = pattern + part_len(pattern);
    if (*rest)
        walk_on(walk, rest + 1, path_len);
    else
        arrive(walk);
}

static int try_name(void *ctx, const char *name, int is_dir)
{
    struct level *level = ctx;
    struct walk *walk = level->walk;
    const char *pattern = level->pattern;
    size_t len = part_len(pattern);
    bool last = pattern[len] == 0;
    if ((!last && is_dir == 0) || (last && is_dir == 1) || !file_log__glob_part(pattern, len, name))
        return 0;
    size_t path_len = add_name(walk, level->path_len, name, strlen(name));
    if (path_len)
        next_part(walk, pattern, path_len);
    return 0;
}

/* ** : folders below, but not through links, which may lead in circles. */
static int try_below(void *ctx, const char *name, int is_dir)
{
    struct level *level = ctx;
    struct walk *walk = level->walk;
    if (is_dir == 0)
        return 0;
    size_t path_len = add_name(walk, level->path_len, name, strlen(name));
    struct leat_stat st;
    if (!path_len)
        return 0;
    if (is_dir < 0 &&
        (walk->world->disk->stat(walk->world, walk->path, false, &st) != 0 || (st.mode & S_KIND) != S_FOLDER))
        return 0;
    walk_on(walk, level->pattern, path_len);
    return 0;
}

static void list(struct walk *walk, size_t path_len, int (*each)(void *, const char *, int), struct level *level)
{
    if (walk->depth == DEPTH_MAX)
        return;
    walk->depth++;
    walk->path[path_len] = 0;
    (void)walk->world->disk->list(walk->world, path_len ? walk->path : ".", each, level);
    walk->depth--;
}

static void walk_on(struct walk *walk, const char *pattern, size_t path_len)
{
    size_t len = part_len(pattern);
    struct level level = {walk, pattern, path_len};
    if (is_doublestar(pattern, len)) {
        const char *rest = pattern + len;
        walk_on(walk, *rest ? rest + 1 : "*", path_len);
        list(walk, path_len, try_below, &level);
    } else if (memchr(pattern, '*', len) || memchr(pattern, '?', len) || memchr(pattern, '[', len) ||
               memchr(pattern, '{', len) || memchr(pattern, '\\', len)) {
        list(walk, path_len, try_name, &level);
    } else {
        size_t longer = len ? add_name(walk, path_len, pattern, len) : path_len;
        if (longer)
            next_part(walk, pattern, longer);
    }
}

void file_log__glob_walk(struct leat_world *world, const char *pattern, bool follow,
                         void (*each)(void *ctx, const char *path, const struct leat_stat *st), void *ctx)
{
    struct walk walk = {.world = world, .follow = follow, .each = each, .ctx = ctx};
    size_t root = *pattern == '/';
    if (root)
        walk.path[0] = '/';
    walk_on(&walk, pattern + root, root);
}
