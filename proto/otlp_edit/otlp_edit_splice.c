/* SPDX-License-Identifier: Apache-2.0 */
/* Resources edited by splicing: per resource one new slice with the lengths above it, the rest shared. */
#include "proto/otlp_edit/otlp_append.h"
#include "proto/otlp_edit/otlp_edit_inner.h"

#define RESOURCE_TAG PB_TAG(1, PB_LEN) /* of a container in the request, and of the resource in its container */
#define HEADS_MAX 24u                  /* two tags and two lengths */

struct found {
    uint32_t count;
    uint64_t bytes;        /* of the bodies */
    uint64_t with_heads;   /* of the whole fields */
    struct pb_cursor body; /* of the last one */
};

/* What is done with a resource: an edit by a program, or bytes put behind it. */
struct splice;
struct splice_ops {
    leat_rc (*look)(struct splice *s, struct leat_slice resource, bool *ret_changed);
    leat_rc (*put)(struct splice *s, const struct found *found, struct leat_slice resource, uint64_t others);
};

struct splice {
    const struct splice_ops *ops;
    struct otlp_flat *flat;
    struct otlp_edit *edit; /* edits */
    const struct otlp_edit_context *context;
    struct otlp_append append; /* appends: the answer of the look */
    leat_rc (*asks)(void *ctx, struct leat_slice resource, struct otlp_append *ret);
    void *ctx;
    struct leat_chain out;
    struct pb_cursor kept; /* bytes that go on as they are and are not shared yet */
    uint64_t kept_bytes;
    uint64_t copied;
};

static leat_rc keep(struct splice *s, const struct pb_cursor *at, uint64_t bytes)
{
    if (s->kept_bytes && pb_cursor_offset(&s->kept) + s->kept_bytes != pb_cursor_offset(at)) {
        leat_rc rc = pb_cursor_share(&s->kept, s->kept_bytes, &s->out);
        s->kept_bytes = 0;
        if (rc != LEAT_OK)
            return rc;
    }
    if (!s->kept_bytes)
        s->kept = *at;
    s->kept_bytes += bytes;
    return LEAT_OK;
}

static leat_rc flush(struct splice *s)
{
    leat_rc rc = s->kept_bytes ? pb_cursor_share(&s->kept, s->kept_bytes, &s->out) : LEAT_OK;
    s->kept_bytes = 0;
    return rc;
}

/* ---- the resource of a container: all its field 1, which protobuf reads as one message ---- */

static leat_rc look(struct pb_cursor c, uint64_t end, struct found *ret)
{
    uint32_t tag;
    uint64_t len;
    *ret = (struct found){0};
    while (pb_cursor_offset(&c) < end) {
        uint64_t begin = pb_cursor_offset(&c);
        if (!pb_cursor_tag(&c, end, &tag))
            return LEAT_EPARSE;
        if (tag != RESOURCE_TAG) {
            if (!pb_cursor_skip_field(&c, end, tag & 7))
                return LEAT_EPARSE;
            continue;
        }
        if (!pb_cursor_length(&c, end, &len))
            return LEAT_EPARSE;
        ret->body = c;
        pb_cursor_skip(&c, len);
        ret->count++;
        ret->bytes += len;
        ret->with_heads += pb_cursor_offset(&c) - begin;
    }
    return LEAT_OK;
}

/* One occurrence is read in place where it can be; several are laid one behind the other. */
static leat_rc resource_of(struct splice *s, struct pb_cursor c, uint64_t end, const struct found *found,
                           struct leat_slice *ret)
{
    struct otlp_flat *flat = s->flat;
    struct pb_buf all = {flat->at, 0, flat->room, false};
    uint32_t tag;
    uint64_t len;
    leat_rc rc = LEAT_OK;
    *ret = (struct leat_slice){0};
    if (found->bytes > UINT32_MAX / 2)
        return LEAT_EPARSE;
    if (found->count > 1 && !pb_buf_room(&all, found->bytes + 1))
        return LEAT_ENOMEM;
    if (found->count > 1)
        *flat = (struct otlp_flat){all.at, (uint32_t)all.room};
    while (rc == LEAT_OK && pb_cursor_offset(&c) < end) {
        if (!pb_cursor_tag(&c, end, &tag))
            return LEAT_EPARSE;
        if (tag != RESOURCE_TAG) {
            rc = pb_cursor_skip_field(&c, end, tag & 7) ? LEAT_OK : LEAT_EPARSE;
        } else if (!pb_cursor_length(&c, end, &len)) {
            rc = LEAT_EPARSE;
        } else if (found->count == 1) {
            return otlp_edit__flat(&c, len, flat, ret);
        } else {
            rc = pb_cursor_get(&c, end, flat->at + ret->len, (uint32_t)len) ? LEAT_OK : LEAT_EPARSE;
            *ret = leat_slice_of(flat->at, ret->len + (uint32_t)len);
        }
    }
    return rc;
}

/* ---- writing ---- */

static leat_rc put(void *ctx, const void *at, uint32_t len)
{
    uint8_t **to = ctx;
    memcpy(*to, at, len);
    *to += len;
    return LEAT_OK;
}

static struct leat_mem *room_for(uint64_t len, uint8_t **ret_at)
{
    if (len <= LEAT_SMALL_BYTES_MAX)
        return leat_pool_small(leat_pool_here(), (uint32_t)len, ret_at);
    struct leat_mem *mem = len <= UINT32_MAX / 2 ? leat_mem_new((uint32_t)len) : NULL;
    if (mem)
        *ret_at = mem->at;
    return mem;
}

/* ---- a resource as edited ---- */

static leat_rc edit_look(struct splice *s, struct leat_slice resource, bool *ret_changed)
{
    leat_rc rc = otlp_edit__list_read(&s->edit->list, resource, 1);
    if (rc == LEAT_OK)
        rc = otlp_edit__apply(s->edit, &s->edit->list, s->context);
    *ret_changed = rc == LEAT_OK && s->edit->list.changed;
    return rc;
}

/* The container's head, its resource as edited, and both lengths. */
static leat_rc edit_put(struct splice *s, const struct found *was, struct leat_slice as_read, uint64_t others)
{
    (void)was;
    (void)as_read;
    const struct otlp_edit_list *list = &s->edit->list;
    uint64_t resource = otlp_edit__size(list);
    uint64_t field = 1 + pb_varint_size(resource) + resource;
    uint8_t *begin, *at;
    if (resource == 0)
        field = 0; /* nothing left of it */
    uint64_t most = HEADS_MAX + resource;
    struct leat_mem *mem = room_for(most, &begin);
    if (!mem)
        return LEAT_ENOMEM;
    at = pb_put_varint(pb_put_varint(begin, RESOURCE_TAG), field + others);
    if (field) {
        at = pb_put_varint(pb_put_varint(at, RESOURCE_TAG), resource);
        (void)otlp_edit__write(list, &(struct otlp_edit_sink){put, &at});
    }
    s->copied += resource;
    struct leat_slice made = {begin, (uint32_t)(at - begin), mem};
    leat_rc rc = leat_chain_take(&s->out, made);
    if (rc != LEAT_OK)
        leat_mem_unref(mem);
    return rc;
}

static const struct splice_ops edit_ops = {edit_look, edit_put};

/* ---- a resource with something behind it ---- */

static leat_rc append_look(struct splice *s, struct leat_slice resource, bool *ret_changed)
{
    s->append.block = (struct leat_slice){0};
    s->append.cut_count = 0;
    leat_rc rc = s->asks(s->ctx, resource, &s->append);
    *ret_changed = rc == LEAT_OK && (s->append.block.len || s->append.cut_count);
    return rc;
}

static leat_rc append_heads(struct splice *s, uint64_t resource, uint64_t others)
{
    uint8_t *begin, *at;
    struct leat_mem *mem = room_for(HEADS_MAX, &begin);
    if (!mem)
        return LEAT_ENOMEM;
    uint64_t field = resource ? 1 + pb_varint_size(resource) + resource : 0;
    at = pb_put_varint(pb_put_varint(begin, RESOURCE_TAG), field + others);
    if (field)
        at = pb_put_varint(pb_put_varint(at, RESOURCE_TAG), resource);
    leat_rc rc = leat_chain_take(&s->out, (struct leat_slice){begin, (uint32_t)(at - begin), mem});
    if (rc != LEAT_OK)
        leat_mem_unref(mem);
    return rc;
}

/* From the payload itself where the resource is one field, else (flat: laid together in scratch) from a copy. */
static leat_rc share_part(struct splice *s, const struct found *found, struct leat_slice resource, uint32_t from,
                          uint32_t to)
{
    struct pb_cursor c = found->body;
    if (to <= from)
        return LEAT_OK;
    if (found->count == 1) {
        pb_cursor_skip(&c, from);
        return pb_cursor_share(&c, to - from, &s->out);
    }
    s->copied += to - from;
    return leat_chain_copy(&s->out, resource.at + from, to - from);
}

static leat_rc append_put(struct splice *s, const struct found *found, struct leat_slice resource, uint64_t others)
{
    const struct otlp_append *append = &s->append;
    uint64_t size = (uint64_t)resource.len + append->block.len;
    uint32_t at = 0;
    for (uint32_t i = 0; i < append->cut_count; i++)
        size -= append->cuts[i].len;
    leat_rc rc = append_heads(s, size, others);
    for (uint32_t i = 0; rc == LEAT_OK && i < append->cut_count; i++) {
        rc = share_part(s, found, resource, at, append->cuts[i].offset);
        at = append->cuts[i].offset + append->cuts[i].len;
    }
    if (rc == LEAT_OK)
        rc = share_part(s, found, resource, at, resource.len);
    return rc == LEAT_OK && append->block.len ? leat_chain_share(&s->out, append->block) : rc;
}

static const struct splice_ops append_ops = {append_look, append_put};

/* ---- the walk ---- */

/* Everything of the container but its resource. */
static leat_rc keep_others(struct splice *s, struct pb_cursor c, uint64_t end)
{
    uint32_t tag;
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && pb_cursor_offset(&c) < end) {
        struct pb_cursor begin = c;
        if (!pb_cursor_tag(&c, end, &tag) || !pb_cursor_skip_field(&c, end, tag & 7))
            return LEAT_EPARSE;
        if (tag != RESOURCE_TAG)
            rc = keep(s, &begin, pb_cursor_offset(&c) - pb_cursor_offset(&begin));
    }
    return rc;
}

static leat_rc container(struct splice *s, const struct pb_cursor *field, struct pb_cursor body, uint64_t len)
{
    uint64_t begin = pb_cursor_offset(field), end = pb_cursor_offset(&body) + len;
    struct found found;
    struct leat_slice resource;
    leat_rc rc = look(body, end, &found);
    if (rc == LEAT_OK)
        rc = resource_of(s, body, end, &found, &resource);
    bool changed = false;
    if (rc == LEAT_OK)
        rc = s->ops->look(s, resource, &changed);
    if (rc != LEAT_OK)
        return rc;
    if (!changed)
        return keep(s, field, end - begin);
    rc = flush(s);
    if (rc == LEAT_OK)
        rc = s->ops->put(s, &found, resource, len - found.with_heads);
    return rc == LEAT_OK ? keep_others(s, body, end) : rc;
}

static leat_rc all(struct splice *s, const struct leat_chain *payload)
{
    struct pb_cursor c = pb_cursor_at_start(payload);
    uint64_t len;
    uint32_t tag;
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && pb_cursor_offset(&c) < payload->bytes) {
        struct pb_cursor field = c;
        if (!pb_cursor_tag(&c, payload->bytes, &tag))
            return LEAT_EPARSE;
        if (tag != RESOURCE_TAG) {
            if (!pb_cursor_skip_field(&c, payload->bytes, tag & 7))
                return LEAT_EPARSE;
            rc = keep(s, &field, pb_cursor_offset(&c) - pb_cursor_offset(&field));
            continue;
        }
        if (!pb_cursor_length(&c, payload->bytes, &len))
            return LEAT_EPARSE;
        rc = container(s, &field, c, len);
        pb_cursor_skip(&c, len);
    }
    return rc == LEAT_OK ? flush(s) : rc;
}

static leat_rc run(struct splice *s, const struct leat_chain *payload, struct leat_chain *ret_payload,
                   const char *what, struct leat_err *reterr)
{
    leat_rc rc = all(s, payload);
    *ret_payload = (struct leat_chain){0};
    if (rc != LEAT_OK) {
        leat_chain_done(&s->out);
        return LEAT_RAISE(reterr, rc, 0, "otlp: %s resources", what);
    }
    leat_copied(s->copied);
    *ret_payload = s->out;
    return LEAT_OK;
}

leat_rc otlp_edit_resources(struct otlp_edit *edit, enum leat_signal signal, const struct leat_chain *payload,
                            const struct otlp_edit_context *context, struct leat_chain *ret_payload,
                            struct leat_err *reterr)
{
    (void)signal; /* resources stand at the same place in all of them */
    struct splice s = {.ops = &edit_ops, .flat = &edit->flat, .edit = edit, .context = context};
    return run(&s, payload, ret_payload, "editing", reterr);
}

leat_rc otlp_append_resources(const struct leat_chain *payload, struct otlp_flat *flat,
                              leat_rc (*look_at)(void *ctx, struct leat_slice resource, struct otlp_append *ret),
                              void *ctx, struct leat_chain *ret_payload, struct leat_err *reterr)
{
    struct splice s = {.ops = &append_ops, .flat = flat, .asks = look_at, .ctx = ctx};
    return run(&s, payload, ret_payload, "adding to", reterr);
}

void otlp_append_done(struct otlp_flat *flat)
{
    otlp_edit__flat_done(flat);
}
