/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/strbuf.h"
#include "extensions/bearer_token_auth/bearer_token_auth.h"

leat_rc bearer_token_auth__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct bearer_token_auth *bearer = state;
    struct leat_slice text;
    bearer->conf = conf;
    bearer->host = host;
    bearer->file = (struct leat_secret_file){.world = host->world, .path = bearer->conf->filename};
    /* A wrong path is found at the start, not with the first request. */
    return bearer->conf->filename ? leat_secret_file_get(&bearer->file, &text, reterr) : LEAT_OK;
}

void bearer_token_auth__close(void *state)
{
    leat_secret_file_done(&((struct bearer_token_auth *)state)->file);
}

/* ---- tokens, one after the other ---- */

struct tokens {
    struct leat_slice text; /* of the file, what is left */
    const char *const *at;
    uint32_t left;
};

static leat_rc tokens_of(struct bearer_token_auth *bearer, struct tokens *ret, struct leat_err *reterr)
{
    const struct bearer_token_auth_conf *conf = bearer->conf;
    *ret = (struct tokens){0};
    if (conf->filename) {
        leat_rc rc = leat_secret_file_get(&bearer->file, &ret->text, reterr);
        leat_host_count(bearer->host, BEARER_RELOADS, bearer->file.version - bearer->version);
        bearer->version = bearer->file.version;
        return rc;
    }
    bool one = conf->token && *conf->token;
    ret->at = one ? &conf->token : (const char *const *)conf->tokens.at;
    ret->left = one ? 1 : conf->tokens.count;
    return LEAT_OK;
}

static struct leat_slice trim(struct leat_slice s)
{
    while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\r' || s.at[s.len - 1] == '\t'))
        s.len--;
    for (; s.len && (*s.at == ' ' || *s.at == '\t'); s.len--)
        s.at++;
    return s;
}

static bool next_token(struct tokens *tokens, struct leat_slice *ret)
{
    if (tokens->left) {
        tokens->left--;
        *ret = leat_slice_str(*tokens->at++);
        return true;
    }
    while (tokens->text.len) {
        const uint8_t *end = memchr(tokens->text.at, '\n', tokens->text.len);
        uint32_t len = end ? (uint32_t)(end - tokens->text.at) : tokens->text.len, step = len + (end != NULL);
        *ret = trim(leat_slice_of(tokens->text.at, len));
        tokens->text = leat_slice_of(tokens->text.at + step, tokens->text.len - step);
        if (ret->len)
            return true;
    }
    return false;
}

/* ---- sending ---- */

static leat_rc apply(void *state, const struct leat_meta *meta, struct leat_header_sink *sink, struct leat_err *reterr)
{
    (void)meta;
    struct bearer_token_auth *bearer = state;
    const char *scheme = bearer->conf->scheme;
    struct tokens tokens;
    struct leat_slice token;
    leat_rc rc = tokens_of(bearer, &tokens, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (!next_token(&tokens, &token))
        return LEAT_RAISE(reterr, LEAT_EIO, 0, "there is no token in the file");
    struct leat_strbuf value = {0};
    if (scheme && *scheme)
        leat_strbuf_printf(&value, "%s ", scheme);
    leat_strbuf_put(&value, token.at, token.len);
    rc = value.failed
             ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory")
             : sink->put(sink, leat_slice_str(bearer->conf->header), leat_slice_of(value.at, (uint32_t)value.len));
    if (value.at)
        explicit_bzero(value.at, value.len);
    leat_strbuf_done(&value);
    return rc;
}

leat_rc bearer_token_auth__client(void *state, struct leat_client_auth *ret_auth)
{
    *ret_auth = (struct leat_client_auth){state, apply};
    return LEAT_OK;
}

/* ---- asking ---- */

/* What stands behind the scheme; at NULL: another scheme. */
static struct leat_slice behind_scheme(const char *scheme, struct leat_slice value)
{
    uint32_t len = scheme ? (uint32_t)strlen(scheme) : 0;
    if (!len)
        return value;
    if (value.len <= len || !leat_slice_is(leat_slice_sub(value, 0, len), scheme) || value.at[len] != ' ')
        return (struct leat_slice){0};
    return leat_slice_sub(value, len + 1, value.len - len - 1);
}

static leat_rc refuse(struct bearer_token_auth *bearer, const char *why, struct leat_err *reterr)
{
    leat_host_count(bearer->host, BEARER_REFUSED, 1);
    return LEAT_RAISE(reterr, LEAT_EAUTH, 0, "%s", why);
}

static leat_rc check(void *state, struct leat_headers headers, struct leat_err *reterr)
{
    struct bearer_token_auth *bearer = state;
    struct leat_slice value = leat_headers_get(headers, bearer->conf->header), token;
    struct tokens tokens;
    bool known = false;
    if (!value.len)
        return refuse(bearer, "missing or empty authorization header", reterr);
    if (tokens_of(bearer, &tokens, reterr) != LEAT_OK)
        return refuse(bearer, "the tokens cannot be read", reterr);
    value = behind_scheme(bearer->conf->scheme, value);
    while (next_token(&tokens, &token)) /* all of them, so that time tells nothing */
        known |= value.at && leat_secret_eq(value, token);
    if (!known)
        return refuse(bearer, "scheme or token does not match", reterr);
    leat_host_count(bearer->host, BEARER_OK, 1);
    return LEAT_OK;
}

leat_rc bearer_token_auth__server(void *state, struct leat_server_auth *ret_auth)
{
    *ret_auth = (struct leat_server_auth){.state = state, .check = check, .challenge = "Bearer"};
    return LEAT_OK;
}
