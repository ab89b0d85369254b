/* SPDX-License-Identifier: Apache-2.0 */
/* field -- one row per configuration key: its type, place in the struct, default, range and one line of documentation.
 *
 * Why      parsing, defaults, checks, `leat components NAME` and the docs page all come from the same row.
 * Threads  const tables; decoded structs are read-only once the graph is built, and shared by all shards.
 * Owns     the decoder (config/) allocates strings, lists and maps inside the struct and frees them with the plan.
 * Rule     a conf struct starts zeroed; then each row's default is parsed as if the user had written it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum leat_field_type {
    LEAT_BOOL,     /* bool */
    LEAT_INT,      /* int64_t */
    LEAT_DOUBLE,   /* double */
    LEAT_STRING,   /* const char *; NULL when unset and without default */
    LEAT_DURATION, /* int64_t nanoseconds; Go syntax ("1h30m"), a bare integer is nanoseconds */
    LEAT_SIZE,     /* int64_t bytes; an integer, or "512KiB", "10MB" */
    LEAT_ENUM,     /* int: index into `choices` */
    LEAT_STRINGS,  /* struct leat_strings; a list, or one comma-joined string */
    LEAT_MAP,      /* struct leat_map: keys to strings, in the order written */
    LEAT_SECTION,  /* a struct in place, described by `fields` */
    LEAT_INLINE,   /* key "": the rows of `fields` belong to this same map; their struct is at `offset` */
    LEAT_LIST,     /* struct leat_items of structs of `item_size`, each described by `fields` */
    LEAT_VALUE,    /* struct leat_value: any scalar or list, typed as YAML types it */
    LEAT_IGNORED,  /* accepted and without effect (a key of the Collector's that means nothing here); says why in doc */
    LEAT_REFUSED   /* known but not supported: an error when used; doc is the reason given */
};

enum leat_field_flag {
    LEAT_REQUIRED = 1,
    LEAT_SECRET = 2,     /* printed as [REDACTED] */
    LEAT_EXTENSION = 4,  /* LEAT_STRING naming an extension of this configuration; checked */
    LEAT_DEPRECATED = 8, /* accepted, warned about once; doc says what to use */
    LEAT_PROM_UNITS = 16, /* LEAT_DURATION, LEAT_SIZE: written as in a Prometheus configuration (agent/base/prom_units.h) */
};

struct leat_strings {
    const char **at;
    uint32_t count;
};
struct leat_pair {
    const char *key, *value;
};
struct leat_map {
    struct leat_pair *at;
    uint32_t count;
};
struct leat_items {
    void *at;
    uint32_t count;
};
enum leat_value_kind { LEAT_NULL, LEAT_VALUE_BOOL, LEAT_VALUE_INT, LEAT_VALUE_DOUBLE, LEAT_VALUE_STRING,
                       LEAT_VALUE_LIST, LEAT_VALUE_MAP };
struct leat_value {
    enum leat_value_kind kind;
    union {
        bool b;
        int64_t i;
        double d;
    };
    const char *text;          /* the string; for other scalars, as written */
    struct leat_value *items;  /* LIST: count values; MAP: count values, named by keys */
    const char **keys;
    uint32_t count;
};

struct leat_field {
    const char *key;
    enum leat_field_type type;
    uint32_t offset;               /* of the value in the conf struct */
    const char *deflt;             /* as YAML text; NULL: zero, empty, absent */
    const char *doc;               /* one line */
    uint32_t flags;
    double min, max;               /* numbers, durations (ns) and sizes; both 0: any */
    const char *const *choices;    /* ENUM: NULL-ended */
    const struct leat_field *fields; /* SECTION, LIST: ended by a row without key */
    uint32_t item_size;            /* LIST */
    uint32_t present;              /* SECTION: 1 + offset of a bool that says whether the user wrote it; 0: none */
};

/* Another default for a key of a shared table: {"retry_on_failure::enabled", "false"}. */
struct leat_default {
    const char *path; /* relative to the component; ended by a row without path */
    const char *deflt;
};

#define LEAT_AT(type, member) (uint32_t) offsetof(type, member)
#define LEAT_PRESENT(type, member) (uint32_t)(1 + offsetof(type, member))
