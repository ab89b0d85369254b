/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/receivers/file_log/rig.h"

static uint64_t real_mono(struct leat_world *world)
{
    (void)world;
    return leat_world_real()->mono_ns(leat_world_real());
}

/* Scenario:   polls are ten minutes apart, on a real loop; a file that is known and quiet grows.
 * Guarantees: the watch brings the poll forward: the line is there within seconds. */
LEAT_TEST(file_log_is_woken_by_a_change)
{
    struct rig *rig = rig_new("*.log");
    struct leat_err err = {0};
    rig_append(rig, "a.log", "one\n");
    EXPECT_OK(rig_start(rig, &err));
    leat_receiver_file_log.close(&rig->state); /* begun again, on a loop that has watches */
    leat_gate_done(&rig->gate);
    rig->loop = leat_loop_close(rig->loop);
    rig->world.mono_ns = real_mono;
    EXPECT_OK_ERR(leat_loop_open(&rig->world, &rig->loop, &err), &err);
    leat_gate_init(&rig->gate, rig->loop);
    rig->host.loop = rig->loop;
    rig->conf.poll_interval = 100 * (int64_t)RIG_MS;
    rig->state = (struct file_log){0};
    EXPECT_OK_ERR(leat_receiver_file_log.start(&rig->state, &rig->conf, &rig->host, &err), &err);
    uint64_t end = real_mono(NULL) + 600 * RIG_MS;
    while (real_mono(NULL) < end) {
        (void)leat_loop_run_once(rig->loop, true);
        while (rig->held_count)
            rig_end(rig, 0, LEAT_DELIVERED);
    }
    RIG_EXPECT(rig, "one");
    leat_timer_start(rig->loop, &rig->state.poll, 600000 * RIG_MS);
    rig_append(rig, "a.log", "two\n");
    end = real_mono(NULL) + 5000 * RIG_MS;
    while (rig->line_count < 2 && real_mono(NULL) < end)
        (void)leat_loop_run_once(rig->loop, true);
    RIG_EXPECT(rig, "one", "two");
    rig_free(rig);
}
