/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config/print.h"

static const char *type_word(enum leat_field_type type)
{
    static const char *const words[] = {
        [LEAT_BOOL] = "bool",       [LEAT_INT] = "int",           [LEAT_DOUBLE] = "float",
        [LEAT_STRING] = "string",   [LEAT_DURATION] = "duration", [LEAT_SIZE] = "size",
        [LEAT_ENUM] = "choice",     [LEAT_STRINGS] = "strings",   [LEAT_MAP] = "map",
        [LEAT_SECTION] = "section", [LEAT_INLINE] = "",           [LEAT_LIST] = "list",
        [LEAT_VALUE] = "value",     [LEAT_IGNORED] = "ignored",   [LEAT_REFUSED] = "not supported"};
    return words[type];
}

static void put_signals(uint32_t signals, struct leat_strbuf *out)
{
    bool any = false;
    for (enum leat_signal signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        if (signals & LEAT_SIGNAL_BIT(signal)) {
            leat_strbuf_printf(out, "%s%s", any ? ", " : "", leat_signal_name(signal));
            any = true;
        }
}

void leat_print_components(const struct leat_catalog *catalog, struct leat_strbuf *out)
{
    for (enum leat_kind kind = 0; kind < LEAT_KIND_COUNT; kind++) {
        if (kind == LEAT_KIND_CONNECTOR)
            continue;
        leat_strbuf_printf(out, "%s:\n", leat_kind_section(kind));
        for (uint32_t i = 0; i < catalog->count; i++) {
            const struct leat_type_info *type = &catalog->types[i];
            struct leat_err err;
            if (type->kind != kind)
                continue;
            if (type->load && type->load(type, &err) != LEAT_OK) {
                leat_strbuf_printf(out, "  %-26s (%s)\n", type->name, err.text);
                continue;
            }
            leat_strbuf_printf(out, "  %-26s %s", type->name, type->summary);
            if (type->signals) {
                leat_strbuf_puts(out, " (");
                put_signals(type->signals, out);
                leat_strbuf_putc(out, ')');
            }
            leat_strbuf_putc(out, '\n');
        }
    }
}

static void put_choices(const struct leat_field *field, struct leat_strbuf *out)
{
    for (uint32_t i = 0; field->choices[i]; i++)
        leat_strbuf_printf(out, "%s%s", i ? " | " : "", field->choices[i][0] ? field->choices[i] : "\"\"");
}

static const char *default_of(const struct leat_type_info *type, const struct leat_field *field, const char *path)
{
    for (const struct leat_default *row = type->defaults; row && row->path; row++)
        if (strcmp(row->path, path) == 0)
            return row->deflt;
    return field->deflt;
}

/* What one key is, handed to a text or a markdown writer. */
struct row {
    const struct leat_field *field;
    const char *path;  /* "retry_on_failure::enabled" */
    const char *deflt; /* NULL: none */
    uint32_t depth;
};

typedef void (*row_writer)(const struct row *row, struct leat_strbuf *out);

static void walk_fields(const struct leat_type_info *type, const struct leat_field *fields, struct leat_strbuf *path,
                        uint32_t depth, row_writer write, struct leat_strbuf *out)
{
    for (const struct leat_field *field = fields; field && field->key && !path->failed; field++) {
        if (field->type == LEAT_INLINE) {
            walk_fields(type, field->fields, path, depth, write, out);
            continue;
        }
        size_t len = path->len;
        leat_strbuf_printf(path, "%s%s", len ? "::" : "", field->key);
        if (path->failed)
            break;
        struct row row = {field, path->at, default_of(type, field, path->at), depth};
        write(&row, out);
        if (field->type == LEAT_SECTION || field->type == LEAT_LIST)
            walk_fields(type, field->fields, path, depth + 1, write, out);
        path->len = len;
        path->at[len] = 0;
    }
}

static void walk_type(const struct leat_type_info *type, const struct leat_field *fields, row_writer write,
                      struct leat_strbuf *out)
{
    struct leat_strbuf path = {0};
    walk_fields(type, fields, &path, 0, write, out);
    out->failed = out->failed || path.failed;
    leat_strbuf_done(&path);
}

static void put_extras(const struct row *row, struct leat_strbuf *out)
{
    if (row->field->flags & LEAT_REQUIRED)
        leat_strbuf_puts(out, ", required");
    if (row->field->flags & LEAT_SECRET)
        leat_strbuf_puts(out, ", secret");
    if (row->field->flags & LEAT_DEPRECATED)
        leat_strbuf_puts(out, ", deprecated");
}

static void write_text(const struct row *row, struct leat_strbuf *out)
{
    for (uint32_t i = 0; i < row->depth * 2 + 2; i++)
        leat_strbuf_putc(out, ' ');
    leat_strbuf_printf(out, "%s  <", row->field->key);
    if (row->field->type == LEAT_ENUM)
        put_choices(row->field, out);
    else
        leat_strbuf_puts(out, type_word(row->field->type));
    put_extras(row, out);
    leat_strbuf_putc(out, '>');
    if (row->deflt)
        leat_strbuf_printf(out, " = %s", row->deflt[0] ? row->deflt : "\"\"");
    leat_strbuf_printf(out, "  %s\n", row->field->doc ? row->field->doc : "");
}

static void put_cell(const char *text, struct leat_strbuf *out)
{
    for (; *text; text++) {
        if (*text == '|')
            leat_strbuf_putc(out, '\\');
        leat_strbuf_putc(out, *text);
    }
}

static void write_markdown(const struct row *row, struct leat_strbuf *out)
{
    struct leat_strbuf choices = {0};
    leat_strbuf_printf(out, "| `%s` | ", row->path);
    if (row->field->type == LEAT_ENUM) {
        put_choices(row->field, &choices);
        put_cell(choices.at ? choices.at : "", out);
    } else
        leat_strbuf_puts(out, type_word(row->field->type));
    put_extras(row, out);
    leat_strbuf_puts(out, " | ");
    if (row->deflt) {
        leat_strbuf_putc(out, '`');
        put_cell(row->deflt[0] ? row->deflt : "\"\"", out);
        leat_strbuf_putc(out, '`');
    }
    leat_strbuf_puts(out, " | ");
    put_cell(row->field->doc ? row->field->doc : "", out);
    leat_strbuf_puts(out, " |\n");
    out->failed = out->failed || choices.failed;
    leat_strbuf_done(&choices);
}

static void put_aliases(const struct leat_type_info *type, const char *before, const char *after,
                        struct leat_strbuf *out)
{
    if (!type->aliases || !type->aliases[0])
        return;
    leat_strbuf_puts(out, before);
    for (uint32_t i = 0; type->aliases[i]; i++)
        leat_strbuf_printf(out, "%s%s", i ? ", " : "", type->aliases[i]);
    leat_strbuf_puts(out, after);
}

void leat_print_component(const struct leat_type_info *type, struct leat_strbuf *out)
{
    leat_strbuf_printf(out, "%s %s: %s\n", leat_kind_name(type->kind), type->name, type->summary);
    put_aliases(type, "old names: ", "\n", out);
    if (type->signals) {
        leat_strbuf_puts(out, "signals: ");
        put_signals(type->signals, out);
        leat_strbuf_putc(out, '\n');
    }
    leat_strbuf_puts(out, "keys:\n");
    walk_type(type, type->fields, write_text, out);
    for (uint32_t i = 0; i < LEAT_SHARED_MAX && type->shared[i]; i++) {
        leat_strbuf_printf(out, "keys of %s:\n", type->shared[i]->name);
        walk_type(type, type->shared[i]->fields, write_text, out);
    }
}

static void put_table(const struct leat_type_info *type, const char *heading, const struct leat_field *fields,
                      struct leat_strbuf *out)
{
    if (!fields || !fields->key)
        return;
    leat_strbuf_printf(out, "\n## %s\n\n| key | type | default | meaning |\n|---|---|---|---|\n", heading);
    walk_type(type, fields, write_markdown, out);
}

void leat_print_component_markdown(const struct leat_type_info *type, struct leat_strbuf *out)
{
    leat_strbuf_printf(out, "# %s (%s)\n\n%s\n", type->name, leat_kind_name(type->kind), type->summary);
    put_aliases(type, "\nOld names that still load: ", ".\n", out);
    if (type->signals) {
        leat_strbuf_puts(out, "\nSignals: ");
        put_signals(type->signals, out);
        leat_strbuf_puts(out, ".\n");
    }
    put_table(type, "Keys", type->fields, out);
    for (uint32_t i = 0; i < LEAT_SHARED_MAX && type->shared[i]; i++)
        put_table(type, type->shared[i]->name, type->shared[i]->fields, out);
}

void leat_print_section(const char *name, const struct leat_field *fields, bool markdown, struct leat_strbuf *out)
{
    const struct leat_type_info type = {.name = name, .fields = fields};
    if (markdown) {
        leat_strbuf_printf(out, "# %s\n", name);
        put_table(&type, "Keys", fields, out);
        return;
    }
    leat_strbuf_printf(out, "%s\nkeys:\n", name);
    walk_type(&type, fields, write_text, out);
}
