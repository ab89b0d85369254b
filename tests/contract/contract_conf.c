/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/strbuf.h"
#include "tests/contract/contract.h"

/* ---- a place for files ---- */

static char folder[64];

static void remove_folder(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        (void)fprintf(stderr, "cannot remove %s\n", folder);
}

const char *contract_folder(void)
{
    if (folder[0])
        return folder;
    (void)snprintf(folder, sizeof folder, "/tmp/leat-contract-XXXXXX");
    if (!mkdtemp(folder))
        abort();
    (void)atexit(remove_folder);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/a.log", folder);
    FILE *file = fopen(path, "w");
    if (!file)
        abort();
    for (int i = 0; i < 100; i++)
        (void)fprintf(file, "line %d\n", i);
    (void)fclose(file);
    return folder;
}

/* ---- one component's map ---- */

static const char *value_of(const struct leat_type_info *type, const struct leat_field *field, char *room, size_t len)
{
    bool receives = type->kind == LEAT_KIND_RECEIVER || type->kind == LEAT_KIND_EXTENSION;
    if (strcmp(field->key, "endpoint") == 0)
        return receives ? "'127.0.0.1:0'" : "'http://127.0.0.1:9'";
    if (strcmp(field->key, "include") == 0)
        (void)snprintf(room, len, "['%s/*.log']", contract_folder());
    else if (strcmp(field->key, "directory") == 0)
        (void)snprintf(room, len, "'%s'", contract_folder());
    else if (strcmp(field->key, "path") == 0)
        (void)snprintf(room, len, "'%s/out'", contract_folder());
    else if (field->flags & LEAT_REQUIRED && field->type == LEAT_STRING)
        (void)snprintf(room, len, "x");
    else if (field->flags & LEAT_REQUIRED && field->type == LEAT_STRINGS)
        (void)snprintf(room, len, "[x]");
    else if (field->flags & LEAT_REQUIRED &&
             (field->type == LEAT_INT || field->type == LEAT_SIZE || field->type == LEAT_DOUBLE))
        (void)snprintf(room, len, "%lld", field->min > 1 ? (long long)field->min : 1);
    else if (field->flags & LEAT_REQUIRED && field->type == LEAT_DURATION)
        (void)snprintf(room, len, "1s");
    else
        return NULL;
    return room;
}

static bool add_fields(const struct leat_type_info *type, const struct leat_field *fields, struct leat_strbuf *out,
                       int depth);

static bool add_field(const struct leat_type_info *type, const struct leat_field *field, struct leat_strbuf *out,
                      int depth)
{
    char room[256];
    struct leat_strbuf inner = {0};
    if (field->type == LEAT_INLINE)
        return add_fields(type, field->fields, out, depth);
    if (field->type == LEAT_REFUSED || field->type == LEAT_IGNORED || field->type == LEAT_LIST)
        return false;
    if (field->type == LEAT_SECTION) {
        bool some = depth < 3 && add_fields(type, field->fields, &inner, depth + 1);
        if (some)
            leat_strbuf_printf(out, "%s: {%s}, ", field->key, inner.at);
        leat_strbuf_done(&inner);
        return some;
    }
    const char *value = value_of(type, field, room, sizeof room);
    if (value)
        leat_strbuf_printf(out, "%s: %s, ", field->key, value);
    return value != NULL;
}

static bool add_fields(const struct leat_type_info *type, const struct leat_field *fields, struct leat_strbuf *out,
                       int depth)
{
    bool some = false;
    for (; fields && fields->key; fields++)
        some |= add_field(type, fields, out, depth);
    return some;
}

/* tests/contract/conf/NAME.yaml: what a component whose own check wants more than the generic values is given. */
static void add_more(const struct leat_type_info *type, struct leat_strbuf *out)
{
    char path[256], line[512];
    (void)snprintf(path, sizeof path, "%s/tests/contract/conf/%s.yaml", LEAT_SOURCE_DIR, type->name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (line[0] != '#')
            leat_strbuf_printf(out, "%s", line);
    if (file)
        (void)fclose(file);
}

static void add_component(const struct leat_type_info *type, struct leat_strbuf *out)
{
    leat_strbuf_printf(out, "%ss: {%s: {", leat_kind_name(type->kind), type->name);
    (void)add_fields(type, type->fields, out, 0);
    for (uint32_t i = 0; i < LEAT_SHARED_MAX && type->shared[i]; i++)
        (void)add_fields(type, type->shared[i]->fields, out, 0);
    add_more(type, out);
    leat_strbuf_printf(out, "}");
}

/* ---- a good answer ---- */

#define OK_ITEMS_MAX 64u
#define OK_BYTES_MAX 4096u

const char *contract_ok(const char *name, uint32_t count)
{
    static char answers[OK_ITEMS_MAX][OK_BYTES_MAX];
    char path[256], text[512] = "", *out = answers[count % OK_ITEMS_MAX];
    (void)snprintf(path, sizeof path, "%s/tests/contract/conf/%s.ok", LEAT_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    size_t got = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[got] = 0;
    char *item = strchr(text, '@'), *tail = item ? strchr(item + 1, '@') : NULL;
    EXPECT(count < OK_ITEMS_MAX && tail);
    *item++ = *tail++ = 0;
    int len = snprintf(out, OK_BYTES_MAX, "%s", text);
    for (uint32_t i = 0; i < count; i++)
        len += snprintf(out + len, OK_BYTES_MAX - (size_t)len, "%s%s", i ? "," : "", item);
    (void)snprintf(out + len, OK_BYTES_MAX - (size_t)len, "%s", tail);
    return out;
}

/* ---- the whole ---- */

static bool is(const struct leat_type_info *type, enum leat_kind kind)
{
    return type->kind == kind && strcmp(type->name, "nop") != 0;
}

static void add_rest(const struct leat_type_info *type, uint32_t shards, struct leat_strbuf *out)
{
    uint32_t signals = type->signals ? type->signals : LEAT_SIGNAL_BIT(LEAT_LOGS);
    bool own_nop = strcmp(type->name, "nop") == 0;
    leat_strbuf_printf(out, own_nop                                                                ? "}"
                            : type->kind == LEAT_KIND_RECEIVER || type->kind == LEAT_KIND_EXPORTER ? ", nop: }"
                                                                                                   : "}");
    if (type->kind != LEAT_KIND_RECEIVER)
        leat_strbuf_printf(out, ", receivers: {nop: }");
    if (type->kind != LEAT_KIND_EXPORTER)
        leat_strbuf_printf(out, ", exporters: {nop: }");
    leat_strbuf_printf(out, ", leat: {shards: %u}, service: {telemetry: {metrics: {level: none}}, ", shards);
    if (type->kind == LEAT_KIND_EXTENSION)
        leat_strbuf_printf(out, "extensions: [%s], ", type->name);
    leat_strbuf_printf(out, "pipelines: {");
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        if (signals & LEAT_SIGNAL_BIT(signal))
            leat_strbuf_printf(
                out, "%s: {receivers: [nop%s%s], processors: [%s], exporters: [nop%s%s]}, ",
                leat_signal_name((enum leat_signal)signal), is(type, LEAT_KIND_RECEIVER) ? ", " : "",
                is(type, LEAT_KIND_RECEIVER) ? type->name : "", type->kind == LEAT_KIND_PROCESSOR ? type->name : "",
                is(type, LEAT_KIND_EXPORTER) ? ", " : "", is(type, LEAT_KIND_EXPORTER) ? type->name : "");
    leat_strbuf_printf(out, "}}");
}

static void print_diags(const struct leat_plan *plan)
{
    struct leat_strbuf text = {0};
    leat_diag_print(&plan->diags, &text);
    print_error("%s\n", text.at ? text.at : "");
    leat_strbuf_done(&text);
}

struct leat_plan *contract_plan(const struct leat_type_info *type, uint32_t shards)
{
    struct leat_strbuf text = {0};
    struct leat_outside outside = {0};
    struct leat_plan *plan = NULL;
    leat_strbuf_printf(&text, "yaml:{");
    add_component(type, &text);
    add_rest(type, shards, &text);
    leat_strbuf_printf(&text, "}");
    const char *configs[] = {text.at};
    struct leat_load_args args = {.configs = configs, .config_count = 1};
    leat_rc rc = leat_plan_load(leat_registry(), &outside, &args, &plan);
    if (rc == LEAT_OK)
        rc = leat_registry_check(plan);
    if (rc != LEAT_OK) {
        print_error("%s\n", text.at);
        print_diags(plan);
        fail_msg("no configuration for %s %s", leat_kind_name(type->kind), type->name);
    }
    leat_strbuf_done(&text);
    return plan;
}
