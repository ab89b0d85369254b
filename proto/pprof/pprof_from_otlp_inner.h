/* SPDX-License-Identifier: Apache-2.0 */
/* pprof_from_otlp_inner -- the dictionary of a request, and a pprof being built from it.
 *
 * Owns     struct dictionary its tables and, when it had to be laid flat, its bytes; struct build its buffers. */
#pragma once
#include "proto/otlp/otlp_view.h"
#include "proto/pprof/pprof_from_otlp.h"
#include "proto/protobuf/pb_write.h"

enum { MAPPINGS = 1, LOCATIONS, FUNCTIONS, LINKS, STRINGS, ATTRIBUTES, STACKS, TABLES };

struct dictionary {
    struct leat_slice bytes; /* owns a reference */
    struct {
        struct pprof_span *at;
        uint32_t count;
    } table[TABLES];
};
leat_rc pprof__dictionary_open(const struct leat_chain *payload, struct dictionary *ret, struct leat_err *reterr) LEAT_MUST_CHECK;
void pprof__dictionary_close(struct dictionary *dictionary);
/* The entry's message or text; entry 0 of an empty table is the zero value. False: there is none. */
bool pprof__dictionary_get(const struct dictionary *dictionary, unsigned table, uint64_t index, struct leat_slice *ret_entry);
/* The number of a field, 0 when absent. */
uint64_t pprof__number(struct leat_slice message, uint32_t number);
struct leat_slice pprof__bytes(struct leat_slice message, uint32_t number);
/* A string, an integer or an array of one of them as text (integers into `room`); false: has none. */
#define PPROF__TEXT_ROOM 24u
bool pprof__text(const struct dictionary *dictionary, const struct otlp_value *value, char room[PPROF__TEXT_ROOM],
                 struct leat_slice *ret_text);
/* An attribute of the attribute table. */
bool pprof__attribute(const struct dictionary *dictionary, uint64_t index, struct leat_slice *ret_key, struct otlp_value *ret_value);

/* ---- a pprof being built ---- */
struct known {
    uint32_t epoch, id; /* of the build that has it */
};
struct used_mapping {
    uint32_t index; /* in the dictionary */
    bool seen, functions, filenames, lines, inline_frames;
};
struct build {
    const struct dictionary *dictionary;
    const char *bad; /* why the profile has no pprof; NULL: it has */
    bool failed;     /* out of memory */
    uint32_t epoch;
    struct known *known[TABLES]; /* by index in the dictionary's table */
    uint32_t string_count, location_count, function_count, mapping_count, mapping_room;
    struct used_mapping *mappings;
    struct pb_buf strings, tables, samples, all;
};
bool pprof__build_open(struct build *build, const struct dictionary *dictionary); /* false: out of memory */
void pprof__build_close(struct build *build);
void pprof__build_begin(struct build *build);
uint32_t pprof__put_text(struct build *build, struct leat_slice text);
uint32_t pprof__put_string(struct build *build, uint64_t index); /* of the dictionary */
void pprof__put_sample(struct build *build, struct leat_slice sample, int64_t value);
struct build_head {
    struct leat_slice type, unit, period_type, period_unit;
    bool has_period_type;
    int64_t period;
    uint64_t time_ns, duration_ns;
};
struct leat_slice pprof__build_end(struct build *build, const struct build_head *head);
