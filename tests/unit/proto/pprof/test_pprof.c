/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "proto/pprof/pprof_delta.h"
#include "proto/pprof/pprof_form.h"
#include "proto/pprof/pprof_push.h"
#include "tests/kit/kit.h"

/* A profile of alloc_space and inuse_space. */
struct shape {
    int64_t alloc, inuse, other;        /* other: a sample of a second stack; 0: none */
    uint64_t location_id, function, string, mapping, values; /* 0: as is right */
    uint32_t shift;                     /* ids begin behind it */
};

static void put_packed(struct pb_buf *buf, uint32_t number, const int64_t *values, uint32_t count)
{
    size_t opened = pb_buf_open(buf, PB_TAG(number, PB_LEN));
    for (uint32_t i = 0; i < count && pb_buf_room(buf, 10); i++)
        buf->len = (size_t)(pb_put_varint(buf->at + buf->len, (uint64_t)values[i]) - buf->at);
    pb_buf_close(buf, opened);
}

static void put_sample(struct pb_buf *buf, int64_t location, int64_t alloc, int64_t inuse, uint32_t values)
{
    size_t opened = pb_buf_open(buf, PB_TAG(PPROF_SAMPLE, PB_LEN));
    put_packed(buf, 1, &location, 1);
    put_packed(buf, 2, (const int64_t[]){alloc, inuse, 0}, values);
    pb_buf_close(buf, opened);
}

static void put_pair(struct pb_buf *buf, uint32_t number, uint64_t a, uint64_t b)
{
    size_t opened = pb_buf_open(buf, PB_TAG(number, PB_LEN));
    pb_buf_varint(buf, PB_TAG(1, PB_VARINT), a);
    pb_buf_varint(buf, PB_TAG(2, PB_VARINT), b);
    pb_buf_close(buf, opened);
}

static void put_location(struct pb_buf *buf, uint64_t id, uint64_t mapping, uint64_t function)
{
    size_t opened = pb_buf_open(buf, PB_TAG(PPROF_LOCATION, PB_LEN));
    pb_buf_varint(buf, PB_TAG(1, PB_VARINT), id);
    if (mapping)
        pb_buf_varint(buf, PB_TAG(2, PB_VARINT), mapping);
    put_pair(buf, 4, function, 10);
    pb_buf_close(buf, opened);
}

static struct pb_buf make(struct shape s)
{
    static const char *const strings[] = {"", "alloc_space", "bytes", "inuse_space", "main.one", "main.two"};
    struct pb_buf buf = {0};
    uint64_t one = 1 + s.shift, two = 2 + s.shift;
    put_pair(&buf, PPROF_SAMPLE_TYPE, 1, s.string ? s.string : 2);
    put_pair(&buf, PPROF_SAMPLE_TYPE, 3, 2);
    put_sample(&buf, (int64_t)(s.location_id ? s.location_id : one), s.alloc, s.inuse, s.values ? (uint32_t)s.values : 2);
    if (s.other)
        put_sample(&buf, (int64_t)two, s.other, 0, 2);
    put_location(&buf, one, s.mapping, s.function ? s.function : one);
    put_location(&buf, two, 0, two);
    put_pair(&buf, PPROF_FUNCTION, two, 5);
    put_pair(&buf, PPROF_FUNCTION, one, 4);
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        pb_buf_bytes(&buf, PB_TAG(PPROF_STRING_TABLE, PB_LEN), strings[i], (uint32_t)strlen(strings[i]));
    return buf;
}

static leat_rc open_bytes(const struct pb_buf *buf, struct pprof *ret)
{
    return pprof_open(leat_slice_of(buf->at, (uint32_t)buf->len), ret, NULL);
}

/* Scenario: indices that lead nowhere, value counts that do not match, and each prefix of a good profile.
 * Guarantees: the good one opens with its totals; every bad one is refused, none is read past its end. */
LEAT_TEST(pprof_refuses_what_lies)
{
    static const struct shape bad[] = {{.location_id = 9}, {.function = 9}, {.string = 99}, {.mapping = 7}, {.values = 1}, {.values = 3}};
    struct pprof pprof;
    struct pb_buf good = make((struct shape){.alloc = 5, .inuse = 3, .other = -2});
    int64_t totals[PPROF_TYPES_MAX];
    EXPECT_OK(open_bytes(&good, &pprof));
    pprof_totals(&pprof, totals);
    EXPECT_EQ(totals[0], 3);
    EXPECT_EQ(totals[1], 3);
    EXPECT_EQ(pprof.sample_count, 2);
    pprof_close(&pprof);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pb_buf buf = make(bad[i]);
        EXPECT_RC(open_bytes(&buf, &pprof), LEAT_EPARSE);
        pb_buf_done(&buf);
    }
    for (size_t len = 0; len < good.len; len++) {
        char *exact = leat_alloc(len + 1);
        memcpy(exact + 1, good.at, len);
        EXPECT_RC(pprof_open(leat_slice_of(exact + 1, (uint32_t)len), &pprof, NULL), LEAT_EPARSE);
        leat_free(exact);
    }
    pb_buf_done(&good);
}

/* It is not kept. */
static struct pprof_delta_said try(struct pprof_delta *delta, struct shape shape, int64_t totals[PPROF_TYPES_MAX])
{
    struct pb_buf buf = make(shape), out = {0};
    struct pprof pprof, again;
    struct pprof_delta_said said;
    EXPECT_OK(open_bytes(&buf, &pprof));
    EXPECT_OK(pprof_delta_run(delta, &pprof, &out, &said));
    EXPECT_OK(open_bytes(&out, &again));
    pprof_totals(&again, totals);
    EXPECT_EQ(again.sample_count, said.samples);
    pprof_close(&again);
    pprof_close(&pprof);
    pb_buf_done(&buf);
    pb_buf_done(&out);
    return said;
}

static struct pprof_delta_said run(struct pprof_delta *delta, struct shape shape, int64_t totals[PPROF_TYPES_MAX])
{
    struct pprof_delta_said said = try(delta, shape, totals);
    pprof_delta_keep(delta);
    return said;
}

/* Scenario: profiles that could not be sent: a baseline, growth, a restart.
 * Guarantees: the next one says all that grew since the last that was kept; keeping twice changes nothing. */
LEAT_TEST(pprof_delta_says_again_what_did_not_leave)
{
    struct pprof_delta delta = {0};
    int64_t totals[PPROF_TYPES_MAX];
    EXPECT(try(&delta, (struct shape){.alloc = 90, .inuse = 1}, totals).first);
    EXPECT(run(&delta, (struct shape){.alloc = 100, .inuse = 1}, totals).first && totals[0] == 0);
    EXPECT(!try(&delta, (struct shape){.alloc = 130, .inuse = 1}, totals).first && totals[0] == 30);
    EXPECT(!run(&delta, (struct shape){.alloc = 140, .inuse = 1}, totals).reset && totals[0] == 40);
    pprof_delta_keep(&delta);
    EXPECT(try(&delta, (struct shape){.alloc = 5, .inuse = 1}, totals).reset);
    EXPECT(run(&delta, (struct shape){.alloc = 6, .inuse = 1}, totals).reset && totals[0] == 0);
    EXPECT(!run(&delta, (struct shape){.alloc = 8, .inuse = 1}, totals).reset && totals[0] == 2);
    pprof_delta_done(&delta);
}

/* Scenario: a baseline, growth under other ids, nothing new, a restart.
 * Guarantees: counts are what grew, what is in use stays, a profile that went back is a baseline again. */
LEAT_TEST(pprof_delta_says_what_grew)
{
    struct pprof_delta delta = {0};
    int64_t totals[PPROF_TYPES_MAX];
    struct pprof_delta_said said = run(&delta, (struct shape){.alloc = 100, .inuse = 7}, totals);
    EXPECT(said.cumulative && said.first && said.samples == 1);
    EXPECT(totals[0] == 0 && totals[1] == 7);
    said = run(&delta, (struct shape){.alloc = 130, .inuse = 8, .other = 5, .shift = 40}, totals);
    EXPECT(!said.first && !said.reset && said.samples == 2);
    EXPECT(totals[0] == 35 && totals[1] == 8);
    said = run(&delta, (struct shape){.alloc = 130, .inuse = 0, .other = 5}, totals);
    EXPECT(said.samples == 0 && totals[0] == 0);
    said = run(&delta, (struct shape){.alloc = 10, .inuse = 1}, totals);
    EXPECT(said.reset && totals[0] == 0 && totals[1] == 1);
    said = run(&delta, (struct shape){.alloc = 12, .inuse = 1}, totals);
    EXPECT(!said.reset && totals[0] == 2);
    pprof_delta_done(&delta);
}

LEAT_TEST_OOM(pprof_survives_any_failed_allocation)
{
    static uint8_t bytes[1024];
    static uint32_t len;
    struct pprof_delta delta = {0};
    struct pprof_delta_said said;
    struct pprof pprof = {0};
    struct pb_buf out = {0};
    if (!len) { /* the plain run comes first */
        struct pb_buf buf = make((struct shape){.alloc = 5, .inuse = 3, .other = 2});
        memcpy(bytes, buf.at, buf.len);
        len = (uint32_t)buf.len;
        pb_buf_done(&buf);
    }
    leat_rc rc = pprof_open(leat_slice_of(bytes, len), &pprof, NULL);
    if (rc == LEAT_OK)
        rc = pprof_delta_run(&delta, &pprof, &out, &said);
    pb_buf_done(&out);
    pprof_delta_done(&delta);
    pprof_close(&pprof);
    return rc;
}

static leat_rc put_series(struct leat_chain *payload, const char *service, const char *profile)
{
    static const uint8_t id[16] = {1};
    char text[PPROF_PUSH_ID_LEN];
    struct pb_buf labels = {0};
    struct leat_chain raw = {0};
    pprof_push_id(id, text);
    pprof_push_label(&labels, LEAT_SLICE("service_name"), leat_slice_str(service));
    leat_rc rc = labels.failed ? LEAT_ENOMEM : leat_chain_copy(&raw, profile, (uint32_t)strlen(profile));
    if (rc == LEAT_OK)
        rc = pprof_push_put(payload, leat_slice_of(labels.at, (uint32_t)labels.len), text, &raw);
    leat_chain_done(&raw);
    pb_buf_done(&labels);
    return rc;
}

/* Guarantees: what was put is read back, however the bytes are cut; cut, pick and merge keep whole series. */
LEAT_TEST(pprof_form_handles_whole_profiles)
{
    struct leat_chain payload = {0}, head, tail, picked;
    struct leat_err err = {0};
    char name[16];
    uint32_t items;
    for (int i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "s%d", i);
        EXPECT_OK(put_series(&payload, name, "\x1f\x8b...profile"));
    }
    EXPECT_OK(pprof_form.count(LEAT_PROFILES, &payload, &items, &err));
    EXPECT_EQ(items, 3);
    EXPECT_OK(pprof_form.cut(LEAT_PROFILES, &payload, 1, 0, &head, &items, &tail, &err));
    EXPECT(items == 1 && head.bytes * 2 == tail.bytes);
    EXPECT_OK(pprof_form.pick(LEAT_PROFILES, &payload, (const uint8_t[]){5}, &picked, &err));
    EXPECT_OK(pprof_form.count(LEAT_PROFILES, &picked, &items, &err));
    EXPECT_EQ(items, 2);
    uint8_t flat[512];
    size_t len = (size_t)leat_chain_put(&payload, flat, sizeof flat);
    for (size_t cut = 1; cut < len; cut++) {
        struct leat_chain chain = kit_chain_cut(flat, len, cut);
        struct pprof_push push;
        struct pprof_series series;
        struct leat_slice label, value;
        unsigned n = 0;
        pprof_push_open(&push, &chain);
        for (; pprof_push_next(&push, &series); n++) {
            EXPECT(series.is_gzip && series.profile_len == 12);
            EXPECT(pprof_push_label_next(&series.labels, &label, &value));
            EXPECT(value.len == 2 && value.at[1] == '0' + n);
        }
        EXPECT_OK(pprof_push_close(&push, NULL));
        EXPECT_EQ(n, 3);
        leat_chain_done(&chain);
    }
    leat_chain_done(&head);
    leat_chain_done(&tail);
    leat_chain_done(&picked);
    leat_chain_done(&payload);
}
