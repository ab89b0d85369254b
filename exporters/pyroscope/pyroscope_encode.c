/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/pyroscope/pyroscope.h"

static leat_rc put_headers(struct leat_request *request)
{
    leat_rc rc = leat_request_header(request, LEAT_SLICE("Content-Type"), LEAT_SLICE("application/proto"));
    return rc == LEAT_OK ? leat_request_header(request, LEAT_SLICE("Connect-Protocol-Version"), LEAT_SLICE("1")) : rc;
}

/* One request for one item; the body is taken. */
static leat_rc put_request(const struct pyroscope_state *pyroscope, struct leat_requests *out, uint32_t item, bool precoded,
                           struct leat_chain *body)
{
    struct leat_request *request = leat_requests_add(out);
    if (!request)
        return LEAT_ENOMEM;
    request->url = pyroscope->url;
    request->first = item;
    request->count = 1;
    request->precoded = precoded;
    leat_rc rc = put_headers(request);
    return rc == LEAT_OK ? leat_chain_append(&request->body, body) : rc;
}

/* ---- what was scraped ---- */

/* The series with the labels as they must be; without a change it is shared whole. */
static leat_rc put_series(const struct pyroscope_state *pyroscope, const struct leat_chain *payload,
                          const struct pprof_series *series, struct leat_chain *body)
{
    const struct pb_buf *labels = &pyroscope->encoded;
    uint8_t head[20];
    if (leat_slice_eq(series->labels, leat_slice_of(labels->at, (uint32_t)labels->len)))
        return leat_chain_share_range(body, payload, series->at, series->len);
    const uint8_t *end = pb_put_varint(pb_put_varint(head, PB_TAG(1, PB_LEN)), labels->len + series->sample_len);
    leat_rc rc = leat_chain_copy(body, head, (uint32_t)(end - head));
    if (rc == LEAT_OK)
        rc = leat_chain_copy(body, labels->at, (uint32_t)labels->len);
    return rc == LEAT_OK ? leat_chain_share_range(body, payload, series->sample_at, series->sample_len) : rc;
}

static leat_rc encode_series(struct pyroscope_state *pyroscope, const struct leat_chain *payload,
                             const struct pprof_series *series, uint32_t item, struct leat_requests *out)
{
    struct leat_slice labels = series->labels, name, value;
    struct leat_chain body = {0};
    pyroscope__labels_begin(pyroscope);
    while (pprof_push_label_next(&labels, &name, &value))
        pyroscope__label(pyroscope, name, value);
    leat_rc rc = pyroscope__labels_end(pyroscope) ? put_series(pyroscope, payload, series, &body) : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = put_request(pyroscope, out, item, series->is_gzip, &body);
    leat_chain_done(&body);
    return rc;
}

static leat_rc encode_pprof(struct pyroscope_state *pyroscope, const struct leat_batch *batch, struct leat_requests *out,
                            struct leat_err *reterr)
{
    struct pprof_push push;
    struct pprof_series series;
    leat_rc rc = LEAT_OK;
    pprof_push_open(&push, &batch->payload);
    for (uint32_t item = 0; rc == LEAT_OK && pprof_push_next(&push, &series); item++)
        rc = encode_series(pyroscope, &batch->payload, &series, item, out);
    leat_rc read = pprof_push_close(&push, reterr);
    if (read != LEAT_OK)
        return read;
    return rc == LEAT_OK ? rc : LEAT_RAISE(reterr, rc, 0, "no memory to encode for Pyroscope");
}

/* ---- what came as OTLP ---- */

struct run {
    struct pyroscope_state *pyroscope;
    struct leat_requests *out;
    struct leat_chain body; /* of the item in hand */
    uint32_t item;
    bool rejected;
};

static leat_rc run_flush(struct run *run)
{
    if (run->body.bytes == 0)
        return LEAT_OK;
    return put_request(run->pyroscope, run->out, run->item, false, &run->body);
}

static leat_rc run_begin(struct run *run, uint32_t item)
{
    if (item == run->item)
        return LEAT_OK;
    leat_rc rc = run_flush(run);
    run->item = item;
    run->rejected = false;
    return rc;
}

static void make_id(struct run *run, const uint8_t *given, char id[PPROF_PUSH_ID_LEN])
{
    struct leat_world *world = run->pyroscope->world;
    uint64_t words[2];
    if (given && run->body.bytes == 0) {
        pprof_push_id(given, id);
        return;
    }
    words[0] = world->random(world);
    words[1] = world->random(world);
    pprof_push_id((const uint8_t *)words, id);
}

static leat_rc profile_chain(struct leat_slice profile, struct leat_chain *ret)
{
    struct leat_mem *mem = leat_mem_new(profile.len ? profile.len : 1);
    if (!mem)
        return LEAT_ENOMEM;
    memcpy(mem->at, profile.at, profile.len);
    leat_rc rc = leat_chain_take(ret, (struct leat_slice){mem->at, profile.len, mem});
    if (rc != LEAT_OK)
        (void)leat_mem_unref(mem);
    return rc;
}

static leat_rc take(void *ctx, const struct pprof_made *made)
{
    struct run *run = ctx;
    struct pyroscope_state *pyroscope = run->pyroscope;
    struct leat_chain profile = {0};
    char id[PPROF_PUSH_ID_LEN];
    leat_rc rc = run_begin(run, made->item);
    if (rc != LEAT_OK)
        return rc;
    make_id(run, made->id, id);
    pyroscope__labels_begin(pyroscope);
    pyroscope__label(pyroscope, LEAT_SLICE("__name__"), made->name);
    pyroscope__label(pyroscope, LEAT_SLICE("__delta__"), LEAT_SLICE("false"));
    pyroscope__label(pyroscope, LEAT_SLICE("service_name"), made->service);
    for (uint32_t i = 0; i < made->label_count; i++)
        pyroscope__label(pyroscope, made->labels[i].name, made->labels[i].value);
    rc = pyroscope__labels_end(pyroscope) ? profile_chain(made->profile, &profile) : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = pprof_push_put(&run->body, leat_slice_of(pyroscope->encoded.at, (uint32_t)pyroscope->encoded.len), id, &profile);
    leat_chain_done(&profile);
    return rc;
}

/* The item as a whole, whatever of it was made. */
static leat_rc reject(void *ctx, uint32_t item, const char *reason)
{
    struct run *run = ctx;
    leat_rc rc = run_begin(run, item);
    leat_chain_done(&run->body);
    if (rc == LEAT_OK && !run->rejected)
        rc = leat_requests_reject(run->out, item, 1, reason);
    run->rejected = true;
    return rc;
}

static leat_rc encode_otlp(struct pyroscope_state *pyroscope, const struct leat_batch *batch, struct leat_requests *out,
                           struct leat_err *reterr)
{
    struct run run = {.pyroscope = pyroscope, .out = out, .item = UINT32_MAX};
    struct pprof_sink sink = {.take = take, .reject = reject, .ctx = &run};
    sink.now_ns = pyroscope->world->unix_ns(pyroscope->world);
    leat_rc rc = pprof_from_otlp(&batch->payload, &sink, reterr);
    if (rc == LEAT_OK && (rc = run_flush(&run)) != LEAT_OK)
        rc = LEAT_RAISE(reterr, rc, 0, "no memory to encode for Pyroscope");
    leat_chain_done(&run.body);
    return rc;
}

leat_rc pyroscope_encode(void *state, const struct leat_batch *batch, struct leat_requests *out, struct leat_err *reterr)
{
    struct pyroscope_state *pyroscope = state;
    return batch->form->bit == LEAT_FORM_PPROF ? encode_pprof(pyroscope, batch, out, reterr)
                                               : encode_otlp(pyroscope, batch, out, reterr);
}
