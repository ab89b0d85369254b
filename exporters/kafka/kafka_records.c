/* SPDX-License-Identifier: Apache-2.0 */
/* raw and text: a record for each log record, its body the value. Requests end where the topic changes; the k-th record of
 * a request is its k-th item. */
#include "agent/base/alloc.h"
#include "exporters/kafka/kafka.h"
#include "proto/otlp/otlp_text.h"

struct run {
    struct kafka_state *kafka;
    const struct leat_batch *batch;
    struct leat_requests *out;
    struct leat_slice topic; /* of the open request, in `topic_text`; empty: the batch's */
    struct leat_strbuf topic_text;
    uint32_t first, next; /* items of the open request */
    bool keyed;
    uint32_t *lens;          /* per item of the batch */
    struct kafka_key *keys;  /* per item of the batch, if keyed */
};

struct kafka_note *kafka__note_new(struct leat_request *request, uint32_t count, bool keyed)
{
    uint64_t size = kafka__note_size(count, keyed);
    request->note = size <= UINT32_MAX ? leat_mem_new((uint32_t)size) : NULL;
    if (!request->note)
        return NULL;
    struct kafka_note *note = (struct kafka_note *)(void *)request->note->at;
    memset(note, 0, size);
    note->count = count;
    note->keyed = keyed;
    return note;
}

/* The body as the encoding wants it, behind the text: raw has bytes as they are and all else as JSON, strings included, as
 * the Collector; text has strings as they are too. An absent body is an empty value. */
static leat_rc put_body(struct kafka_state *kafka, struct leat_slice record, struct leat_err *reterr)
{
    struct pb_field body;
    struct otlp_value value;
    if (!otlp_get(record, 5, &body) || body.len == 0)
        return LEAT_OK;
    if (!otlp_value_of(leat_slice_of(body.at, body.len), &value))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "malformed body");
    if (value.kind == OTLP_EMPTY)
        return LEAT_OK;
    if (value.kind == OTLP_BLOB || (value.kind == OTLP_TEXT && kafka->encoding == KAFKA_TEXT))
        leat_strbuf_put(&kafka->text, value.text.at, value.text.len);
    else if (value.kind == OTLP_TEXT)
        leat_strbuf_json(&kafka->text, value.text.at, value.text.len);
    else {
        struct leat_strbuf scratch = {0};
        struct leat_slice text = otlp_text_of(&value, &scratch);
        leat_strbuf_put(&kafka->text, text.at, text.len);
        kafka->text.failed |= scratch.failed;
        leat_strbuf_done(&scratch);
    }
    return LEAT_OK;
}

static bool request_end(struct run *run)
{
    struct kafka_state *kafka = run->kafka;
    uint32_t count = run->next - run->first;
    if (count == 0)
        return true;
    struct leat_request *request = leat_requests_add(run->out);
    struct kafka_note *note = request ? kafka__note_new(request, count, run->keyed) : NULL;
    struct leat_mem *mem = note && kafka->text.len <= UINT32_MAX ? leat_mem_new((uint32_t)kafka->text.len + 1) : NULL;
    if (!mem)
        return false;
    struct leat_slice values = {mem->at, (uint32_t)kafka->text.len, mem};
    if (values.len)
        memcpy(mem->at, kafka->text.at, values.len);
    leat_copied(values.len);
    if (values.len == 0)
        leat_mem_unref(mem);
    else if (leat_chain_take(&request->body, values) != LEAT_OK) {
        leat_mem_unref(mem);
        return false;
    }
    memcpy(note->lens, run->lens + run->first, count * sizeof *note->lens);
    if (run->keyed)
        memcpy(kafka__note_keys(note), run->keys + run->first, count * sizeof *run->keys);
    request->first = run->first;
    request->count = count;
    request->url = run->topic.len ? kafka__topic_text(run->out, run->topic)
                                  : kafka__topic_of_batch(kafka, run->batch, &request->tag);
    request->tag |= run->topic.len ? KAFKA_TAG_TOPIC_OF_DATA : 0;
    run->first = run->next;
    leat_strbuf_clear(&kafka->text);
    return request->url != NULL;
}

static bool resource_begin(struct run *run, struct leat_slice resource, struct kafka_key *ret_key)
{
    struct kafka_state *kafka = run->kafka;
    uint32_t of_data = 0;
    (void)kafka__topic_of_batch(kafka, run->batch, &of_data);
    struct leat_slice topic = of_data ? (struct leat_slice){0} : kafka__topic_of(kafka, resource);
    if (kafka->own->logs_by_resource)
        *ret_key = kafka__key_of_resource(resource);
    if (leat_slice_eq(topic, run->topic))
        return true;
    if (!request_end(run))
        return false;
    leat_strbuf_clear(&run->topic_text);
    leat_strbuf_put(&run->topic_text, topic.at, topic.len);
    run->topic = leat_slice_of(run->topic_text.at, topic.len);
    return !run->topic_text.failed;
}

static leat_rc run_all(struct run *run, struct otlp_walk *walk, struct leat_err *reterr)
{
    struct kafka_state *kafka = run->kafka;
    struct kafka_key key = {0};
    struct pb_field trace_id;
    while (otlp_walk_next(walk)) {
        if (walk->new_resource && !resource_begin(run, walk->resource, &key))
            return LEAT_ENOMEM;
        if (run->next == run->batch->item_count)
            return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "more records than were counted");
        size_t before = kafka->text.len;
        leat_rc rc = put_body(kafka, walk->item, reterr);
        if (rc != LEAT_OK)
            return rc;
        if (kafka->own->logs_by_trace_id)
            key = kafka__key_of_trace(otlp_get(walk->item, 9, &trace_id) ? leat_slice_of(trace_id.at, trace_id.len)
                                                                              : (struct leat_slice){0});
        if (run->keyed)
            run->keys[run->next] = key;
        if (kafka->text.failed || kafka->text.len - before > UINT32_MAX)
            return LEAT_ENOMEM;
        run->lens[run->next++] = (uint32_t)(kafka->text.len - before);
    }
    return request_end(run) ? LEAT_OK : LEAT_ENOMEM;
}

leat_rc kafka__encode_records(struct kafka_state *kafka, const struct leat_batch *batch, struct leat_requests *out,
                              struct leat_err *reterr)
{
    struct run run = {.kafka = kafka, .batch = batch, .out = out,
                      .keyed = kafka->own->logs_by_trace_id || kafka->own->logs_by_resource};
    struct otlp_walk walk;
    struct leat_err err = {0};
    leat_strbuf_done(&kafka->text); /* `failed` is sticky, and what an odd batch needed is not kept */
    run.lens = leat_alloc(batch->item_count * sizeof *run.lens);
    run.keys = run.keyed ? leat_alloc(batch->item_count * sizeof *run.keys) : NULL;
    otlp_walk_open(&walk, LEAT_LOGS, &batch->payload);
    leat_rc done = run.lens && (run.keys || !run.keyed) ? run_all(&run, &walk, &err) : LEAT_ENOMEM;
    leat_rc rc = otlp_walk_close(&walk, reterr);
    leat_free(run.lens);
    leat_free(run.keys);
    leat_strbuf_done(&run.topic_text);
    if (rc == LEAT_OK && done == LEAT_ENOMEM)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for records");
    if (rc == LEAT_OK && done != LEAT_OK)
        return LEAT_RAISE(reterr, done, 0, "%s", err.text);
    return rc;
}
