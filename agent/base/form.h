/* SPDX-License-Identifier: Apache-2.0 */
/* form -- what the core must do to a payload without knowing its wire format; one table per form of telemetry.
 *
 * Why      agent/ splits a batch at max_size, merges small ones and sends three refused items again, and includes no
 *          wire format. OTLP is one form; Prometheus samples and pprof keep their own. proto/ fills the tables in.
 * Threads  pure functions over borrowed chains; call on the shard that owns them.
 * Fails    LEAT_EPARSE when the payload is not what the form says (it was validated at the door: a bug or corruption),
 *          LEAT_ENOMEM. Inputs are untouched on failure; outputs are {0} on failure.
 * Rule     a NULL function: the form does not have it (the caller then sends as it is). */
#pragma once
#include "agent/base/err.h"
#include "agent/base/slice.h"

enum leat_signal { LEAT_LOGS, LEAT_METRICS, LEAT_TRACES, LEAT_PROFILES, LEAT_SIGNAL_COUNT };
#define LEAT_SIGNAL_BIT(signal) (1u << (signal))
#define LEAT_ALL_SIGNALS 0xfu

static inline const char *leat_signal_name(enum leat_signal signal)
{
    static const char *const names[] = {"logs", "metrics", "traces", "profiles"};
    return names[signal];
}

/* Which forms a component takes natively. */
enum leat_form_bit { LEAT_FORM_OTLP = 1, LEAT_FORM_PROM = 2, LEAT_FORM_PPROF = 4 };

struct leat_strbuf;

struct leat_form_ops {
    const char *name; /* "otlp" */
    uint32_t bit;     /* enum leat_form_bit */
    /* Items (log records, data points, spans, profiles) in the payload. */
    leat_rc (*count)(enum leat_signal signal, const struct leat_chain *payload, uint32_t *ret_items,
                     struct leat_err *reterr);
    /* May two payloads of this signal become one? (Profiles may not: their dictionary is per request.) */
    bool (*can_merge)(enum leat_signal signal);
    /* Moves `from` (then {0}) behind `into`, as one valid payload. */
    leat_rc (*merge)(enum leat_signal signal, struct leat_chain *into, struct leat_chain *from);
    /* Cuts off the longest head of at most items_max items and about bytes_max bytes (0: no limit), never less than
     * one item. Both outputs share the input's bytes; *ret_items is the head's count; an empty tail means it all fit. */
    leat_rc (*cut)(enum leat_signal signal, const struct leat_chain *payload, uint32_t items_max, uint64_t bytes_max,
                   struct leat_chain *ret_head, uint32_t *ret_items, struct leat_chain *ret_tail,
                   struct leat_err *reterr);
    /* Only the items whose bit is set (bit i of byte i/8, in payload order), with their resource and scope. */
    leat_rc (*pick)(enum leat_signal signal, const struct leat_chain *payload, const uint8_t *bitmap,
                    struct leat_chain *ret_picked, struct leat_err *reterr);
    /* Self-contained bytes for the disk and for another shard, and back. */
    leat_rc (*freeze)(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_bytes);
    leat_rc (*thaw)(enum leat_signal signal, const struct leat_chain *bytes, struct leat_chain *ret_payload,
                    struct leat_err *reterr);
    /* As JSON on one line, for people and for dead letters. */
    leat_rc (*text)(enum leat_signal signal, const struct leat_chain *payload, struct leat_strbuf *out,
                    struct leat_err *reterr);
};

static inline bool leat_bitmap_get(const uint8_t *bitmap, uint32_t i) { return bitmap[i / 8] >> (i % 8) & 1; }
static inline void leat_bitmap_set(uint8_t *bitmap, uint32_t i) { bitmap[i / 8] |= (uint8_t)(1u << (i % 8)); }
