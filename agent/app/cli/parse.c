/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "agent/app/cli/cli.h"
#include "agent/base/alloc.h"

static const char usage[] =
    "leat " LEAT_VERSION ": collects telemetry and carries it on\n"
    "\n"
    "  leat [run] --config FILE...       run until SIGTERM\n"
    "  leat validate --config FILE...    check a configuration; silent when it is good\n"
    "  leat print-config --config FILE...  the configuration in force: merged, expanded, with defaults\n"
    "  leat components [NAME] [--markdown]  what this binary has, or all keys of one component\n"
    "                                    (or of the sections leat and service::telemetry)\n"
    "  leat --version\n"
    "\n"
    "  --config  a path, file:PATH, env:VARIABLE or yaml:TEXT; may be repeated, later ones win\n"
    "  --set     a.b.c=VALUE, wins over every --config; may be repeated\n"
    "  --feature-gates  accepted and ignored, so that a Collector's command line works\n"
    "\n"
    "Exit codes: 0 fine, 1 bad configuration, 2 usage, 3 failed to start, 4 drained with loss.\n";

static int fail(const char *what, const char *word)
{
    (void)fprintf(stderr, "leat: %s%s%s; see leat --help\n", what, word ? " " : "", word ? word : "");
    return LEAT_EXIT_USAGE;
}

static bool is_command(const char *word)
{
    static const char *const commands[] = {"run", "validate", "components", "print-config"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(word, commands[i]) == 0)
            return true;
    return false;
}

/* "--name=value" or "--name value"; NULL when `argv[*i]` is another option; *i moves over what was used. */
static const char *option(const char *name, int argc, char **argv, int *i)
{
    size_t len = strlen(name);
    if (strncmp(argv[*i], name, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    if (argv[*i][len] || *i + 1 >= argc)
        return NULL;
    return argv[++*i];
}

static int word(struct leat_cli *cli, const char *text, bool *named)
{
    if (!*named && is_command(text)) {
        cli->command = text;
        *named = true;
        return LEAT_EXIT_OK;
    }
    if (*named && strcmp(cli->command, "components") == 0 && !cli->name) {
        cli->name = text;
        return LEAT_EXIT_OK;
    }
    return fail("unknown command or argument", text);
}

static int argument(struct leat_cli *cli, int argc, char **argv, int *i, bool *named)
{
    const char *value;
    if ((value = option("--config", argc, argv, i)))
        cli->configs[cli->config_count++] = value;
    else if ((value = option("--set", argc, argv, i)))
        cli->sets[cli->set_count++] = value;
    else if (option("--feature-gates", argc, argv, i))
        return LEAT_EXIT_OK;
    else if (strcmp(argv[*i], "--markdown") == 0)
        cli->markdown = true;
    else if (argv[*i][0] == '-')
        return fail("unknown or incomplete option", argv[*i]);
    else
        return word(cli, argv[*i], named);
    return LEAT_EXIT_OK;
}

int leat_cli_parse(int argc, char **argv, struct leat_cli *cli)
{
    *cli = (struct leat_cli){.command = "run"};
    cli->configs = leat_zalloc((size_t)argc, sizeof *cli->configs);
    cli->sets = leat_zalloc((size_t)argc, sizeof *cli->sets);
    if (!cli->configs || !cli->sets)
        return fail("out of memory", NULL);
    bool named = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--version") == 0) {
            (void)fputs(argv[i][2] == 'v' ? "leat " LEAT_VERSION "\n" : usage, stdout);
            cli->command = NULL;
            return LEAT_EXIT_OK;
        }
        int code = argument(cli, argc, argv, &i, &named);
        if (code != LEAT_EXIT_OK)
            return code;
    }
    return LEAT_EXIT_OK;
}
