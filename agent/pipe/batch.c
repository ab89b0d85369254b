/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pipe/batch.h"

#include <arpa/inet.h>
#include <string.h>

#include "agent/base/alloc.h"
#include "agent/base/obj.h"

static const char *append(char **to, const char *text)
{
    size_t size = strlen(text) + 1;
    char *at = memcpy(*to, text, size);
    *to += size;
    return at;
}

struct leat_meta *leat_meta_new(const struct leat_meta_pair *pairs, uint32_t count)
{
    size_t bytes = sizeof(struct leat_meta) + count * sizeof *pairs;
    for (uint32_t i = 0; i < count; i++)
        bytes += strlen(pairs[i].key) + strlen(pairs[i].value) + 2;
    struct leat_meta *meta = leat_alloc(bytes);
    if (!meta)
        return NULL;
    meta->refs = 1;
    meta->count = count;
    char *to = (char *)&meta->pairs[count];
    for (uint32_t i = 0; i < count; i++) {
        meta->pairs[i].key = append(&to, pairs[i].key);
        meta->pairs[i].value = append(&to, pairs[i].value);
    }
    return meta;
}

struct leat_meta *leat_meta_ref(struct leat_meta *meta)
{
    if (meta)
        meta->refs++;
    return meta;
}

struct leat_meta *leat_meta_unref(struct leat_meta *meta)
{
    if (meta && --meta->refs == 0)
        leat_free(meta);
    return NULL;
}

const char *leat_meta_get(const struct leat_meta *meta, const char *key)
{
    for (uint32_t i = 0; meta && i < meta->count; i++)
        if (strcmp(meta->pairs[i].key, key) == 0)
            return meta->pairs[i].value;
    return NULL;
}

bool leat_meta_eq(const struct leat_meta *a, const struct leat_meta *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->pairs[i].key, b->pairs[i].key) != 0 || strcmp(a->pairs[i].value, b->pairs[i].value) != 0)
            return false;
    return true;
}

/* ---- peers ---- */

void leat_peer_parse(const char *text, uint8_t peer[LEAT_PEER_BYTES])
{
    char host[64];
    const char *end = text ? strrchr(text, ':') : NULL;
    bool v6 = text && text[0] == '[';
    size_t len = end ? (size_t)(end - text) : 0;
    memset(peer, 0, LEAT_PEER_BYTES);
    if (v6 && len > 2 && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof host)
        return;
    memcpy(host, text, len);
    host[len] = 0;
    host[strcspn(host, "%")] = 0; /* the zone of a link-local address */
    if (v6 && inet_pton(AF_INET6, host, peer) == 1)
        return;
    if (!v6 && inet_pton(AF_INET, host, peer + 12) == 1) {
        peer[10] = peer[11] = 0xff;
        return;
    }
    memset(peer, 0, LEAT_PEER_BYTES);
}

bool leat_peer_known(const uint8_t peer[LEAT_PEER_BYTES])
{
    static const uint8_t none[LEAT_PEER_BYTES];
    return memcmp(peer, none, LEAT_PEER_BYTES) != 0;
}

void leat_peer_merge(uint8_t into[LEAT_PEER_BYTES], const uint8_t from[LEAT_PEER_BYTES])
{
    if (memcmp(into, from, LEAT_PEER_BYTES) != 0)
        memset(into, 0, LEAT_PEER_BYTES);
}

/* ---- batches ---- */

struct leat_batch *leat_batch_new(enum leat_signal signal, const struct leat_form_ops *form)
{
    struct leat_batch *batch = leat_obj_new(sizeof *batch);
    if (!batch)
        return NULL;
    batch->signal = signal;
    batch->form = form;
    leat_list_init(&batch->link);
    return batch;
}

struct leat_batch *leat_batch_share(const struct leat_batch *batch)
{
    struct leat_batch *twin = leat_batch_new(batch->signal, batch->form);
    if (!twin)
        return NULL;
    if (leat_chain_share_all(&twin->payload, &batch->payload) != LEAT_OK) {
        leat_batch_free(twin);
        return NULL;
    }
    twin->item_count = batch->item_count;
    twin->pinned_bytes = batch->pinned_bytes;
    twin->meta = leat_meta_ref(batch->meta);
    memcpy(twin->peer, batch->peer, sizeof twin->peer);
    twin->patient = batch->patient;
    twin->ack = batch->ack;
    twin->born_ns = batch->born_ns;
    return twin;
}

void leat_batch_free(struct leat_batch *batch)
{
    if (!batch)
        return;
    leat_chain_done(&batch->payload);
    leat_meta_unref(batch->meta);
    leat_obj_free(batch, sizeof *batch);
}

void leat_batch_end(struct leat_batch *batch, enum leat_outcome outcome, enum leat_drop reason)
{
    struct leat_ack *ack = batch->ack;
    leat_ack_settle(ack, outcome, reason, batch->item_count);
    leat_batch_free(batch);
    leat_ack_close(ack);
}
