/* SPDX-License-Identifier: Apache-2.0 */
/* sim_file_log -- files that grow and rotate, a tail with saved positions, a queue, a moody peer, power cuts at any
 * call.
 *
 *   sim_file_log SEED          replays one run, with logs
 *   sim_file_log --seeds N     runs seeds 1..N; prints the seed that fails
 *
 * Asserted at the end of each run: every line reached the peer at least once; a line came again only when its first
 * answer was lost, or it was answered so shortly before a power cut that its position was not saved yet; after a clean
 * stop nothing comes again; the books balance at each clean stop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/app/graph.h"
#include "agent/app/registry.h"
#include "agent/base/log.h"
#include "tests/kit/carrier.h"
#include "tests/kit/sim_world.h"

#define MS 1000000ull
#define S 1000000000ull
#define LINES_MAX 20000u
#define SHARDS_MAX 3u
#define FILES 3u
#define SAVE_NS (5 * S) /* a position is saved within this time of its ack */

struct line {
    uint32_t taken, file; /* file: as it was written to, whatever its name became */
    uint64_t answered_ns; /* when its answer arrived; 0: none yet that counts */
    bool excused;         /* may come again */
};

struct sim {
    uint64_t seed;
    struct leat_world *world;
    uint32_t shards;
    struct leat_plan *plan;
    struct leat_graph *graph;
    struct kit_carrier carriers[SHARDS_MAX];
    uint32_t carrier_count;
    struct line lines[LINES_MAX];
    uint32_t line_count, rotations, lives, repeats, file_count, file_of[FILES];
    bool loud; /* one seed is replayed */
    bool calm; /* the peer says yes to everything */
    bool stopping, drained;
    uint64_t began_ns;
};

#define FAIL(sim, ...)                                                                           \
    do {                                                                                         \
        (void)fprintf(stderr, "seed %llu: ", (unsigned long long)(sim)->seed);                   \
        (void)fprintf(stderr, __VA_ARGS__);                                                      \
        (void)fprintf(stderr, "\nreplay: sim_file_log %llu\n", (unsigned long long)(sim)->seed); \
        exit(1);                                                                                 \
    } while (0)

/* What happened, when one run is replayed. */
#define TELL(sim, ...)                                                                               \
    do {                                                                                             \
        if ((sim)->loud) {                                                                           \
            (void)fprintf(stderr, "%9.3f s, %u lines: ", (double)now(sim) / 1e9, (sim)->line_count); \
            (void)fprintf(stderr, __VA_ARGS__);                                                      \
            (void)fputc('\n', stderr);                                                               \
        }                                                                                            \
    } while (0)

static uint64_t chance(struct sim *sim, uint64_t below)
{
    return sim_world_chance(sim->world, below);
}

static uint64_t now(struct sim *sim)
{
    return sim->world->mono_ns(sim->world);
}

/* ---- the peer ---- */

/* Lines in a body, wherever they stand in the message: "L" and eight digits. */
static void each_line(struct sim *sim, const struct leat_chain *body, void (*visit)(struct sim *sim, struct line *line))
{
    static char text[4 << 20];
    if (body->bytes >= sizeof text)
        FAIL(sim, "a body of %llu bytes", (unsigned long long)body->bytes);
    size_t len = (size_t)leat_chain_put(body, text, sizeof text - 1);
    text[len] = 0;
    for (size_t i = 0; i + 9 <= len; i++) {
        if (text[i] != 'L' || strspn(text + i + 1, "0123456789") < 8)
            continue;
        char digits[9] = {0};
        memcpy(digits, text + i + 1, 8);
        unsigned long n = strtoul(digits, NULL, 10);
        if (n >= sim->line_count)
            FAIL(sim, "line %lu was never written", n);
        visit(sim, &sim->lines[n]);
        i += 8;
    }
}

static void take(struct sim *sim, struct line *line)
{
    if (line->taken++ == 0) {
        TELL(sim, "line %zu is taken", (size_t)(line - sim->lines));
        return;
    }
    sim->repeats++;
    if (!line->excused)
        FAIL(sim, "line %zu came again: its position should have been saved", (size_t)(line - sim->lines));
}

static void answered(struct sim *sim, struct line *line)
{
    line->answered_ns = now(sim);
    line->excused = false;
}

static void excuse(struct sim *sim, struct line *line)
{
    (void)sim;
    line->excused = true;
}

static void moods(struct sim *sim, struct kit_step *step)
{
    uint64_t mood = chance(sim, 100);
    step->delay_ns = chance(sim, 300) * MS;
    if (mood < 60)
        step->delay_ns = chance(sim, 20) * MS;
    else if (mood < 70)
        step->status = 503;
    else if (mood < 75)
        *step = (struct kit_step){.kind = KIT_REPLY, .status = 429, .retry_after_ns = S};
    else if (mood < 80)
        *step = (struct kit_step){.kind = KIT_ERR, .err = LEAT_ENET, .delay_ns = chance(sim, 100) * MS};
    else if (mood < 84)
        *step = (struct kit_step){.kind = KIT_ERR, .err = LEAT_ETIMEOUT, .delay_ns = 5 * S};
    else if (mood < 86)
        step->status = 401;
}

static void decide(struct kit_carrier *carrier, const struct leat_parcel *parcel, struct kit_step *step)
{
    struct sim *sim = carrier->ctx;
    *step = (struct kit_step){.kind = KIT_REPLY, .status = 200};
    if (sim_world_crashed(sim->world)) { /* the dead send nothing */
        *step = (struct kit_step){.kind = KIT_ERR, .err = LEAT_ENET};
        return;
    }
    if (!sim->calm)
        moods(sim, step);
    TELL(sim, "a request of %u items, %llu bytes, attempt %u: status %d", parcel->request->count,
         (unsigned long long)parcel->request->body.bytes, parcel->attempt, step->kind == KIT_REPLY ? step->status : 0);
    bool lost = step->kind == KIT_ERR && chance(sim, 2); /* the peer took it, its answer got lost */
    if (lost || (step->kind == KIT_REPLY && step->status == 200))
        each_line(sim, &parcel->request->body, take);
    if (lost)
        each_line(sim, &parcel->request->body, excuse);
}

static void answering(struct kit_carrier *carrier, const struct leat_parcel *parcel, const struct kit_step *step)
{
    struct sim *sim = carrier->ctx;
    if (step->kind == KIT_REPLY && step->status == 200 && !sim_world_crashed(sim->world))
        each_line(sim, &parcel->request->body, answered);
}

static leat_rc carrier_open(void *ctx, struct leat_loop *loop, const char *id, struct leat_carrier **ret_carrier)
{
    struct sim *sim = ctx;
    (void)id;
    struct kit_carrier *carrier = &sim->carriers[sim->carrier_count++];
    kit_carrier_init(carrier, loop);
    carrier->opaque = true;
    carrier->decide = decide;
    carrier->answering = answering;
    carrier->ctx = sim;
    *ret_carrier = &carrier->base;
    return LEAT_OK;
}

/* ---- the files ---- */

static void write_lines(struct sim *sim)
{
    char path[64], text[256];
    uint64_t f = chance(sim, FILES);
    (void)snprintf(path, sizeof path, "/logs/f%llu.log", (unsigned long long)f);
    for (uint64_t n = 1 + chance(sim, 12); n-- && sim->line_count < LINES_MAX;) {
        sim->lines[sim->line_count].file = sim->file_of[f];
        int len = snprintf(
            text, sizeof text, "L%08u %.*s\n", sim->line_count++, (int)chance(sim, 100),
            "....................................................................................................");
        sim_world_append(sim->world, path, text, (size_t)len);
    }
    TELL(sim, "%s has grown", path);
    if (chance(sim, 25) == 0) {
        char old[80];
        (void)snprintf(old, sizeof old, "%s.%u", path, ++sim->rotations);
        sim_world_move(sim->world, path, old);
        sim->file_of[f] = sim->file_count++;
        TELL(sim, "%s is %s now", path, old);
    }
}

/* ---- a life of the agent ---- */

static void on_drained(void *ctx)
{
    ((struct sim *)ctx)->drained = true;
}

static void step(struct sim *sim)
{
    uint64_t due = now(sim) + 20 * MS;
    for (uint32_t i = 0; i < sim->shards; i++) {
        uint64_t next = leat_loop_next_due_ns(leat_graph_shard_loop(sim->graph, i));
        due = next < due ? next : due;
    }
    sim_world_advance_to(sim->world, due);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < sim->shards; i++) {
            leat_graph_bind(sim->graph, i);
            (void)leat_loop_run_once(leat_graph_shard_loop(sim->graph, i), false);
        }
    leat_graph_bind(sim->graph, 0);
}

static bool born(struct sim *sim)
{
    struct leat_graph_opts opts = {
        .plan = sim->plan, .world = sim->world, .simulated = true, .carrier_open = carrier_open, .carrier_ctx = sim};
    struct leat_err err = {0};
    sim->carrier_count = 0;
    sim->drained = sim->stopping = false;
    sim->lives++;
    TELL(sim, "life %u begins", sim->lives);
    leat_rc rc = leat_graph_build(&opts, &sim->graph, &err);
    if (rc == LEAT_OK && (rc = leat_graph_start(sim->graph, &err)) != LEAT_OK)
        sim->graph = leat_graph_free(sim->graph);
    if (rc != LEAT_OK && !sim_world_crashed(sim->world))
        FAIL(sim, "cannot start: %s", err.text);
    return rc == LEAT_OK;
}

/* A position is the end of what was answered without a gap, `margin` ago: what stands before it must not come again,
 * what stands behind it may. */
static void settle(struct sim *sim, uint64_t margin)
{
    static bool gap[LINES_MAX];
    memset(gap, 0, sizeof gap);
    for (uint32_t i = 0; i < sim->line_count; i++) {
        struct line *line = &sim->lines[i];
        gap[line->file] |= !line->answered_ns || line->answered_ns + margin > now(sim);
        line->excused = gap[line->file];
        if (line->excused)
            line->answered_ns = 0;
    }
}

static void bury(struct sim *sim)
{
    TELL(sim, "the power is cut");
    settle(sim, SAVE_NS);
    sim_world_crash(sim->world);
    if (!sim->stopping)
        leat_graph_drain(sim->graph, 1, on_drained, sim);
    leat_graph_abandon(sim->graph);
    for (int i = 0; i < 100000 && !sim->drained; i++)
        step(sim);
    if (!sim->drained)
        FAIL(sim, "a dead graph does not end");
    sim->graph = leat_graph_free(sim->graph);
}

static void stop(struct sim *sim, uint64_t deadline_ns)
{
    sim->stopping = true;
    TELL(sim, "a clean stop within %llu ms", (unsigned long long)(deadline_ns / MS));
    leat_graph_drain(sim->graph, deadline_ns, on_drained, sim);
    for (int i = 0; i < 1000000 && !sim->drained && !sim_world_crashed(sim->world); i++)
        step(sim);
    if (sim_world_crashed(sim->world)) {
        bury(sim);
        return;
    }
    if (!sim->drained)
        FAIL(sim, "no end after a clean stop");
    TELL(sim, "stopped, %llu items dropped", (unsigned long long)leat_graph_dropped(sim->graph));
    if (!leat_graph_balances(sim->graph))
        FAIL(sim, "the books do not balance");
    sim->graph = leat_graph_free(sim->graph);
    settle(sim, 0);
}

static void live(struct sim *sim, bool last)
{
    if (last)
        sim_world_crash_at(sim->world, 0);
    else if (chance(sim, 3))
        sim_world_crash_at(sim->world, 1 + chance(sim, 600));
    if (!born(sim)) {
        settle(sim, SAVE_NS);
        sim_world_restart(sim->world);
        return;
    }
    uint64_t end = now(sim) + chance(sim, 20000) * MS;
    while (now(sim) < end && !sim_world_crashed(sim->world)) {
        if (chance(sim, 10) == 0)
            write_lines(sim);
        step(sim);
    }
    if (sim_world_crashed(sim->world)) {
        bury(sim);
    } else {
        if (last)
            sim->calm = true;
        for (uint64_t quiet = now(sim) + 400 * S; last && now(sim) < quiet;)
            step(sim);
        stop(sim, last || chance(sim, 2) ? 3600 * S : chance(sim, 3000) * MS + 1);
    }
    sim_world_restart(sim->world);
}

/* ---- a run ---- */

static struct leat_plan *plan_of(struct sim *sim)
{
    char text[2048];
    (void)snprintf(
        text, sizeof text,
        "yaml:{extensions: {file_storage: {directory: /state, create_directory: true, fsync: true}}, "
        "receivers: {file_log: {include: ['/logs/*.log', '/logs/*.log.*'], start_at: beginning, "
        "storage: file_storage, poll_interval: %llums}}, "
        "exporters: {otlp_http: {endpoint: 'http://peer:1', compression: none, sending_queue: {queue_size: %llu}, "
        "retry_on_failure: {initial_interval: 100ms, max_interval: 2s, max_elapsed_time: 0s}}}, "
        "leat: {shards: %u}, service: {telemetry: {metrics: {level: none}}, extensions: [file_storage], "
        "pipelines: {logs: {receivers: [file_log], exporters: [otlp_http]}}}}",
        (unsigned long long)(20 + chance(sim, 300)), (unsigned long long)(1 + chance(sim, 20)), sim->shards);
    const char *configs[] = {text};
    struct leat_load_args args = {.configs = configs, .config_count = 1};
    struct leat_outside outside = {0};
    struct leat_plan *plan = NULL;
    if (leat_plan_load(leat_registry(), &outside, &args, &plan) != LEAT_OK) {
        struct leat_strbuf out = {0};
        leat_diag_print(&plan->diags, &out);
        FAIL(sim, "%s", out.at);
    }
    return plan;
}

static void run(struct sim *sim, uint64_t seed, bool loud)
{
    memset(sim, 0, sizeof *sim);
    sim->loud = loud;
    sim->seed = seed;
    sim->world = sim_world_new(seed);
    sim->shards = seed % 2 ? 1 : 3;
    sim->plan = plan_of(sim);
    for (uint32_t f = 0; f < FILES; f++)
        sim->file_of[f] = sim->file_count++;
    for (uint64_t lives = 1 + chance(sim, 5); lives--;)
        live(sim, false);
    live(sim, true);
    for (uint32_t i = 0; i < sim->line_count; i++)
        if (!sim->lines[i].taken)
            FAIL(sim, "line %u of %u never came", i, sim->line_count);
    leat_plan_free(sim->plan);
    sim_world_free(sim->world);
}

int main(int argc, char **argv)
{
    static struct sim sim;
    uint64_t first = 1, last = 200;
    bool one = argc == 2;
    if (one)
        first = last = strtoull(argv[1], NULL, 10);
    else if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
        last = strtoull(argv[2], NULL, 10);
    else
        return (void)fprintf(stderr, "usage: sim_file_log SEED | --seeds N\n"), 2;
    struct leat_log_conf log = {.level = one ? LEAT_LOG_DEBUG : LEAT_LOG_ERROR, .fd = one ? 2 : -1};
    leat_log_configure(&log);
    uint64_t lines = 0, repeats = 0, lives = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        run(&sim, seed, one);
        lines += sim.line_count;
        repeats += sim.repeats;
        lives += sim.lives;
    }
    (void)printf("%llu seeds: %llu lines, %llu lives, %llu repeats\n", (unsigned long long)(last - first + 1),
                 (unsigned long long)lines, (unsigned long long)lives, (unsigned long long)repeats);
    return 0;
}
