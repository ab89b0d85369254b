/* SPDX-License-Identifier: Apache-2.0 */
/* Retry-After: whatever a peer writes there, the wait is at most a day. */
#include "agent/base/check.h"
#include "agent/deliver/http_date.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

#define DAY_NS 86400000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    uint64_t wait_ns = 0;
    if (leat_deliver__retry_after(leat_slice_of(at, (uint32_t)len), 784111777000000000ull, &wait_ns))
        LEAT_CHECK(wait_ns <= DAY_NS && len > 0);
    else
        LEAT_CHECK(wait_ns == 0);
    return 0;
}
