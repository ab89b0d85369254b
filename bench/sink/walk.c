/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/sink/walk.h"

#include <stdbool.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct cursor {
    const uint8_t *at, *end;
};

struct field {
    uint64_t tag;          /* number and wire type */
    struct cursor content; /* of a WIRE_BYTES field */
};

/* The way from the body to its items, and from an item to its line. Numbers are field numbers; 0 ends. */
static const struct path {
    uint8_t item[4], line[3];
} paths[] = {
    [BENCH_OTLP] = {{1, 2, 2, 0}, {5, 1, 0}},
    [BENCH_LOKI] = {{1, 2, 0}, {2, 0}},
    [BENCH_WRITE_1] = {{1, 2, 0}, {0}},
    [BENCH_WRITE_2] = {{5, 2, 0}, {0}},
};

static bool varint(struct cursor *c, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
        uint8_t byte = *c->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct cursor *c, uint64_t len)
{
    if (len > (uint64_t)(c->end - c->at))
        return false;
    c->at += len;
    return true;
}

static bool next(struct cursor *c, struct field *field)
{
    uint64_t value;
    if (!varint(c, &field->tag))
        return false;
    switch (field->tag & 7) {
    case WIRE_VARINT:
        return varint(c, &value);
    case WIRE_64:
        return skip(c, 8);
    case WIRE_32:
        return skip(c, 4);
    case WIRE_BYTES:
        if (!varint(c, &value))
            return false;
        field->content.at = c->at;
        if (!skip(c, value))
            return false;
        field->content.end = c->at;
        return true;
    default:
        return false;
    }
}

static uint64_t tag_of(uint8_t number)
{
    return (uint64_t)number << 3 | WIRE_BYTES;
}

/* The content at the end of `path` inside `from`; at == NULL when it is not there. */
static struct cursor find(struct cursor from, const uint8_t *path)
{
    struct field field;
    while (*path) {
        bool found = false;
        while (!found && from.at < from.end && next(&from, &field))
            found = field.tag == tag_of(*path);
        if (!found)
            return (struct cursor){0};
        from = field.content;
        path++;
    }
    return from;
}

struct walk {
    const struct path *path;
    bench_line_fn *line;
    void *context;
    int64_t items;
};

static void show(struct walk *walk, struct cursor item)
{
    struct cursor line = find(item, walk->path->line);
    walk->line(walk->context, line.at, (size_t)(line.end - line.at));
}

static bool descend(struct walk *walk, struct cursor c, const uint8_t *path)
{
    struct field field;
    while (c.at < c.end) {
        if (!next(&c, &field))
            return false;
        if (field.tag != tag_of(path[0]))
            continue;
        if (path[1]) {
            if (!descend(walk, field.content, path + 1))
                return false;
        } else {
            walk->items++;
            if (walk->line)
                show(walk, field.content);
        }
    }
    return true;
}

int64_t bench_walk(enum bench_form form, const uint8_t *at, size_t len, bench_line_fn *line, void *context)
{
    struct walk walk = {.path = &paths[form], .line = line, .context = context};
    if (len == 0)
        return 0;
    return descend(&walk, (struct cursor){at, at + len}, walk.path->item) ? walk.items : -1;
}
