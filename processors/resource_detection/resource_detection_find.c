/* SPDX-License-Identifier: Apache-2.0 */
/* Asking the environment and the machine. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/base/secret_file.h"
#include "processors/resource_detection/resource_detection.h"

static leat_rc no_memory(struct leat_err *reterr)
{
    return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
}

static leat_rc add(struct detection_found *found, const char *key, const char *value, struct leat_err *reterr)
{
    if (!key || !value)
        return no_memory(reterr);
    if (!*value)
        return LEAT_OK;
    for (uint32_t i = 0; i < found->count; i++)
        if (strcmp(found->at[i].key, key) == 0)
            return LEAT_OK;
    if (found->count == FOUND_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "more than %u attributes", FOUND_MAX);
    found->at[found->count++] = (struct otlp_edit_action_conf){
        .key = key, .value = {.kind = LEAT_VALUE_STRING, .text = value}, .default_value = {.kind = LEAT_NULL}, .converted_type = 4};
    return LEAT_OK;
}

/* ---- env ---- */

static const char *trim(const char *at, const char **io_end)
{
    while (at < *io_end && isspace((unsigned char)*at))
        at++;
    while (*io_end > at && isspace((unsigned char)(*io_end)[-1]))
        (*io_end)--;
    return at;
}

static int hex_of(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Percent-decoded; NULL: a broken escape. */
static const char *decode(struct detection_found *found, const char *at, const char *end, bool *ret_broken)
{
    char *made = leat_arena_str(&found->arena, at, (size_t)(end - at)), *to = made;
    for (char *from = made; from && *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_of(from[1]), low = high < 0 ? -1 : hex_of(from[2]);
        *ret_broken |= low < 0;
        if (low < 0)
            return made;
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    if (to)
        *to = 0;
    return made;
}

static leat_rc add_pair(struct detection_found *found, const char *at, const char *end, struct leat_err *reterr)
{
    bool broken = false;
    at = trim(at, &end);
    if (at == end)
        return LEAT_OK;
    const char *equals = memchr(at, '=', (size_t)(end - at)), *key_end = equals;
    if (!equals || equals == at)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "OTEL_RESOURCE_ATTRIBUTES: \"%.*s\" is not key=value", (int)(end - at), at);
    const char *value = trim(equals + 1, &end);
    at = trim(at, &key_end);
    const char *key = leat_arena_str(&found->arena, at, (size_t)(key_end - at));
    const char *text = decode(found, value, end, &broken);
    if (broken)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "OTEL_RESOURCE_ATTRIBUTES: the value of \"%s\" has a broken %% escape", key ? key : "");
    return add(found, key, text, reterr);
}

leat_rc detection_env(struct detection_found *found, const char *text, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    if (text && strlen(text) > ENV_BYTES_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "OTEL_RESOURCE_ATTRIBUTES: longer than %u bytes", ENV_BYTES_MAX);
    while (rc == LEAT_OK && text && *text) {
        const char *end = text + strcspn(text, ",");
        rc = add_pair(found, text, end, reterr);
        text = *end ? end + 1 : end;
    }
    return rc;
}

/* ---- system ---- */

static leat_rc add_host_name(const struct resource_detection_conf *conf, struct detection_found *found, struct leat_err *reterr)
{
    char host[DETECTION_NAME_BYTES] = "", name[DETECTION_NAME_BYTES] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        return LEAT_OK;
    for (uint32_t i = 0; i < conf->system.hostname_sources.count && !name[0]; i++) {
        if (strcmp(conf->system.hostname_sources.at[i], "os") == 0)
            (void)snprintf(name, sizeof name, "%s", host);
        else
            (void)detection_ask(&detection_full_name, conf->timeout_ns, name);
    }
    return add(found, "host.name", leat_arena_str(&found->arena, name, strlen(name)), reterr);
}

static leat_rc add_host_id(struct leat_world *world, struct detection_found *found, struct leat_err *reterr)
{
    struct leat_secret_file file = {.world = world, .path = "/etc/machine-id"};
    struct leat_slice text;
    leat_rc rc = LEAT_OK;
    if (leat_secret_file_get(&file, &text, NULL) == LEAT_OK)
        rc = add(found, "host.id", leat_arena_str(&found->arena, (const char *)text.at, text.len), reterr);
    leat_secret_file_done(&file);
    return rc;
}

static const char *arch_of(const char *machine)
{
    static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"i686", "x86"}, {"armv7l", "arm32"},
                                           {"ppc64le", "ppc64"}, {"s390x", "s390x"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], machine) == 0)
            return names[i][1];
    return machine;
}

static leat_rc detect_system(const struct resource_detection_conf *conf, struct leat_world *world,
                             struct detection_found *found, struct leat_err *reterr)
{
    const struct detection_switch *wants = conf->system.attributes;
    struct utsname name;
    bool named = uname(&name) == 0;
    leat_rc rc = wants[DETECT_HOST_NAME].enabled ? add_host_name(conf, found, reterr) : LEAT_OK;
    if (rc == LEAT_OK && wants[DETECT_OS_TYPE].enabled)
        rc = add(found, "os.type", "linux", reterr);
    if (rc == LEAT_OK && wants[DETECT_HOST_ID].enabled)
        rc = add_host_id(world, found, reterr);
    if (rc == LEAT_OK && named && wants[DETECT_HOST_ARCH].enabled)
        rc = add(found, "host.arch", leat_arena_printf(&found->arena, "%s", arch_of(name.machine)), reterr);
    if (rc == LEAT_OK && named && wants[DETECT_OS_DESCRIPTION].enabled)
        rc = add(found, "os.description",
                 leat_arena_printf(&found->arena, "%s %s %s %s %s", name.sysname, name.nodename, name.release, name.version,
                                   name.machine),
                 reterr);
    return rc;
}

leat_rc detection_find(const struct resource_detection_conf *conf, struct leat_world *world, struct detection_found *found,
                       struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < conf->detectors.count; i++)
        rc = strcmp(conf->detectors.at[i], "env") == 0 ? detection_env(found, getenv("OTEL_RESOURCE_ATTRIBUTES"), reterr)
                                                       : detect_system(conf, world, found, reterr);
    for (uint32_t i = 0; i < found->count; i++)
        found->at[i].action = conf->override ? OTLP_EDIT_UPSERT : OTLP_EDIT_INSERT;
    return rc;
}
