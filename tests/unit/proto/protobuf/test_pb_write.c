/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/protobuf/pb_write.h"

#include "tests/kit/kit.h"

/* Guarantees: a message of any length gets the right length in front, however many bytes that takes. */
LEAT_TEST(lengths_are_filled_in_behind)
{
    static const uint32_t lens[] = {0, 1, 127, 128, 16383, 16384, 2097152};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        struct pb_buf b = {0};
        size_t outer = pb_buf_open(&b, PB_TAG(1, PB_LEN)), inner = pb_buf_open(&b, PB_TAG(2, PB_LEN));
        for (uint32_t n = 0; n < lens[i]; n++)
            pb_buf_raw(&b, n % 2 ? "b" : "a", 1);
        pb_buf_close(&b, inner);
        pb_buf_close(&b, outer);
        struct pb_flat in = pb_flat_of(b.at, (uint32_t)b.len);
        struct pb_field f;
        EXPECT(pb_next(&in, &f) == 1 && f.number == 1 && pb_next(&in, &f) == 0);
        in = pb_sub(&f);
        EXPECT(pb_next(&in, &f) == 1 && f.number == 2 && f.len == lens[i] && pb_next(&in, &f) == 0);
        if (f.len > 1)
            EXPECT(f.at[0] == 'a' && f.at[1] == 'b' && f.at[f.len - 1] == (f.len % 2 ? 'a' : 'b'));
        pb_buf_done(&b);
    }
}

LEAT_TEST_OOM(buffers_survive_any_failed_allocation)
{
    struct pb_buf b = {0};
    size_t open = pb_buf_open(&b, PB_TAG(1, PB_LEN));
    for (int i = 0; i < 100; i++) {
        pb_buf_bytes(&b, PB_TAG(2, PB_LEN), "0123456789", 10);
        pb_buf_varint(&b, PB_TAG(3, PB_VARINT), 5);
    }
    pb_buf_close(&b, open);
    leat_rc rc = b.failed ? LEAT_ENOMEM : LEAT_OK;
    pb_buf_done(&b);
    return rc;
}
