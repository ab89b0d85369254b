/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net/h2/h2_library.h"

#include "tests/kit/kit.h"

/* Guarantees: 1.51.0 is refused with both versions named, 1.52.0 and what is loaded here are taken. */
LEAT_TEST(old_libraries_are_refused)
{
    struct leat_err err = {0};
    EXPECT_RC(leat_h2_library_check(0x013300, "1.51.0", &err), LEAT_EUNSUPPORTED);
    EXPECT(strstr(err.text, "1.51.0") && strstr(err.text, "1.52.0"));
    EXPECT_OK(leat_h2_library_check(0x013400, "1.52.0", NULL));
    EXPECT_OK(leat_h2_library_check(leat_h2_library_number(), leat_h2_library_text(), NULL));
}
