/* SPDX-License-Identifier: Apache-2.0 */
/* htpasswd files: each user once, with a name and a hash; hashes that are checked at once take any password. */
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "extensions/basic_auth/basic_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check_user(const struct basic_auth *basic, uint32_t i)
{
    const struct basic_auth_user *user = &basic->users[i];
    LEAT_CHECK(user->name[0] && user->hash[0] && !strchr(user->name, ':') && !strchr(user->name, '\n'));
    for (uint32_t other = 0; other < i && i < 50; other++)
        LEAT_CHECK(strcmp(basic->users[other].name, user->name) != 0);
    if (!basic_auth__is_slow(user->hash))
        (void)basic_auth__verify(NULL, user->hash, LEAT_SLICE("password"));
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct basic_auth basic = {0};
    struct leat_err err = {0};
    leat_rc rc = basic_auth__users_read(&basic, (const char *)at, len, "htpasswd", &err);
    LEAT_CHECK((rc == LEAT_OK) == (err.text[0] == 0));
    for (uint32_t i = 0; rc == LEAT_OK && i < basic.user_count; i++)
        check_user(&basic, i);
    for (uint32_t i = 0; i < basic.user_count; i++) {
        leat_free(basic.users[i].name);
        leat_free(basic.users[i].hash);
    }
    leat_free(basic.users);
    return 0;
}
