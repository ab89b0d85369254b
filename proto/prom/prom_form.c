/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom/prom.h"

#define SAMPLE_BYTES ((uint32_t)sizeof(struct leat_prom_sample))
#define POINT_SERIES_MAX 1024u /* a data point of more is cut anywhere */
#define WIRE_BYTES 24u /* of a sample on the wire beside its labels, about */

static leat_rc count(enum leat_signal signal, const struct leat_chain *payload, uint32_t *ret_items, struct leat_err *reterr)
{
    if (signal != LEAT_METRICS || payload->bytes % SAMPLE_BYTES || payload->bytes / SAMPLE_BYTES > UINT32_MAX)
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "prom: not a payload of samples");
    *ret_items = (uint32_t)(payload->bytes / SAMPLE_BYTES);
    return LEAT_OK;
}

static bool can_merge(enum leat_signal signal) { return signal == LEAT_METRICS; }

static leat_rc merge(enum leat_signal signal, struct leat_chain *into, struct leat_chain *from)
{
    (void)signal;
    return leat_chain_append(into, from);
}

static const struct leat_prom_series *series_at(const struct leat_chain *payload, uint32_t item)
{
    uint32_t s = 0, n;
    const struct leat_prom_sample *samples = leat_prom_samples(&payload->vec[s], &n);
    for (; item >= n; samples = leat_prom_samples(&payload->vec[++s], &n))
        item -= n;
    return samples[item].series;
}

/* The last border between data points at or before `at`, or `at` itself when a point is larger than that. */
static uint32_t point_border(const struct leat_chain *payload, uint32_t at)
{
    for (uint32_t back = at; back > 0 && at - back < POINT_SERIES_MAX; back--)
        if (!leat_prom_same_point(series_at(payload, back - 1), series_at(payload, back)))
            return back;
    return at;
}

/* Where a head of at most so many items and wire bytes ends, at a border between families if there is one in it,
 * else between data points. */
static uint32_t border(const struct leat_chain *payload, uint32_t items_max, uint64_t bytes_max)
{
    const struct leat_prom_family *family = NULL;
    uint64_t bytes = 0;
    uint32_t at = 0, whole = 0; /* samples seen; of them before the family we are in */
    for (uint32_t s = 0; s < payload->count; s++) {
        uint32_t n;
        const struct leat_prom_sample *samples = leat_prom_samples(&payload->vec[s], &n);
        for (uint32_t i = 0; i < n; i++, at++) {
            if (!samples[i].series->family || samples[i].series->family != family)
                whole = at;
            family = samples[i].series->family;
            bytes += samples[i].series->label_bytes + WIRE_BYTES + (samples[i].extra ? samples[i].extra->histogram_bytes : 0);
            if (at > 0 && ((items_max && at >= items_max) || (bytes_max && bytes > bytes_max)))
                return whole ? whole : point_border(payload, at);
        }
    }
    return at;
}

static leat_rc cut(enum leat_signal signal, const struct leat_chain *payload, uint32_t items_max, uint64_t bytes_max,
                   struct leat_chain *ret_head, uint32_t *ret_items, struct leat_chain *ret_tail, struct leat_err *reterr)
{
    *ret_head = *ret_tail = (struct leat_chain){0};
    uint32_t items = 0;
    leat_rc rc = count(signal, payload, &items, reterr);
    if (rc != LEAT_OK)
        return rc;
    uint32_t head = border(payload, items_max, bytes_max);
    uint64_t at = (uint64_t)head * SAMPLE_BYTES;
    rc = leat_chain_share_range(ret_head, payload, 0, at);
    if (rc == LEAT_OK && head < items)
        rc = leat_chain_share_range(ret_tail, payload, at, payload->bytes - at);
    if (rc != LEAT_OK) {
        leat_chain_done(ret_head);
        leat_chain_done(ret_tail);
        return LEAT_RAISE(reterr, rc, 0, "prom: out of memory");
    }
    *ret_items = head;
    return LEAT_OK;
}

static leat_rc pick(enum leat_signal signal, const struct leat_chain *payload, const uint8_t *bitmap,
                    struct leat_chain *ret_picked, struct leat_err *reterr)
{
    *ret_picked = (struct leat_chain){0};
    uint32_t items = 0;
    leat_rc rc = count(signal, payload, &items, reterr);
    for (uint32_t i = 0; rc == LEAT_OK && i < items;) {
        uint32_t first = i;
        bool wanted = leat_bitmap_get(bitmap, i);
        while (i < items && leat_bitmap_get(bitmap, i) == wanted)
            i++;
        if (wanted)
            rc = leat_chain_share_range(ret_picked, payload, (uint64_t)first * SAMPLE_BYTES, (uint64_t)(i - first) * SAMPLE_BYTES);
    }
    if (rc != LEAT_OK)
        leat_chain_done(ret_picked);
    return rc;
}

const struct leat_form_ops leat_prom_form = {.name = "prom", .bit = LEAT_FORM_PROM, .count = count, .can_merge = can_merge,
                                             .merge = merge, .cut = cut, .pick = pick};
