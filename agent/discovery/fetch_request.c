/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out: who we are, and where a redirect leads. */
#include "agent/base/alloc.h"
#include "agent/discovery/fetch_inner.h"

/* ---- credentials ---- */

static leat_rc secret(struct leat_secret_file *file, const char *text, struct leat_slice *ret_text,
                      struct leat_err *reterr)
{
    *ret_text = leat_slice_str(text ? text : "");
    if (!file->path)
        return LEAT_OK;
    leat_rc rc = leat_secret_file_get(file, ret_text, reterr);
    for (uint32_t i = 0; rc == LEAT_OK && i < ret_text->len; i++)
        if (ret_text->at[i] < 32 || ret_text->at[i] == 127)
            rc = LEAT_RAISE(reterr, LEAT_EAUTH, 0, "%s: a control character in the text", file->path);
    if (rc == LEAT_OK || rc == LEAT_ENOMEM)
        return rc;
    reterr->code = LEAT_EAUTH;
    return LEAT_EAUTH;
}

static leat_rc basic(struct leat_fetcher *fetcher, struct leat_strbuf *out, struct leat_err *reterr)
{
    const struct leat_fetch_conf *conf = fetcher->opts.conf;
    struct leat_slice name, password;
    struct leat_strbuf pair = {0};
    leat_rc rc = secret(&fetcher->username, conf->basic_auth.username, &name, reterr);
    if (rc == LEAT_OK)
        rc = secret(&fetcher->password, conf->basic_auth.password, &password, reterr);
    if (rc != LEAT_OK)
        return rc;
    leat_strbuf_put(&pair, name.at, name.len);
    leat_strbuf_putc(&pair, ':');
    leat_strbuf_put(&pair, password.at, password.len);
    leat_strbuf_puts(out, "Basic ");
    if (!pair.failed)
        leat_strbuf_base64(out, pair.at, pair.len);
    rc = pair.failed ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory") : LEAT_OK;
    if (pair.at)
        explicit_bzero(pair.at, pair.len);
    leat_strbuf_done(&pair);
    return rc;
}

leat_rc leat_fetch__authorization(struct leat_fetcher *fetcher, struct leat_strbuf *out, struct leat_err *reterr)
{
    const struct leat_fetch_conf *conf = fetcher->opts.conf;
    const char *text = conf->authorization.present ? conf->authorization.credentials : conf->bearer_token;
    struct leat_slice token;
    if (conf->basic_auth.present)
        return basic(fetcher, out, reterr);
    leat_rc rc = secret(&fetcher->credentials, text, &token, reterr);
    if (rc != LEAT_OK || token.len == 0)
        return rc;
    const char *type = conf->authorization.present ? conf->authorization.type : NULL;
    leat_strbuf_printf(out, "%s ", type && type[0] ? type : "Bearer");
    leat_strbuf_put(out, token.at, token.len);
    return LEAT_OK;
}

/* ---- where a redirect leads (RFC 3986, section 5, without the rare) ---- */

static size_t scheme_len(struct leat_slice text)
{
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == ':')
            return i;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || !(strchr("+-.", c) || (c >= '0' && c <= '9'))))
            return 0;
    }
    return 0;
}

/* Takes "." and ".." out of the path that begins at `from`. */
static void remove_dots(struct leat_strbuf *url, size_t from)
{
    char *path = url->at + from;
    size_t len = strcspn(path, "?"), in = 0, out = 0;
    while (in < len) {
        size_t part = strcspn(path + in + 1, "/?") + 1; /* with its slash in front */
        bool last = in + part >= len;
        if (part == 2 && path[in + 1] == '.') {
            if (last)
                path[out++] = '/';
        } else if (part == 3 && path[in + 1] == '.' && path[in + 2] == '.') {
            while (out && path[--out] != '/')
                ;
            if (last)
                path[out++] = '/';
        } else {
            memmove(path + out, path + in, part);
            out += part;
        }
        in += part;
    }
    memmove(path + out, path + len, strlen(path + len) + 1);
    url->len -= len - out;
}

static bool is_clean(struct leat_slice text)
{
    for (uint32_t i = 0; i < text.len; i++)
        if (text.at[i] <= 32 || text.at[i] == 127)
            return false;
    return text.len != 0;
}

leat_rc leat_fetch__resolve(const char *base, struct leat_slice location, struct leat_strbuf *out,
                            struct leat_err *reterr)
{
    const uint8_t *hash = location.len ? memchr(location.at, '#', location.len) : NULL;
    location.len = hash ? (uint32_t)(hash - location.at) : location.len;
    if (!is_clean(location))
        return LEAT_RAISE(reterr, LEAT_EPARSE, 0, "a redirect without a usable Location");
    size_t scheme = scheme_len(location);
    const char *host = strstr(base, "://") + 3; /* base is one of our URLs */
    const char *path = host + strcspn(host, "/?");
    if (scheme) {
        leat_strbuf_put(out, location.at, location.len);
    } else if (location.len > 1 && memcmp(location.at, "//", 2) == 0) {
        leat_strbuf_put(out, base, (size_t)(host - 2 - base));
        leat_strbuf_put(out, location.at, location.len);
    } else {
        size_t keep = (size_t)(path - base);
        size_t whole = strcspn(path, "?");
        if (location.at[0] == '?')
            keep += whole;
        else if (location.at[0] != '/')
            while (whole && path[--whole] != '/')
                ;
        leat_strbuf_put(out, base, keep);
        if (location.at[0] != '?' && location.at[0] != '/') {
            leat_strbuf_put(out, path, whole);
            leat_strbuf_putc(out, '/');
        }
        leat_strbuf_put(out, location.at, location.len);
        if (!out->failed)
            remove_dots(out, (size_t)(path - base));
    }
    return out->failed ? LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory") : LEAT_OK;
}
