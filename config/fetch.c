/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/load.h"

static const char *env_of(const struct leat_outside *outside, const char *name)
{
    return outside->env ? outside->env(outside->ctx, name) : getenv(name);
}

static leat_rc read_all(int fd, const char *path, struct leat_arena *arena, struct leat_strbuf *buf,
                        struct leat_err *reterr)
{
    char piece[16384];
    for (;;) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return LEAT_RAISE(reterr, LEAT_EIO, errno, "unable to read the file %s: %s", path, strerror(errno));
        if (got == 0)
            return LEAT_OK;
        leat_strbuf_put(buf, piece, (size_t)got);
        if (buf->len > LEAT_YAML_BYTES_MAX)
            return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "the file %s is larger than 4 MiB", path);
        if (buf->failed) {
            arena->failed = true;
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
        }
    }
}

static leat_rc read_file(const char *path, struct leat_arena *arena, const char **ret_at, size_t *ret_len,
                         struct leat_err *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return LEAT_RAISE(reterr, LEAT_ENOENT, errno, "unable to read the file %s: %s", path, strerror(errno));
    struct leat_strbuf buf = {0};
    leat_rc rc = read_all(fd, path, arena, &buf, reterr);
    (void)close(fd);
    if (rc == LEAT_OK) {
        *ret_at = leat_arena_str(arena, buf.at, buf.len);
        *ret_len = buf.len;
        rc = *ret_at ? LEAT_OK : LEAT_ENOMEM;
    }
    leat_strbuf_done(&buf);
    return rc;
}

static bool env_name_ok(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return len > 0;
}

static leat_rc fetch_env(struct leat_yaml *yaml, const struct leat_outside *outside, const char *opaque,
                         struct leat_fetched *ret, struct leat_err *reterr)
{
    const char *deflt = strstr(opaque, ":-");
    size_t len = deflt ? (size_t)(deflt - opaque) : strlen(opaque);
    if (!env_name_ok(opaque, len))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "environment variable \"%.*s\" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$",
                          (int)len, opaque);
    char *name = leat_arena_str(yaml->arena, opaque, len);
    if (!name)
        return LEAT_ENOMEM;
    const char *value = env_of(outside, name);
    ret->unset = !value && !deflt;
    if (!value)
        value = deflt ? deflt + 2 : "";
    ret->len = strlen(value);
    ret->at = leat_arena_str(yaml->arena, value, ret->len);
    ret->name = name;
    return ret->at ? LEAT_OK : LEAT_ENOMEM;
}

static leat_rc fetch_file(struct leat_yaml *yaml, const struct leat_outside *outside, const char *path,
                          struct leat_fetched *ret, struct leat_err *reterr)
{
    ret->name = leat_arena_str(yaml->arena, path, strlen(path));
    if (!ret->name)
        return LEAT_ENOMEM;
    if (outside->read)
        return outside->read(outside->ctx, path, yaml->arena, &ret->at, &ret->len, reterr);
    return read_file(path, yaml->arena, &ret->at, &ret->len, reterr);
}

leat_rc leat_load_fetch(struct leat_yaml *yaml, const struct leat_outside *outside, const char *uri,
                        struct leat_fetched *ret, struct leat_err *reterr)
{
    *ret = (struct leat_fetched){0};
    if (strncmp(uri, "env:", 4) == 0)
        return fetch_env(yaml, outside, uri + 4, ret, reterr);
    if (strncmp(uri, "file:", 5) == 0)
        return fetch_file(yaml, outside, uri + 5, ret, reterr);
    if (strncmp(uri, "yaml:", 5) == 0) {
        ret->name = "yaml";
        ret->len = strlen(uri + 5);
        ret->at = leat_arena_str(yaml->arena, uri + 5, ret->len);
        return ret->at ? LEAT_OK : LEAT_ENOMEM;
    }
    int len = (int)strcspn(uri, ":");
    if (strncmp(uri, "http:", 5) == 0 || strncmp(uri, "https:", 6) == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "scheme \"%.*s\" is not supported by leat: it reads no configuration over the network; "
                          "fetch it to a file first",
                          len, uri);
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                      "scheme \"%.*s\" is not supported for uri \"%s\" (valid schemes: env, file, yaml)", len, uri,
                      uri);
}
