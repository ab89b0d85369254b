/* SPDX-License-Identifier: Apache-2.0 */
#include "config/print.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define REDACTED "\"[REDACTED]\""

static void indent_by(struct leat_strbuf *out, uint32_t indent)
{
    for (uint32_t i = 0; i < indent; i++)
        leat_strbuf_putc(out, ' ');
}

/* Plain where YAML reads it back as the same string, else quoted as JSON, which YAML reads too. A dollar is doubled, so
 * that the printed file loads again as it is. */
static void put_text(const char *text, struct leat_strbuf *out)
{
    struct leat_node node = {.text = text, .len = (uint32_t)strlen(text)};
    bool plain = leat_node_scalar(&node, NULL, NULL, NULL) == LEAT_SCALAR_STRING && node.len < 200;
    for (const char *at = text; *at && plain; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_' || *at == '/';
        bool inner = (*at >= '0' && *at <= '9') || *at == '-' || *at == '.';
        plain = letter || (inner && (at > text || *at != '-'));
    }
    if (plain) {
        leat_strbuf_puts(out, text);
        return;
    }
    struct leat_strbuf doubled = {0};
    for (const char *at = text; *at; at++) {
        leat_strbuf_putc(&doubled, *at);
        if (*at == '$')
            leat_strbuf_putc(&doubled, '$');
    }
    if (doubled.failed)
        out->failed = true;
    else
        leat_strbuf_json(out, doubled.at ? doubled.at : "", doubled.len);
    leat_strbuf_done(&doubled);
}

static void put_double(double value, struct leat_strbuf *out)
{
    leat_strbuf_printf(out, "%.17g", value);
    if (value == floor(value) && fabs(value) < 1e15)
        leat_strbuf_puts(out, ".0");
}

static void put_value(const struct leat_value *value, struct leat_strbuf *out)
{
    switch (value->kind) {
    case LEAT_NULL:
        leat_strbuf_puts(out, "null");
        return;
    case LEAT_VALUE_BOOL:
        leat_strbuf_puts(out, value->b ? "true" : "false");
        return;
    case LEAT_VALUE_INT:
        leat_strbuf_printf(out, "%" PRId64, value->i);
        return;
    case LEAT_VALUE_DOUBLE:
        leat_strbuf_puts(out, value->text);
        return;
    case LEAT_VALUE_STRING:
        put_text(value->text, out);
        return;
    case LEAT_VALUE_LIST:
    case LEAT_VALUE_MAP:
        break;
    }
    bool is_map = value->kind == LEAT_VALUE_MAP;
    leat_strbuf_putc(out, is_map ? '{' : '[');
    for (uint32_t i = 0; i < value->count; i++) {
        leat_strbuf_puts(out, i ? ", " : "");
        if (is_map) {
            put_text(value->keys[i], out);
            leat_strbuf_puts(out, ": ");
        }
        put_value(&value->items[i], out);
    }
    leat_strbuf_putc(out, is_map ? '}' : ']');
}

static void put_strings(const struct leat_strings *list, bool secret, struct leat_strbuf *out)
{
    leat_strbuf_putc(out, '[');
    for (uint32_t i = 0; i < list->count; i++) {
        leat_strbuf_puts(out, i ? ", " : "");
        if (secret)
            leat_strbuf_puts(out, REDACTED);
        else
            put_text(list->at[i], out);
    }
    leat_strbuf_putc(out, ']');
}

static void put_map(const struct leat_map *map, bool secret, struct leat_strbuf *out)
{
    leat_strbuf_putc(out, '{');
    for (uint32_t i = 0; i < map->count; i++) {
        leat_strbuf_puts(out, i ? ", " : "");
        put_text(map->at[i].key, out);
        leat_strbuf_puts(out, ": ");
        if (secret)
            leat_strbuf_puts(out, REDACTED);
        else
            put_text(map->at[i].value, out);
    }
    leat_strbuf_putc(out, '}');
}

static void put_scalar(const struct leat_field *field, const void *at, struct leat_strbuf *out)
{
    bool secret = field->flags & LEAT_SECRET;
    const char *text = field->type == LEAT_STRING ? *(const char *const *)at : NULL;
    switch (field->type) {
    case LEAT_BOOL:
        leat_strbuf_puts(out, *(const bool *)at ? "true" : "false");
        break;
    case LEAT_INT:
    case LEAT_SIZE:
        leat_strbuf_printf(out, "%" PRId64, *(const int64_t *)at);
        break;
    case LEAT_DOUBLE:
        put_double(*(const double *)at, out);
        break;
    case LEAT_DURATION:
        leat_schema_duration_text(*(const int64_t *)at, out);
        break;
    case LEAT_ENUM:
        put_text(field->choices[*(const int *)at], out);
        break;
    case LEAT_STRINGS:
        put_strings(at, secret, out);
        break;
    case LEAT_MAP:
        put_map(at, secret, out);
        break;
    case LEAT_VALUE:
        if (secret)
            leat_strbuf_puts(out, REDACTED);
        else
            put_value(at, out);
        break;
    default:
        if (secret && text[0])
            leat_strbuf_puts(out, REDACTED);
        else
            put_text(text, out);
    }
}

static void put_list(const struct leat_field *field, const struct leat_items *items, uint32_t indent,
                     struct leat_strbuf *out)
{
    leat_strbuf_puts(out, items->count ? "\n" : " []\n");
    for (uint32_t i = 0; i < items->count; i++) {
        indent_by(out, indent);
        leat_strbuf_puts(out, "-\n");
        leat_print_fields(field->fields, (const char *)items->at + (size_t)i * field->item_size, indent + 2, out);
    }
}

/* A section that was not asked for, a string nobody set and keys without effect are left out. */
static bool shown(const struct leat_field *field, const char *conf)
{
    const void *at = conf + field->offset;
    if (field->flags & LEAT_DEPRECATED || field->type == LEAT_IGNORED || field->type == LEAT_REFUSED ||
        field->type == LEAT_INLINE)
        return false;
    if (field->type == LEAT_SECTION && field->present)
        return *(const bool *)(const void *)(conf + field->present - 1);
    if (field->type == LEAT_STRING)
        return *(const char *const *)at != NULL;
    if (field->type == LEAT_VALUE)
        return ((const struct leat_value *)at)->kind != LEAT_NULL;
    return true;
}

void leat_print_fields(const struct leat_field *fields, const void *conf, uint32_t indent, struct leat_strbuf *out)
{
    for (const struct leat_field *field = fields; field && field->key; field++) {
        const char *base = conf;
        if (field->type == LEAT_INLINE)
            leat_print_fields(field->fields, base + field->offset, indent, out);
        if (!shown(field, base))
            continue;
        indent_by(out, indent);
        put_text(field->key, out);
        leat_strbuf_putc(out, ':');
        if (field->type == LEAT_SECTION) {
            size_t before = out->len;
            leat_strbuf_putc(out, '\n');
            size_t empty = out->len;
            leat_print_fields(field->fields, base + field->offset, indent + 2, out);
            if (out->len == empty && !out->failed) { /* nothing inside: a map all the same */
                out->len = before;
                leat_strbuf_puts(out, " {}\n");
            }
        } else if (field->type == LEAT_LIST)
            put_list(field, (const void *)(base + field->offset), indent, out);
        else {
            leat_strbuf_putc(out, ' ');
            put_scalar(field, base + field->offset, out);
            leat_strbuf_putc(out, '\n');
        }
    }
}

/* ---- a plan ---- */

static void put_part(const struct leat_plan_part *part, struct leat_strbuf *out)
{
    leat_strbuf_puts(out, "  ");
    put_text(part->id, out);
    leat_strbuf_puts(out, ":\n");
    size_t before = out->len;
    leat_print_fields(part->type->fields, part->conf, 4, out);
    for (uint32_t i = 0; i < LEAT_SHARED_MAX && part->type->shared[i]; i++)
        leat_print_fields(part->type->shared[i]->fields, part->shared[i], 4, out);
    if (out->len == before && !out->failed) {
        out->len = before - 1;
        leat_strbuf_puts(out, " {}\n");
    }
}

static void put_parts(const struct leat_plan *plan, enum leat_kind kind, struct leat_strbuf *out)
{
    bool any = false;
    for (uint32_t i = 0; i < plan->part_count; i++) {
        const struct leat_plan_part *part = &plan->parts[i];
        if (part->kind != kind || !part->type)
            continue;
        if (!any)
            leat_strbuf_printf(out, "%s:\n", leat_kind_section(kind));
        any = true;
        put_part(part, out);
    }
}

static void put_ids(const struct leat_plan *plan, const char *key, const struct leat_part_list *list,
                    struct leat_strbuf *out)
{
    leat_strbuf_printf(out, "%s: [", key);
    for (uint32_t i = 0; i < list->count; i++) {
        leat_strbuf_puts(out, i ? ", " : "");
        put_text(plan->parts[list->at[i]].id, out);
    }
    leat_strbuf_puts(out, "]\n");
}

static void put_pipeline(const struct leat_plan *plan, const struct leat_plan_pipeline *pipeline,
                         struct leat_strbuf *out)
{
    leat_strbuf_puts(out, "    ");
    put_text(pipeline->id, out);
    leat_strbuf_puts(out, ":\n");
    put_ids(plan, "      receivers", &pipeline->receivers, out);
    put_ids(plan, "      processors", &pipeline->processors, out);
    put_ids(plan, "      exporters", &pipeline->exporters, out);
}

void leat_print_plan(const struct leat_plan *plan, struct leat_strbuf *out)
{
    for (enum leat_kind kind = 0; kind < LEAT_KIND_COUNT; kind++)
        put_parts(plan, kind, out);
    leat_strbuf_puts(out, "service:\n");
    put_ids(plan, "  extensions", &plan->extensions, out);
    leat_strbuf_puts(out, "  pipelines:\n");
    for (uint32_t i = 0; i < plan->pipeline_count; i++)
        put_pipeline(plan, &plan->pipelines[i], out);
    leat_strbuf_puts(out, "  telemetry:\n");
    leat_print_fields(leat_telemetry_fields, &plan->telemetry, 4, out);
    leat_strbuf_puts(out, "leat:\n");
    leat_print_fields(leat_settings_fields, &plan->settings, 2, out);
}
