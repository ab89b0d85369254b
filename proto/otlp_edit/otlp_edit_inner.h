/* SPDX-License-Identifier: Apache-2.0 */
/* otlp_edit_inner -- a program, its scratch, and one attribute list under edit; private to this folder. */
#pragma once
#include "agent/base/regex.h"
#include "proto/otlp/otlp_view.h"
#include "proto/otlp_edit/otlp_edit.h"
#include "proto/protobuf/pb_write.h"

/* ---- a list under edit (otlp_edit_list.c) ---- */

enum otlp_edit_state { OTLP_EDIT_KEPT, OTLP_EDIT_CHANGED, OTLP_EDIT_DELETED, OTLP_EDIT_ADDED };

struct otlp_edit_entry {
    struct leat_slice key;
    struct leat_slice value; /* its AnyValue message; in scratch when scratch_at says so */
    const uint8_t *raw;      /* the whole field as it came; NULL: added */
    uint32_t raw_len;
    uint32_t scratch_at; /* 1 + offset in scratch; 0: value.at holds */
    enum otlp_edit_state state;
};

struct otlp_edit_list {
    struct leat_slice message;
    uint32_t number; /* of the attributes' field */
    struct otlp_edit_entry *at;
    uint32_t count, room;
    struct pb_buf scratch; /* values made here */
    bool changed;
};

leat_rc otlp_edit__list_read(struct otlp_edit_list *list, struct leat_slice message, uint32_t number);
struct otlp_edit_entry *otlp_edit__find(struct otlp_edit_list *list, struct leat_slice key); /* NULL: none */
struct leat_slice otlp_edit__value(const struct otlp_edit_list *list, const struct otlp_edit_entry *entry);
/* The value for the key, there or not; `from_scratch` is 1 + its offset in scratch, 0: `value` holds. */
leat_rc otlp_edit__set(struct otlp_edit_list *list, struct otlp_edit_entry *entry, struct leat_slice key,
                       struct leat_slice value, uint32_t from_scratch);
void otlp_edit__delete(struct otlp_edit_list *list, struct otlp_edit_entry *entry);
uint64_t otlp_edit__size(const struct otlp_edit_list *list); /* of the message as edited */
/* Gives the edited message piece by piece. */
struct otlp_edit_sink {
    leat_rc (*put)(void *ctx, const void *at, uint32_t len);
    void *ctx;
};
leat_rc otlp_edit__write(const struct otlp_edit_list *list, const struct otlp_edit_sink *sink);
void otlp_edit__list_done(struct otlp_edit_list *list);

/* ---- values (otlp_edit_value.c): each appends an AnyValue message to scratch ---- */

leat_rc otlp_edit__value_compile(const struct leat_value *value, struct pb_buf *out);
uint32_t otlp_edit__put_text(struct pb_buf *scratch, struct leat_slice text,
                             uint32_t *ret_len); /* 1 + offset; 0: no memory */
/* False: it cannot be converted, leave it. */
bool otlp_edit__convert(const struct otlp_value *from, int type, struct pb_buf *scratch);
void otlp_edit__hash(const struct otlp_value *from, struct pb_buf *scratch);
/* As text, for patterns; scalars only. False: it has none. */
bool otlp_edit__text(const struct otlp_value *from, char *room, uint32_t size, struct leat_slice *ret_text);
bool otlp_edit__same(const struct otlp_value *a, const struct otlp_value *b); /* scalars */

/* ---- a program (otlp_edit_program.c) ---- */

struct otlp_edit_step {
    enum otlp_edit_verb verb;
    struct leat_slice key;             /* empty: none */
    struct leat_slice value, fallback; /* AnyValue messages; at NULL: none */
    struct leat_slice from_attribute;
    const char *from_context; /* the header's name in lower case */
    struct leat_regex *regex;
    struct leat_slice *groups; /* extract: key of each group, from 1 */
    int converted_type;
};

struct otlp_edit {
    struct otlp_edit_step *steps;
    uint32_t step_count;
    struct pb_buf *values; /* two per step: what its value slices point into */
    struct otlp_edit_list list;
    struct otlp_flat flat; /* a message that crosses a cut, laid flat */
};

/* The steps over the list. */
leat_rc otlp_edit__apply(struct otlp_edit *edit, struct otlp_edit_list *list, const struct otlp_edit_context *context);
/* The next `len` bytes as one slice: in place, or copied into `flat`; the cursor steps over them. */
leat_rc otlp_edit__flat(struct pb_cursor *cursor, uint64_t len, struct otlp_flat *flat, struct leat_slice *ret_slice);
void otlp_edit__flat_done(struct otlp_flat *flat);

/* ---- matching (otlp_edit_match.c) ---- */

/* What the record is in; filled by the rewriting pass as it goes down. */
struct otlp_edit_place {
    enum leat_signal signal;
    struct leat_slice resource, scope; /* messages */
    struct leat_slice metric_name;
    uint64_t resource_index, scope_index; /* 1 ..; change with them: what was found out about one holds as long */
};
bool otlp_edit__matches(struct otlp_edit_match *match, const struct otlp_edit_place *place, struct leat_slice record,
                        uint32_t attributes_number);
void otlp_edit__match_begin(struct otlp_edit_match *match); /* a new payload: forget; NULL is fine */
