/* SPDX-License-Identifier: Apache-2.0 */
/* basic_auth -- user names and passwords, on both sides; private to this folder.
 *
 * Threads  one state per shard.
 * Owns     the users of htpasswd, read once; the texts of username_file and password_file.
 * Limits   BASIC_USERS_MAX users. A slow hash (bcrypt, crypt) takes milliseconds of the shard's time: an outcome that
 *          was good is remembered (as a keyed hash, never as a password), and at most max_checks_per_second of the
 *          others are computed; what is over is refused and counted.
 * Fails    the client side while a file cannot be read: tried again later. Passwords are in no message. */
#pragma once
#include <crypt.h>

#include "agent/base/secret_file.h"
#include "extensions/extension.h"

#define BASIC_USERS_MAX 10000u
#define BASIC_KNOWN_MAX 64u
#define BASIC_SUM_BYTES 32u

enum basic_auth_row { BASIC_OK, BASIC_REFUSED, BASIC_THROTTLED };

struct basic_auth_conf {
    struct {
        const char *file, *inline_text;
    } htpasswd;
    struct {
        const char *username, *password, *username_file, *password_file;
    } client_auth;
    bool has_htpasswd, has_client;
    int64_t max_checks_per_second;
};

struct basic_auth_user {
    char *name, *hash;
};

struct basic_auth {
    const struct basic_auth_conf *conf;
    struct leat_host *host;
    /* asking */
    struct basic_auth_user *users;
    uint32_t user_count, user_room;
    struct crypt_data *crypt;
    uint8_t key[BASIC_SUM_BYTES];                    /* of the sums below, new in each process */
    uint8_t known[BASIC_KNOWN_MAX][BASIC_SUM_BYTES]; /* user and password that were good */
    uint32_t known_count, known_next;
    uint64_t window_ns;
    int64_t checks; /* in this second */
    /* sending */
    struct leat_secret_file username, password;
};

extern const struct leat_field basic_auth_fields[];
extern const struct leat_counter_def basic_auth_counters[];
leat_rc basic_auth__check(const void *conf, struct leat_err *reterr);
leat_rc basic_auth__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr);
void basic_auth__close(void *state);
leat_rc basic_auth__client(void *state, struct leat_client_auth *ret_auth);
leat_rc basic_auth__server(void *state, struct leat_server_auth *ret_auth);

/* basic_auth_users.c */
leat_rc basic_auth__users_read(struct basic_auth *basic, const char *text, size_t len, const char *what,
                               struct leat_err *reterr);
bool basic_auth__is_slow(const char *hash);
bool basic_auth__verify(struct crypt_data *crypt, const char *hash, struct leat_slice password);
