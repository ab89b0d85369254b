/* SPDX-License-Identifier: Apache-2.0 */
/* htpasswd: lines user:hash, and what a hash says about a password. */
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "agent/base/alloc.h"
#include "extensions/basic_auth/basic_auth.h"

#define DECODED_MAX 256u
#define PASSWORD_MAX 512u

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool basic_auth__is_slow(const char *hash)
{
    return starts(hash, "$1$") || starts(hash, "$2a$") || starts(hash, "$2b$") || starts(hash, "$2x$") ||
           starts(hash, "$2y$") || starts(hash, "$5$") || starts(hash, "$6$") || starts(hash, "$y$");
}

/* Base64 with its padding; -1: not that. */
static int decode(const char *text, uint8_t to[DECODED_MAX])
{
    size_t len = strlen(text);
    if (len % 4 || len == 0 || len / 4 * 3 > DECODED_MAX)
        return -1;
    int got = EVP_DecodeBlock(to, (const unsigned char *)text, (int)len);
    return got < 0 ? -1 : got - (text[len - 1] == '=') - (text[len - 2] == '=');
}

/* {SHA}: base64 of the sum; {SSHA}: of the sum over password and salt, then the salt. */
static bool verify_sha(const char *text, bool salted, struct leat_slice password)
{
    uint8_t all[DECODED_MAX], with[PASSWORD_MAX + DECODED_MAX], sum[SHA_DIGEST_LENGTH];
    int len = decode(text, all);
    if (len < SHA_DIGEST_LENGTH || (!salted && len != SHA_DIGEST_LENGTH) || password.len > PASSWORD_MAX)
        return false;
    uint32_t salt = (uint32_t)len - SHA_DIGEST_LENGTH;
    if (password.len)
        memcpy(with, password.at, password.len);
    memcpy(with + password.len, all + SHA_DIGEST_LENGTH, salt);
    (void)SHA1(with, password.len + salt, sum);
    explicit_bzero(with, sizeof with);
    return leat_secret_eq(leat_slice_of(sum, sizeof sum), leat_slice_of(all, SHA_DIGEST_LENGTH));
}

static bool verify_crypt(struct crypt_data *crypt, const char *hash, struct leat_slice password)
{
    char text[PASSWORD_MAX + 1];
    if (password.len > PASSWORD_MAX || (password.len && memchr(password.at, 0, password.len)))
        return false;
    if (password.len)
        memcpy(text, password.at, password.len);
    text[password.len] = 0;
    const char *made = crypt_r(text, hash, crypt);
    explicit_bzero(text, sizeof text);
    return made && *made != '*' && leat_secret_eq(leat_slice_str(made), leat_slice_str(hash));
}

bool basic_auth__verify(struct crypt_data *crypt, const char *hash, struct leat_slice password)
{
    if (starts(hash, "{SHA}"))
        return verify_sha(hash + 5, false, password);
    if (starts(hash, "{SSHA}"))
        return verify_sha(hash + 6, true, password);
    if (basic_auth__is_slow(hash))
        return verify_crypt(crypt, hash, password);
    return leat_secret_eq(password, leat_slice_str(hash));
}

/* ---- reading ---- */

static struct basic_auth_user *user_for(struct basic_auth *basic, const char *name, size_t len)
{
    for (uint32_t i = 0; i < basic->user_count; i++)
        if (strlen(basic->users[i].name) == len && memcmp(basic->users[i].name, name, len) == 0)
            return &basic->users[i];
    if (basic->user_count == basic->user_room) {
        uint32_t room = basic->user_room ? basic->user_room * 2 : 16;
        struct basic_auth_user *users = leat_realloc(basic->users, room * sizeof *users);
        if (!users)
            return NULL;
        basic->users = users;
        basic->user_room = room;
    }
    struct basic_auth_user *user = &basic->users[basic->user_count];
    *user = (struct basic_auth_user){.name = leat_strndup(name, len)};
    if (!user->name)
        return NULL;
    basic->user_count++;
    return user;
}

static leat_rc read_line(struct basic_auth *basic, const char *line, size_t len, struct leat_err *reterr)
{
    const char *colon = memchr(line, ':', len);
    if (!colon || colon == line || colon + 1 == line + len)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "is not user:hash");
    if (memchr(line, 0, len))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "holds a NUL byte");
    const char *hash = colon + 1;
    size_t hash_len = len - (size_t)(hash - line);
    if (hash_len >= 6 && memcmp(hash, "$apr1$", 6) == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "has an Apache MD5 hash ($apr1$), which is not taken: use bcrypt (htpasswd -B)");
    if (basic->user_count == BASIC_USERS_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "is one user too many (%u)", BASIC_USERS_MAX);
    char *copy = leat_strndup(hash, hash_len);
    struct basic_auth_user *user = copy ? user_for(basic, line, (size_t)(colon - line)) : NULL;
    if (!user) {
        leat_free(copy);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    }
    leat_free(user->hash);
    user->hash = copy;
    return LEAT_OK;
}

leat_rc basic_auth__users_read(struct basic_auth *basic, const char *text, size_t len, const char *what,
                               struct leat_err *reterr)
{
    unsigned number = 0;
    for (const char *at = text, *end = text + len; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop ? stop + 1 : end;
        size_t line = (size_t)((stop ? stop : end) - at);
        number++;
        while (line && (at[line - 1] == '\r' || at[line - 1] == ' ' || at[line - 1] == '\t'))
            line--;
        for (; line && (*at == ' ' || *at == '\t'); line--)
            at++;
        if (line && *at != '#' && read_line(basic, at, line, reterr) != LEAT_OK)
            return leat_err_wrap(reterr, "%s: line %u", what, number);
        at = next;
    }
    return LEAT_OK;
}
