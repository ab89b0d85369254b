/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "agent/base/alloc.h"
#include "extensions/headers_setter/headers_setter.h"

leat_rc headers_setter__open(void *state, const void *conf, struct leat_host *host, struct leat_err *reterr)
{
    struct headers_setter *setter = state;
    setter->conf = conf;
    setter->host = host;
    const struct headers_setter_header *headers = setter->conf->headers.at;
    setter->sources = leat_zalloc(setter->conf->headers.count, sizeof *setter->sources);
    if (!setter->sources)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    for (uint32_t i = 0; i < setter->conf->headers.count; i++) {
        struct headers_setter_source *source = &setter->sources[i];
        struct leat_slice text;
        source->file = (struct leat_secret_file){.world = host->world, .path = headers[i].value_file};
        if (headers[i].value_file && leat_secret_file_get(&source->file, &text, reterr) != LEAT_OK)
            return leat_err_wrap(reterr, "headers[%u]", i);
        source->meta_key = headers[i].from_context ? leat_strdup(headers[i].from_context) : NULL;
        if (headers[i].from_context && !source->meta_key)
            return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
        for (char *c = source->meta_key; c && *c; c++)
            *c = (char)tolower((unsigned char)*c);
    }
    return LEAT_OK;
}

void headers_setter__close(void *state)
{
    struct headers_setter *setter = state;
    for (uint32_t i = 0; setter->sources && i < setter->conf->headers.count; i++) {
        leat_secret_file_done(&setter->sources[i].file);
        leat_free(setter->sources[i].meta_key);
    }
    leat_free(setter->sources);
    setter->sources = NULL;
}

/* at NULL: there is none. */
static leat_rc value_of(const struct headers_setter_header *header, struct headers_setter_source *source,
                        const struct leat_meta *meta, struct leat_slice *ret, struct leat_err *reterr)
{
    if (header->value_file)
        return leat_secret_file_get(&source->file, ret, reterr);
    const char *text = header->value;
    if (header->from_context)
        text = leat_meta_get(meta, source->meta_key);
    if (!text)
        text = header->default_value;
    *ret = text ? leat_slice_str(text) : (struct leat_slice){0};
    return LEAT_OK;
}

static leat_rc apply_one(struct headers_setter *setter, uint32_t i, const struct leat_meta *meta,
                         struct leat_header_sink *sink, struct leat_err *reterr)
{
    const struct headers_setter_header *header = (const struct headers_setter_header *)setter->conf->headers.at + i;
    struct leat_slice name = leat_slice_str(header->key), value;
    if (header->action == HEADERS_DELETE)
        return sink->remove(sink, name);
    if ((header->action == HEADERS_INSERT && sink->has(sink, name)) ||
        (header->action == HEADERS_UPDATE && !sink->has(sink, name)))
        return LEAT_OK;
    leat_rc rc = value_of(header, &setter->sources[i], meta, &value, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (!value.at) {
        leat_host_count(setter->host, HEADERS_SETTER_MISSING, 1);
        return LEAT_OK;
    }
    return sink->put(sink, name, value);
}

static leat_rc apply(void *state, const struct leat_meta *meta, struct leat_header_sink *sink, struct leat_err *reterr)
{
    struct headers_setter *setter = state;
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < setter->conf->headers.count; i++)
        rc = apply_one(setter, i, meta, sink, reterr);
    return rc;
}

leat_rc headers_setter__client(void *state, struct leat_client_auth *ret_auth)
{
    *ret_auth = (struct leat_client_auth){state, apply};
    return LEAT_OK;
}
