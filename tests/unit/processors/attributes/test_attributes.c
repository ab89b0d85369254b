/* SPDX-License-Identifier: Apache-2.0 */
#include "processors/attributes/attributes.h"

#include "agent/base/strbuf.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_read.h"
#include "proto/otlp/otlp_json_write.h"
#include "tests/kit/kit.h"

#define PAIR "{\"key\":\"tenant\",\"value\":{\"stringValue\":\"t1\"}}"

static const char before[] =
    "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{\"body\":{}}]}]}]}";
static const char after[] = "{\"resourceLogs\":[{\"resource\":{},\"scopeLogs\":[{\"scope\":{},\"logRecords\":[{"
                            "\"body\":{},\"attributes\":[" PAIR "]}]}]}]}";

static struct otlp_edit_action_conf action = {
    .action = OTLP_EDIT_INSERT, .key = "tenant", .from_context = "metadata.X-Tenant"};
static const struct attributes_conf conf = {.actions = {&action, 1}};

struct rig {
    struct leat_loop *loop;
    struct leat_gate gate;
    struct leat_host host;
    uint64_t counts[2];
    struct attributes attributes;
};

static leat_rc rig_open(struct rig *rig)
{
    *rig = (struct rig){0};
    leat_rc rc = leat_loop_open_simulated(leat_world_real(), &rig->loop);
    if (rc != LEAT_OK)
        return rc;
    leat_gate_init(&rig->gate, rig->loop);
    rig->host = (struct leat_host){
        .id = "attributes", .loop = rig->loop, .world = leat_world_real(), .gate = &rig->gate, .counts = rig->counts};
    leat_list_init(&rig->host.waiter.link);
    return attributes__open(&rig->attributes, &conf, LEAT_LOGS, &rig->host, NULL);
}

static void rig_close(struct rig *rig)
{
    if (!rig->loop)
        return;
    attributes__close(&rig->attributes);
    leat_gate_forget(&rig->host.waiter);
    leat_gate_done(&rig->gate);
    leat_loop_close(rig->loop);
}

static leat_rc batch_new(struct leat_batch **ret_batch)
{
    struct leat_batch *batch = leat_batch_new(LEAT_LOGS, &otlp_form);
    if (!batch)
        return LEAT_ENOMEM;
    struct leat_chain json = {0};
    batch->item_count = 1;
    batch->meta = leat_meta_new(&(struct leat_meta_pair){"x-tenant", "t1"}, 1);
    leat_rc rc = batch->meta ? leat_chain_take(&json, leat_slice_of(before, sizeof before - 1)) : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = otlp_json_read(LEAT_LOGS, &json, &batch->payload, NULL);
    leat_chain_done(&json);
    if (rc != LEAT_OK) {
        leat_batch_free(batch);
        return rc;
    }
    batch->pinned_bytes = batch->payload.bytes;
    *ret_batch = batch;
    return LEAT_OK;
}

/* Scenario:   a batch whose request came with a client header goes through.
 * Guarantees: the header's value is where it belongs, the batch is the same one with the same items, and its size is
 * known. */
LEAT_TEST(a_client_header_becomes_an_attribute)
{
    static struct rig rig;
    struct leat_batch *batch;
    struct leat_strbuf text = {0};
    EXPECT_OK(attributes__check(&conf, NULL));
    EXPECT_OK(rig_open(&rig));
    EXPECT_OK(batch_new(&batch));
    EXPECT_OK(attributes__admit(&rig.attributes, batch));
    EXPECT(attributes__process(&rig.attributes, batch) == batch);
    EXPECT_EQ(batch->item_count, 1);
    EXPECT(batch->pinned_bytes >= batch->payload.bytes);
    EXPECT_OK(otlp_json_write(LEAT_LOGS, &batch->payload, &text, NULL));
    EXPECT_STR(text.at, after);
    leat_strbuf_done(&text);
    leat_batch_free(batch);
    EXPECT(attributes__flush(&rig.attributes));
    EXPECT_EQ(attributes__held(&rig.attributes), 0);
    rig_close(&rig);
}

/* Scenario:   each allocation fails in turn.
 * Guarantees: the batch is edited, or kept for later with its bytes as they were; nothing leaks. */
LEAT_TEST_OOM(want_of_memory_keeps_the_batch)
{
    static struct rig rig;
    struct leat_batch *batch, *out = NULL;
    leat_rc rc = rig_open(&rig);
    if (rc == LEAT_OK)
        rc = batch_new(&batch);
    if (rc == LEAT_OK) {
        leat_ledger_in(&rig.host.ledger[LEAT_LOGS], 1, 0);
        out = attributes__process(&rig.attributes, batch);
        EXPECT(out == batch || (!out && attributes__held(&rig.attributes) == 1 &&
                                attributes__admit(&rig.attributes, batch) == LEAT_AGAIN));
        rc = out ? LEAT_OK : LEAT_ENOMEM;
    }
    leat_batch_free(out);
    rig_close(&rig);
    return rc;
}

/* Scenario:   no actions, and one that lacks what it needs.
 * Guarantees: refused with the place in the list. */
LEAT_TEST(nonsense_is_refused)
{
    struct leat_err err;
    struct otlp_edit_action_conf bad = {.action = OTLP_EDIT_CONVERT, .key = "a", .converted_type = 4};
    EXPECT_RC(attributes__check(&(struct attributes_conf){0}, &err), LEAT_ECONFIG);
    EXPECT_RC(attributes__check(&(struct attributes_conf){.actions = {&bad, 1}}, &err), LEAT_ECONFIG);
    EXPECT(strncmp(err.text, "actions[0]: ", sizeof "actions[0]: " - 1) == 0);
}
