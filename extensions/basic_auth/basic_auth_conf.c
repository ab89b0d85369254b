/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/basic_auth/basic_auth.h"

#define C(member) LEAT_AT(struct basic_auth_conf, member)
#define P(i) ((i) * sizeof(const char *))

static const struct leat_field htpasswd_fields[] = {
    {"file", LEAT_STRING, P(0), NULL, "a file of lines user:hash, read at the start"},
    {"inline", LEAT_STRING, P(1), NULL, "such lines here; they win over the file's", LEAT_SECRET},
    {0}};

static const struct leat_field client_fields[] = {
    {"username", LEAT_STRING, P(0), NULL, "the user name to send"},
    {"password", LEAT_STRING, P(1), NULL, "the password to send", LEAT_SECRET},
    {"username_file", LEAT_STRING, P(2), NULL, "a file with the user name, read again when it changes; wins"},
    {"password_file", LEAT_STRING, P(3), NULL, "a file with the password, read again when it changes; wins"},
    {0}};

const struct leat_field basic_auth_fields[] = {
    {.key = "htpasswd",
     .type = LEAT_SECTION,
     .offset = C(htpasswd),
     .fields = htpasswd_fields,
     .present = LEAT_PRESENT(struct basic_auth_conf, has_htpasswd),
     .doc = "who is let in: for receivers"},
    {.key = "client_auth",
     .type = LEAT_SECTION,
     .offset = C(client_auth),
     .fields = client_fields,
     .present = LEAT_PRESENT(struct basic_auth_conf, has_client),
     .doc = "what is sent: for exporters"},
    {"max_checks_per_second", LEAT_INT, C(max_checks_per_second), "10",
     "slow hashes (bcrypt, crypt) computed a second and shard; more attempts are refused", .min = 1, .max = 1000},
    {0}};

const struct leat_counter_def basic_auth_counters[] = {
    [BASIC_OK] = {"basic_auth_checks_total", "result=\"ok\"", "requests looked at"},
    [BASIC_REFUSED] = {"basic_auth_checks_total", "result=\"refused\"", "requests looked at"},
    [BASIC_THROTTLED] = {"basic_auth_checks_total", "result=\"throttled\"", "requests looked at"},
    {0}};

static bool given(const char *text)
{
    return text && *text;
}

leat_rc basic_auth__check(const void *conf, struct leat_err *reterr)
{
    const struct basic_auth_conf *basic = conf;
    if (basic->has_htpasswd && basic->has_client)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "htpasswd and client_auth: only one of them per authenticator");
    if (basic->has_client) {
        if (!given(basic->client_auth.username) && !given(basic->client_auth.username_file))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "client_auth needs a username or username_file");
        if (basic->client_auth.username && strchr(basic->client_auth.username, ':'))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "client_auth::username must not contain a colon");
        return LEAT_OK;
    }
    if (!given(basic->htpasswd.file) && !given(basic->htpasswd.inline_text))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "no credential source provided: htpasswd::file, htpasswd::inline or client_auth");
    return LEAT_OK;
}
