/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/outgoing.h"

#include <ctype.h>

#include "agent/base/alloc.h"

struct copy {
    struct copy *next;
    char text[];
};

static bool name_is_clean(struct leat_slice name)
{
    for (uint32_t i = 0; i < name.len; i++)
        if (!isalnum(name.at[i]) && !memchr("!#$%&'*+-.^_`|~", name.at[i], 15))
            return false;
    return name.len != 0;
}

static bool value_is_clean(struct leat_slice value)
{
    for (uint32_t i = 0; i < value.len; i++)
        if ((value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7f)
            return false;
    return true;
}

/* These belong to the protocol: a second one would let two readers disagree about where a message ends. */
static bool name_is_ours(struct leat_slice name)
{
    static const char *const ours[] = {"content-length", "transfer-encoding", "connection",       "host",   "te",
                                       "upgrade",        "keep-alive",        "proxy-connection", "trailer"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (leat_slice_ieq(name, leat_slice_str(ours[i])))
            return true;
    return false;
}

static struct leat_header *find(struct leat_outgoing *out, struct leat_slice name)
{
    for (uint32_t i = 0; i < out->count; i++)
        if (leat_slice_ieq(out->at[i].name, name))
            return &out->at[i];
    return NULL;
}

static leat_rc copy_in(struct leat_outgoing *out, struct leat_slice *io_text, bool lower)
{
    struct copy *copy = leat_alloc(sizeof *copy + io_text->len + 1);
    if (!copy)
        return LEAT_ENOMEM;
    copy->next = out->copies;
    out->copies = copy;
    for (uint32_t i = 0; i < io_text->len; i++)
        copy->text[i] = (char)(lower ? tolower(io_text->at[i]) : io_text->at[i]);
    *io_text = leat_slice_of(copy->text, io_text->len);
    return LEAT_OK;
}

static bool has_capitals(struct leat_slice name)
{
    for (uint32_t i = 0; i < name.len; i++)
        if (isupper(name.at[i]))
            return true;
    return false;
}

leat_rc leat_deliver__outgoing_set(struct leat_outgoing *out, struct leat_slice name, struct leat_slice value,
                                   struct leat_err *reterr)
{
    if (!name_is_clean(name) || !value_is_clean(value))
        return LEAT_RAISE(reterr, LEAT_EREFUSED, 0, "header \"%.*s\" has characters that may not be sent",
                          (int)(name.len < 64 ? name.len : 64), (const char *)name.at);
    if (name_is_ours(name))
        return LEAT_RAISE(reterr, LEAT_EREFUSED, 0, "header \"%.*s\" is set by the protocol", LEAT_SLICE_ARGS(name));
    struct leat_header *header = find(out, name);
    if (header) {
        header->value = value;
        return LEAT_OK;
    }
    if (out->count == LEAT_OUTGOING_MAX)
        return LEAT_RAISE(reterr, LEAT_EREFUSED, 0, "more than %u headers", LEAT_OUTGOING_MAX);
    if (out->lower && has_capitals(name) && copy_in(out, &name, true) != LEAT_OK)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a header");
    out->at[out->count++] = (struct leat_header){.name = name, .value = value};
    return LEAT_OK;
}

/* ---- what an authenticator sees ---- */

static leat_rc sink_put(struct leat_header_sink *sink, struct leat_slice name, struct leat_slice value)
{
    struct leat_outgoing *out = (struct leat_outgoing *)sink;
    if (copy_in(out, &name, out->lower) != LEAT_OK || copy_in(out, &value, false) != LEAT_OK)
        return LEAT_ENOMEM;
    return leat_deliver__outgoing_set(out, name, value, NULL);
}

static leat_rc sink_remove(struct leat_header_sink *sink, struct leat_slice name)
{
    struct leat_outgoing *out = (struct leat_outgoing *)sink;
    struct leat_header *header = find(out, name);
    if (header)
        *header = out->at[--out->count];
    return LEAT_OK;
}

static bool sink_has(struct leat_header_sink *sink, struct leat_slice name)
{
    return find((struct leat_outgoing *)sink, name) != NULL;
}

/* ---- life ---- */

void leat_deliver__outgoing_init(struct leat_outgoing *out, bool lower)
{
    out->sink = (struct leat_header_sink){.put = sink_put, .remove = sink_remove, .has = sink_has};
    out->lower = lower;
    out->count = 0;
    out->copies = NULL;
}

void leat_deliver__outgoing_done(struct leat_outgoing *out)
{
    struct copy *copy = out->copies;
    while (copy) {
        struct copy *next = copy->next;
        leat_free(copy);
        copy = next;
    }
    out->copies = NULL;
    out->count = 0;
}

leat_rc leat_deliver__outgoing_fill(struct leat_outgoing *out, const struct leat_request *request,
                                    const struct leat_map *configured, const struct leat_client_auth *auth,
                                    const struct leat_meta *meta, struct leat_err *reterr)
{
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < request->header_count; i++)
        rc = leat_deliver__outgoing_set(out, request->headers[i].name, request->headers[i].value, reterr);
    for (uint32_t i = 0; rc == LEAT_OK && i < configured->count; i++)
        if (!name_is_ours(leat_slice_str(configured->at[i].key))) /* Host is the carrier's to place */
            rc = leat_deliver__outgoing_set(out, leat_slice_str(configured->at[i].key),
                                            leat_slice_str(configured->at[i].value), reterr);
    if (rc == LEAT_OK && auth)
        rc = auth->apply(auth->state, meta, &out->sink, reterr);
    return rc;
}

leat_rc leat_deliver__headers_check(const struct leat_map *configured, struct leat_err *reterr)
{
    for (uint32_t i = 0; i < configured->count; i++) {
        struct leat_slice name = leat_slice_str(configured->at[i].key), value = leat_slice_str(configured->at[i].value);
        if (!name_is_clean(name) || !value_is_clean(value))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "headers: \"%.64s\" cannot be sent: bad characters",
                              configured->at[i].key);
        if (name_is_ours(name) && !leat_slice_ieq(name, LEAT_SLICE("host")))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "headers: \"%.64s\" is set by the protocol",
                              configured->at[i].key);
    }
    return LEAT_OK;
}
