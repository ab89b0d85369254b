/* SPDX-License-Identifier: Apache-2.0 */
/* Exporters against peers of every temper: encode and judge are asked directly, the sender does the rest. */
#include "agent/app/graph_inner.h"
#include "agent/base/alloc.h"
#include "proto/otlp/otlp_form.h"
#include "tests/contract/contract.h"
#include "tests/kit/rig.h"

struct temper {
    const char *name;
    struct kit_step http, grpc;
    bool passes;
};

#define REPLY(code, ...)                                   \
    {                                                      \
        .kind = KIT_REPLY, .status = (code), ##__VA_ARGS__ \
    }
#define FAILS(code)                    \
    {                                  \
        .kind = KIT_ERR, .err = (code) \
    }
static const struct temper tempers[] = {
    {"ok", REPLY(200), REPLY(0), true},
    {"ok without content", REPLY(204), REPLY(0), true},
    {"garbage after ok", REPLY(200, .body = "\xff\xfe<html>{"), REPLY(0, .body = "\xff\xff\xff")},
    {"half a partial success", REPLY(200, .body = "{\"partialSuccess\":{\"rejected"), REPLY(0, .body = "\x0a\x7f\x08")},
    {"busy", REPLY(503), REPLY(14)},
    {"throttled", REPLY(429, .retry_after_ns = RIG_S), REPLY(8, .retry_after_ns = RIG_S)},
    {"refused", REPLY(400, .body = "no"), REPLY(3)},
    {"too large", REPLY(413), REPLY(11)},
    {"who are you", REPLY(401), REPLY(16)},
    {"not here", REPLY(404), REPLY(12)},
    {"moved", REPLY(301), REPLY(2)},
    {"broken", REPLY(500, .body = "half a rep"), REPLY(13)},
    {"unheard of", REPLY(999), REPLY(99)},
    {"slow", REPLY(200, .delay_ns = 20 * RIG_S), REPLY(0, .delay_ns = 20 * RIG_S), true},
    {"away", FAILS(LEAT_ENET), FAILS(LEAT_ENET)},
    {"late", FAILS(LEAT_ETIMEOUT), FAILS(LEAT_ETIMEOUT)},
    {"cut", FAILS(LEAT_EPARSE), FAILS(LEAT_EPARSE)},
    {"silent", {.kind = KIT_NEVER}, {.kind = KIT_NEVER}},
};

struct subject {
    const struct leat_exporter_type *type;
    struct leat_plan *plan;
    struct leat_exporter_conf conf;
    enum leat_signal signal;
};

static leat_rc put(struct rig *rig, const struct subject *subject, uint32_t items)
{
    struct leat_batch *batch = leat_batch_new(subject->signal, &otlp_form);
    leat_rc rc = batch ? contract_payload(subject->signal, items, &batch->payload) : LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = otlp_form.count(subject->signal, &batch->payload, &batch->item_count, NULL);
    if (rc != LEAT_OK) {
        leat_batch_free(batch);
        return rc;
    }
    EXPECT_EQ(batch->item_count, items);
    return rig_put_batch(rig, batch);
}

/* A peer that takes all says so in the way of its kind. */
static void say_ok(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step)
{
    const struct subject *subject = carrier->ctx;
    const char *words = contract_ok(subject->type->name, parcel->request->count);
    if (words)
        step->body = words;
}

/* One life of an exporter with such a peer. The books are checked at each step and at the end (rig). */
static leat_rc live(const struct subject *subject, const struct kit_step *step, bool passes)
{
    const struct leat_exporter_type *type = subject->type;
    void *state = leat_zalloc(1, type->state_size);
    if (!state)
        return LEAT_ENOMEM;
    struct rig *rig = rig_new();
    struct leat_codec codec = {.encode = type->encode, .judge = type->judge, .state = state};
    struct leat_err err = {0};
    rig->foreign = &codec;
    rig->signal = subject->signal;
    leat_rc rc = type->open ? type->open(state, &subject->conf, subject->signal, rig->world, &err) : LEAT_OK;
    if (rc == LEAT_OK)
        rc = rig_open(rig);
    if (rc == LEAT_OK) {
        rig->carrier.otherwise = *step;
        rig->carrier.decide = passes ? say_ok : NULL;
        rig->carrier.ctx = (void *)(uintptr_t)subject;
    }
    for (uint32_t items = 1; rc == LEAT_OK && items < 30; items += 7)
        rc = put(rig, subject, items);
    if (rig->sender) {
        bool settled = rig_settle(rig, 400 * RIG_S); /* five batches that may go one after the other, and twice */
        if (passes && rc == LEAT_OK) {
            EXPECT(settled);
            EXPECT_EQ(rig_delivered(rig), leat_sender_ledger(rig->sender)->in);
        }
        rig_drain(rig);
        rig_run(rig, 2 * RIG_S);
        leat_sender_abandon(rig->sender); /* shutdown in the middle of whatever goes on */
    }
    rig_close(rig);
    if (type->close)
        type->close(state);
    leat_free(state);
    return rc;
}

static const struct kit_step *step_for(const struct subject *subject, const struct temper *temper)
{
    return subject->type->carrier == LEAT_CARRIER_HTTP ? &temper->http : &temper->grpc; /* local ones: status 0 is ok */
}

static void for_each_exporter(void (*visit)(const struct subject *subject))
{
    const struct leat_catalog *catalog = leat_registry();
    for (uint32_t i = 0; i < catalog->count; i++) {
        const struct leat_type_info *info = &catalog->types[i];
        if (info->kind != LEAT_KIND_EXPORTER)
            continue;
        struct subject subject = {.type = info->descriptor, .plan = contract_plan(info, 1)};
        const struct leat_plan_part *part = leat_plan_find(subject.plan, LEAT_KIND_EXPORTER, info->name);
        subject.conf = leat_graph__exporter_conf(subject.type, part);
        for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
            if (info->signals & LEAT_SIGNAL_BIT(signal) && subject.type->forms & LEAT_FORM_OTLP) {
                subject.signal = (enum leat_signal)signal;
                visit(&subject);
            }
        leat_plan_free(subject.plan);
    }
}

static void meet_all(const struct subject *subject)
{
    bool local = subject->type->carrier != LEAT_CARRIER_HTTP && subject->type->carrier != LEAT_CARRIER_GRPC;
    for (size_t i = 0; i < sizeof tempers / sizeof tempers[0]; i++) {
        print_message("%s %s: %s\n", subject->type->name, leat_signal_name(subject->signal), tempers[i].name);
        EXPECT_OK(live(subject, step_for(subject, &tempers[i]), tempers[i].passes && !local));
        EXPECT_EQ(leat_pool_blocks_out(leat_pool_here()), 0);
    }
}

/* Scenario: each exporter and signal, each kind of peer, then shutdown. Guarantees: every item has one end, books
 * balance, nothing leaks; a peer that says ok gets everything. */
LEAT_TEST(exporters_bear_every_peer)
{
    for_each_exporter(meet_all);
}

static void starve(const struct subject *subject)
{
    for (size_t i = 0; i < sizeof tempers / sizeof tempers[0]; i += 2)
        for (uint64_t n = 1;; n++) {
            leat_alloc_fail_at(n);
            leat_rc rc = live(subject, step_for(subject, &tempers[i]), false);
            int failed = leat_alloc_failed();
            leat_alloc_fail_at(0);
            EXPECT_EQ(leat_pool_blocks_out(leat_pool_here()), 0);
            if (!failed) {
                EXPECT_OK(rc);
                break;
            }
        }
}

/* Scenario: the same with each allocation failing in turn. Guarantees: no crash, no leak, the books balance. */
LEAT_TEST(exporters_survive_any_failed_allocation)
{
    for_each_exporter(starve);
}
