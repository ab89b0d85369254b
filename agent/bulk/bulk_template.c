/* SPDX-License-Identifier: Apache-2.0 */
/* The index template: what `prepare` puts before the first document, unless there is one by that name. */
#include "agent/bulk/bulk.h"

#define PRIORITY 200u /* above the servers' own; more exact patterns win over less exact ones */

uint32_t leat_bulk__prefix(const struct bulk_index *index, char to[BULK_INDEX_NAME_MAX + 1], bool *ret_exact)
{
    uint32_t len = 0, i = 0;
    for (; i < index->count && !index->pieces[i].attribute; i++) {
        struct leat_slice text = index->pieces[i].text;
        uint32_t room = BULK_INDEX_NAME_MAX - len, n = text.len < room ? text.len : room;
        memcpy(to + len, text.at, n);
        len += n;
    }
    to[len] = 0;
    *ret_exact = i == index->count && !(index->time_format && *index->time_format);
    return len;
}

/* Fields that are no short strings; what is not named here is a keyword, a number, a truth value. */
static const char *properties_of(enum bulk_mapping mapping)
{
    static const char ss4o[] =
        "\"@timestamp\":{\"type\":\"date_nanos\"},\"observedTimestamp\":{\"type\":\"date_nanos\"},"
        "\"startTime\":{\"type\":\"date_nanos\"},\"endTime\":{\"type\":\"date_nanos\"},"
        "\"body\":{\"type\":\"text\"},\"events\":{\"properties\":{\"@timestamp\":{\"type\":\"date_nanos\"},"
        "\"observedTimestamp\":{\"type\":\"date_nanos\"}}},"
        "\"attributes\":{\"type\":\"object\"},\"resource\":{\"type\":\"object\"}";
    static const char model[] =
        "\"@timestamp\":{\"type\":\"date_nanos\"},\"Body\":{\"type\":\"text\"},\"Attributes\":{\"type\":\"object\"}";
    static const char otel[] =
        "\"@timestamp\":{\"type\":\"date_nanos\",\"format\":\"epoch_millis||strict_date_optional_time_nanos\"},"
        "\"observed_timestamp\":{\"type\":\"date_nanos\",\"format\":\"epoch_millis||strict_date_optional_time_nanos\"},"
        "\"body\":{\"properties\":{\"text\":{\"type\":\"text\"}}},\"attributes\":{\"type\":\"object\"},"
        "\"resource\":{\"type\":\"object\"}";
    static const char ecs[] = "\"@timestamp\":{\"type\":\"date_nanos\"},\"message\":{\"type\":\"text\"}";
    static const char bodymap[] = "\"@timestamp\":{\"type\":\"date_nanos\"}";
    static const char *const all[] = {[BULK_SS4O] = ss4o,       [BULK_MODEL] = model, [BULK_FLATTEN] = model,
                                      [BULK_BODYMAP] = bodymap, [BULK_OTEL] = otel,   [BULK_ECS] = ecs};
    return all[mapping];
}

static void put_template(const struct leat_bulk *bulk, struct leat_strbuf *out)
{
    char prefix[BULK_INDEX_NAME_MAX + 1];
    bool exact;
    uint32_t len = leat_bulk__prefix(&bulk->index, prefix, &exact);
    leat_strbuf_puts(out, "{\"index_patterns\":[\"");
    json_put_escaped(out, prefix, len);
    leat_strbuf_puts(out, exact ? "\"]," : "*\"],");
    leat_strbuf_printf(out, "\"priority\":%u,", PRIORITY + len);
    if (bulk->conf.data_stream)
        leat_strbuf_puts(out, "\"data_stream\":{},");
    leat_strbuf_puts(
        out, "\"template\":{\"mappings\":{\"dynamic_templates\":[{\"strings\":{\"match_mapping_type\":\"string\","
             "\"mapping\":{\"type\":\"keyword\",\"ignore_above\":1024}}}],\"date_detection\":false,\"properties\":{");
    leat_strbuf_puts(out, properties_of(bulk->conf.doc.mapping));
    leat_strbuf_puts(out, "}}}}");
}

leat_rc leat_bulk_prepare(void *state, struct leat_requests *out, struct leat_err *reterr)
{
    struct leat_bulk *bulk = state;
    char prefix[BULK_INDEX_NAME_MAX + 1];
    bool exact;
    if (!bulk->conf.put_template ||
        leat_bulk__prefix(&bulk->index, prefix, &exact) == 0) /* none for everything there is */
        return LEAT_OK;
    struct leat_strbuf text = {0};
    struct leat_request *request = leat_requests_add(out);
    put_template(bulk, &text);
    leat_rc rc = !request || text.failed ? LEAT_ENOMEM : leat_chain_copy(&request->body, text.at, (uint32_t)text.len);
    leat_strbuf_done(&text);
    if (rc == LEAT_OK)
        rc = leat_bulk__headers(bulk, request, LEAT_SLICE("application/json"));
    if (rc != LEAT_OK)
        return LEAT_RAISE(reterr, rc, 0, "no memory for an index template");
    request->urls = (const char *const *)bulk->template_urls;
    request->url_count = bulk->conf.endpoint_count;
    request->url = bulk->template_urls[0];
    request->tag = LEAT_BULK__TEMPLATE;
    return LEAT_OK;
}

static bool body_has(const struct leat_reply *reply, const char *words)
{
    return reply->body.len && memmem(reply->body.at, reply->body.len, words, strlen(words)) != NULL;
}

/* A template that is there already is somebody's: it stays as it is. */
leat_rc leat_bulk__judge_template(const struct leat_reply *reply, struct leat_verdict *out)
{
    bool there = reply->status == 400 && (body_has(reply, "already exists") || body_has(reply, "same priority"));
    if (there || reply->status / 100 == 2)
        return leat_verdict_delivered(out, 0);
    return leat_verdict_retry(out, "index template: status %d: %.*s", reply->status,
                              (int)(reply->body.len < 128 ? reply->body.len : 128), (const char *)reply->body.at);
}
