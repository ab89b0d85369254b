/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata in 1.0: requests of their own, each family once a minute. */
#include "exporters/prometheus_remote_write/prometheus_remote_write.h"

#include "agent/base/alloc.h"

#define MINUTE_NS 60000000000ull
#define FAMILIES_MAX 131072u /* names noted in a minute; more go without */
#define REQUEST_MAX 2000u    /* families in one request */

static uint64_t hash_of(struct leat_slice name)
{
    struct rw_key key = rw_otlp__key(name.at, name.len);
    return key.a ? key.a : 1;
}

static bool grow(struct prw_state *prw)
{
    uint32_t size = prw->family_size ? prw->family_size * 2 : 256;
    uint64_t *families = leat_zalloc(size, sizeof *families);
    if (!families)
        return false;
    for (uint32_t i = 0; i < prw->family_size; i++) {
        uint64_t hash = prw->families[i], at = hash & (size - 1);
        if (!hash)
            continue;
        while (families[at])
            at = (at + 1) & (size - 1);
        families[at] = hash;
    }
    leat_free(prw->families);
    prw->families = families;
    prw->family_size = size;
    return true;
}

/* False: it was there. */
static bool note(struct prw_state *prw, uint64_t hash)
{
    uint64_t at = hash & (prw->family_size - 1);
    for (; prw->families[at]; at = (at + 1) & (prw->family_size - 1))
        if (prw->families[at] == hash)
            return false;
    prw->families[at] = hash;
    prw->family_count++;
    return true;
}

bool prw__metadata_note(struct prw_state *prw, const struct leat_prom_family *family, const struct rw_outgoing *outgoing,
                        struct leat_requests *out, const struct leat_batch *batch)
{
    uint64_t minute = prw->world->mono_ns(prw->world) / MINUTE_NS + 1;
    if (minute != prw->minute && prw->families)
        memset(prw->families, 0, prw->family_size * sizeof *prw->families);
    if (minute != prw->minute)
        prw->family_count = 0;
    prw->minute = minute;
    if (prw->family_count >= FAMILIES_MAX)
        return true;
    if (prw->family_count >= prw->family_size / 2 && !grow(prw))
        return false;
    if (!note(prw, hash_of(family->name)))
        return true;
    rw1_metadata(&prw->metadata, outgoing, family);
    return ++prw->metadata_count < REQUEST_MAX || prw__metadata_end(prw, out, batch);
}

bool prw__metadata_end(struct prw_state *prw, struct leat_requests *out, const struct leat_batch *batch)
{
    if (prw->metadata_count == 0)
        return true;
    struct leat_chain body = {0};
    bool packed = rw_snappy(&prw->two.snappy, &prw->metadata, &body);
    struct leat_request *request = packed ? leat_requests_add(out) : NULL;
    prw->metadata.len = 0;
    prw->metadata.failed = false;
    prw->metadata_count = 0;
    if (!request) {
        leat_chain_done(&body);
        return false;
    }
    request->body = body;
    request->tag = PRW_KIND_METADATA;
    return prw__headers(prw, batch, out, request, PRW_KIND_METADATA);
}
