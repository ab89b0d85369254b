/* SPDX-License-Identifier: Apache-2.0 */
/* pprof_from_otlp -- OTLP profiles (opentelemetry-proto 1.10) as pprof, one at a time, with equal totals.
 *
 * Why      Pyroscope takes pprof; its own OTLP door names and splits profiles in a way that dashboards know by now, so this
 *          does the same.
 * Names    samples/count of a cpu/nanoseconds period: process_cpu, values times the period; off_cpu/nanoseconds without
 *          period: off_cpu; else the period's type, and where there is none a name that the sample type tells.
 * Values   several values of one sample (one a timestamp) are summed; none but timestamps count 1 each.
 * Split    a sample's attribute service.name puts it into a profile of its own.
 * Threads  pure; one call at a time per sink.
 * Owns     what a sink is given lives until it answers. The dictionary is laid flat when it crosses slices (counted).
 * Limits   PPROF_ENTRIES_MAX entries in the dictionary, PPROF_SERVICES_MAX services and PPROF_LABELS_MAX labels a profile,
 *          PPROF_MADE_BYTES_MAX of samples in a pprof: OTLP names a stack once, pprof writes it out at every sample.
 * Fails    LEAT_EPARSE: not a valid request; LEAT_ENOMEM; what the sink answered. A profile that has no pprof (an index
 *          that leads nowhere, no sample, too large) is told to `reject`, the others go on. */
#pragma once
#include "agent/base/form.h"
#include "proto/pprof/pprof.h"

#define PPROF_SERVICES_MAX 64u
#define PPROF_LABELS_MAX 256u
#define PPROF_MADE_BYTES_MAX (32u << 20)

struct pprof_pair {
    struct leat_slice name, value;
};
struct pprof_made {
    uint32_t item;                  /* number of the OTLP profile in the payload */
    struct leat_slice name;         /* "process_cpu" */
    struct leat_slice service;      /* of sample or resource; never empty */
    const struct pprof_pair *labels; /* resource and scope attributes with a text, but service.name; each name once */
    uint32_t label_count;
    const uint8_t *id;              /* 16 bytes, or NULL */
    struct leat_slice profile;      /* not compressed */
};
struct pprof_sink {
    leat_rc (*take)(void *ctx, const struct pprof_made *made);
    leat_rc (*reject)(void *ctx, uint32_t item, const char *reason); /* reason: static */
    void *ctx;
    uint64_t now_ns; /* for profiles without a time */
};
leat_rc pprof_from_otlp(const struct leat_chain *payload, const struct pprof_sink *sink, struct leat_err *reterr) LEAT_MUST_CHECK;
