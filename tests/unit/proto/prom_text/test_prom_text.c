/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom_text/prom_text.h"

#include <math.h>
#include <stdio.h>

#include "agent/base/strbuf.h"
#include "tests/kit/kit.h"

/* What a page says, as one text: easy to compare. */
static leat_rc tell_series(enum prom_dialect dialect, const struct prom_line *line, struct leat_strbuf *out)
{
    struct prom_labels labels = {0};
    leat_rc rc = prom_labels_parse(dialect, line->series, &labels, NULL);
    leat_strbuf_printf(out, "%.*s", LEAT_SLICE_ARGS(labels.metric));
    for (uint32_t i = 0; rc == LEAT_OK && i < labels.count; i++)
        leat_strbuf_printf(out, " %.*s=<%.*s>", LEAT_SLICE_ARGS(labels.at[i].name), LEAT_SLICE_ARGS(labels.at[i].value));
    leat_strbuf_printf(out, " %.17g", line->value);
    if (line->has_time)
        leat_strbuf_printf(out, " @%lld", (long long)line->time_ms);
    if (rc == LEAT_OK && line->has_exemplar) {
        rc = prom_exemplar_parse(line->exemplar, &labels, NULL);
        leat_strbuf_puts(out, " #");
        for (uint32_t i = 0; rc == LEAT_OK && i < labels.count; i++)
            leat_strbuf_printf(out, " %.*s=<%.*s>", LEAT_SLICE_ARGS(labels.at[i].name),
                               LEAT_SLICE_ARGS(labels.at[i].value));
        leat_strbuf_printf(out, " %.17g", line->exemplar_value);
        if (line->exemplar_has_time)
            leat_strbuf_printf(out, " @%lld", (long long)line->exemplar_time_ms);
    }
    leat_strbuf_putc(out, '\n');
    prom_labels_done(&labels);
    return rc;
}

static leat_rc tell_line(enum prom_dialect dialect, const struct prom_line *line, struct leat_strbuf *out)
{
    switch (line->entry) {
    case PROM_NOTHING:
        return LEAT_OK;
    case PROM_EOF:
        leat_strbuf_puts(out, "EOF\n");
        return LEAT_OK;
    case PROM_TYPE:
        leat_strbuf_printf(out, "TYPE %.*s %d\n", LEAT_SLICE_ARGS(line->name), line->type);
        return LEAT_OK;
    case PROM_HELP:
    case PROM_UNIT:
        leat_strbuf_printf(out, "%s %.*s <%.*s>\n", line->entry == PROM_HELP ? "HELP" : "UNIT", LEAT_SLICE_ARGS(line->name),
                           LEAT_SLICE_ARGS(line->text));
        return LEAT_OK;
    case PROM_SAMPLE:
        return tell_series(dialect, line, out);
    }
    return LEAT_EINVAL;
}

static leat_rc tell(enum prom_dialect dialect, const struct leat_chain *body, struct leat_strbuf *out)
{
    struct prom_lines lines = {0};
    struct prom_line line = {0};
    const uint8_t *at, *end;
    leat_rc rc;
    prom_lines_begin(&lines, dialect, 1000, body);
    while ((rc = prom_lines_next(&lines, &at, &end)) == LEAT_OK) {
        while ((rc = prom_line_parse(dialect, at, end, &line, NULL)) == LEAT_EPARSE && line.unfinished &&
               (rc = prom_lines_extend(&lines, &at, &end)) == LEAT_OK)
            continue;
        rc = rc == LEAT_OK ? tell_line(dialect, &line, out) : rc == LEAT_AGAIN ? LEAT_EPARSE : rc;
        if (rc != LEAT_OK)
            break;
    }
    prom_lines_done(&lines);
    return rc == LEAT_AGAIN ? LEAT_OK : rc;
}

static void says(enum prom_dialect dialect, const char *page, const char *wanted)
{
    size_t len = strlen(page);
    for (size_t cut = 0; cut <= len; cut++) { /* at every byte */
        struct leat_chain body = kit_chain_cut(page, len, cut);
        struct leat_strbuf out = {0};
        EXPECT_OK(tell(dialect, &body, &out));
        EXPECT_STR(out.at ? out.at : "", wanted);
        leat_strbuf_done(&out);
        leat_chain_done(&body);
    }
}

static leat_rc rc_of(enum prom_dialect dialect, const char *page)
{
    struct leat_chain body = kit_chain(page, strlen(page), 1); /* byte by byte */
    struct leat_strbuf out = {0};
    leat_rc rc = tell(dialect, &body, &out);
    leat_strbuf_done(&out);
    leat_chain_done(&body);
    return rc;
}

/* Scenario:   a page of the classic format with everything its lexer allows, cut at every byte.
 * Guarantees: blanks, comments, quoted names, escapes, raw newlines in values, timestamps and a last line without newline. */
LEAT_TEST(classic_pages_are_read)
{
    says(PROM_TEXT,
         "# HELP up Is it \\\\ up?\n# TYPE up gauge\n\n#comment\n# HELPING hand\n# a comment\nup 1\n"
         "up{a=\"b\"} 2 1234\nup { a = \"b\" , c=\"\\\"\\n\\\\\\x\" , } +Inf\nup{}3\n"
         "# TYPE \"my.metric\" counter\n{\"my.metric\",\"x.y\"=\"z\"} 4\n{a=\"1\",\"n n\"} 5\nv{a=\"two\nlines}\"} 6\n"
         "vllm:x 1e3\n# HELP nothing\n# HELP two  blanks \n  spaced\t7\t8 \nlast NaN",
         "HELP up <Is it \\\\ up?>\nTYPE up 2\nup 1\nup a=<b> 2 @1234\nup a=<b> c=<\"\n\\\\x> inf\nup 3\n"
         "TYPE my.metric 1\nmy.metric x.y=<z> 4\nn n a=<1> 5\nv a=<two\nlines}> 6\nvllm:x 1000\nHELP nothing <>\n"
         "HELP two < blanks >\nspaced 7 @8\nlast nan\n");
}

LEAT_TEST(classic_pages_that_lie_are_refused)
{
    static const char *const pages[] = {
        "up\n", "up{\n", "up{a=\"b\" 1\n", "up{a=b} 1\n", "up{a='b'} 1\n", "up{=\"b\"} 1\n", "up{a=\"b\"\n1", "{a=\"b\"} 1\n",
        "{\"m\",\"n\"} 1\n", "up{\"m\"} 1\n", "up 1_2\n", "up 0x1p-3\n", "up 1 2 3\n", "up 1 -5\n", "up 1 5x\n", "up true\n",
        "up 1 99999999999999999999\n", "# TYPE up unknown\n", "# TYPE up  gauge\n", "# TYPE up\n", "# HELP 1x help\n",
        "up{a=\"\xff\"} 1\n", "# HELP up \xff\n", "1up 1\n", "}\n", "up{a=\"b\"}} 1\n", "up{a=\"b\"c=\"d\"", "up{a:b=\"c\"} 1\n",
        "\xff 1\n", "up{a=\"b\",,} 1\n", "up{,} 1\n", "up{a=\"\\\n\"} 1\n"};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (rc_of(PROM_TEXT, pages[i]) != LEAT_EPARSE)
            print_error("taken: %s\n", pages[i]);
        EXPECT_RC(rc_of(PROM_TEXT, pages[i]), LEAT_EPARSE);
    }
}

LEAT_TEST(open_metrics_pages_are_read)
{
    says(PROM_OPEN_METRICS,
         "# TYPE a counter\n# UNIT a_seconds seconds\n# HELP a some \\\"help\\\"\na_total{x=\"y\"} 1 # {trace_id=\"t\"} 0.5 1.5\n"
         "a_created{x=\"y\"} 1700000000.123\nb_bucket{le=\"1\"} 2 3.25 # {} 4\n{\"c.d\",e=\"f\"} NaN\ng{h=\"i\",} 1\n# TYPE s stateset\n"
         "# TYPE i info\n# TYPE gh gaugehistogram\n# TYPE u unknown\n# EOF\n",
         "TYPE a 1\nUNIT a_seconds <seconds>\nHELP a <some \\\"help\\\">\na_total x=<y> 1 # trace_id=<t> 0.5 @1500\n"
         "a_created x=<y> 1700000000.1229999\nb_bucket le=<1> 2 @3250 # 4\nc.d e=<f> nan\ng h=<i> 1\nTYPE s 7\nTYPE i 6\n"
         "TYPE gh 4\nTYPE u 0\nEOF\n");
    says(PROM_OPEN_METRICS, "# EOF", "EOF\n");
}

LEAT_TEST(open_metrics_pages_that_lie_are_refused)
{
    static const char *const pages[] = {
        "\n", "a 1", "a  1\n", "a 1 \n", "a\t1\n", " a 1\n", "a{ b=\"c\"} 1\n", "a {b=\"c\"} 1\n", "# comment\n", "#\n",
        "# TYPE a  counter\n", "# TYPE a untyped\n", "# TYPE a\n", "# HELP a\n", "# UNIT a_seconds minutes\n",
        "# UNIT seconds seconds\n", "a 1 # {b=\"c\"}\n", "a 1 # {b=\"c\"} x\n", "a 1 # {b=\"c\"} 1 x\n", "a 1 # {b=\"c\"} 1 2 3\n",
        "a 1 # {b=c} 1\n", "a 1 # {\"b\"} 1\n", "a 1 NaN\n", "a 1 +Inf\n", "a{b=\"c\"d=\"e\"} 1\n",
        "a{b=\"c\nd\"} 1\n", "# EOF \n", "# HELP a b", "a 1 2", "a{b=\"\xff\"} 1\n", "a 1 # {b=\"\xff\"} 1\n", "{b=\"c\"} 1\n"};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (rc_of(PROM_OPEN_METRICS, pages[i]) != LEAT_EPARSE)
            print_error("taken: %s\n", pages[i]);
        EXPECT_RC(rc_of(PROM_OPEN_METRICS, pages[i]), LEAT_EPARSE);
    }
}

LEAT_TEST(lines_are_bounded)
{
    char page[1200];
    memset(page, 'a', sizeof page);
    strcpy(page + 1100, " 1\n");
    EXPECT_RC(rc_of(PROM_TEXT, page), LEAT_ELIMIT);
    strcpy(page, "a{b=\"");
    memset(page + 5, '\n', 200);
    strcpy(page + 205, "\"} 1\n");
    EXPECT_RC(rc_of(PROM_TEXT, page), LEAT_ELIMIT);
}

LEAT_TEST_OOM(a_page_survives_any_failed_allocation)
{
    static const char page[] = "a{b=\"c\\n\",d=\"e\"} 1 # {f=\"g\\n\"} 1\n# EOF\n";
    struct leat_slice pieces[] = {leat_slice_of(page, 5), leat_slice_of(page + 5, sizeof page - 6)};
    struct leat_chain body = {.vec = pieces, .count = 2, .bytes = sizeof page - 1};
    struct leat_strbuf out = {0};
    leat_rc rc = tell(PROM_OPEN_METRICS, &body, &out);
    leat_strbuf_done(&out);
    return rc;
}

LEAT_TEST(help_loses_its_escapes)
{
    uint8_t to[32];
    uint32_t len = prom_help_unescape(LEAT_SLICE("a\\\\b\\nc\\\"d\\x\\"), false, to);
    EXPECT(leat_slice_is(leat_slice_of(to, len), "a\\b\nc\\\"d\\x\\"));
    len = prom_help_unescape(LEAT_SLICE("a\\\"b"), true, to);
    EXPECT(leat_slice_is(leat_slice_of(to, len), "a\"b"));
}
