/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>

#include "tests/kit/kit.h"
#include "tests/unit/config/fake.h"

#define FOLDER "tests/unit/config/broken"

/* "LINE:COLUMN: part": is there a diagnostic at that place whose path and text hold the part? */
static bool said(const struct leat_plan *plan, enum leat_severity severity, const char *wanted, size_t len)
{
    size_t place_len = (size_t)((const char *)memchr(wanted, ' ', len) - wanted) + 1;
    for (uint32_t i = 0; i < plan->diags.count; i++) {
        const struct leat_diag *diag = &plan->diags.at[i];
        char line[4096];
        int n = snprintf(line, sizeof line, "%u:%u: %s%s%s", diag->mark.line, diag->mark.column, diag->path,
                         diag->path[0] ? ": " : "", diag->text);
        if (diag->severity == severity && n > 0 && strncmp(line, wanted, place_len) == 0 &&
            memmem(line, (size_t)n, wanted + place_len, len - place_len))
            return true;
    }
    return false;
}

/* "# expect LINE:COLUMN: part of the text" (errors) and "# warns ..." on the first lines. */
static uint32_t check_comments(const struct leat_plan *plan, const char *name, const char *text)
{
    uint32_t errors = 0;
    for (const char *at = text; *at == '#'; at += strcspn(at, "\n") + 1) {
        bool warning = strncmp(at, "# warns ", 8) == 0;
        if (!warning && strncmp(at, "# expect ", 9) != 0)
            continue;
        const char *wanted = at + (warning ? 8 : 9);
        size_t len = strcspn(wanted, "\n");
        errors += !warning;
        if (!said(plan, warning ? LEAT_WARNING : LEAT_ERROR, wanted, len)) {
            struct leat_strbuf all = {0};
            leat_diag_print(&plan->diags, &all);
            fail_msg("%s: nothing says \"%.*s\" in:\n%s", name, (int)len, wanted, all.at ? all.at : "");
        }
    }
    return errors;
}

static void run_file(const char *name)
{
    char path[512];
    size_t len;
    struct leat_plan *plan = NULL;
    (void)snprintf(path, sizeof path, FOLDER "/%s", name);
    char *text = kit_read_file(path, &len);
    if (fake_load(text, &plan) != LEAT_ECONFIG)
        fail_msg("%s was accepted", name);
    uint32_t wanted = check_comments(plan, name, text);
    if (wanted == 0 || plan->diags.errors != wanted) {
        struct leat_strbuf all = {0};
        leat_diag_print(&plan->diags, &all);
        fail_msg("%s: %u errors, %u named in its comments:\n%s", name, plan->diags.errors, wanted, all.at);
    }
    leat_plan_free(plan);
    leat_free(text);
}

/* Scenario:   each file of the folder is broken in its own way.
 * Guarantees: it is refused with exactly the errors its first lines name, at those places. */
LEAT_TEST(broken_files_are_refused_with_place_and_reason)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", LEAT_SOURCE_DIR, FOLDER);
    DIR *dir = opendir(path);
    uint32_t count = 0;
    EXPECT(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strstr(entry->d_name, ".yaml")) {
            run_file(entry->d_name);
            count++;
        }
    (void)closedir(dir);
    EXPECT(count >= 30);
}
