/* SPDX-License-Identifier: Apache-2.0 */
/* Each decoder under a cap that the first bytes choose: never more out than the cap, the same however the input is cut,
 * and no context remembers the input before. */
#include "agent/base/check.h"
#include "agent/net/coding.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static leat_rc run(enum leat_coding coding, const uint8_t *at, uint32_t len, uint32_t cut, uint64_t cap,
                   struct leat_chain *ret_out)
{
    struct leat_chain in = {0};
    cut = cut < len ? cut : len;
    LEAT_CHECK(leat_chain_take(&in, leat_slice_of(at, cut)) == LEAT_OK);
    LEAT_CHECK(leat_chain_take(&in, leat_slice_of(at + cut, len - cut)) == LEAT_OK);
    leat_rc rc = leat_decode(coding, &in, cap, ret_out, NULL);
    LEAT_CHECK(rc == LEAT_OK || rc == LEAT_EPARSE || rc == LEAT_ELIMIT);
    LEAT_CHECK(rc == LEAT_OK ? ret_out->bytes <= cap : ret_out->count == 0);
    leat_chain_done(&in);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    if (len < 3)
        return 0;
    enum leat_coding coding = (enum leat_coding)(at[0] % (LEAT_CODING_LZ4 + 1));
    uint64_t cap = (uint64_t)at[1] * at[1] * 16;
    struct leat_chain whole, cut;
    leat_rc rc = run(coding, at + 3, (uint32_t)len - 3, UINT32_MAX, cap, &whole);
    leat_rc again = run(coding, at + 3, (uint32_t)len - 3, at[2], cap, &cut);
    bool strict = coding != LEAT_CODING_ZSTD; /* in pieces libzstd lets a frame end early with an empty block */
    LEAT_CHECK(!strict || (rc == LEAT_OK) == (again == LEAT_OK));
    LEAT_CHECK(rc != LEAT_OK || again != LEAT_OK || leat_chain_eq(&whole, &cut));
    leat_chain_done(&whole);
    leat_chain_done(&cut);
    return 0;
}
