/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write/rw_name.h"

#define WORDS_MAX 128u
#define UNIT_MAX 128u

struct pair {
    const char *symbol, *word;
};
static const struct pair units[] = {
    {"d", "days"},         {"h", "hours"},        {"min", "minutes"},    {"s", "seconds"},      {"ms", "milliseconds"},
    {"us", "microseconds"}, {"ns", "nanoseconds"}, {"By", "bytes"},       {"KiBy", "kibibytes"}, {"MiBy", "mebibytes"},
    {"GiBy", "gibibytes"}, {"TiBy", "tibibytes"}, {"KBy", "kilobytes"},  {"MBy", "megabytes"},  {"GBy", "gigabytes"},
    {"TBy", "terabytes"},  {"m", "meters"},       {"V", "volts"},        {"A", "amperes"},      {"J", "joules"},
    {"W", "watts"},        {"g", "grams"},        {"Cel", "celsius"},    {"Hz", "hertz"},       {"%", "percent"}};
static const struct pair rates[] = {{"s", "second"}, {"m", "minute"}, {"h", "hour"}, {"d", "day"},
                                    {"w", "week"},   {"mo", "month"}, {"y", "year"}};
#define COUNT(table) (sizeof(table) / sizeof *(table))

static struct leat_slice word_of(const struct pair *table, size_t count, struct leat_slice symbol)
{
    for (size_t i = 0; i < count; i++)
        if (leat_slice_is(symbol, table[i].symbol))
            return leat_slice_str(table[i].word);
    return symbol;
}

static struct leat_slice symbol_of(const struct pair *table, size_t count, struct leat_slice word)
{
    for (size_t i = 0; i < count; i++)
        if (leat_slice_is(word, table[i].word))
            return leat_slice_str(table[i].symbol);
    return word;
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
static bool is_metric(uint8_t c) { return is_word(c) || c == ':'; }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static struct leat_slice trim(struct leat_slice text)
{
    while (text.len && strchr(" \t\n\v\f\r", text.at[0]) && text.at[0])
        text = leat_slice_sub(text, 1, text.len - 1);
    while (text.len && text.at[text.len - 1] && strchr(" \t\n\v\f\r", text.at[text.len - 1]))
        text.len--;
    return text;
}

static bool only_underscores(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] != '_')
            return false;
    return true;
}

/* ---- units ---- */

struct unit {
    struct leat_slice main, rate; /* words; the rate without its "per_"; empty: none */
};

static struct leat_slice part(struct leat_slice text)
{
    text = trim(text);
    bool braces = text.len && (memchr(text.at, '{', text.len) || memchr(text.at, '}', text.len));
    return braces ? leat_slice_of(text.at, 0) : text;
}

static struct unit unit_of(struct leat_slice text)
{
    const uint8_t *slash = text.len ? memchr(text.at, '/', text.len) : NULL;
    struct leat_slice main = slash ? leat_slice_of(text.at, (uint32_t)(slash - text.at)) : text, rate = {0};
    if (slash)
        rate = leat_slice_of(slash + 1, (uint32_t)(text.at + text.len - slash - 1));
    main = part(main);
    rate = part(rate);
    return (struct unit){leat_slice_is(main, "1") ? leat_slice_of(NULL, 0) : word_of(units, COUNT(units), main),
                         word_of(rates, COUNT(rates), rate)};
}

/* Letters, digits and colons stay, runs of anything else become one underscore, none leads. */
static struct leat_slice clean(struct leat_slice text, const char *before, char room[static UNIT_MAX])
{
    uint32_t len = 0;
    if (text.len == 0)
        return text;
    for (; *before; before++)
        room[len++] = *before;
    for (uint32_t i = 0; i < text.len && len < UNIT_MAX; i++) {
        char c = is_metric(text.at[i]) ? (char)text.at[i] : '_';
        if (c != '_' || (len && room[len - 1] != '_'))
            room[len++] = c;
    }
    return leat_slice_of(room, len);
}

static struct leat_slice without_end(struct leat_slice text)
{
    return text.len && text.at[text.len - 1] == '_' ? leat_slice_sub(text, 0, text.len - 1) : text;
}

void rw_unit_name(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice text)
{
    struct unit unit = unit_of(text);
    char main_room[UNIT_MAX], rate_room[UNIT_MAX];
    leat_strbuf_clear(out);
    if (!namer->utf8) {
        unit.main = clean(unit.main, "", main_room);
        unit.rate = clean(unit.rate, "per_", rate_room);
        leat_strbuf_put(out, unit.main.at, unit.main.len);
        if (unit.main.len && unit.rate.len)
            leat_strbuf_putc(out, '_');
        leat_strbuf_put(out, unit.rate.at, unit.rate.len);
    } else {
        leat_strbuf_put(out, unit.main.at, unit.main.len);
        if (unit.rate.len)
            leat_strbuf_puts(out, unit.main.len ? "_per_" : "per_");
        leat_strbuf_put(out, unit.rate.at, unit.rate.len);
    }
    if (out->len && !out->failed && out->at[out->len - 1] == '_')
        out->len--;
}

void rw_unit_symbol(struct leat_strbuf *out, struct leat_slice word)
{
    const uint8_t *per = word.len ? memmem(word.at, word.len, "_per_", 5) : NULL;
    struct leat_slice main = per ? leat_slice_of(word.at, (uint32_t)(per - word.at)) : word, rate = {0};
    if (per)
        rate = leat_slice_of(per + 5, (uint32_t)(word.at + word.len - per - 5));
    main = leat_slice_is(main, "ratio") ? LEAT_SLICE("1") : symbol_of(units, COUNT(units), main);
    leat_strbuf_clear(out);
    leat_strbuf_put(out, main.at, main.len);
    if (rate.len == 0)
        return;
    rate = symbol_of(rates, COUNT(rates), rate);
    leat_strbuf_putc(out, '/');
    leat_strbuf_put(out, rate.at, rate.len);
}

/* ---- metrics ---- */

struct words {
    struct leat_slice at[WORDS_MAX];
    uint32_t count;
};

static void words_add(struct words *words, struct leat_slice word)
{
    if (words->count < WORDS_MAX)
        words->at[words->count++] = word;
}

static void words_split(struct words *words, struct leat_slice text, bool underscore_too)
{
    uint32_t from = 0;
    for (uint32_t i = 0; i <= text.len; i++) {
        bool inside = i < text.len && (is_metric(text.at[i]) || (underscore_too && text.at[i] == '_'));
        if (inside)
            continue;
        if (i > from)
            words_add(words, leat_slice_sub(text, from, i - from));
        from = i + 1;
    }
}

static bool words_have(const struct words *words, struct leat_slice word)
{
    for (uint32_t i = 0; i < words->count; i++)
        if (leat_slice_eq(words->at[i], word))
            return true;
    return false;
}

static void words_end_with(struct words *words, const char *word)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < words->count; i++)
        if (!leat_slice_is(words->at[i], word))
            words->at[kept++] = words->at[i];
    words->count = kept;
    words_add(words, leat_slice_str(word));
}

static void words_add_unit(struct words *words, struct leat_slice text, char main_room[static UNIT_MAX],
                           char rate_room[static UNIT_MAX])
{
    struct unit unit = unit_of(text);
    struct leat_slice main = clean(unit.main, "", main_room), rate = without_end(clean(unit.rate, "per_", rate_room));
    if (leat_slice_is(rate, "per"))
        rate.len = 0;
    if (words_have(words, main))
        main.len = 0;
    if (rate.len && words_have(words, rate))
        rate.len = 0;
    if (rate.len)
        main = without_end(main);
    if (main.len)
        words_add(words, main);
    if (rate.len)
        words_add(words, rate);
}

static void put_words(struct leat_strbuf *out, const struct words *words)
{
    for (uint32_t i = 0; i < words->count; i++) {
        if (i)
            leat_strbuf_putc(out, '_');
        else if (out->len == 0 && words->at[i].len && is_digit(words->at[i].at[0]))
            leat_strbuf_putc(out, '_');
        leat_strbuf_put(out, words->at[i].at, words->at[i].len);
    }
}

static void with_suffixes(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice name, struct leat_slice unit,
                          enum rw_kind kind)
{
    struct words words = {.count = 0};
    char main_room[UNIT_MAX], rate_room[UNIT_MAX];
    words_split(&words, name, false);
    words_add_unit(&words, unit, main_room, rate_room);
    if (kind == RW_COUNTER)
        words_end_with(&words, "total");
    if (kind == RW_GAUGE && leat_slice_is(unit, "1"))
        words_end_with(&words, "ratio");
    if (namer->prefix.len) {
        if (is_digit(namer->prefix.at[0]))
            leat_strbuf_putc(out, '_');
        leat_strbuf_put(out, namer->prefix.at, namer->prefix.len);
        if (words.count)
            leat_strbuf_putc(out, '_');
    }
    put_words(out, &words);
}

static void without_suffixes(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice name)
{
    struct words words = {.count = 0}, before = {.count = 0};
    words_split(&before, namer->prefix, true);
    put_words(out, &before);
    if (namer->prefix.len)
        leat_strbuf_putc(out, '_');
    words_split(&words, name, true);
    put_words(out, &words);
}

static bool ends(struct leat_slice name, struct leat_slice end)
{
    return name.len >= end.len && (end.len == 0 || memcmp(name.at + name.len - end.len, end.at, end.len) == 0);
}

/* Without the ending and what parts it from the rest. */
static struct leat_slice cut(struct leat_slice name, struct leat_slice end)
{
    return ends(name, end) && name.len > end.len + 1 ? leat_slice_sub(name, 0, name.len - end.len - 1) : name;
}

static void as_utf8(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice name, struct leat_slice text,
                    enum rw_kind kind)
{
    struct unit unit = unit_of(text);
    const char *last = kind == RW_COUNTER ? "total" : kind == RW_GAUGE && leat_slice_is(text, "1") ? "ratio" : NULL;
    char rate[UNIT_MAX + 8];
    if (namer->prefix.len) {
        leat_strbuf_put(out, namer->prefix.at, namer->prefix.len);
        leat_strbuf_putc(out, '_');
    }
    if (!namer->suffixes) {
        leat_strbuf_put(out, name.at, name.len);
        return;
    }
    uint32_t rate_len = unit.rate.len < UNIT_MAX ? unit.rate.len : UNIT_MAX;
    memcpy(rate, "per_", 4);
    if (rate_len)
        memcpy(rate + 4, unit.rate.at, rate_len);
    if (last)
        name = cut(name, leat_slice_str(last));
    if (rate_len)
        name = cut(name, leat_slice_of(rate, rate_len + 4));
    leat_strbuf_put(out, name.at, name.len);
    if (unit.main.len && !ends(name, unit.main)) {
        leat_strbuf_putc(out, '_');
        leat_strbuf_put(out, unit.main.at, unit.main.len);
    }
    if (rate_len) {
        leat_strbuf_putc(out, '_');
        leat_strbuf_put(out, rate, rate_len + 4);
    }
    if (last) {
        leat_strbuf_putc(out, '_');
        leat_strbuf_puts(out, last);
    }
}

bool rw_metric_name(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice name, struct leat_slice unit,
                    enum rw_kind kind)
{
    leat_strbuf_clear(out);
    if (namer->utf8) {
        as_utf8(out, namer, name, unit, kind);
        return out->failed || out->len;
    }
    if (namer->suffixes)
        with_suffixes(out, namer, name, unit, kind);
    else
        without_suffixes(out, namer, name);
    if (out->failed)
        return true;
    bool same = out->len == name.len && name.len && memcmp(out->at, name.at, name.len) == 0;
    return out->len && (same || !only_underscores(out->at, out->len));
}

/* ---- labels ---- */

bool rw_label_name(struct leat_strbuf *out, const struct rw_namer *namer, struct leat_slice name)
{
    leat_strbuf_clear(out);
    if (name.len == 0)
        return false;
    if (namer->utf8) {
        leat_strbuf_put(out, name.at, name.len);
        return out->failed || !only_underscores(out->at, out->len);
    }
    bool reserved = name.len >= 4 && memcmp(name.at, "__", 2) == 0 && memcmp(name.at + name.len - 2, "__", 2) == 0;
    struct leat_slice inner = reserved ? leat_slice_sub(name, 2, name.len - 4) : name;
    bool was_underscore = false;
    if (reserved)
        leat_strbuf_puts(out, "__");
    else if (is_digit(name.at[0]))
        leat_strbuf_puts(out, "key_");
    else if (!is_word(name.at[0])) /* it becomes an underscore, of which one alone may not lead */
        leat_strbuf_puts(out, "key");
    for (uint32_t i = 0; i < inner.len; i++) {
        if (is_word(inner.at[i]))
            leat_strbuf_putc(out, (char)inner.at[i]);
        else if (!was_underscore)
            leat_strbuf_putc(out, '_');
        was_underscore = !is_word(inner.at[i]);
    }
    if (reserved)
        leat_strbuf_puts(out, "__");
    return out->failed || !only_underscores(out->at, out->len);
}
