/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that only look: validate, components, print-config. */
#include <stdio.h>
#include <string.h>

#include "agent/app/cli/cli.h"
#include "agent/app/conversions.h"
#include "agent/app/registry.h"
#include "config/print.h"

static int out(struct leat_strbuf *text, FILE *to)
{
    bool good = !text->failed && (text->len == 0 || fwrite(text->at, 1, text->len, to) == text->len);
    leat_strbuf_done(text);
    return good ? LEAT_EXIT_OK : LEAT_EXIT_START;
}

struct leat_plan *leat_cli_load(const struct leat_cli *cli, struct leat_strbuf *text)
{
    struct leat_plan *plan = NULL;
    struct leat_load_args args = {cli->configs, cli->config_count, cli->sets, cli->set_count};
    leat_rc rc = leat_plan_load(leat_registry(), NULL, &args, &plan);
    if (plan && leat_registry_check(plan) != LEAT_OK)
        rc = LEAT_ECONFIG;
    if (plan)
        leat_diag_print(&plan->diags, text);
    else
        leat_strbuf_puts(text, "leat: out of memory\n");
    return rc == LEAT_OK ? plan : leat_plan_free(plan);
}

struct leat_plan *leat_cli_plan(const struct leat_cli *cli, int *ret_exit)
{
    struct leat_strbuf text = {0};
    struct leat_plan *plan = leat_cli_load(cli, &text);
    (void)out(&text, stderr);
    if (!plan)
        *ret_exit = LEAT_EXIT_CONFIG;
    return plan;
}

int leat_cli_validate(const struct leat_cli *cli)
{
    int code = LEAT_EXIT_OK;
    leat_plan_free(leat_cli_plan(cli, &code));
    return code;
}

int leat_cli_print_config(const struct leat_cli *cli)
{
    int code = LEAT_EXIT_OK;
    struct leat_plan *plan = leat_cli_plan(cli, &code);
    if (!plan)
        return code;
    struct leat_strbuf text = {0};
    leat_conversions_print(plan, &text);
    leat_print_plan(plan, &text);
    leat_plan_free(plan);
    return out(&text, stdout);
}

static bool print_section(const struct leat_cli *cli, struct leat_strbuf *text)
{
    static const struct {
        const char *name;
        const struct leat_field *fields;
    } sections[] = {{"leat", leat_settings_fields}, {"service::telemetry", leat_telemetry_fields}};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(cli->name, sections[i].name) == 0) {
            leat_print_section(cli->name, sections[i].fields, cli->markdown, text);
            return true;
        }
    return false;
}

int leat_cli_components(const struct leat_cli *cli)
{
    const struct leat_catalog *catalog = leat_registry();
    struct leat_strbuf text = {0};
    if (!cli->name) {
        leat_print_components(catalog, &text);
        return out(&text, stdout);
    }
    if (print_section(cli, &text))
        return out(&text, stdout);
    uint32_t found = 0;
    for (int kind = 0; kind < LEAT_KIND_COUNT; kind++) {
        const struct leat_type_info *type = leat_catalog_find(catalog, (enum leat_kind)kind, cli->name, NULL);
        struct leat_err err;
        if (type && type->load && type->load(type, &err) != LEAT_OK) {
            (void)fprintf(stderr, "leat: %s: %s\n", cli->name, err.text);
            leat_strbuf_done(&text);
            return LEAT_EXIT_START;
        }
        if (type && found++)
            leat_strbuf_putc(&text, '\n');
        if (type)
            (cli->markdown ? leat_print_component_markdown : leat_print_component)(type, &text);
    }
    if (found)
        return out(&text, stdout);
    leat_strbuf_done(&text);
    (void)fprintf(stderr, "leat: no component is called \"%s\"; see leat components\n", cli->name);
    return LEAT_EXIT_USAGE;
}
