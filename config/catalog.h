/* SPDX-License-Identifier: Apache-2.0 */
/* catalog -- the component types a configuration may name, as rows; the app fills it from the registry.
 *
 * Why      config/ decodes any component and includes none of their headers; tests pass a catalog of fakes.
 * Threads  const.
 * Owns     nothing: rows point at the components' own tables. */
#pragma once
#include "agent/base/form.h"
#include "config/schema.h"

enum leat_kind {
    LEAT_KIND_RECEIVER,
    LEAT_KIND_PROCESSOR,
    LEAT_KIND_EXPORTER,
    LEAT_KIND_CONNECTOR, /* leat has none yet; known ones are refused by name */
    LEAT_KIND_EXTENSION,
    LEAT_KIND_COUNT
};
const char *leat_kind_name(enum leat_kind kind);    /* "receiver" */
const char *leat_kind_section(enum leat_kind kind); /* "receivers" */

/* Keys that many types share: delivery, a carrier, a listener. They stand in the same YAML map as the type's own. */
struct leat_shared_fields {
    const char *name; /* heading in docs: "delivery" */
    const struct leat_field *fields;
    uint32_t conf_size;
    leat_rc (*check)(const void *conf, struct leat_err *reterr); /* NULL: nothing to check */
};
#define LEAT_SHARED_MAX 4u

struct leat_type_info {
    enum leat_kind kind;
    const char *name, *summary;
    const char *const *aliases; /* old names, NULL-ended; each warns once. NULL: none */
    uint32_t signals;           /* bits it takes or makes; extensions: 0 */
    uint32_t conf_size;
    const struct leat_field *fields;
    leat_rc (*check)(const void *conf, struct leat_err *reterr);
    const struct leat_shared_fields *shared[LEAT_SHARED_MAX]; /* NULL: none */
    const struct leat_default *defaults;                      /* other defaults for shared keys; NULL: none */
    const void *descriptor;                                   /* the component's own, for the app */
    /* Not NULL: only kind and name are known yet; fills in the rest of this very row. */
    leat_rc (*load)(const struct leat_type_info *type, struct leat_err *reterr);
};

struct leat_catalog {
    const struct leat_type_info *types;
    uint32_t count;
};

/* By name or old name; *ret_alias (may be NULL) says that it was an old one. NULL: no such type. */
const struct leat_type_info *leat_catalog_find(const struct leat_catalog *catalog, enum leat_kind kind,
                                               const char *name, bool *ret_alias);

/* Does the Collector (core, k8s or contrib) know a component of this kind and name, old or new? */
bool leat_known_component(enum leat_kind kind, const char *name);
/* Calls offer for each known name of the kind, for suggestions. */
const char *const *leat_known_components(enum leat_kind kind); /* NULL-ended */
