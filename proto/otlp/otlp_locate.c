/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp/otlp_locate.h"

#include <stdio.h>

#include "proto/protobuf/pb_read.h"

struct path {
    char *text;
    size_t room, len;
};

static void add(struct path *path, const struct otlp_field *f, uint32_t number, uint32_t index)
{
    char name[64];
    if (!f)
        (void)snprintf(name, sizeof name, "field %u", number);
    else if (f->flags & OTLP_REPEATED && f->kind == OTLP_MSG)
        (void)snprintf(name, sizeof name, "%s[%u]", f->name, index);
    else
        (void)snprintf(name, sizeof name, "%s", f->name);
    int n = snprintf(path->text + path->len, path->room - path->len, "%s%s", path->len ? "." : "", name);
    if (n > 0)
        path->len = path->len + (size_t)n < path->room ? path->len + (size_t)n : path->room - 1;
}

/* Finds the field of [cursor, limit) that holds the offset. True: it is a message to look into, ending at *ret_end. */
static bool step(struct path *path, const struct otlp_msg **msg, struct pb_cursor *c, uint64_t limit, uint64_t offset,
                 uint64_t *ret_end)
{
    uint32_t seen[18] = {0}; /* by number; the highest is 16 */
    uint32_t tag;
    for (;;) {
        uint64_t begin = pb_cursor_offset(c);
        if (begin >= limit || !pb_cursor_tag(c, limit, &tag))
            return false;
        const struct otlp_field *f = otlp_field_by_number(*msg, tag >> 3);
        struct pb_cursor body = *c;
        uint64_t len;
        bool delimited = (tag & 7) == PB_LEN && pb_cursor_length(&body, limit, &len);
        uint32_t index = f ? seen[f->number]++ : 0;
        if (begin == offset) {
            add(path, f, tag >> 3, index);
            return false;
        }
        if (delimited && f && f->kind == OTLP_MSG && offset < pb_cursor_offset(&body) + len) {
            add(path, f, tag >> 3, index);
            *ret_end = pb_cursor_offset(&body) + len;
            *c = body;
            *msg = f->msg;
            return true;
        }
        if (!pb_cursor_skip_field(c, limit, tag & 7))
            return false;
    }
}

void otlp_locate(const struct otlp_msg *root, const struct leat_chain *payload, uint64_t offset, char *text,
                 size_t room)
{
    struct path path = {text, room, 0};
    struct pb_cursor c = pb_cursor_at_start(payload);
    uint64_t limit = payload->bytes;
    text[0] = 0;
    while (step(&path, &root, &c, limit, offset, &limit))
        ;
    if (path.len == 0)
        (void)snprintf(text, room, "byte %llu", (unsigned long long)offset);
}
