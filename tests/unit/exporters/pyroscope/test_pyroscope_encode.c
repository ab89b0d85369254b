/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/world.h"
#include "exporters/pyroscope/pyroscope.h"
#include "proto/pprof/pprof_form.h"
#include "tests/kit/kit.h"

static struct leat_pair more[] = {{"cluster", "c"}, {"a", "outside"}};
static struct pyroscope_conf conf = {.label_names_max = 4, .label_name_bytes_max = 16, .label_value_bytes_max = 16};
static const struct leat_http_client_conf http = {.endpoint = "http://p:4040/"};

static leat_rc state_open(struct pyroscope_state *state, uint64_t counts[2])
{
    struct leat_exporter_conf all = {.own = &conf, .carrier = &http, .counts = counts};
    leat_rc rc = pyroscope_open(state, &all, LEAT_PROFILES, leat_world_real(), NULL);
    if (rc != LEAT_OK)
        pyroscope_close(state);
    return rc;
}

static leat_rc put_series(struct leat_chain *payload, const struct leat_pair *pairs, uint32_t count, const char *profile)
{
    char id[PPROF_PUSH_ID_LEN];
    struct pb_buf labels = {0};
    struct leat_chain raw = {0};
    pprof_push_id((const uint8_t *)"0123456789abcdef", id);
    for (uint32_t i = 0; i < count; i++)
        pprof_push_label(&labels, leat_slice_str(pairs[i].key), leat_slice_str(pairs[i].value));
    leat_rc rc = labels.failed ? LEAT_ENOMEM : leat_chain_copy(&raw, profile, (uint32_t)strlen(profile));
    if (rc == LEAT_OK)
        rc = pprof_push_put(payload, leat_slice_of(labels.at, (uint32_t)labels.len), id, &raw);
    leat_chain_done(&raw);
    pb_buf_done(&labels);
    return rc;
}

/* The labels of a request as "a=b;c=d;". */
static void labels_of(const struct leat_request *request, struct leat_strbuf *text)
{
    struct pprof_push push;
    struct pprof_series series;
    struct leat_slice name, value;
    leat_strbuf_clear(text);
    pprof_push_open(&push, &request->body);
    while (pprof_push_next(&push, &series))
        while (pprof_push_label_next(&series.labels, &name, &value))
            leat_strbuf_printf(text, "%.*s=%.*s;", LEAT_SLICE_ARGS(name), LEAT_SLICE_ARGS(value));
    EXPECT_OK(pprof_push_close(&push, NULL));
}

/* Scenario:   a series that is right, one with dots, a name twice, a long value and too many labels, one without a service.
 * Guarantees: the first is shared as it is, the others keep Pyroscope's rules; a request each; gzip is not packed again. */
LEAT_TEST(pyroscope_keeps_label_rules)
{
    static const struct leat_pair right[] = {{"__name__", "memory"}, {"service_name", "s"}, {"a", "b"}, {"cluster", "x"}};
    static const struct leat_pair wrong[] = {
        {"__name__", "memory"}, {"service.name", "12345678901234567890"}, {"service_name", "twice"}, {"9.b", "c"}, {"d", "e"}, {"f", "g"}};
    struct pyroscope_state state = {0};
    struct leat_requests out = {0};
    struct leat_strbuf text = {0};
    uint64_t counts[2] = {0};
    struct leat_batch *batch = leat_batch_new(LEAT_PROFILES, &pprof_form);
    conf.external_labels = (struct leat_map){more, 2};
    EXPECT_OK(state_open(&state, counts));
    EXPECT_OK(put_series(&batch->payload, right, 4, "\x1f\x8b...."));
    EXPECT_OK(put_series(&batch->payload, wrong, 6, "plain"));
    EXPECT_OK(put_series(&batch->payload, wrong, 1, "\x1f\x8b...."));
    batch->item_count = 3;
    EXPECT_OK(pyroscope_encode(&state, batch, &out, NULL));
    EXPECT_EQ(out.count, 3);
    EXPECT_STR(out.at[0].url, "http://p:4040/push.v1.PusherService/Push");
    labels_of(&out.at[0], &text);
    EXPECT_STR(text.at, "__name__=memory;service_name=s;a=b;cluster=x;");
    labels_of(&out.at[1], &text);
    EXPECT_STR(text.at, "__name__=memory;service_name=1234567890123456;__b=c;d=e;");
    labels_of(&out.at[2], &text);
    EXPECT_STR(text.at, "__name__=memory;service_name=unknown_service;cluster=c;a=outside;");
    EXPECT(out.at[0].precoded && !out.at[1].precoded && out.at[2].precoded);
    EXPECT(out.at[1].first == 1 && out.at[1].count == 1);
    EXPECT(counts[PYROSCOPE_VALUES_CUT] == 1 && counts[PYROSCOPE_LABELS_LEFT_OUT] == 4);
    leat_requests_done(&out);
    leat_batch_free(batch);
    leat_strbuf_done(&text);
    pyroscope_close(&state);
}

LEAT_TEST_OOM(pyroscope_encode_survives_any_failed_allocation)
{
    static const struct leat_pair pairs[] = {{"x.y", "b"}};
    struct pyroscope_state state = {0};
    struct leat_requests out = {0};
    leat_rc rc = state_open(&state, NULL);
    if (rc != LEAT_OK)
        return rc;
    struct leat_batch *batch = leat_batch_new(LEAT_PROFILES, &pprof_form);
    rc = batch ? put_series(&batch->payload, pairs, 1, "\x1f\x8b....") : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = pyroscope_encode(&state, batch, &out, NULL);
    leat_requests_done(&out);
    leat_batch_free(batch);
    pyroscope_close(&state);
    return rc;
}
