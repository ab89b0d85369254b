/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw1_put.h"

#include "agent/base/alloc.h"

#define STAMP_BYTES 7u  /* 0x10 and six bytes: any time from 1971 to 2109 */
#define TAIL_BYTES 15u  /* of an entry: value and timestamp, which change */
#define SAMPLE_BYTES 18u
#define PENDING_MAX 42u /* with value and timestamp behind it, a literal that one tag says */
#define NEAR 2048u      /* reach of a copy of two bytes */
#define WORDS_MAX 255u

static const uint8_t sample_head[] = {PB_TAG(2, PB_LEN), 16, PB_TAG(1, PB_FIXED64)};

void rw1_init(struct rw1 *rw, const struct rw_outgoing *outgoing, uint32_t slots_max)
{
    rw->outgoing = outgoing;
    rw_slots_init(&rw->slots, slots_max, sizeof(struct rw1_slot));
}

static void slot_clear(void *at)
{
    struct rw1_slot *slot = at;
    if (slot->words_bytes > RW1_WORDS_HERE)
        leat_free(slot->words.far);
    *slot = (struct rw1_slot){0};
}

void rw1_done(struct rw1 *rw)
{
    rw1_drop(rw);
    rw_slots_done(&rw->slots, slot_clear);
    rw->used = 0;
    pb_buf_done(&rw->entry);
    pb_buf_done(&rw->before);
    pb_buf_done(&rw->labels);
}

double rw_clean(double value)
{
    uint64_t nan = LEAT_PROM_NAN_BITS;
    if (value == value || leat_prom_is_stale(value))
        return value;
    return pb_double(nan);
}

/* ---- plain entries ---- */

static void put_exemplar(struct pb_buf *buf, const struct leat_prom_exemplar *exemplar, int64_t time_ms)
{
    size_t at = pb_buf_open(buf, PB_TAG(3, PB_LEN));
    pb_buf_raw(buf, exemplar->labels, exemplar->label_bytes);
    uint64_t bits;
    double value = rw_clean(exemplar->value);
    memcpy(&bits, &value, sizeof bits);
    pb_buf_fixed64(buf, PB_TAG(2, PB_FIXED64), bits);
    pb_buf_varint(buf, PB_TAG(3, PB_VARINT), (uint64_t)(exemplar->has_time ? exemplar->time_ms : time_ms));
    pb_buf_close(buf, at);
}

static void put_sample(struct pb_buf *buf, const struct leat_prom_sample *sample)
{
    uint64_t bits;
    double value = rw_clean(sample->value);
    memcpy(&bits, &value, sizeof bits);
    size_t at = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    pb_buf_fixed64(buf, PB_TAG(1, PB_FIXED64), bits);
    pb_buf_varint(buf, PB_TAG(2, PB_VARINT), (uint64_t)sample->time_ms);
    pb_buf_close(buf, at);
}

static void put_histogram(struct pb_buf *buf, const struct leat_prom_sample *sample)
{
    size_t at = pb_buf_open(buf, PB_TAG(4, PB_LEN));
    pb_buf_raw(buf, sample->extra->histogram, sample->extra->histogram_bytes);
    pb_buf_varint(buf, PB_TAG(15, PB_VARINT), (uint64_t)sample->time_ms);
    pb_buf_close(buf, at);
}

void rw1_entry(struct pb_buf *buf, struct leat_slice labels, const struct leat_prom_sample *sample)
{
    const struct leat_prom_extra *extra = sample->extra;
    size_t at = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    pb_buf_raw(buf, labels.at, labels.len);
    if (!extra || !extra->histogram_bytes)
        put_sample(buf, sample);
    for (uint32_t i = 0; extra && i < extra->exemplar_count; i++)
        put_exemplar(buf, &extra->exemplars[i], sample->time_ms);
    if (extra && extra->histogram_bytes)
        put_histogram(buf, sample);
    pb_buf_close(buf, at);
}

/* The bytes of an entry that do not change: all up to the value of its one sample. */
static void entry_head(struct pb_buf *buf, struct leat_slice labels)
{
    buf->len = 0;
    if (!pb_buf_room(buf, (size_t)labels.len + 16))
        return;
    uint8_t *at = pb_put_varint(pb_put_varint(buf->at, PB_TAG(1, PB_LEN)), labels.len + SAMPLE_BYTES);
    if (labels.len)
        memcpy(at, labels.at, labels.len);
    memcpy(at + labels.len, sample_head, sizeof sample_head);
    buf->len = (size_t)(at - buf->at) + labels.len + sizeof sample_head;
}

/* ---- the kept words ---- */

static void keep(struct rw1 *rw, uint64_t id, uint64_t before, uint32_t entry_bytes, const uint8_t *words, size_t len,
                 size_t tag_at)
{
    struct rw1_slot *slot = len > WORDS_MAX || entry_bytes >= NEAR ? NULL : rw_slots_make(&rw->slots, id);
    uint8_t *far = slot && len > RW1_WORDS_HERE ? leat_alloc(len) : NULL;
    if (!slot || (len > RW1_WORDS_HERE && !far))
        return;
    rw->used += slot->id == 0;
    slot_clear(slot);
    slot->id = id;
    slot->before = before;
    slot->entry_bytes = (uint16_t)entry_bytes;
    slot->words_bytes = (uint8_t)len;
    slot->tag_at = (uint8_t)tag_at;
    if (far)
        slot->words.far = far;
    memcpy(far ? far : slot->words.here, words, len);
}

/* ---- putting ---- */

static void stamp_set(struct rw1 *rw, int64_t time_ms)
{
    uint8_t field[16] = {PB_TAG(2, PB_VARINT)};
    rw->stamp_ms = time_ms;
    rw->stamp_is_short = pb_put_varint(field + 1, (uint64_t)time_ms) == field + STAMP_BYTES;
    memcpy(rw->stamp, field, sizeof rw->stamp);
    rw->last_has_stamp = false;
}

/* Value and timestamp behind words whose last tag counts the value: the timestamp is a copy of the one before, or counted
 * too. */
static inline uint8_t *put_tail(const struct rw1 *rw, uint8_t *to, uint8_t *tag, double value, uint32_t entry_bytes)
{
    memcpy(to, &value, sizeof value);
    to += sizeof value;
    if (rw->last_has_stamp && entry_bytes < NEAR) {
        to[0] = (uint8_t)(entry_bytes >> 8 << 5 | (STAMP_BYTES - 4) << 2 | 1);
        to[1] = (uint8_t)entry_bytes;
        return to + 2;
    }
    *tag = (uint8_t)(*tag + (STAMP_BYTES << 2));
    memcpy(to, rw->stamp, sizeof rw->stamp);
    return to + STAMP_BYTES;
}

static void stands(struct rw1 *rw, const struct leat_prom_series *series, uint32_t entry_bytes)
{
    rw->last = series;
    rw->last_id = series ? series->id : 0;
    rw->last_has_stamp = series != NULL;
    rw->plain_bytes += entry_bytes;
    rw->samples++;
}

/* What stands before the next entry, and how many bytes of it are of no use. */
static struct leat_slice bytes_before(struct rw1 *rw, uint32_t *ret_gap)
{
    uint32_t count;
    *ret_gap = 0;
    if (rw->last) {
        entry_head(&rw->before, rw_labels_of(rw->outgoing, rw->last, &rw->labels, &count));
        *ret_gap = TAIL_BYTES;
    }
    return leat_slice_of(rw->before.at, (uint32_t)rw->before.len);
}

/* A plain sample whose words are not known, or not behind this series. */
static bool put_new(struct rw1 *rw, const struct leat_prom_sample *sample, double value)
{
    uint32_t gap, pending, count;
    struct leat_slice before = bytes_before(rw, &gap);
    entry_head(&rw->entry, rw_labels_of(rw->outgoing, sample->series, &rw->labels, &count));
    if (rw->entry.failed || rw->before.failed || rw->labels.failed)
        return false;
    uint32_t len = (uint32_t)rw->entry.len;
    if (!rw_pieces_room(&rw->pieces, (uint32_t)RW_WORDS_BOUND(len) + 64))
        return false;
    uint8_t *const words = rw->pieces.to;
    uint8_t *to = words + rw_match(&rw->match, before.at, before.len, gap, rw->entry.at, len, words, &pending);
    const uint8_t *rest = rw->entry.at + len - pending;
    if (pending > PENDING_MAX) {
        to = rw_literal(to, rest, pending - (uint32_t)sizeof sample_head);
        rest += pending - sizeof sample_head;
        pending = (uint32_t)sizeof sample_head;
    }
    uint8_t *tag = to;
    *to++ = (uint8_t)((pending + sizeof value - 1) << 2);
    memcpy(to, rest, pending);
    to += pending;
    if (rw->last)
        keep(rw, sample->series->id, rw->last_id, len + TAIL_BYTES, words, (size_t)(to - words), (size_t)(tag - words));
    rw->pieces.to = put_tail(rw, to, tag, value, len + TAIL_BYTES);
    rw->matched++;
    stands(rw, sample->series, len + TAIL_BYTES);
    return true;
}

/* One with more than a plain sample, or of a time that has another length. */
static bool put_odd(struct rw1 *rw, const struct leat_prom_sample *sample)
{
    uint32_t gap, pending, count;
    struct leat_slice before = bytes_before(rw, &gap);
    struct leat_slice labels = rw_labels_of(rw->outgoing, sample->series, &rw->labels, &count);
    rw->entry.len = 0;
    rw1_entry(&rw->entry, labels, sample);
    if (rw->entry.failed || rw->before.failed || rw->labels.failed)
        return false;
    uint32_t len = (uint32_t)rw->entry.len;
    if (!rw_pieces_room(&rw->pieces, (uint32_t)RW_WORDS_BOUND(len) + 64))
        return false;
    uint8_t *to = rw->pieces.to;
    to += rw_match(&rw->match, before.at, before.len, gap, rw->entry.at, len, to, &pending);
    rw->pieces.to = rw_literal(to, rw->entry.at + len - pending, pending);
    struct pb_buf was = rw->before; /* these bytes stand before the next one */
    rw->before = rw->entry;
    rw->entry = was;
    rw->matched++;
    stands(rw, NULL, len);
    return true;
}

bool rw1_open(struct rw1 *rw, struct leat_chain *out)
{
    rw->plain_bytes = 0;
    rw->samples = 0;
    rw->last = NULL;
    rw->last_id = 0;
    rw->before.len = 0;
    rw->before.failed = rw->entry.failed = rw->labels.failed = false;
    rw->last_has_stamp = false;
    return rw_pieces_open(&rw->pieces, out);
}

bool rw1_put(struct rw1 *rw, const struct leat_prom_sample *sample)
{
    const struct leat_prom_extra *extra = sample->extra;
    if (sample->time_ms != rw->stamp_ms || rw->stamp[0] == 0)
        stamp_set(rw, sample->time_ms);
    if (!rw->stamp_is_short || (extra && (extra->exemplar_count || extra->histogram_bytes)))
        return put_odd(rw, sample);
    double value = rw_clean(sample->value);
    uint64_t id = sample->series->id;
    const struct rw1_slot *slot = rw_slots_find(&rw->slots, id);
    if (!slot || slot->id != id || slot->before != rw->last_id)
        return put_new(rw, sample, value);
    if (!rw_pieces_room(&rw->pieces, WORDS_MAX + 64))
        return false;
    uint8_t *to = rw->pieces.to, *tag = to + slot->tag_at;
    if (slot->words_bytes <= RW1_WORDS_HERE)
        memcpy(to, slot->words.here, RW1_WORDS_HERE);
    else
        memcpy(to, slot->words.far, slot->words_bytes);
    rw->pieces.to = put_tail(rw, to + slot->words_bytes, tag, value, slot->entry_bytes);
    stands(rw, sample->series, slot->entry_bytes);
    return true;
}

bool rw1_close(struct rw1 *rw)
{
    if (rw->plain_bytes > UINT32_MAX || !rw_pieces_close(&rw->pieces))
        return false;
    if (rw->pieces.out->count)
        rw_pieces_head(&rw->pieces, &rw->pieces.out->vec[0], (uint32_t)rw->plain_bytes);
    return true;
}

void rw1_drop(struct rw1 *rw) { rw_pieces_done(&rw->pieces); }
