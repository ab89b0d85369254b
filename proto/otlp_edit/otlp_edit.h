/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_edit -- attributes changed by a compiled list of actions, without decoding anything into a tree.
 *
 * Why      `resource` and `attributes` are the same verbs over different lists: a resource's, or each record's.
 * Threads  a program belongs to one instance on one shard: it owns scratch that is used again for each record.
 * Owns     outputs are new chains; inputs are shared bytes and never written to. A resource edit makes one slice per
 *          resource and shares the rest; a record edit writes the payload once into fresh pages (leat_copied).
 * Limits   a regular expression gives up after a number of steps (counted as `limited`) and then does not match.
 * Fails    LEAT_EPARSE when the payload is not what the door let in, LEAT_ENOMEM; outputs are {0} on failure. */
#pragma once
#include "agent/base/field.h"
#include "agent/base/form.h"

/* ---- configuration: one row of `attributes` or `actions` ---- */

enum otlp_edit_verb {
    OTLP_EDIT_INSERT,
    OTLP_EDIT_UPDATE,
    OTLP_EDIT_UPSERT,
    OTLP_EDIT_DELETE,
    OTLP_EDIT_HASH,
    OTLP_EDIT_EXTRACT,
    OTLP_EDIT_CONVERT
};
struct otlp_edit_action_conf {
    int action; /* enum otlp_edit_verb */
    const char *key, *pattern, *from_attribute, *from_context;
    struct leat_value value, default_value;
    int converted_type;
};
extern const struct leat_field otlp_edit_action_fields[];
leat_rc otlp_edit_check(const struct leat_items *actions, const char *list_name, struct leat_err *reterr);

/* ---- a program ---- */

struct otlp_edit;

/* Values of the request: client headers. NULL: it has none by that name. */
struct otlp_edit_context {
    const char *(*get)(const void *ctx, const char *key);
    const void *ctx;
};

leat_rc otlp_edit_open(const struct leat_items *actions, struct otlp_edit **ret_edit,
                       struct leat_err *reterr) LEAT_MUST_CHECK;
struct otlp_edit *otlp_edit_close(struct otlp_edit *edit); /* always NULL */
uint64_t otlp_edit_limited(const struct otlp_edit *edit);  /* searches given up */

/* Every resource of the payload. */
leat_rc otlp_edit_resources(struct otlp_edit *edit, enum leat_signal signal, const struct leat_chain *payload,
                            const struct otlp_edit_context *context, struct leat_chain *ret_payload,
                            struct leat_err *reterr) LEAT_MUST_CHECK;

/* ---- which records: include and exclude ---- */

struct otlp_edit_pair_conf {
    const char *key;
    struct leat_value value;
};
struct otlp_edit_library_conf {
    const char *name, *version;
};
struct otlp_edit_match_conf {
    bool present;
    int match_type; /* 0 strict, 1 regexp; -1 is not had */
    struct leat_strings services, span_names, log_bodies, log_severity_texts, metric_names;
    struct leat_items attributes, resources, libraries; /* otlp_edit_pair_conf, otlp_edit_library_conf */
};
extern const struct leat_field otlp_edit_match_fields[]; /* without the `present` of a section */
leat_rc otlp_edit_match_check(const struct otlp_edit_match_conf *conf, struct leat_err *reterr);

struct otlp_edit_match;
leat_rc otlp_edit_match_open(const struct otlp_edit_match_conf *conf, struct otlp_edit_match **ret_match,
                             struct leat_err *reterr) LEAT_MUST_CHECK;
struct otlp_edit_match *otlp_edit_match_close(struct otlp_edit_match *match); /* always NULL */

/* Every log record, span or data point that `include` (NULL: all) takes and `exclude` (NULL: none) does not; profiles
 * stay as they are. */
leat_rc otlp_edit_records(struct otlp_edit *edit, struct otlp_edit_match *include, struct otlp_edit_match *exclude,
                          enum leat_signal signal, const struct leat_chain *payload,
                          const struct otlp_edit_context *context, struct leat_chain *ret_payload,
                          struct leat_err *reterr) LEAT_MUST_CHECK;
