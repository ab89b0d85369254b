/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/yaml/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES_MAX 2048u

static bool already_said(const struct leat_diag_list *list, struct leat_mark mark, const char *text)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct leat_diag *diag = &list->at[i];
        if (diag->mark.line == mark.line && diag->mark.column == mark.column && strcmp(diag->text, text) == 0 &&
            strcmp(diag->mark.file, mark.file) == 0)
            return true;
    }
    return false;
}

static struct leat_diag *new_entry(struct leat_diag_list *list)
{
    if (list->count == LEAT_DIAGS_MAX) {
        list->left_out++;
        return NULL;
    }
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 16;
        struct leat_diag *at = leat_arena_grow(list->arena, list->at, list->count, room, sizeof *at);
        if (!at)
            return NULL;
        list->at = at;
        list->room = room;
    }
    return &list->at[list->count];
}

void leat_diag_add(struct leat_diag_list *list, enum leat_severity severity, struct leat_mark mark, const char *path,
                   const char *fmt, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!mark.file)
        mark.file = "";
    if (already_said(list, mark, text))
        return;
    if (severity == LEAT_ERROR)
        list->errors++;
    else
        list->warnings++;
    struct leat_diag *diag = new_entry(list);
    if (!diag)
        return;
    char *text_copy = leat_arena_str(list->arena, text, strlen(text));
    char *path_copy = leat_arena_str(list->arena, path, strlen(path));
    if (!text_copy || !path_copy)
        return;
    *diag = (struct leat_diag){severity, mark, path_copy, text_copy};
    list->count++;
}

void leat_diag_print_one(const struct leat_diag *diag, struct leat_strbuf *out)
{
    leat_strbuf_puts(out, diag->mark.file[0] ? diag->mark.file : "configuration");
    if (diag->mark.line)
        leat_strbuf_printf(out, ":%u:%u", diag->mark.line, diag->mark.column);
    leat_strbuf_puts(out, diag->severity == LEAT_ERROR ? ": error: " : ": warning: ");
    if (diag->path[0])
        leat_strbuf_printf(out, "%s: ", diag->path);
    leat_strbuf_puts(out, diag->text);
    leat_strbuf_putc(out, '\n');
}

void leat_diag_print(const struct leat_diag_list *list, struct leat_strbuf *out)
{
    for (enum leat_severity severity = LEAT_ERROR; severity <= LEAT_WARNING; severity++)
        for (uint32_t i = 0; i < list->count; i++)
            if (list->at[i].severity == severity)
                leat_diag_print_one(&list->at[i], out);
    if (list->left_out)
        leat_strbuf_printf(out, "... and %u more\n", list->left_out);
}
