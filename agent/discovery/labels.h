/* SPDX-License-Identifier: Apache-2.0 */
/* labels -- sets of name=value, sorted by name; and a set under edit, which relabelling works on.
 *
 * Why      targets and series are named by them; a finished set is immutable and compares byte by byte.
 * Threads  finished sets any (they have no reference counts of their own); an edit one shard's.
 * Owns     leat_labels borrow. An edit owns copies of what was put into it, until _clear or _done; _clear keeps the room, so
 *          that an edit that is used again and again calls no malloc.
 * Limits   LEAT_LABELS_MAX labels, LEAT_LABEL_BYTES_MAX bytes of text in one edit (each put adds to it until _clear).
 * Fails    an edit's error is sticky: make twelve puts, look at `failed` once (LEAT_ENOMEM, LEAT_ELIMIT).
 * Rule     an empty value is an absent label, everywhere. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"

#define LEAT_LABELS_MAX 4096u
#define LEAT_LABEL_BYTES_MAX (4u << 20)

struct leat_label {
    struct leat_slice name, value; /* no blocks: mem is NULL */
};
struct leat_labels {
    const struct leat_label *at; /* sorted by name, each name once */
    uint32_t count;
};

struct leat_slice leat_labels_get(struct leat_labels labels, struct leat_slice name); /* len 0: absent */
bool leat_labels_eq(struct leat_labels a, struct leat_labels b);
int leat_labels_compare(struct leat_labels a, struct leat_labels b); /* a total order */
uint64_t leat_labels_hash(struct leat_labels labels, uint64_t seed);
/* A copy in one block of its own (leat_free the `at`); count 0 copies to {0}. */
leat_rc leat_labels_copy(struct leat_labels labels, struct leat_labels *ret_copy) LEAT_MUST_CHECK;

/* [a-zA-Z_][a-zA-Z0-9_]* */
bool leat_label_name_is_classic(struct leat_slice name);
/* Prometheus 3's default: any UTF-8, not empty. */
bool leat_label_name_is_utf8(struct leat_slice name);

struct leat_label_text; /* blocks of text */
struct leat_label_edit {
    struct leat_label *at; /* sorted; read it freely between calls */
    uint32_t count, room;
    struct leat_label_text *text, *spare;
    uint32_t bytes;
    leat_rc failed;
};
void leat_label_edit_clear(struct leat_label_edit *edit); /* {0} is an empty one */
void leat_label_edit_done(struct leat_label_edit *edit);
/* Starts from a set whose bytes outlive the edit: nothing is copied but the slices. */
void leat_label_edit_borrow(struct leat_label_edit *edit, struct leat_labels labels);
struct leat_slice leat_label_edit_get(const struct leat_label_edit *edit, struct leat_slice name); /* len 0: absent */
void leat_label_edit_put(struct leat_label_edit *edit, struct leat_slice name, struct leat_slice value); /* copies both */
void leat_label_edit_put_str(struct leat_label_edit *edit, const char *name, struct leat_slice value);
void leat_label_edit_remove(struct leat_label_edit *edit, struct leat_slice name);
/* Room in the edit's text that lives until _clear; NULL when failed. */
char *leat_label_edit_room(struct leat_label_edit *edit, uint32_t len);
static inline struct leat_labels leat_label_edit_view(const struct leat_label_edit *edit)
{
    return (struct leat_labels){edit->at, edit->count};
}
