/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration: load, plan, print. Must not crash, leak or loop. */
#include "agent/base/alloc.h"
#include "config/print.h"
#include "tests/unit/config/fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct leat_plan *plan = NULL;
    struct leat_strbuf out = {0};
    if (len > 1u << 16)
        return 0;
    char *text = leat_strndup((const char *)at, len);
    if (!text)
        return 0;
    leat_rc rc = fake_load(text, &plan);
    if (rc == LEAT_OK)
        leat_print_plan(plan, &out);
    if (plan)
        leat_diag_print(&plan->diags, &out);
    leat_strbuf_done(&out);
    leat_plan_free(plan);
    leat_free(text);
    return 0;
}
