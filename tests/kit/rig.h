/* SPDX-License-Identifier: Apache-2.0 */
/* rig -- a sender on a bench: a simulated loop and clock, a paper peer, sources that count what they hear.
 *
 * Why      each test says what differs; the books are checked after every step of every one of them.
 * Rule     rig_close drains, asserts that every source heard exactly once about every item, and gives all back. */
#pragma once
#include "agent/deliver/sender.h"
#include "tests/kit/carrier.h"
#include "tests/kit/kit.h"
#include "tests/kit/sim_world.h"

#define RIG_S 1000000000ull
#define RIG_MS 1000000ull
#define RIG_SOURCES_MAX 4096u

struct rig_source {
    struct leat_ack ack;
    uint32_t items, finals;
};
struct rig {
    struct leat_world *world;
    struct leat_loop *loop;
    struct leat_gate gate;
    struct leat_deliver_conf conf;
    struct leat_sender_totals totals;
    struct kit_codec codec;
    struct kit_carrier carrier;
    struct leat_sender *sender;
    struct rig_source sources[RIG_SOURCES_MAX];
    uint32_t source_count;
    uint16_t next_id;
    bool drained;
    enum leat_coding coding;
    const struct leat_codec *foreign; /* a real exporter's instead of the toy's */
    enum leat_signal signal;
    uint32_t shards; /* of the totals */
    uint64_t pace_bytes;
    bool patient; /* what rig_put offers comes from a source that can wait */
};
struct rig *rig_new(void); /* conf: the Collector's defaults; change it, then rig_open */
leat_rc rig_open(struct rig *rig) LEAT_MUST_CHECK;
/* Offers a batch of `items` toy items of `len` bytes, with a source of its own; LEAT_AGAIN: refused and gone. */
leat_rc rig_put(struct rig *rig, uint32_t items, uint8_t len) LEAT_MUST_CHECK;
leat_rc rig_put_batch(struct rig *rig, struct leat_batch *batch) LEAT_MUST_CHECK; /* takes it in any case */
void rig_run(struct rig *rig, uint64_t ns);                                       /* that long, by the clock */
bool rig_settle(struct rig *rig, uint64_t ns); /* until all sources have heard, at most that long */
void rig_check(struct rig *rig);
void rig_drain(struct rig *rig);
void rig_close(struct rig *rig); /* drained within 10 min of the clock, or the test fails */
uint64_t rig_delivered(const struct rig *rig);
uint64_t rig_dropped(const struct rig *rig, enum leat_drop reason);
