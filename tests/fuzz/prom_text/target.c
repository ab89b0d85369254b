/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte: its lowest bit is the dialect, the rest where the page is cut in pieces. A page reads the same however
 * it is cut. */
#include <stdlib.h>

#include "agent/base/check.h"
#include "proto/prom_text/prom_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static uint64_t look(enum prom_dialect dialect, const struct prom_line *line, struct prom_labels *labels)
{
    uint64_t sum = (uint64_t)line->entry + 1;
    if (line->entry != PROM_SAMPLE)
        return line->entry == PROM_NOTHING || line->entry == PROM_EOF ? sum : sum + line->name.len * 31u + line->text.len;
    uint8_t *help = malloc(line->series.len);
    if (help)
        (void)prom_help_unescape(line->series, true, help);
    free(help);
    sum += line->series.len * 7u;
    if (prom_labels_parse(dialect, line->series, labels, NULL) == LEAT_OK) {
        LEAT_CHECK(labels->metric.len <= line->series.len);
        sum += labels->count * 1000u;
    }
    if (line->has_exemplar && prom_exemplar_parse(line->exemplar, labels, NULL) == LEAT_OK)
        sum += labels->count * 100000u;
    return sum;
}

static uint64_t read_page(enum prom_dialect dialect, const uint8_t *at, size_t len, size_t piece)
{
    struct leat_chain body = {0};
    struct prom_lines lines = {0};
    struct prom_labels labels = {0};
    struct prom_line line = {0};
    uint64_t sum = 0;
    for (size_t i = 0; i < len; i += piece) { /* pieces of their own, so that reading past one is seen */
        uint32_t n = (uint32_t)(len - i < piece ? len - i : piece);
        struct leat_mem *mem = leat_mem_new(n);
        LEAT_CHECK(mem);
        memcpy(mem->at, at + i, n);
        LEAT_CHECK(leat_chain_take(&body, (struct leat_slice){mem->at, n, mem}) == LEAT_OK);
    }
    prom_lines_begin(&lines, dialect, 0, &body);
    leat_rc rc;
    const uint8_t *p, *end;
    while ((rc = prom_lines_next(&lines, &p, &end)) == LEAT_OK) {
        while ((rc = prom_line_parse(dialect, p, end, &line, NULL)) == LEAT_EPARSE && line.unfinished &&
               (rc = prom_lines_extend(&lines, &p, &end)) == LEAT_OK)
            continue;
        if (rc != LEAT_OK)
            break;
        sum = sum * 131 + look(dialect, &line, &labels);
    }
    prom_lines_done(&lines);
    prom_labels_done(&labels);
    leat_chain_done(&body);
    return sum * 31 + (uint64_t)rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    if (len < 1)
        return 0;
    enum prom_dialect dialect = at[0] & 1 ? PROM_OPEN_METRICS : PROM_TEXT;
    LEAT_CHECK(read_page(dialect, at + 1, len - 1, len) == read_page(dialect, at + 1, len - 1, 1 + (at[0] >> 1)));
    return 0;
}
