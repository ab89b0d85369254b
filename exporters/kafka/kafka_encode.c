/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/base/alloc.h"
#include "exporters/kafka/kafka.h"
#include "proto/otlp/otlp_json_write.h"

#define RECORD_OVERHEAD 512u /* of key and headers, beside the value */

/* ---- topic and headers ---- */

const char *kafka__topic_text(struct leat_requests *out, struct leat_slice topic)
{
    struct leat_slice kept;
    char text[256] = {0}; /* a topic has at most 249 bytes; what is longer the broker refuses by name */
    uint32_t len = topic.len < sizeof text - 1 ? topic.len : (uint32_t)sizeof text - 1;
    memcpy(text, topic.at, len);
    return leat_requests_keep(out, text, len + 1, &kept) == LEAT_OK ? (const char *)kept.at : NULL;
}

/* The topic of what has no attribute that names one: by client header, or as configured. */
const char *kafka__topic_of_batch(struct kafka_state *kafka, const struct leat_batch *batch, uint32_t *ret_tag)
{
    const char *key = kafka->own->signals[kafka->signal].topic_from_metadata_key;
    const char *topic = key && *key ? leat_meta_get(batch->meta, key) : NULL;
    if (!topic || !*topic || !kafka__topic_admitted(kafka, leat_slice_str(topic)))
        return kafka->topic;
    *ret_tag |= KAFKA_TAG_TOPIC_OF_DATA;
    return topic;
}

/* A hash of the value: the same bytes sent again, even after a restart, carry the same. */
leat_rc kafka__headers(const struct kafka_state *kafka, struct leat_requests *out, uint32_t index)
{
    const char *name = kafka->own->batch_id_header;
    const struct leat_chain *body = &out->at[index].body;
    struct leat_slice kept;
    char text[33];
    if (!name || !*name)
        return LEAT_OK;
    XXH3_state_t hash;
    XXH3_128bits_reset(&hash);
    for (uint32_t i = 0; i < body->count; i++)
        XXH3_128bits_update(&hash, body->vec[i].at, body->vec[i].len);
    XXH128_hash_t id = XXH3_128bits_digest(&hash);
    (void)snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)id.high64, (unsigned long long)id.low64);
    leat_rc rc = leat_requests_keep(out, text, 32, &kept);
    return rc == LEAT_OK ? leat_request_header(&out->at[index], leat_slice_str(name), kept) : rc;
}

/* ---- a payload as one record ---- */

struct target {
    const char *topic;
    uint32_t tag;
    struct kafka_key key;
};

static leat_rc put_json(struct kafka_state *kafka, const struct leat_chain *payload, struct leat_chain *body,
                        struct leat_err *reterr)
{
    leat_strbuf_clear(&kafka->text);
    leat_rc rc = otlp_json_write(kafka->signal, payload, &kafka->text, reterr);
    if (rc != LEAT_OK) {
        leat_strbuf_done(&kafka->text); /* `failed` is sticky */
        return rc;
    }
    struct leat_mem *mem = kafka->text.len < UINT32_MAX ? leat_mem_new((uint32_t)kafka->text.len + 1) : NULL;
    if (!mem)
        return LEAT_ENOMEM;
    memcpy(mem->at, kafka->text.at, kafka->text.len);
    rc = leat_chain_take(body, (struct leat_slice){mem->at, (uint32_t)kafka->text.len, mem});
    if (rc != LEAT_OK)
        leat_mem_unref(mem);
    return rc;
}

static leat_rc put_record(struct kafka_state *kafka, const struct leat_chain *payload, const struct target *target,
                          struct leat_requests *out, struct leat_request **ret_request, struct leat_err *reterr)
{
    struct leat_request *request = leat_requests_add(out);
    if (!request)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a request");
    request->url = target->topic;
    request->tag = target->tag;
    leat_rc rc = kafka->encoding == KAFKA_OTLP_JSON ? put_json(kafka, payload, &request->body, reterr)
                                                    : leat_chain_share_all(&request->body, payload);
    if (rc == LEAT_OK && target->key.len) {
        struct kafka_note *note = kafka__note_new(request, 1, true);
        rc = note ? LEAT_OK : LEAT_ENOMEM;
        if (note) {
            note->lens[0] = (uint32_t)request->body.bytes;
            *kafka__note_keys(note) = target->key;
        }
    }
    if (rc == LEAT_OK)
        rc = kafka__headers(kafka, out, out->count - 1);
    if (rc == LEAT_ENOMEM || rc == LEAT_EFULL)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a record");
    *ret_request = request;
    return rc;
}

/* ---- a batch whole, or cut to max_message_bytes ---- */

static uint64_t bytes_max(const struct kafka_state *kafka)
{
    uint64_t max = (uint64_t)kafka->own->producer.max_message_bytes;
    max = max > 2 * RECORD_OVERHEAD ? max - RECORD_OVERHEAD : max;
    return kafka->encoding == KAFKA_OTLP_JSON ? max / 2 : max; /* JSON is about twice as long; what is longer is split */
}

static leat_rc put_pieces(struct kafka_state *kafka, const struct leat_batch *batch, const struct target *target,
                          struct leat_requests *out, struct leat_err *reterr)
{
    struct leat_chain rest = {0};
    uint32_t first = 0;
    leat_rc rc = leat_chain_share_all(&rest, &batch->payload);
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "no memory for a record");
    while (rc == LEAT_OK && rest.bytes) {
        struct leat_chain head = {0}, tail = {0};
        uint32_t count = batch->item_count - first;
        struct leat_request *request = NULL;
        if (rest.bytes > bytes_max(kafka) && batch->form->cut && batch->signal != LEAT_PROFILES)
            rc = batch->form->cut(batch->signal, &rest, 0, bytes_max(kafka), &head, &count, &tail, reterr);
        else
            head = rest, rest = (struct leat_chain){0};
        if (rc == LEAT_OK && tail.bytes == 0) /* the last piece: whatever is left */
            count = batch->item_count - first;
        if (rc == LEAT_OK)
            rc = put_record(kafka, &head, target, out, &request, reterr);
        if (rc == LEAT_OK) {
            request->first = first;
            request->count = count;
            first += count;
        }
        leat_chain_done(&head);
        leat_chain_done(&rest);
        rest = tail;
    }
    leat_chain_done(&rest);
    return rc;
}

static leat_rc encode_whole(struct kafka_state *kafka, const struct leat_batch *batch, const struct kafka_group *group,
                            struct leat_requests *out, struct leat_err *reterr)
{
    struct target target = {.key = group->key};
    target.topic = kafka__topic_of_batch(kafka, batch, &target.tag);
    if (!target.tag && group->topic.len) {
        target.topic = kafka__topic_text(out, group->topic);
        target.tag = KAFKA_TAG_TOPIC_OF_DATA;
    }
    if (!target.topic)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a topic");
    return put_pieces(kafka, batch, &target, out, reterr);
}

/* ---- a batch by groups: halved until each half is one group, so that n items cost n * log(groups) ---- */

struct part {
    struct leat_chain payload;
    uint32_t *items; /* items of the batch, rising */
    uint32_t count;
    uint32_t low, high; /* groups [low, high) */
};

static void part_done(struct part *part)
{
    leat_chain_done(&part->payload);
    leat_free(part->items);
    *part = (struct part){0};
}

/* What of `from` belongs to groups [low, high). */
static leat_rc take(const struct leat_batch *batch, const struct kafka_groups *groups, const struct part *from,
                    uint32_t low, uint32_t high, struct part *ret_part, struct leat_err *reterr)
{
    struct part part = {.low = low, .high = high};
    uint8_t *bits = leat_zalloc(from->count / 8 + 1, 1);
    part.items = leat_alloc((from->count + 1ull) * sizeof *part.items);
    leat_rc rc = bits && part.items ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory to sort by key");
    for (uint32_t i = 0; rc == LEAT_OK && i < from->count; i++) {
        uint32_t group = groups->of_item[from->items[i]];
        if (group < low || group >= high)
            continue;
        leat_bitmap_set(bits, i);
        part.items[part.count++] = from->items[i];
    }
    if (rc == LEAT_OK)
        rc = batch->form->pick(batch->signal, &from->payload, bits, &part.payload, reterr);
    leat_free(bits);
    if (rc != LEAT_OK)
        part_done(&part);
    *ret_part = part;
    return rc;
}

static leat_rc put_group(struct kafka_state *kafka, const struct leat_batch *batch, const struct part *part,
                         struct leat_requests *out, struct leat_err *reterr)
{
    const struct kafka_group *group = &kafka->groups->at[part->low];
    struct target target = {.key = group->key};
    struct leat_request *request;
    target.topic = kafka__topic_of_batch(kafka, batch, &target.tag);
    if (!target.tag && group->topic.len) {
        target.topic = kafka__topic_text(out, group->topic);
        target.tag = KAFKA_TAG_TOPIC_OF_DATA;
    }
    uint8_t *bits = leat_zalloc(batch->item_count / 8 + 1, 1);
    if (!bits || !target.topic) {
        leat_free(bits);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a group");
    }
    for (uint32_t i = 0; i < part->count; i++)
        leat_bitmap_set(bits, part->items[i]);
    leat_rc rc = put_record(kafka, &part->payload, &target, out, &request, reterr);
    if (rc != LEAT_OK) {
        leat_free(bits);
        return rc;
    }
    request->bitmap = bits;
    request->count = part->count;
    return LEAT_OK;
}

#define STACK_MAX 40u /* one for each halving of 2^32 groups, and some */

static leat_rc encode_groups(struct kafka_state *kafka, const struct leat_batch *batch, struct leat_requests *out,
                             struct leat_err *reterr)
{
    struct part stack[STACK_MAX] = {{.high = kafka->groups->count, .count = batch->item_count}};
    uint32_t top = 1;
    stack[0].items = leat_alloc((batch->item_count + 1ull) * sizeof *stack[0].items);
    leat_rc rc = stack[0].items ? leat_chain_share_all(&stack[0].payload, &batch->payload) : LEAT_ENOMEM;
    if (rc != LEAT_OK)
        (void)LEAT_RAISE(reterr, rc, 0, "no memory to sort by key");
    for (uint32_t i = 0; rc == LEAT_OK && i < batch->item_count; i++)
        stack[0].items[i] = i;
    while (rc == LEAT_OK && top) {
        struct part part = stack[--top];
        uint32_t middle = part.low + (part.high - part.low) / 2;
        stack[top] = (struct part){0};
        if (part.high - part.low == 1)
            rc = put_group(kafka, batch, &part, out, reterr);
        else
            rc = take(batch, kafka->groups, &part, middle, part.high, &stack[top++], reterr);
        if (rc == LEAT_OK && part.high - part.low > 1)
            rc = take(batch, kafka->groups, &part, part.low, middle, &stack[top++], reterr);
        part_done(&part);
    }
    for (uint32_t i = 0; i < STACK_MAX; i++)
        part_done(&stack[i]);
    return rc;
}

leat_rc kafka_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct kafka_state *kafka = state;
    struct kafka_group none = {0};
    if (kafka->encoding == KAFKA_RAW || kafka->encoding == KAFKA_TEXT)
        return kafka__encode_records(kafka, batch, out, reterr);
    if (!kafka__groups_wanted(kafka))
        return encode_whole(kafka, batch, &none, out, reterr);
    leat_rc rc = kafka__groups_fill(kafka, batch, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (kafka->groups->count == 1)
        return encode_whole(kafka, batch, &kafka->groups->at[0], out, reterr);
    return kafka->groups->count ? encode_groups(kafka, batch, out, reterr) : encode_whole(kafka, batch, &none, out, reterr);
}
