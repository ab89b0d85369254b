/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/bulk/bulk.h"

#include <ctype.h>
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/deliver/url.h"

/* Rows 0 .. BULK_REASON_COUNT-1 are enum bulk_reason. */
#define REFUSED_HELP "documents refused for good by the server, by reason"
const struct leat_counter_def leat_bulk_counters[] = {
    [BULK_REASON_MAPPING] = {"bulk_refused_documents_total", "reason=\"mapping\"", REFUSED_HELP},
    [BULK_REASON_ARGUMENT] = {"bulk_refused_documents_total", "reason=\"argument\"", REFUSED_HELP},
    [BULK_REASON_INDEX] = {"bulk_refused_documents_total", "reason=\"index\"", REFUSED_HELP},
    [BULK_REASON_CONFLICT] = {"bulk_refused_documents_total", "reason=\"conflict\"", REFUSED_HELP},
    [BULK_REASON_BLOCKED] = {"bulk_refused_documents_total", "reason=\"blocked\"", REFUSED_HELP},
    [BULK_REASON_OTHER] = {"bulk_refused_documents_total", "reason=\"other\"", REFUSED_HELP},
    {"bulk_stored_before_total", "", "documents that an earlier attempt had stored, its answer lost"},
    {"bulk_repeated_rows_total", "reason=\"busy\"", "documents to be sent again"},
    {"bulk_repeated_rows_total", "reason=\"unknown\"", "documents to be sent again"},
    {0}};

void leat_bulk__count(struct leat_bulk *bulk, uint32_t row, uint64_t n)
{
    if (bulk->counts && n)
        __atomic_store_n(&bulk->counts[row], bulk->counts[row] + n, __ATOMIC_RELAXED);
}

/* ---- start ---- */

leat_rc leat_bulk_check(const struct leat_bulk_conf *conf, struct leat_err *reterr)
{
    struct leat_url url;
    if (conf->endpoint_count == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint is required: https://search:9200");
    if (conf->endpoint_count > LEAT_BULK_ENDPOINTS_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoints: more than %u", LEAT_BULK_ENDPOINTS_MAX);
    for (uint32_t i = 0; i < conf->endpoint_count; i++) {
        if (leat_url_parse(conf->endpoints[i], &url, reterr) != LEAT_OK)
            return reterr ? leat_err_wrap(reterr, "endpoint") : LEAT_ECONFIG;
        if (memchr(url.target.at, '?', url.target.len))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint: \"%.96s\" may not have a query", conf->endpoints[i]);
    }
    for (const char *at = conf->pipeline; at && *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.~", *at))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "pipeline: \"%.64s\" is no pipeline's name", conf->pipeline);
    return LEAT_OK;
}

static char *url_new(const char *endpoint, const char *path, const char *more, const char *value)
{
    struct leat_strbuf text = {0};
    size_t len = strlen(endpoint);
    while (len && endpoint[len - 1] == '/')
        len--;
    leat_strbuf_put(&text, endpoint, len);
    leat_strbuf_puts(&text, path);
    if (value && *value) {
        leat_strbuf_puts(&text, more);
        leat_strbuf_puts(&text, value);
    }
    return leat_strbuf_steal(&text);
}

static bool urls_make(struct leat_bulk *bulk)
{
    static const char path[] = "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";
    char prefix[BULK_INDEX_NAME_MAX + 1], template[BULK_INDEX_NAME_MAX + 64];
    bool exact;
    uint32_t len = leat_bulk__prefix(&bulk->index, prefix, &exact);
    while (len && (prefix[len - 1] == '-' || prefix[len - 1] == '_' || prefix[len - 1] == '.'))
        len--;
    for (uint32_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)prefix[i]) && !strchr("-_.", prefix[i]))
            prefix[i] = '_';
    (void)snprintf(template, sizeof template, "/_index_template/leat-%.*s?create=true", (int)len, prefix);
    for (uint32_t i = 0; i < bulk->conf.endpoint_count; i++) {
        bulk->urls[i] = url_new(bulk->conf.endpoints[i], path, "&pipeline=", bulk->conf.pipeline);
        bulk->template_urls[i] = url_new(bulk->conf.endpoints[i], template, "", NULL);
        if (!bulk->urls[i] || !bulk->template_urls[i])
            return false;
    }
    return true;
}

leat_rc leat_bulk_open(struct leat_bulk *bulk, const struct leat_bulk_conf *conf, enum leat_signal signal,
                       struct leat_world *world, uint64_t *counts, struct leat_err *reterr)
{
    bulk->signal = signal;
    bulk->world = world;
    bulk->counts = counts;
    bulk->conf = *conf;
    bulk->index = conf->index;
    bulk_doc_open(&bulk->doc, &conf->doc);
    bulk->conf.authorization = NULL;
    if (conf->authorization)
        bulk->authorization = url_new(conf->authorization, "", "", NULL);
    if (!urls_make(bulk) || (conf->authorization && !bulk->authorization))
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for addresses");
    return LEAT_OK;
}

void leat_bulk_close(void *state)
{
    struct leat_bulk *bulk = state;
    for (uint32_t i = 0; i < LEAT_BULK_ENDPOINTS_MAX; i++) {
        leat_free(bulk->urls[i]);
        leat_free(bulk->template_urls[i]);
        bulk->urls[i] = bulk->template_urls[i] = NULL;
    }
    leat_free(bulk->authorization);
    bulk->authorization = NULL;
    bulk_doc_close(&bulk->doc);
    leat_strbuf_done(&bulk->text);
    leat_strbuf_done(&bulk->action);
}

leat_rc leat_bulk__headers(const struct leat_bulk *bulk, struct leat_request *request, struct leat_slice type)
{
    leat_rc rc = leat_request_header(request, LEAT_SLICE("Content-Type"), type);
    if (rc == LEAT_OK && bulk->authorization)
        rc = leat_request_header(request, LEAT_SLICE("Authorization"), leat_slice_str(bulk->authorization));
    return rc;
}
