/* SPDX-License-Identifier: Apache-2.0 */
#include "extensions/bearer_token_auth/bearer_token_auth.h"

#define C(member) LEAT_AT(struct bearer_token_auth_conf, member)

const struct leat_field bearer_token_auth_fields[] = {
    {"scheme", LEAT_STRING, C(scheme), "Bearer", "what stands before the token; empty: nothing"},
    {"token", LEAT_STRING, C(token), NULL, "the token", LEAT_SECRET},
    {"tokens", LEAT_STRINGS, C(tokens), NULL, "tokens that are let in; the first one is sent", LEAT_SECRET},
    {"filename", LEAT_STRING, C(filename), NULL,
     "a file with a token a line, read again when it changes; wins over the others"},
    {"header", LEAT_STRING, C(header), "Authorization", "the header it stands in"},
    {0}};

const struct leat_counter_def bearer_token_auth_counters[] = {
    [BEARER_OK] = {"bearer_token_auth_checks_total", "result=\"ok\"", "requests looked at"},
    [BEARER_REFUSED] = {"bearer_token_auth_checks_total", "result=\"refused\"", "requests looked at"},
    [BEARER_RELOADS] = {"bearer_token_auth_file_reads_total", "", "times the file was read"},
    {0}};

leat_rc bearer_token_auth__check(const void *conf, struct leat_err *reterr)
{
    const struct bearer_token_auth_conf *bearer = conf;
    bool token = bearer->token && *bearer->token, file = bearer->filename && *bearer->filename;
    if (!token && !file && !bearer->tokens.count)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "no bearer token provided: one of token, tokens and filename");
    if (token && bearer->tokens.count)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "either token or tokens should be provided, not both");
    for (uint32_t i = 0; i < bearer->tokens.count; i++)
        if (!*bearer->tokens.at[i])
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "tokens[%u] is empty", i);
    if (!bearer->header || !*bearer->header)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "header must not be empty");
    return LEAT_OK;
}
