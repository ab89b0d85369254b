/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/resource_detection/resource_detection.h"

#define C(member) LEAT_AT(struct resource_detection_conf, member)
#define SWITCH(which) (uint32_t)(C(system.attributes[which]) - C(system.attributes))
#define NOT_FOUND_OUT "is not found out here"

static const struct leat_field on_fields[] = {
    {"enabled", LEAT_BOOL, LEAT_AT(struct detection_switch, enabled), "true", "whether it is added"}, {0}};
static const struct leat_field off_fields[] = {
    {"enabled", LEAT_BOOL, LEAT_AT(struct detection_switch, enabled), "false", "whether it is added"}, {0}};
static const struct leat_field attribute_fields[] = {
    {.key = "host.name", .type = LEAT_SECTION, .offset = SWITCH(DETECT_HOST_NAME), .fields = on_fields, .doc = "the machine's name"},
    {.key = "os.type", .type = LEAT_SECTION, .offset = SWITCH(DETECT_OS_TYPE), .fields = on_fields, .doc = "linux"},
    {.key = "host.id", .type = LEAT_SECTION, .offset = SWITCH(DETECT_HOST_ID), .fields = off_fields, .doc = "of /etc/machine-id"},
    {.key = "host.arch", .type = LEAT_SECTION, .offset = SWITCH(DETECT_HOST_ARCH), .fields = off_fields, .doc = "amd64, arm64 ..."},
    {.key = "os.description", .type = LEAT_SECTION, .offset = SWITCH(DETECT_OS_DESCRIPTION), .fields = off_fields,
     .doc = "system, node, release, version and machine, as uname says"},
    {"host.ip", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"host.mac", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"host.interface", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"host.cpu.vendor.id", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"host.cpu.family", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"host.cpu.model.id", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"host.cpu.model.name", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"host.cpu.stepping", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"host.cpu.cache.l2.size", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"os.name", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"os.version", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {"os.build.id", LEAT_REFUSED, 0, NULL, NOT_FOUND_OUT},
    {0}};
static const struct leat_field system_fields[] = {
    {"hostname_sources", LEAT_STRINGS, (uint32_t)(C(system.hostname_sources) - C(system)), "[dns, os]",
     "where host.name comes from, the first that knows it: dns, the full name; os, what the kernel says"},
    {.key = "resource_attributes", .type = LEAT_SECTION, .offset = (uint32_t)(C(system.attributes) - C(system)),
     .fields = attribute_fields, .doc = "which attributes"},
    {0}};

const struct leat_field resource_detection_fields[] = {
    {"detectors", LEAT_STRINGS, C(detectors), "[env]",
     "who is asked, in this order; the first to name an attribute wins: env (OTEL_RESOURCE_ATTRIBUTES), system"},
    {"override", LEAT_BOOL, C(override), "true", "replaces attributes that are there"},
    {.key = "system", .type = LEAT_SECTION, .offset = C(system), .fields = system_fields, .doc = "of the system detector"},
    {"timeout", LEAT_DURATION, C(timeout_ns), "5s", "at most so long is waited for the name service, once in a process", .max = 3.6e12},
    {"fail_on_missing_metadata", LEAT_IGNORED, 0, NULL, "the env and system detectors miss nothing that could come later"},
    {"refresh_interval", LEAT_REFUSED, 0, NULL, "attributes are found once, at start"},
    {"attributes", LEAT_REFUSED, 0, NULL, "use resource_attributes of the detector"},
    {0}};

leat_rc resource_detection__check(const void *conf, struct leat_err *reterr)
{
    const struct resource_detection_conf *detection = conf;
    const struct leat_strings *detectors = &detection->detectors, *sources = &detection->system.hostname_sources;
    for (uint32_t i = 0; i < detectors->count; i++)
        if (strcmp(detectors->at[i], "env") != 0 && strcmp(detectors->at[i], "system") != 0)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "detector \"%s\" is not supported: env and system are", detectors->at[i]);
    for (uint32_t i = 0; i < sources->count; i++)
        if (strcmp(sources->at[i], "dns") != 0 && strcmp(sources->at[i], "os") != 0)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "hostname source \"%s\" is not supported: dns and os are", sources->at[i]);
    return LEAT_OK;
}
