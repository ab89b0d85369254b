/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/app/cli/cli.h"
#include "agent/base/alloc.h"
#include "agent/net/tls.h"

static int dispatch(const struct leat_cli *cli)
{
    if (!cli->command)
        return LEAT_EXIT_OK;
    if (strcmp(cli->command, "validate") == 0)
        return leat_cli_validate(cli);
    if (strcmp(cli->command, "components") == 0)
        return leat_cli_components(cli);
    if (strcmp(cli->command, "print-config") == 0)
        return leat_cli_print_config(cli);
    return leat_cli_run(cli);
}

int main(int argc, char **argv)
{
    struct leat_cli cli;
    (void)leat_tls_own_memory();
    int code = leat_cli_parse(argc, argv, &cli);
    if (code == LEAT_EXIT_OK)
        code = dispatch(&cli);
    leat_free(cli.configs);
    leat_free(cli.sets);
    return code;
}
