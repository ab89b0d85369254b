/* SPDX-License-Identifier: Apache-2.0 */
/* rw_kit -- series and samples made from a line each, and bodies read back by others' readers. */
#pragma once
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/remote_write/rw1_put.h"
#include "proto/remote_write/rw2_put.h"
#include "tests/kit/kit.h"

static inline uint32_t rw_kit_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* "name=value,name=value", sorted by the writer of the line. */
static inline struct leat_prom_series *rw_kit_series(const char *line, struct leat_prom_family *family)
{
    struct pb_buf buf = {0};
    uint32_t count = 0;
    for (const char *at = line; *at; count++) {
        const char *equal = strchr(at, '='), *end = strchrnul(equal, ',');
        rw_label_put(&buf, leat_slice_of(at, (uint32_t)(equal - at)), leat_slice_of(equal + 1, (uint32_t)(end - equal - 1)));
        at = *end ? end + 1 : end;
    }
    struct leat_prom_series *series =
        buf.failed ? NULL : leat_prom_series_new(leat_slice_of(buf.at, (uint32_t)buf.len), count, NULL, family);
    pb_buf_done(&buf);
    return series;
}

/* A body as plain bytes; free with leat_free. */
static inline uint8_t *rw_kit_unpack(const struct leat_chain *body, size_t *ret_len)
{
    size_t packed_len = (size_t)body->bytes;
    char *packed = malloc(packed_len + 1);
    assert_non_null(packed);
    EXPECT_EQ(leat_chain_put(body, packed, packed_len), packed_len);
    EXPECT_EQ(snappy_validate_compressed_buffer(packed, packed_len), SNAPPY_OK);
    EXPECT_EQ(snappy_uncompressed_length(packed, packed_len, ret_len), SNAPPY_OK);
    uint8_t *plain = malloc(*ret_len + 1);
    assert_non_null(plain);
    EXPECT_EQ(snappy_uncompress(packed, packed_len, (char *)plain, ret_len), SNAPPY_OK);
    free(packed);
    return plain;
}
