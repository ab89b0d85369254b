/* SPDX-License-Identifier: Apache-2.0 */
/* pprof -- a profile (github.com/google/pprof, profile.proto) read in place: validated once, then walked.
 *
 * Why      what is scraped from strangers must not reach a store broken: indices, ids and value counts are checked at the
 *          door; samples are read where they lie, tables are offsets into the same bytes.
 * Threads  pure; one user at a time.
 * Owns     a struct pprof owns its tables until pprof_close, and borrows the bytes (not compressed, flat).
 * Limits   PPROF_TYPES_MAX kinds of values, PPROF_ENTRIES_MAX samples and as many entries in all tables together.
 * Fails    pprof_open: LEAT_EPARSE with a sentence, LEAT_ELIMIT, LEAT_ENOMEM; *ret_pprof is {0} then. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "proto/protobuf/pb_read.h"

#define PPROF_TYPES_MAX 16u
#define PPROF_ENTRIES_MAX (1u << 20)

/* Field numbers of Profile. */
enum pprof_number {
    PPROF_SAMPLE_TYPE = 1,
    PPROF_SAMPLE,
    PPROF_MAPPING,
    PPROF_LOCATION,
    PPROF_FUNCTION,
    PPROF_STRING_TABLE,
    PPROF_DROP_FRAMES,
    PPROF_KEEP_FRAMES,
    PPROF_TIME_NANOS,
    PPROF_DURATION_NANOS,
    PPROF_PERIOD_TYPE,
    PPROF_PERIOD,
    PPROF_COMMENT,
    PPROF_DEFAULT_SAMPLE_TYPE,
    PPROF_DOC_URL
};

struct pprof_type { /* indices of strings */
    uint32_t type, unit;
};
struct pprof_span {
    uint32_t at, len; /* in the profile's bytes */
};
struct pprof_mapping {
    uint64_t id, start, limit, offset;
    uint32_t filename, build_id;
    bool has_functions, has_filenames, has_lines, has_inline_frames;
};
struct pprof_location {
    uint64_t id, address;
    uint32_t mapping; /* 1 + index; 0: none */
    struct pprof_span message; /* its lines: pprof_line_next */
};
struct pprof_function {
    uint64_t id;
    int64_t start_line;
    uint32_t name, system_name, filename;
};

struct pprof {
    const uint8_t *at;
    uint32_t len;
    uint32_t type_count;
    struct pprof_type types[PPROF_TYPES_MAX];
    struct pprof_type period_type;
    bool has_period_type;
    int64_t period, time_ns, duration_ns;
    uint32_t default_type, doc_url;
    /* Tables, ordered by id; strings in the order of the profile. */
    uint32_t sample_count, string_count, mapping_count, location_count, function_count;
    struct pprof_span *strings;
    struct pprof_mapping *mappings;
    struct pprof_location *locations;
    struct pprof_function *functions;
};
leat_rc pprof_open(struct leat_slice bytes, struct pprof *ret_pprof, struct leat_err *reterr) LEAT_MUST_CHECK;
void pprof_close(struct pprof *pprof); /* {0} is closed */

static inline struct leat_slice pprof_string(const struct pprof *pprof, uint32_t index)
{
    return leat_slice_of(pprof->at + pprof->strings[index].at, pprof->strings[index].len);
}

/* ---- samples: rest = pprof_samples(p); while (pprof_sample_next(p, &rest, &sample)) ... ---- */
struct pprof_sample {
    struct pb_flat message; /* its locations: pprof_id_next; its labels: pprof_label_next */
    int64_t values[PPROF_TYPES_MAX];
};
static inline struct pb_flat pprof_samples(const struct pprof *pprof) { return pb_flat_of(pprof->at, pprof->len); }
bool pprof_sample_next(const struct pprof *pprof, struct pb_flat *rest, struct pprof_sample *ret_sample);

/* The numbers of a repeated field, packed or not. {sample.message, {0}, 1} walks location ids, leaf first. */
struct pprof_ids {
    struct pb_flat message, packed;
    uint32_t number;
};
bool pprof_id_next(struct pprof_ids *ids, uint64_t *ret_id);
uint32_t pprof_location_of(const struct pprof *pprof, uint64_t id); /* index; UINT32_MAX: none */
uint32_t pprof_function_of(const struct pprof *pprof, uint64_t id);
uint32_t pprof_mapping_of(const struct pprof *pprof, uint64_t id);

struct pprof_label {
    uint32_t key, str, num_unit; /* strings */
    int64_t num;
};
bool pprof_label_next(struct pb_flat *sample_message, struct pprof_label *ret_label);

struct pprof_line {
    uint32_t function; /* index */
    int64_t line, column;
};
static inline struct pb_flat pprof_lines(const struct pprof *pprof, const struct pprof_location *location)
{
    return pb_flat_of(pprof->at + location->message.at, location->message.len);
}
bool pprof_line_next(const struct pprof *pprof, struct pb_flat *location_message, struct pprof_line *ret_line);

/* The sum of all samples, by type; wraps as int64 does in two's complement. */
void pprof_totals(const struct pprof *pprof, int64_t totals[PPROF_TYPES_MAX]);

/* ---- inside this folder ---- */
leat_rc pprof__tables(struct pprof *pprof, struct leat_err *reterr); /* sizes, fills and orders them */
