/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf-c is the oracle: profiles of a real Go program (tests/fuzz/pprof/corpus) read by both. */
#include "pprof/profile.pb-c.h"
#include "proto/pprof/pprof_delta.h"
#include "tests/kit/kit.h"

static const char *const corpus[] = {"allocs", "heap", "goroutine", "mutex", "block", "cpu"};

static void sums(const Pprof__Profile *p, int64_t totals[PPROF_TYPES_MAX])
{
    memset(totals, 0, PPROF_TYPES_MAX * sizeof *totals);
    for (size_t s = 0; s < p->n_sample; s++)
        for (size_t v = 0; v < p->sample[s]->n_value; v++)
            totals[v] += p->sample[s]->value[v];
}

static char *read_corpus(const char *name, size_t *ret_len)
{
    char path[128] = "tests/fuzz/pprof/corpus/";
    memcpy(path + strlen(path), name, strlen(name) + 1);
    return kit_read_file(path, ret_len);
}

/* Guarantees: counts, strings, times and totals are what protobuf-c finds. */
LEAT_TEST(pprof_reads_what_protobuf_c_reads)
{
    for (size_t i = 0; i < sizeof corpus / sizeof *corpus; i++) {
        size_t len;
        char *bytes = read_corpus(corpus[i], &len);
        Pprof__Profile *oracle = pprof__profile__unpack(NULL, len, (const uint8_t *)bytes);
        struct pprof pprof;
        int64_t ours[PPROF_TYPES_MAX], theirs[PPROF_TYPES_MAX];
        EXPECT(oracle != NULL);
        EXPECT_OK(pprof_open(leat_slice_of(bytes, (uint32_t)len), &pprof, NULL));
        EXPECT_EQ(pprof.sample_count, oracle->n_sample);
        EXPECT_EQ(pprof.location_count, oracle->n_location);
        EXPECT_EQ(pprof.function_count, oracle->n_function);
        EXPECT_EQ(pprof.mapping_count, oracle->n_mapping);
        EXPECT_EQ(pprof.string_count, oracle->n_string_table);
        EXPECT_EQ(pprof.time_ns, oracle->time_nanos);
        EXPECT_EQ(pprof.period, oracle->period);
        for (uint32_t s = 0; s < pprof.string_count; s++)
            EXPECT(leat_slice_is(pprof_string(&pprof, s), oracle->string_table[s]));
        pprof_totals(&pprof, ours);
        sums(oracle, theirs);
        EXPECT_BYTES(ours, theirs, sizeof ours);
        pprof_close(&pprof);
        pprof__profile__free_unpacked(oracle, NULL);
        leat_free(bytes);
    }
}

/* Scenario: the same profile twice. Guarantees: protobuf-c reads what is written; counts are 0, what is in use is untouched. */
LEAT_TEST(pprof_delta_of_real_profiles_is_read_by_protobuf_c)
{
    size_t len;
    char *bytes = read_corpus("heap", &len);
    struct pprof pprof;
    struct pprof_delta delta = {0};
    struct pprof_delta_said said;
    int64_t before[PPROF_TYPES_MAX], after[PPROF_TYPES_MAX];
    EXPECT_OK(pprof_open(leat_slice_of(bytes, (uint32_t)len), &pprof, NULL));
    pprof_totals(&pprof, before);
    for (int i = 0; i < 2; i++) {
        struct pb_buf out = {0};
        EXPECT_OK(pprof_delta_run(&delta, &pprof, &out, &said));
        Pprof__Profile *oracle = pprof__profile__unpack(NULL, out.len, out.at);
        EXPECT(oracle != NULL);
        sums(oracle, after);
        EXPECT(after[0] == 0 && after[1] == 0 && after[2] == before[2] && after[3] == before[3]);
        EXPECT(oracle->n_sample == said.samples && said.samples < pprof.sample_count);
        pprof__profile__free_unpacked(oracle, NULL);
        pb_buf_done(&out);
        pprof_delta_keep(&delta);
    }
    pprof_delta_done(&delta);
    pprof_close(&pprof);
    leat_free(bytes);
}
