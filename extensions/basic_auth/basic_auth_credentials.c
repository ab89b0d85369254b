/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for credentials, and sending them. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "agent/base/alloc.h"
#include "extensions/basic_auth/basic_auth.h"

#define PLAIN_MAX 1536u /* user:password as it is sent, decoded */
#define SECOND 1000000000ull

/* ---- opening ---- */

static leat_rc read_users(struct basic_auth *basic, struct leat_err *reterr)
{
    const struct basic_auth_conf *conf = basic->conf;
    leat_rc rc = LEAT_OK;
    if (conf->htpasswd.file) {
        struct leat_secret_file file = {.world = basic->host->world, .path = conf->htpasswd.file};
        struct leat_slice text;
        rc = leat_secret_file_get(&file, &text, reterr);
        if (rc == LEAT_OK)
            rc = basic_auth__users_read(basic, (const char *)text.at, text.len, "htpasswd::file", reterr);
        leat_secret_file_done(&file);
    }
    if (rc == LEAT_OK && conf->htpasswd.inline_text)
        rc = basic_auth__users_read(basic, conf->htpasswd.inline_text, strlen(conf->htpasswd.inline_text),
                                    "htpasswd::inline", reterr);
    return rc;
}

leat_rc basic_auth__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct basic_auth *basic = state;
    struct leat_slice text;
    basic->conf = conf;
    basic->host = host;
    basic->username = (struct leat_secret_file){.world = host->world, .path = basic->conf->client_auth.username_file};
    basic->password = (struct leat_secret_file){.world = host->world, .path = basic->conf->client_auth.password_file};
    if (basic->conf->has_client) {
        leat_rc rc = basic->username.path ? leat_secret_file_get(&basic->username, &text, reterr) : LEAT_OK;
        return rc == LEAT_OK && basic->password.path ? leat_secret_file_get(&basic->password, &text, reterr) : rc;
    }
    basic->crypt = leat_zalloc(1, sizeof *basic->crypt);
    if (!basic->crypt)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (RAND_bytes(basic->key, sizeof basic->key) != 1)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "no random bytes for a key");
    return read_users(basic, reterr);
}

void basic_auth__close(void *state)
{
    struct basic_auth *basic = state;
    for (uint32_t i = 0; i < basic->user_count; i++) {
        leat_free(basic->users[i].name);
        if (basic->users[i].hash)
            explicit_bzero(basic->users[i].hash, strlen(basic->users[i].hash));
        leat_free(basic->users[i].hash);
    }
    leat_free(basic->users);
    leat_free(basic->crypt);
    leat_secret_file_done(&basic->username);
    leat_secret_file_done(&basic->password);
    explicit_bzero(basic->known, sizeof basic->known);
}

/* ---- asking ---- */

static const char *hash_of(const struct basic_auth *basic, struct leat_slice name)
{
    for (uint32_t i = 0; i < basic->user_count; i++)
        if (leat_slice_is(name, basic->users[i].name))
            return basic->users[i].hash;
    return NULL;
}

static bool is_known(const struct basic_auth *basic, const uint8_t *sum)
{
    bool known = false;
    for (uint32_t i = 0; i < basic->known_count; i++)
        known |= leat_secret_eq(leat_slice_of(sum, BASIC_SUM_BYTES), leat_slice_of(basic->known[i], BASIC_SUM_BYTES));
    return known;
}

static void remember(struct basic_auth *basic, const uint8_t *sum)
{
    memcpy(basic->known[basic->known_next], sum, BASIC_SUM_BYTES);
    basic->known_next = (basic->known_next + 1) % BASIC_KNOWN_MAX;
    if (basic->known_count < BASIC_KNOWN_MAX)
        basic->known_count++;
}

static bool may_compute(struct basic_auth *basic)
{
    uint64_t now = leat_loop_now_ns(basic->host->loop);
    if (now - basic->window_ns >= SECOND) {
        basic->window_ns = now;
        basic->checks = 0;
    }
    return basic->checks++ < basic->conf->max_checks_per_second;
}

enum outcome { GOOD, BAD, THROTTLED };

static enum outcome judge(struct basic_auth *basic, struct leat_slice plain, struct leat_slice name,
                          struct leat_slice password)
{
    uint8_t sum[BASIC_SUM_BYTES];
    const char *hash = hash_of(basic, name);
    if (!hash)
        return BAD;
    if (!basic_auth__is_slow(hash))
        return basic_auth__verify(basic->crypt, hash, password) ? GOOD : BAD;
    if (!HMAC(EVP_sha256(), basic->key, sizeof basic->key, plain.at, plain.len, sum, NULL))
        return BAD;
    if (is_known(basic, sum))
        return GOOD;
    if (!may_compute(basic))
        return THROTTLED;
    if (!basic_auth__verify(basic->crypt, hash, password))
        return BAD;
    remember(basic, sum);
    return GOOD;
}

static leat_rc refuse(struct basic_auth *basic, enum basic_auth_row row, const char *why, struct leat_err *reterr)
{
    leat_host_count(basic->host, row, 1);
    return LEAT_RAISE(reterr, LEAT_EAUTH, 0, "%s", why);
}

/* "Basic " and base64 of user:password, decoded; -1: not that. */
static int decode(struct leat_slice value, uint8_t plain[PLAIN_MAX])
{
    static const uint32_t scheme = 6;
    if (value.len <= scheme || !leat_slice_ieq(leat_slice_sub(value, 0, scheme), LEAT_SLICE("Basic ")))
        return -1;
    struct leat_slice text = leat_slice_sub(value, scheme, value.len - scheme);
    if (text.len % 4 || text.len / 4 * 3 > PLAIN_MAX || memchr(text.at, '\n', text.len))
        return -1;
    int len = EVP_DecodeBlock(plain, text.at, (int)text.len);
    return len < 0 ? -1 : len - (text.at[text.len - 1] == '=') - (text.at[text.len - 2] == '=');
}

static leat_rc check(void *state, struct leat_headers headers, struct leat_err *reterr)
{
    struct basic_auth *basic = state;
    uint8_t plain[PLAIN_MAX];
    struct leat_slice value = leat_headers_get(headers, "authorization");
    if (!value.len)
        return refuse(basic, BASIC_REFUSED, "no basic auth provided", reterr);
    int len = decode(value, plain);
    const uint8_t *colon = len > 0 ? memchr(plain, ':', (size_t)len) : NULL;
    if (!colon)
        return refuse(basic, BASIC_REFUSED, "invalid authorization format", reterr);
    uint32_t name = (uint32_t)(colon - plain);
    enum outcome outcome = judge(basic, leat_slice_of(plain, (uint32_t)len), leat_slice_of(plain, name),
                                 leat_slice_of(colon + 1, (uint32_t)len - name - 1));
    explicit_bzero(plain, sizeof plain);
    if (outcome == GOOD) {
        leat_host_count(basic->host, BASIC_OK, 1);
        return LEAT_OK;
    }
    return refuse(basic, outcome == BAD ? BASIC_REFUSED : BASIC_THROTTLED,
                  outcome == BAD ? "invalid credentials" : "too many attempts", reterr);
}

leat_rc basic_auth__server(void *state, struct leat_server_auth *ret_auth)
{
    struct basic_auth *basic = state;
    if (basic->conf->has_htpasswd)
        *ret_auth = (struct leat_server_auth){.state = state, .check = check, .challenge = "Basic realm=\"leat\""};
    return LEAT_OK;
}

/* ---- sending ---- */

static leat_rc text_of(struct leat_secret_file *file, const char *text, struct leat_slice *ret, struct leat_err *reterr)
{
    *ret = text ? leat_slice_str(text) : (struct leat_slice){0};
    return file->path ? leat_secret_file_get(file, ret, reterr) : LEAT_OK;
}

static leat_rc apply(void *state, const struct leat_meta *meta, struct leat_header_sink *sink, struct leat_err *reterr)
{
    (void)meta;
    struct basic_auth *basic = state;
    struct leat_slice name, password;
    uint8_t plain[PLAIN_MAX], value[6 + PLAIN_MAX / 3 * 4 + 5] = "Basic ";
    leat_rc rc = text_of(&basic->username, basic->conf->client_auth.username, &name, reterr);
    if (rc == LEAT_OK)
        rc = text_of(&basic->password, basic->conf->client_auth.password, &password, reterr);
    if (rc != LEAT_OK)
        return rc;
    if ((uint64_t)name.len + password.len + 1 > PLAIN_MAX)
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "user name and password are longer than %u bytes", PLAIN_MAX - 1);
    if (name.len)
        memcpy(plain, name.at, name.len);
    plain[name.len] = ':';
    if (password.len)
        memcpy(plain + name.len + 1, password.at, password.len);
    int len = EVP_EncodeBlock(value + 6, plain, (int)(name.len + password.len + 1));
    rc = sink->put(sink, LEAT_SLICE("Authorization"), leat_slice_of(value, 6 + (uint32_t)len));
    explicit_bzero(plain, sizeof plain);
    explicit_bzero(value, sizeof value);
    return rc;
}

leat_rc basic_auth__client(void *state, struct leat_client_auth *ret_auth)
{
    struct basic_auth *basic = state;
    if (basic->conf->has_client)
        *ret_auth = (struct leat_client_auth){state, apply};
    return LEAT_OK;
}
