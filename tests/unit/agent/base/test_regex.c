/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/regex.h"
#include "tests/kit/kit.h"

/* Guarantees: the whole match and named groups point into the text; a group that took no part is empty. */
LEAT_TEST(regex_gives_groups_of_the_text)
{
    struct leat_regex *regex;
    EXPECT_OK(leat_regex_open("(?P<key>[a-z]+)=(?P<value>[0-9]+)|(never)", &regex, NULL));
    struct leat_slice text = LEAT_SLICE("say port=4317 now");
    EXPECT(leat_regex_find(regex, text));
    EXPECT_EQ(leat_regex_groups(regex), 3);
    EXPECT_STR(leat_regex_name(regex, 2), "value");
    EXPECT(leat_regex_name(regex, 3) == NULL);
    EXPECT(leat_slice_is(leat_regex_group(regex, text, 0), "port=4317"));
    EXPECT(leat_slice_is(leat_regex_group(regex, text, 2), "4317"));
    EXPECT(leat_regex_group(regex, text, 3).at == NULL);
    EXPECT(!leat_regex_find(regex, LEAT_SLICE("nothing here")));
    EXPECT(!leat_regex_find(regex, (struct leat_slice){0}));
    leat_regex_close(regex);
}

/* Scenario:   a pattern with nested quantifiers meets a text that makes it run away.
 * Guarantees: the search ends at its limit, as "no match", and is counted. */
LEAT_TEST(regex_gives_up_at_its_limit)
{
    struct leat_regex *regex;
    EXPECT_OK(leat_regex_open("^(a+)+$", &regex, NULL));
    EXPECT(!leat_regex_find(regex, LEAT_SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")));
    EXPECT_EQ(leat_regex_limited(regex), 1);
    EXPECT(leat_regex_find(regex, LEAT_SLICE("aaaa")));
    leat_regex_close(regex);
}

/* Guarantees: a bad pattern is told with PCRE2's words and the place. */
LEAT_TEST(regex_tells_what_is_wrong_with_a_pattern)
{
    struct leat_regex *regex;
    struct leat_err err = {0};
    EXPECT_RC(leat_regex_open("a(b", &regex, &err), LEAT_ECONFIG);
    EXPECT(strstr(err.text, "offset 3") != NULL);
}
