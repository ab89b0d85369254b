/* SPDX-License-Identifier: Apache-2.0 */
/* sim_world -- a world that is all in memory: a clock that moves when told, chance from a seed, a disk that forgets.
 *
 * Why      a run is a function of its seed; a power cut can come at any call to the disk.
 * Threads  the one that runs the simulation.
 * Rule     what was written but not synced may be lost at a cut: each unsynced write survives whole, in part (a prefix)
 *          or not at all, by the seed; names (create, rename, unlink) are durable after sync_dir of their folder, and
 *          before that survive by the seed. After `crash_at` disk calls the power is off: each call answers -EIO and
 *          changes nothing until sim_world_restart. */
#pragma once
#include "agent/base/world.h"

struct sim_world;

struct leat_world *sim_world_new(uint64_t seed); /* aborts without memory: it is the test that cannot go on */
void sim_world_free(struct leat_world *world);
void sim_world_advance(struct leat_world *world, uint64_t ns);
void sim_world_advance_to(struct leat_world *world, uint64_t mono_ns);
uint64_t sim_world_chance(struct leat_world *world, uint64_t below); /* [0, below), of the same seed */

uint64_t sim_world_disk_calls(const struct leat_world *world);
void sim_world_crash_at(struct leat_world *world, uint64_t disk_calls_from_now); /* 1: the next one; 0: never */
bool sim_world_crashed(const struct leat_world *world);
void sim_world_crash(struct leat_world *world);   /* the power goes now */
void sim_world_restart(struct leat_world *world); /* the disk as it is after the cut; descriptors are gone */

/* The files that other programs write: outside the crash rules (durable at once). */
void sim_world_append(struct leat_world *world, const char *path, const void *at, size_t len);
void sim_world_move(struct leat_world *world, const char *from, const char *to);
