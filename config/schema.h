/* SPDX-License-Identifier: Apache-2.0 */
/* schema -- a map of YAML against tables of fields: defaults first, then what the user wrote, every mistake collected.
 *
 * Why      one place knows types, ranges, secrets and the wording of errors; a component only has rows.
 * Owns     everything decoded lives in the arena of the decoder.
 * Fails    mistakes go to the diag list and the walk goes on; LEAT_ENOMEM is the only code besides LEAT_OK.
 * Rule     several tables may share one map (an exporter's own keys, delivery keys, carrier keys); a key of an earlier
 *          table hides the same key of a later one. */
#pragma once
#include "agent/base/field.h"
#include "config/load.h"

struct leat_field_set {
    const struct leat_field *fields; /* ended by a row without key; NULL: none */
    void *conf;
};

/* A string that must name an extension; the plan looks them up when it knows all of them. */
struct leat_extension_ref {
    const char *name, *path;
    struct leat_mark mark;
    uint32_t owner; /* what leat_decoder::owner was */
    struct leat_extension_ref *next;
};

struct leat_decoder {
    struct leat_yaml *yaml;
    const struct leat_default *defaults; /* NULL: none */
    const char *id;                      /* "otlp/2": wraps errors; NULL: none */
    const char *root;                    /* path of the map: "receivers::otlp/2" */
    uint32_t owner;
    struct leat_extension_ref *refs;
    char path[512]; /* below root, while decoding */
};

leat_rc leat_schema_decode(struct leat_decoder *d, const struct leat_node *node, const struct leat_field_set *sets,
                           uint32_t set_count) LEAT_MUST_CHECK;

/* ---- single values ---- */
leat_rc leat_schema_duration(const char *text, int64_t *ret_ns, struct leat_err *reterr); /* Go's "1h30m" */
leat_rc leat_schema_size(const char *text, int64_t *ret_bytes, struct leat_err *reterr);  /* "512KiB", "10MB", "7" */
void leat_schema_duration_text(int64_t ns, struct leat_strbuf *out);
