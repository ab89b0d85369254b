/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/app/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder the binary lies in; "." when the system does not tell. */
static void binary_folder(char *folder, size_t room)
{
    ssize_t len = readlink("/proc/self/exe", folder, room - 1);
    folder[len > 0 ? len : 0] = 0;
    char *end = strrchr(folder, '/');
    if (end)
        *end = 0;
    else
        (void)snprintf(folder, room, ".");
}

/* The first place where the module lies; the one where it should lie when it is nowhere. */
static void find(const char *name, char *path, size_t room)
{
    static const char *const below[] = {"leat-modules", "../lib/leat"};
    const char *folder = getenv("LEAT_MODULES");
    char beside[PATH_MAX];
    if (folder && *folder) {
        (void)snprintf(path, room, "%s/%s.so", folder, name);
        return;
    }
    binary_folder(beside, sizeof beside);
    for (size_t i = sizeof below / sizeof *below; i-- > 0;) {
        (void)snprintf(path, room, "%s/%s/%s.so", beside, below[i], name);
        if (access(path, R_OK) == 0)
            return;
    }
}

leat_rc leat_module_open(enum leat_kind kind, const char *name, const void **ret_descriptor, struct leat_err *reterr)
{
    char path[PATH_MAX + 80], symbol[80];
    find(name, path, sizeof path);
    if (access(path, R_OK) != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "the module is missing: %.180s", path);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "the module cannot be opened: %.200s", dlerror());
    const char *version = dlsym(module, "leat_module_version");
    if (!version || strcmp(version, LEAT_VERSION) != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "the module %.160s is of leat %.20s, this is leat %s", path,
                          version ? version : "(unknown)", LEAT_VERSION);
    (void)snprintf(symbol, sizeof symbol, "leat_%s_%s", leat_kind_name(kind), name);
    *ret_descriptor = dlsym(module, symbol);
    if (!*ret_descriptor)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "the module %.160s has no %.60s", path, symbol);
    return LEAT_OK;
}
