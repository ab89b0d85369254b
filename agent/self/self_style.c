/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/self/self_style.h"

#include <ctype.h>
#include <string.h>

#define ATTRIBUTES_MAX 64u
#define DEFAULTS 3u

struct attribute {
    const char *key, *value;
};
struct attributes {
    struct attribute at[ATTRIBUTES_MAX + DEFAULTS];
    uint32_t count;
};

/* ---- the resource ---- */

static void set(struct attributes *attributes, const char *key, const char *value)
{
    uint32_t i = 0;
    while (i < attributes->count && strcmp(attributes->at[i].key, key) != 0)
        i++;
    if (i == ATTRIBUTES_MAX + DEFAULTS)
        return;
    attributes->at[i] = (struct attribute){key, value};
    if (i == attributes->count)
        attributes->count++;
}

static void attributes_of(const struct leat_self_style *style, struct attributes *attributes)
{
    *attributes = (struct attributes){0};
    set(attributes, "service.name", "leat");
    set(attributes, "service.version", LEAT_VERSION);
    set(attributes, "service.instance.id", style->instance_id);
    for (uint32_t i = 0; i < style->resource.count; i++)
        set(attributes, style->resource.at[i].key, style->resource.at[i].value);
}

/* Prometheus' alphabet for label names: what is not in it becomes '_'. */
static void put_label(struct leat_strbuf *out, const struct attribute *attribute)
{
    if (isdigit((unsigned char)attribute->key[0]))
        leat_strbuf_putc(out, '_');
    for (const char *c = attribute->key; *c; c++)
        leat_strbuf_putc(out, isalnum((unsigned char)*c) ? *c : '_');
    leat_strbuf_putc(out, '=');
    leat_strbuf_json(out, attribute->value, strlen(attribute->value));
}

void leat_self_target_info(const struct leat_self_style *style, struct leat_strbuf *out)
{
    struct attributes attributes;
    const char *before = "target_info{";
    attributes_of(style, &attributes);
    leat_strbuf_puts(out, "# HELP target_info who this is\n# TYPE target_info gauge\n");
    for (uint32_t i = 0; i < attributes.count; i++)
        if (attributes.at[i].value) {
            leat_strbuf_puts(out, before);
            put_label(out, &attributes.at[i]);
            before = ",";
        }
    leat_strbuf_puts(out, *before == ',' ? "} 1\n" : "target_info 1\n");
}

static void constant_labels(const struct leat_self_style *style, struct leat_strbuf *out)
{
    struct attributes attributes;
    attributes_of(style, &attributes);
    for (uint32_t i = 0; i < attributes.count; i++)
        for (uint32_t k = 0; attributes.at[i].value && k < style->constant_labels.count; k++)
            if (strcmp(style->constant_labels.at[k], attributes.at[i].key) == 0) {
                leat_strbuf_puts(out, out->len ? "," : "");
                put_label(out, &attributes.at[i]);
            }
}

/* ---- lines ---- */

struct text {
    const char *at;
    size_t len;
};

static bool begins(struct text text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.at, with, len) == 0;
}

static bool ends(struct text text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.at + text.len - len, with, len) == 0;
}

static struct text word(const char *at, const char *end) /* up to a space, a brace or the end of the line */
{
    const char *to = at;
    while (to < end && *to != ' ' && *to != '{' && *to != '\n')
        to++;
    return (struct text){at, (size_t)(to - at)};
}

static const char *unit_of(struct text name)
{
    if (begins(name, "otelcol_process_uptime") || begins(name, "otelcol_process_cpu_seconds"))
        return "_seconds";
    return begins(name, "otelcol_process_") ? "_bytes" : "";
}

/* Unit, then type: otelcol_process_uptime_seconds_total. */
static void put_name(const struct leat_self_style *style, struct text name, bool is_counter, struct leat_strbuf *out)
{
    leat_strbuf_put(out, name.at, name.len);
    if (!begins(name, "otelcol_"))
        return;
    const char *unit = unit_of(name);
    if (style->units && !ends(name, unit))
        leat_strbuf_puts(out, unit);
    if (style->type_suffix && is_counter)
        leat_strbuf_puts(out, "_total");
}

static void put_sample(const struct leat_self_style *style, struct text name, struct text rest, bool is_counter,
                       const struct leat_strbuf *labels, struct leat_strbuf *out)
{
    static const char scope[] =
        "otel_scope_name=\"leat\",otel_scope_schema_url=\"\",otel_scope_version=\"" LEAT_VERSION "\"";
    bool with_scope = style->scope && begins(name, "otelcol_"), has_own = begins(rest, "{");
    put_name(style, name, is_counter, out);
    if (!with_scope && labels->len == 0) {
        leat_strbuf_put(out, rest.at, rest.len);
        return;
    }
    leat_strbuf_putc(out, '{');
    leat_strbuf_put(out, labels->at, labels->len);
    leat_strbuf_puts(out, with_scope && labels->len ? "," : "");
    leat_strbuf_puts(out, with_scope ? scope : "");
    leat_strbuf_puts(out, has_own ? "," : "}");
    leat_strbuf_put(out, rest.at + has_own, rest.len - has_own);
}

/* Of a family whose HELP line this is: the TYPE line follows. */
static bool counter_follows(const char *line, const char *end)
{
    const char *next = memchr(line, '\n', (size_t)(end - line));
    const char *last = next ? memchr(next + 1, '\n', (size_t)(end - next - 1)) : NULL;
    return last && ends((struct text){next, (size_t)(last - next)}, " counter");
}

void leat_self_restyle(const struct leat_self_style *style, const struct leat_strbuf *page, struct leat_strbuf *out)
{
    struct leat_strbuf labels = {0};
    bool is_counter = false;
    constant_labels(style, &labels);
    const char *end = page->at + page->len, *next;
    for (const char *line = page->at; line < end; line = next) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        next = stop ? stop + 1 : end;
        bool comment = begins((struct text){line, (size_t)(next - line)}, "# ");
        if (comment && line[2] == 'H')
            is_counter = counter_follows(line, end);
        const char *from = comment ? line + sizeof "# HELP " - 1 : line;
        struct text name = word(from, next), rest = {name.at + name.len, (size_t)(next - name.at) - name.len};
        leat_strbuf_put(out, line, (size_t)(from - line));
        if (!comment) {
            put_sample(style, name, rest, is_counter, &labels, out);
            continue;
        }
        put_name(style, name, is_counter, out);
        leat_strbuf_put(out, rest.at, rest.len);
    }
    out->failed |= labels.failed;
    leat_strbuf_done(&labels);
}
