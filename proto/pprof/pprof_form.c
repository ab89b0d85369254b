/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pprof/pprof_form.h"

#include "proto/protobuf/pb_read.h"

static leat_rc broken(struct leat_err *reterr) { return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "pprof: not a payload of profiles"); }

/* Steps over one series; false: malformed. */
static bool step(struct pb_cursor *c, const struct leat_chain *payload)
{
    uint32_t tag;
    return pb_cursor_tag(c, payload->bytes, &tag) && tag == PB_TAG(1, PB_LEN) &&
           pb_cursor_skip_field(c, payload->bytes, tag & 7);
}

static leat_rc count(enum leat_signal signal, const struct leat_chain *payload, uint32_t *ret_items, struct leat_err *reterr)
{
    struct pb_cursor c = pb_cursor_at_start(payload);
    uint32_t items = 0;
    if (signal != LEAT_PROFILES)
        return broken(reterr);
    for (; pb_cursor_offset(&c) < payload->bytes; items++)
        if (!step(&c, payload))
            return broken(reterr);
    *ret_items = items;
    return LEAT_OK;
}

static bool can_merge(enum leat_signal signal) { return signal == LEAT_PROFILES; }

static leat_rc merge(enum leat_signal signal, struct leat_chain *into, struct leat_chain *from)
{
    (void)signal;
    return leat_chain_append(into, from);
}

static leat_rc cut(enum leat_signal signal, const struct leat_chain *payload, uint32_t items_max, uint64_t bytes_max,
                   struct leat_chain *ret_head, uint32_t *ret_items, struct leat_chain *ret_tail, struct leat_err *reterr)
{
    struct pb_cursor c = pb_cursor_at_start(payload);
    uint64_t at = 0;
    uint32_t items = 0;
    *ret_head = *ret_tail = (struct leat_chain){0};
    while (at < payload->bytes && !(items_max && items == items_max)) {
        if (signal != LEAT_PROFILES || !step(&c, payload))
            return broken(reterr);
        if (bytes_max && items && pb_cursor_offset(&c) > bytes_max)
            break;
        at = pb_cursor_offset(&c);
        items++;
    }
    leat_rc rc = leat_chain_share_range(ret_head, payload, 0, at);
    if (rc == LEAT_OK)
        rc = leat_chain_share_range(ret_tail, payload, at, payload->bytes - at);
    if (rc != LEAT_OK) {
        leat_chain_done(ret_head);
        leat_chain_done(ret_tail);
        return LEAT_RAISE(reterr, rc, 0, "pprof: out of memory");
    }
    *ret_items = items;
    return LEAT_OK;
}

static leat_rc pick(enum leat_signal signal, const struct leat_chain *payload, const uint8_t *bitmap,
                    struct leat_chain *ret_picked, struct leat_err *reterr)
{
    struct pb_cursor c = pb_cursor_at_start(payload);
    leat_rc rc = LEAT_OK;
    uint32_t item = 0;
    *ret_picked = (struct leat_chain){0};
    for (uint64_t at = 0; rc == LEAT_OK && at < payload->bytes; at = pb_cursor_offset(&c), item++) {
        if (signal != LEAT_PROFILES || !step(&c, payload))
            rc = LEAT_EPARSE;
        else if (leat_bitmap_get(bitmap, item))
            rc = leat_chain_share_range(ret_picked, payload, at, pb_cursor_offset(&c) - at);
    }
    if (rc == LEAT_OK)
        return rc;
    leat_chain_done(ret_picked);
    return rc == LEAT_EPARSE ? broken(reterr) : LEAT_RAISE(reterr, rc, 0, "pprof: out of memory");
}

static leat_rc freeze(enum leat_signal signal, const struct leat_chain *payload, struct leat_chain *ret_bytes)
{
    (void)signal;
    *ret_bytes = (struct leat_chain){0};
    return leat_chain_share_all(ret_bytes, payload);
}

static leat_rc thaw(enum leat_signal signal, const struct leat_chain *bytes, struct leat_chain *ret_payload,
                    struct leat_err *reterr)
{
    leat_rc rc = freeze(signal, bytes, ret_payload);
    return rc == LEAT_OK ? rc : LEAT_RAISE(reterr, rc, 0, "pprof: thaw");
}

const struct leat_form_ops pprof_form = {.name = "pprof", .bit = LEAT_FORM_PPROF, .count = count, .can_merge = can_merge,
                                         .merge = merge, .cut = cut, .pick = pick, .freeze = freeze, .thaw = thaw};
