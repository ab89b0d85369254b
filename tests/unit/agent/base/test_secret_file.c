/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/secret_file.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/kit/kit.h"

static bool same(const char *a, const char *b)
{
    return leat_secret_eq(leat_slice_str(a), leat_slice_str(b));
}

/* Guarantees: the same texts and no others, also where one is the beginning, or the repetition, of the other. */
LEAT_TEST(secrets_are_compared_whole)
{
    EXPECT(same("", ""));
    EXPECT(same("abc", "abc"));
    EXPECT(!same("abc", "abd"));
    EXPECT(!same("abc", "ab"));
    EXPECT(!same("ab", "abc"));
    EXPECT(!same("abab", "ab"));
    EXPECT(!same("ab", ""));
    EXPECT(!same("", "ab"));
}

/* Scenario:   a file over the limit, and one that is a directory.
 * Guarantees: refused with the path; nothing is kept. */
LEAT_TEST(what_is_no_small_file_is_refused)
{
    char path[] = "/tmp/leat-secret-XXXXXX";
    int fd = mkstemp(path);
    EXPECT_EQ(ftruncate(fd, LEAT_SECRET_FILE_BYTES_MAX + 1), 0);
    (void)close(fd);
    struct leat_secret_file file = {.world = leat_world_real(), .path = path};
    struct leat_slice text;
    struct leat_err err;
    EXPECT_RC(leat_secret_file_get(&file, &text, &err), LEAT_EIO);
    EXPECT(strstr(err.text, path) != NULL);
    EXPECT(file.text == NULL);
    (void)unlink(path);
    file = (struct leat_secret_file){.world = leat_world_real(), .path = "/tmp"};
    EXPECT_RC(leat_secret_file_get(&file, &text, &err), LEAT_EIO);
    leat_secret_file_done(&file);
}
