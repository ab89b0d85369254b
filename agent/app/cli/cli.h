/* SPDX-License-Identifier: Apache-2.0 */
/* cli -- the command line: run, validate, components, print-config.
 *
 * Exit codes: 0 fine, 1 bad configuration, 2 usage, 3 failed to start, 4 drained with loss. */
#pragma once
#include "config/plan.h"

enum leat_exit { LEAT_EXIT_OK, LEAT_EXIT_CONFIG, LEAT_EXIT_USAGE, LEAT_EXIT_START, LEAT_EXIT_LOSS };

struct leat_cli {
    const char *command;
    const char **configs, **sets;
    uint32_t config_count, set_count;
    const char *name;  /* components NAME */
    bool markdown;
};
/* Fills `cli` from argv; LEAT_EXIT_OK, or the code to leave with after a message (also for --help and --version, which set
 * `command` to NULL). The arrays point into argv and are the caller's to free. */
int leat_cli_parse(int argc, char **argv, struct leat_cli *cli);

/* Loads and checks; every mistake and warning goes to `out`, a line each. NULL: it is bad. */
struct leat_plan *leat_cli_load(const struct leat_cli *cli, struct leat_strbuf *out);
/* The same, printed on stderr. NULL: *ret_exit says how to leave. */
struct leat_plan *leat_cli_plan(const struct leat_cli *cli, int *ret_exit);

int leat_cli_run(const struct leat_cli *cli);
int leat_cli_validate(const struct leat_cli *cli);
int leat_cli_components(const struct leat_cli *cli);
int leat_cli_print_config(const struct leat_cli *cli);
