/* SPDX-License-Identifier: Apache-2.0 */
/* A page in protobuf; each native histogram is read, made coarser, written, and read again. */
#include "agent/base/check.h"
#include "proto/prom_proto/prom_proto.h"
#include "proto/protobuf/pb_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static leat_rc on_family(void *ctx, const struct prom_proto_family *family, struct leat_err *reterr)
{
    (void)ctx;
    (void)reterr;
    LEAT_CHECK(family->name.len > 0);
    return LEAT_OK;
}

static leat_rc on_exemplar(void *ctx, struct leat_slice exemplar)
{
    static struct prom_proto_exemplar one;
    (void)ctx;
    (void)prom_proto_exemplar_read(exemplar, &one);
    return LEAT_OK;
}

static uint64_t total(const struct prom_native *native)
{
    uint64_t sum = native->zero_count;
    for (uint32_t i = 0; i < native->negative + native->positive; i++)
        sum += native->is_float ? 0 : (uint64_t)native->at[i].count;
    return sum;
}

static leat_rc on_sample(void *ctx, const struct prom_proto_family *family, const struct prom_proto_metric *metric,
                         const struct prom_proto_sample *sample, struct leat_err *reterr)
{
    (void)metric;
    (void)reterr;
    struct prom_native *native = ctx;
    if (sample->exemplar.len)
        (void)on_exemplar(NULL, sample->exemplar);
    if (!sample->native)
        return LEAT_OK;
    (void)prom_native_exemplars(sample->message, on_exemplar, NULL);
    leat_rc rc = prom_native_read(sample->message, family->type == LEAT_PROM_GAUGE_HISTOGRAM, native, NULL);
    if (rc != LEAT_OK)
        return rc;
    uint64_t before = total(native);
    struct pb_buf out = {0};
    prom_native_put(native, &out);
    LEAT_CHECK(!out.failed && out.len > 0);
    pb_buf_done(&out);
    bool fits = prom_native_fit(native, 4);
    LEAT_CHECK(native->schema >= -4 && native->schema <= 8 && total(native) == before);
    LEAT_CHECK(!fits || native->negative + native->positive <= 4);
    return LEAT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    static const struct prom_proto_calls calls = {on_family, on_sample};
    struct prom_proto_opts opts = {.native = true, .classic_too = len % 2 == 0};
    struct prom_native native = {0};
    if (len < 1u << 20)
        LEAT_CHECK(prom_proto_read(leat_slice_of(at, (uint32_t)len), &opts, &calls, &native, NULL) != LEAT_AGAIN);
    prom_native_done(&native);
    return 0;
}
