/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/fetch.h"

#include "agent/base/alloc.h"
#include "agent/discovery/fetch_inner.h"
#include "agent/net/coding.h"
#include "agent/net/http1_client.h"

#define CONNECT_NS_MAX 30000000000ull
#define IDLE_NS 300000000000ull
#define CODED_SLACK 65536u /* a gzip body may be a little longer than what is in it */
#define CRUMB_BYTES_MAX 256u     /* a chunk this small is copied */
#define STATUS_BODY_BYTES 4096u  /* kept of an answer that is not 200 */
#define FILE_HEADERS_MAX 16u

/* What lives as long as a fetch. */
struct scratch {
    uint32_t header_count;
    struct leat_header headers[LEAT_FETCH_HEADERS_MAX];
    struct leat_strbuf authorization;
    struct leat_strbuf values[FILE_HEADERS_MAX]; /* of headers that come out of files */
};

struct leat_fetch_site {
    struct leat_fetcher *fetcher;
    struct leat_fetch *fetch; /* under way; NULL: none */
    char *url;                /* the target's */
    struct leat_url parts;
    struct leat_http1_client *client; /* to the target, kept */
    struct leat_http1_client *hop;    /* to where a redirect led, for one fetch */
    struct leat_http1_client *busy;   /* the one with the call under way */
    struct leat_http1_call call;
    struct leat_task fail_later;
    struct leat_err why; /* of fail_later, and of a body given up */
    struct scratch *scratch;
    char *here;                    /* the URL asked now, after redirects */
    uint32_t redirects;
    uint64_t deadline_ns; /* 0: none */
    struct leat_chain body;
    uint32_t skipped; /* bytes of a body that is not a 200's */
    bool coded;
};

/* ---- fetchers ---- */

static void file_at(struct leat_secret_file *file, struct leat_world *world, const char *path)
{
    file->world = world;
    file->path = path && path[0] ? path : NULL;
}

leat_rc leat_fetcher_open(const struct leat_fetcher_opts *opts, struct leat_fetcher **ret_fetcher,
                          struct leat_err *reterr)
{
    const struct leat_fetch_conf *conf = opts->conf;
    struct leat_world *world = leat_loop_world(opts->loop);
    struct leat_fetcher *fetcher = leat_zalloc(1, sizeof *fetcher);
    if (!fetcher)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    fetcher->opts = *opts;
    if (opts->body_bytes_max == 0 || opts->body_bytes_max > LEAT_FETCH_BODY_BYTES_MAX)
        fetcher->opts.body_bytes_max = LEAT_FETCH_BODY_BYTES_MAX;
    file_at(&fetcher->username, world, conf->basic_auth.username_file);
    file_at(&fetcher->password, world, conf->basic_auth.password_file);
    file_at(&fetcher->credentials, world,
            conf->authorization.present ? conf->authorization.credentials_file : conf->bearer_token_file);
    leat_rc rc = leat_fetch__added_headers(conf, NULL, &fetcher->added_count, reterr);
    if (rc == LEAT_OK && fetcher->added_count) {
        fetcher->added = leat_zalloc(fetcher->added_count, sizeof *fetcher->added);
        rc = fetcher->added ? leat_fetch__added_headers(conf, fetcher->added, &fetcher->added_count, reterr)
                            : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    }
    for (uint32_t i = 0; fetcher->added && i < fetcher->added_count; i++)
        fetcher->added[i].file.world = world;
    if (rc != LEAT_OK)
        fetcher = leat_fetcher_close(fetcher);
    *ret_fetcher = fetcher;
    return rc;
}

struct leat_fetcher *leat_fetcher_close(struct leat_fetcher *fetcher)
{
    if (!fetcher)
        return NULL;
    for (uint32_t i = 0; fetcher->added && i < fetcher->added_count; i++)
        leat_secret_file_done(&fetcher->added[i].file);
    leat_free(fetcher->added);
    leat_secret_file_done(&fetcher->username);
    leat_secret_file_done(&fetcher->password);
    leat_secret_file_done(&fetcher->credentials);
    if (fetcher->tls)
        leat_fetch__tls_close(fetcher->tls);
    leat_free(fetcher);
    return NULL;
}

/* ---- clients ---- */

static leat_rc pick_proxy(const struct leat_fetch_conf *conf, const struct leat_url *to, char proxy[LEAT_PROXY_MAX],
                          struct leat_err *reterr)
{
    proxy[0] = 0;
    if (conf->proxy_url && conf->proxy_url[0]) {
        if (conf->no_proxy && leat_proxy_excluded(conf->no_proxy, to->name, to->port))
            return LEAT_OK;
        return leat_proxy_pick(conf->proxy_url, to->encrypted, to->name, to->port, proxy, reterr);
    }
    return conf->proxy_from_environment ? leat_proxy_pick(NULL, to->encrypted, to->name, to->port, proxy, reterr)
                                        : LEAT_OK;
}

static leat_rc open_client(struct leat_fetcher *fetcher, const struct leat_url *to, struct leat_http1_client **ret_client,
                           struct leat_err *reterr)
{
    char proxy[LEAT_PROXY_MAX];
    leat_rc rc = pick_proxy(fetcher->opts.conf, to, proxy, reterr);
    if (rc == LEAT_OK && to->encrypted && !fetcher->tls)
        rc = leat_fetch__tls_open(fetcher->opts.conf, &fetcher->tls, reterr);
    if (rc != LEAT_OK)
        return rc;
    struct leat_http1_client_opts opts = {.address = to->address,
                                          .host = to->host,
                                          .proxy = proxy[0] ? proxy : NULL,
                                          .tls = to->encrypted ? fetcher->tls : NULL,
                                          .connections_max = 1,
                                          .idle_connections_max = 1,
                                          .idle_ns_max = fetcher->opts.idle_ns_max ? fetcher->opts.idle_ns_max : IDLE_NS,
                                          .connect_ns_max = CONNECT_NS_MAX,
                                          .keep_alive = true};
    return leat_http1_client_open(fetcher->opts.loop, &opts, ret_client, reterr);
}

/* ---- the end of a fetch ---- */

static void wipe(struct leat_strbuf *buf)
{
    if (buf->at)
        explicit_bzero(buf->at, buf->len);
    leat_strbuf_done(buf);
}

static void free_scratch(struct leat_fetch_site *site)
{
    if (!site->scratch)
        return;
    wipe(&site->scratch->authorization);
    for (uint32_t i = 0; i < FILE_HEADERS_MAX; i++)
        wipe(&site->scratch->values[i]);
    leat_free(site->scratch);
    site->scratch = NULL;
}

static leat_rc too_long(const struct leat_fetcher *fetcher, struct leat_err *reterr)
{
    return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "the body has %llu bytes or more, the limit (body_size_limit or max_body_bytes)",
                      (unsigned long long)fetcher->opts.body_bytes_max);
}

static leat_rc decode(const struct leat_fetch_site *site, struct leat_chain *body, struct leat_err *reterr)
{
    struct leat_chain plain = {0};
    leat_rc rc = leat_decode(LEAT_CODING_GZIP, body, site->fetcher->opts.body_bytes_max - 1, &plain, reterr);
    if (rc == LEAT_ELIMIT)
        rc = too_long(site->fetcher, reterr);
    leat_chain_done(body);
    *body = plain;
    return rc;
}

/* `response` NULL: err. The caller's `done` may close the site: nothing of it is touched afterwards. */
static void finish(struct leat_fetch_site *site, const struct leat_http1_response *response, const struct leat_err *err)
{
    struct leat_fetch *fetch = site->fetch;
    struct leat_fetch_reply reply = {.body = site->body, .wire_bytes = site->body.bytes};
    struct leat_http1_client *hop = site->hop; /* the reply's headers may be of its connection */
    struct leat_err copy = {0};
    leat_rc rc = err ? err->code : LEAT_OK;
    if (err)
        copy = *err;
    site->body = (struct leat_chain){0};
    site->fetch = NULL;
    site->busy = site->hop = NULL;
    free_scratch(site);
    if (site->here != site->url)
        leat_free(site->here);
    site->here = site->url;
    if (response && rc == LEAT_OK) {
        reply.status = response->status;
        reply.headers = response->headers;
        if (site->coded && reply.status == 200)
            rc = decode(site, &reply.body, &copy);
    }
    if (rc != LEAT_OK)
        leat_chain_done(&reply.body);
    fetch->done(fetch, rc == LEAT_OK ? &reply : NULL, rc == LEAT_OK ? NULL : &copy);
    leat_chain_done(&reply.body);
    if (hop)
        leat_http1_client_close(hop);
}

static void fail_later(struct leat_task *task)
{
    struct leat_fetch_site *site = task->ctx;
    finish(site, NULL, &site->why);
}

/* ---- answers ---- */

static bool is_redirect(const struct leat_fetch_site *site, const struct leat_http1_response *head)
{
    int status = head->status;
    bool moved = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return moved && site->fetcher->opts.conf->follow_redirects && leat_headers_get(head->headers, "location").len;
}

/* Of a redirect or a refusal: nobody reads much of it, but the connection is worth a little patience. */
static bool other_body(struct leat_fetch_site *site, const struct leat_http1_response *head, struct leat_slice piece)
{
    site->skipped += piece.len;
    if (site->skipped > CODED_SLACK)
        (void)LEAT_RAISE(&site->why, LEAT_EREFUSED, head->status, "status %d with a long body", head->status);
    else if (!is_redirect(site, head) && site->body.bytes + piece.len <= STATUS_BODY_BYTES &&
             leat_chain_copy(&site->body, piece.at, piece.len) != LEAT_OK)
        (void)LEAT_RAISE(&site->why, LEAT_ENOMEM, 0, "out of memory");
    return site->why.code == LEAT_OK;
}

static bool on_body(struct leat_http1_call *call, const struct leat_http1_response *head, struct leat_slice piece)
{
    struct leat_fetch_site *site = call->ctx;
    uint64_t max = site->fetcher->opts.body_bytes_max;
    if (piece.len == 0) {
        site->coded = leat_slice_ieq(leat_headers_get(head->headers, "content-encoding"), LEAT_SLICE("gzip"));
        return true;
    }
    if (head->status != 200)
        return other_body(site, head, piece);
    if (site->body.bytes + piece.len >= (site->coded ? max + CODED_SLACK : max)) {
        (void)too_long(site->fetcher, &site->why);
        return false;
    }
    /* A piece without a block is lent for this call only; a crumb costs less as a copy beside the last one. */
    bool shared = piece.mem && piece.len > CRUMB_BYTES_MAX;
    leat_rc rc = shared ? leat_chain_share(&site->body, piece) : leat_chain_copy(&site->body, piece.at, piece.len);
    if (rc != LEAT_OK)
        (void)LEAT_RAISE(&site->why, rc, 0, "out of memory");
    return rc == LEAT_OK;
}

static leat_rc ask(struct leat_fetch_site *site, struct leat_err *reterr);

static bool same_host(const struct leat_url *a, const struct leat_url *b)
{
    return a->encrypted == b->encrypted && strcasecmp(a->address, b->address) == 0;
}

static leat_rc follow(struct leat_fetch_site *site, const struct leat_http1_response *response, struct leat_err *reterr)
{
    struct leat_strbuf next = {0};
    if (site->redirects++ == LEAT_FETCH_REDIRECTS_MAX)
        return LEAT_RAISE(reterr, LEAT_EREFUSED, response->status, "stopped after %u redirects", LEAT_FETCH_REDIRECTS_MAX);
    leat_rc rc = leat_fetch__resolve(site->here, leat_headers_get(response->headers, "location"), &next, reterr);
    if (rc != LEAT_OK) {
        leat_strbuf_done(&next);
        return rc;
    }
    if (site->here != site->url)
        leat_free(site->here);
    site->here = leat_strbuf_steal(&next);
    return ask(site, reterr);
}

static void on_done(struct leat_http1_call *call, const struct leat_http1_response *response, const struct leat_err *err)
{
    struct leat_fetch_site *site = call->ctx;
    struct leat_err inner = {0};
    site->busy = NULL;
    if (site->why.code != LEAT_OK) { /* we gave it up: our reason, not the client's */
        inner = site->why;
        finish(site, NULL, &inner);
        return;
    }
    if (err) {
        inner = *err;
        if (inner.code == LEAT_ELIMIT) /* an answer's head; LEAT_ELIMIT is our word for its body */
            inner.code = LEAT_EPARSE;
        finish(site, NULL, &inner);
        return;
    }
    if (!is_redirect(site, response)) {
        finish(site, response, NULL);
        return;
    }
    if (follow(site, response, &inner) != LEAT_OK)
        finish(site, NULL, &inner);
}

/* ---- requests ---- */

static leat_rc add(struct leat_fetch_site *site, struct leat_slice name, struct leat_slice value,
                   struct leat_err *reterr)
{
    if (site->scratch->header_count == LEAT_FETCH_HEADERS_MAX)
        return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "too many request headers");
    site->scratch->headers[site->scratch->header_count++] = (struct leat_header){name, value};
    return LEAT_OK;
}

static leat_rc add_from_files(struct leat_fetch_site *site, struct leat_err *reterr)
{
    struct leat_fetcher *fetcher = site->fetcher;
    leat_rc rc = LEAT_OK;
    uint32_t files = 0;
    for (uint32_t i = 0; i < fetcher->added_count && rc == LEAT_OK; i++) {
        struct leat_fetch_header *header = &fetcher->added[i];
        struct leat_slice value = leat_slice_str(header->value ? header->value : "");
        if (header->file.path) {
            if (files == FILE_HEADERS_MAX)
                return LEAT_RAISE(reterr, LEAT_ELIMIT, 0, "http_headers: too many files");
            struct leat_strbuf *copy = &site->scratch->values[files++];
            rc = leat_secret_file_get(&header->file, &value, reterr);
            leat_strbuf_clear(copy);
            leat_strbuf_put(copy, value.at, rc == LEAT_OK ? value.len : 0);
            if (rc == LEAT_OK && copy->failed)
                rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
            value = leat_slice_of(copy->at, (uint32_t)copy->len);
        }
        if (rc == LEAT_OK)
            rc = add(site, leat_slice_str(header->name), value, reterr);
    }
    return rc;
}

/* Credentials and configured headers go to the host they are for, not to where it points. */
static leat_rc fill_headers(struct leat_fetch_site *site, bool ours, struct leat_err *reterr)
{
    struct leat_fetcher *fetcher = site->fetcher;
    leat_rc rc = LEAT_OK;
    site->scratch->header_count = 0;
    for (uint32_t i = 0; i < site->fetch->headers.count && rc == LEAT_OK; i++)
        rc = add(site, site->fetch->headers.at[i].name, site->fetch->headers.at[i].value, reterr);
    if (rc == LEAT_OK)
        rc = add(site, LEAT_SLICE("Accept-Encoding"),
                 fetcher->opts.enable_compression ? LEAT_SLICE("gzip") : LEAT_SLICE("identity"), reterr);
    if (rc == LEAT_OK && fetcher->opts.user_agent)
        rc = add(site, LEAT_SLICE("User-Agent"), leat_slice_str(fetcher->opts.user_agent), reterr);
    if (rc != LEAT_OK || !ours)
        return rc;
    struct leat_strbuf *authorization = &site->scratch->authorization;
    wipe(authorization);
    rc = leat_fetch__authorization(fetcher, authorization, reterr);
    if (rc == LEAT_OK && authorization->failed)
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (rc == LEAT_OK && authorization->len)
        rc = add(site, LEAT_SLICE("Authorization"), leat_slice_of(authorization->at, (uint32_t)authorization->len),
                 reterr);
    return rc == LEAT_OK ? add_from_files(site, reterr) : rc;
}

/* Sends the GET for site->here. */
static leat_rc ask(struct leat_fetch_site *site, struct leat_err *reterr)
{
    struct leat_url to;
    leat_rc rc = leat_url_parse(site->here, &to, reterr);
    if (rc != LEAT_OK) {
        reterr->code = LEAT_EPARSE; /* a server's Location, not a configuration */
        return LEAT_EPARSE;
    }
    uint64_t now = leat_loop_now_ns(site->fetcher->opts.loop);
    bool ours = same_host(&to, &site->parts);
    if (site->deadline_ns && now >= site->deadline_ns)
        return LEAT_RAISE(reterr, LEAT_ETIMEOUT, 0, "no answer in time");
    if (site->hop)
        leat_http1_client_close(site->hop);
    site->hop = NULL;
    if (!site->scratch && !(site->scratch = leat_zalloc(1, sizeof *site->scratch)))
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    rc = fill_headers(site, ours, reterr);
    if (rc == LEAT_OK && !ours)
        rc = open_client(site->fetcher, &to, &site->hop, reterr);
    if (rc == LEAT_OK && ours && !site->client)
        rc = open_client(site->fetcher, &to, &site->client, reterr);
    if (rc != LEAT_OK)
        return rc;
    site->coded = false;
    site->skipped = 0;
    site->call = (struct leat_http1_call){.method = "GET",
                                          .target = to.target,
                                          .headers = {site->scratch->headers, site->scratch->header_count},
                                          .timeout_ns = site->deadline_ns ? site->deadline_ns - now : 0,
                                          .on_body = on_body,
                                          .done = on_done,
                                          .ctx = site};
    site->busy = ours ? site->client : site->hop;
    leat_http1_client_send(site->busy, &site->call);
    return LEAT_OK;
}

/* ---- public ---- */

leat_rc leat_fetch_site_open(struct leat_fetcher *fetcher, struct leat_slice url, struct leat_fetch_site **ret_site,
                             struct leat_err *reterr)
{
    struct leat_fetch_site *site = leat_zalloc(1, sizeof *site);
    if (!site)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    site->fetcher = fetcher;
    leat_task_init(&site->fail_later, fail_later, site);
    site->url = site->here = leat_strndup((const char *)url.at, url.len);
    leat_rc rc = site->url ? leat_url_parse(site->url, &site->parts, reterr)
                           : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    if (rc != LEAT_OK)
        site = leat_fetch_site_close(site);
    *ret_site = site;
    return rc;
}

struct leat_fetch_site *leat_fetch_site_close(struct leat_fetch_site *site)
{
    if (!site)
        return NULL;
    leat_task_cancel(&site->fail_later);
    (void)LEAT_RAISE(&site->why, LEAT_ECANCELED, 0, "given up by the caller");
    if (site->busy)
        leat_http1_client_close(site->busy); /* on_done, inside */
    else if (site->fetch)
        finish(site, NULL, &site->why);
    if (site->client)
        leat_http1_client_close(site->client);
    leat_free(site->url);
    leat_free(site);
    return NULL;
}

void leat_fetch_send(struct leat_fetch_site *site, struct leat_fetch *fetch)
{
    site->fetch = fetch;
    site->why = (struct leat_err){0};
    site->redirects = 0;
    site->here = site->url;
    site->deadline_ns = fetch->timeout_ns ? leat_loop_now_ns(site->fetcher->opts.loop) + fetch->timeout_ns : 0;
    if (ask(site, &site->why) != LEAT_OK)
        leat_loop_defer(site->fetcher->opts.loop, &site->fail_later);
}

void leat_fetch_cancel(struct leat_fetch_site *site)
{
    if (!site->fetch || site->why.code != LEAT_OK)
        return;
    (void)LEAT_RAISE(&site->why, LEAT_ECANCELED, 0, "given up by the caller");
    if (site->busy)
        leat_http1_client_cancel(site->busy, &site->call);
    else
        leat_loop_defer(site->fetcher->opts.loop, &site->fail_later);
}
