/* SPDX-License-Identifier: Apache-2.0 */
/* RE2's grammar, read character by character, and written as a PCRE2 pattern of the same meaning. */
#include "agent/base/regex_go.h"

#include <ctype.h>
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/base/strbuf.h"

#define DEPTH_MAX 200u
#define REPEAT_MAX 1000u

enum last { LAST_NOTHING, LAST_ATOM, LAST_REPEAT }; /* what a repetition would apply to */

struct level {
    bool multiline;
    uint32_t repeats; /* the largest product of repeats inside */
};
struct translate {
    const char *pattern, *at;
    struct leat_strbuf out;
    const char *why; /* the first mistake */
    enum last last;
    uint32_t atom_repeats;
    uint32_t depth;
    struct level level[DEPTH_MAX + 1];
};

static bool refuse(struct translate *t, const char *why)
{
    if (!t->why)
        t->why = why;
    return false;
}

static void put_atom(struct translate *t, const char *text)
{
    leat_strbuf_puts(&t->out, text);
    t->last = LAST_ATOM;
    t->atom_repeats = 1;
}

static void put_code(struct translate *t, uint32_t code)
{
    if (code < 128 && isalnum((int)code))
        leat_strbuf_putc(&t->out, (char)code);
    else
        leat_strbuf_printf(&t->out, "\\x{%x}", code);
}

static void put_char(struct translate *t, uint32_t code)
{
    put_code(t, code);
    t->last = LAST_ATOM;
    t->atom_repeats = 1;
}

/* The pattern was checked to be UTF-8. */
static uint32_t next_char(struct translate *t)
{
    const uint8_t *at = (const uint8_t *)t->at;
    uint32_t len = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t code = len == 1 ? at[0] : at[0] & (0xffu >> (len + 1));
    for (uint32_t i = 1; i < len; i++)
        code = code << 6 | (at[i] & 0x3fu);
    t->at += len;
    return code;
}

/* ---- escapes that stand for one character; `at` is behind the backslash ---- */

static bool hex_code(struct translate *t, uint32_t *ret_code)
{
    bool braces = *t->at == '{';
    uint32_t code = 0, digits = 0;
    t->at += braces;
    for (; isxdigit((unsigned char)*t->at) && (braces || digits < 2); t->at++, digits++) {
        char digit[2] = {*t->at, 0};
        code = code << 4 | (uint32_t)strtoul(digit, NULL, 16);
        if (code > 0x10ffff)
            return refuse(t, "invalid escape sequence");
    }
    if (digits == 0 || (!braces && digits != 2) || (braces && *t->at != '}'))
        return refuse(t, "invalid escape sequence");
    t->at += braces;
    *ret_code = code;
    return true;
}

static bool is_octal(char c) { return c >= '0' && c <= '7'; }

static bool octal_code(struct translate *t, uint32_t *ret_code)
{
    if (t->at[0] != '0' && !is_octal(t->at[1]))
        return refuse(t, "invalid escape sequence: RE2 has no back references");
    uint32_t code = 0;
    for (uint32_t i = 0; i < 3 && is_octal(*t->at); i++)
        code = code * 8 + (uint32_t)(*t->at++ - '0');
    *ret_code = code;
    return true;
}

static bool escaped_char(struct translate *t, uint32_t *ret_code)
{
    static const char letters[] = "afnrtv", codes[] = "\a\f\n\r\t\v";
    char c = *t->at;
    if (c == 0)
        return refuse(t, "trailing backslash at end of expression");
    if (is_octal(c))
        return octal_code(t, ret_code);
    if (c == 'x') {
        t->at++;
        return hex_code(t, ret_code);
    }
    const char *letter = strchr(letters, c);
    if (!letter && ((unsigned char)c >= 0x80 || isalnum((unsigned char)c)))
        return refuse(t, "invalid escape sequence");
    *ret_code = letter ? (uint32_t)codes[letter - letters] : (uint32_t)c;
    t->at++;
    return true;
}

/* \pL, \p{Greek}, \p{^Greek}, \P...: in PCRE2 a script's bare name also takes what other scripts share with it. */
static bool property(struct translate *t)
{
    char sign = *t->at++;
    char name[40];
    size_t len = 1;
    const char *from = t->at;
    if (*t->at == '{') {
        from++;
        if (*from == '^') {
            sign = sign == 'p' ? 'P' : 'p';
            from++;
        }
        len = strcspn(from, "}");
    }
    if (len == 0 || len >= sizeof name || (*t->at == '{' && from[len] != '}'))
        return refuse(t, "invalid character class range");
    t->at = from + len + (*t->at == '{');
    memcpy(name, from, len);
    name[len] = 0;
    for (size_t i = 0; i < len; i++)
        if (!isalpha((unsigned char)name[i]) && name[i] != '_')
            return refuse(t, "invalid character class range");
    if (name[0] == 'X' && len == 3)
        return refuse(t, "invalid character class range");
    leat_strbuf_printf(&t->out, "\\%c{%s%s}", sign, len > 2 && strcmp(name, "Any") != 0 ? "sc:" : "", name);
    return true;
}

/* ---- [...] ---- */

static bool named_class(struct translate *t, bool *ret_found)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                        "lower", "print", "punct", "space", "upper", "word",  "xdigit", NULL};
    const char *end = strstr(t->at + 2, ":]");
    *ret_found = end != NULL;
    if (!end)
        return true;
    const char *name = t->at + 2 + (t->at[2] == '^');
    for (uint32_t i = 0; names[i]; i++)
        if (strlen(names[i]) == (size_t)(end - name) && strncmp(names[i], name, (size_t)(end - name)) == 0) {
            leat_strbuf_put(&t->out, t->at, (size_t)(end + 2 - t->at));
            t->at = end + 2;
            return true;
        }
    return refuse(t, "invalid character class range");
}

/* \d \s \w and their opposites, \p: sets inside a set. RE2's \s has no vertical tab. */
static bool class_set(struct translate *t, bool *ret_found)
{
    char c = t->at[1];
    *ret_found = true;
    if (c == 'p' || c == 'P') {
        t->at++;
        return property(t);
    }
    if (c == 0 || !strchr("dDwWsS", c)) {
        *ret_found = false;
        return true;
    }
    if (c == 's')
        leat_strbuf_puts(&t->out, "\\t\\n\\f\\r\\x20");
    else
        leat_strbuf_printf(&t->out, "\\%c%s", c, c == 'S' ? "\\x0b" : "");
    t->at += 2;
    return true;
}

static bool class_char(struct translate *t, uint32_t *ret_code)
{
    if (*t->at == 0)
        return refuse(t, "missing closing ]");
    if (*t->at == '\\') {
        t->at++;
        return escaped_char(t, ret_code);
    }
    *ret_code = next_char(t);
    return true;
}

static bool class_range(struct translate *t)
{
    uint32_t low = 0, high;
    if (!class_char(t, &low))
        return false;
    high = low;
    if (t->at[0] == '-' && t->at[1] != ']' && t->at[1]) {
        t->at++;
        if (!class_char(t, &high))
            return false;
        if (high < low)
            return refuse(t, "invalid character class range");
    }
    put_code(t, low);
    if (high != low) {
        leat_strbuf_putc(&t->out, '-');
        put_code(t, high);
    }
    return true;
}

static bool class(struct translate *t)
{
    leat_strbuf_putc(&t->out, '[');
    t->at++;
    if (*t->at == '^')
        leat_strbuf_putc(&t->out, *t->at++);
    for (bool first = true; *t->at != ']' || first; first = false) {
        bool found = false;
        bool ok = true;
        if (t->at[0] == '[' && t->at[1] == ':')
            ok = named_class(t, &found);
        else if (t->at[0] == '\\')
            ok = class_set(t, &found);
        if (!ok || (!found && !class_range(t)))
            return false;
    }
    t->at++;
    put_atom(t, "]");
    return true;
}

/* ---- groups ---- */

static bool open_group(struct translate *t, const char *opening, bool multiline)
{
    if (t->depth == DEPTH_MAX)
        return refuse(t, "expression nests too deeply");
    leat_strbuf_puts(&t->out, opening);
    t->depth++;
    t->level[t->depth] = (struct level){multiline, 1};
    t->last = LAST_NOTHING;
    return true;
}

static bool close_group(struct translate *t)
{
    if (t->depth == 0)
        return refuse(t, "unexpected )");
    uint32_t repeats = t->level[t->depth--].repeats;
    put_atom(t, ")");
    t->at++;
    t->atom_repeats = repeats;
    if (t->level[t->depth].repeats < repeats)
        t->level[t->depth].repeats = repeats;
    return true;
}

/* "(?P<name>" or "(?<name>". */
static bool named_group(struct translate *t, const char *name)
{
    size_t len = strcspn(name, ">");
    if (len == 0 || name[len] != '>')
        return refuse(t, "invalid named capture");
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return refuse(t, "invalid named capture");
    bool ok = open_group(t, "(?P<", t->level[t->depth].multiline);
    leat_strbuf_put(&t->out, name, len + 1);
    t->at = name + len + 1;
    return ok;
}

/* "(?i-s)" or "(?i-s:": m is kept here, since ^ and $ are written out. */
static bool flag_group(struct translate *t)
{
    static const char bad[] = "invalid or unsupported Perl syntax", letters[] = "isU";
    int sign[3] = {0}; /* by letter: on, off, not named */
    bool minus = false, any = false, multiline = t->level[t->depth].multiline;
    char flags[12] = "(?";
    const char *at = t->at + 2;
    for (; *at && *at != ')' && *at != ':'; at++) {
        const char *letter = strchr(letters, *at);
        if ((*at == '-' && minus) || (!letter && *at != 'm' && *at != '-'))
            return refuse(t, bad);
        any = *at != '-';
        minus = minus || *at == '-';
        if (*at == 'm')
            multiline = !minus;
        else if (letter)
            sign[letter - letters] = minus ? -1 : 1;
    }
    if (*at == 0 || (minus && !any))
        return refuse(t, bad);
    size_t len = 2;
    for (int pass = 1; pass >= -1; pass -= 2) {
        if (pass < 0 && minus)
            flags[len++] = '-';
        for (int i = 0; i < 3; i++)
            if (sign[i] == pass)
                flags[len++] = letters[i];
    }
    t->at = at + 1;
    flags[len] = *at;
    if (*at == ':')
        return open_group(t, flags, multiline);
    t->level[t->depth].multiline = multiline;
    leat_strbuf_puts(&t->out, flags);
    t->last = LAST_NOTHING;
    return true;
}

static bool group(struct translate *t)
{
    if (t->at[1] == '*')
        return refuse(t, "missing argument to repetition operator");
    if (t->at[1] != '?') {
        t->at++;
        return open_group(t, "(", t->level[t->depth].multiline);
    }
    if (t->at[2] == 'P' && t->at[3] == '<')
        return named_group(t, t->at + 4);
    if (t->at[2] == '<' && t->at[3] != '=' && t->at[3] != '!')
        return named_group(t, t->at + 3);
    return flag_group(t);
}

/* ---- repetition ---- */

/* "{2}", "{2,}", "{2,5}"; false: a brace that stands for itself. */
static bool read_repeat(const char *at, const char **ret_end, uint32_t *ret_max, bool *ret_valid)
{
    uint64_t low = 0, high = 0;
    const char *digits = ++at;
    for (; isdigit((unsigned char)*at); at++)
        low = low > REPEAT_MAX ? low : low * 10 + (uint64_t)(*at - '0');
    if (at == digits || (digits[0] == '0' && at - digits > 1)) /* Go reads no leading zeros */
        return false;
    high = low;
    if (*at == ',') {
        digits = ++at;
        for (high = 0; isdigit((unsigned char)*at); at++)
            high = high > REPEAT_MAX ? high : high * 10 + (uint64_t)(*at - '0');
        if (digits[0] == '0' && at - digits > 1)
            return false;
        high = at == digits ? low : high;
    }
    *ret_end = at + 1;
    *ret_max = (uint32_t)(high > low ? high : low);
    *ret_valid = low <= REPEAT_MAX && high <= REPEAT_MAX && low <= high;
    return *at == '}';
}

static bool repeat(struct translate *t)
{
    const char *end = t->at + 1;
    uint32_t times = 1;
    bool valid = true;
    if (*t->at == '{' && !read_repeat(t->at, &end, &times, &valid)) {
        put_char(t, next_char(t));
        return true;
    }
    if (!valid)
        return refuse(t, "invalid repeat count");
    if (t->last == LAST_NOTHING)
        return refuse(t, "missing argument to repetition operator");
    if (t->last == LAST_REPEAT)
        return refuse(t, "invalid nested repetition operator");
    if (times && t->atom_repeats * times > REPEAT_MAX)
        return refuse(t, "invalid repeat count");
    end += *end == '?';
    leat_strbuf_put(&t->out, t->at, (size_t)(end - t->at));
    t->at = end;
    t->last = LAST_REPEAT;
    times = times ? t->atom_repeats * times : 1;
    if (t->level[t->depth].repeats < times)
        t->level[t->depth].repeats = times;
    return true;
}

/* ---- everything else ---- */

static bool quoted(struct translate *t) /* \Q...\E */
{
    t->at++;
    while (*t->at && strncmp(t->at, "\\E", 2) != 0)
        put_char(t, next_char(t));
    t->at += *t->at ? 2 : 0;
    return true;
}

static bool escape(struct translate *t)
{
    static const struct {
        char letter;
        const char *means;
    } sets[] = {{'d', "\\d"},    {'D', "\\D"},    {'w', "\\w"},    {'W', "\\W"},
                {'b', "(?:\\b)"}, {'B', "(?:\\B)"}, {'A', "(?:\\A)"}, {'z', "(?:\\z)"},
                {'s', "[\\t\\n\\f\\r\\x20]"},     {'S', "[^\\t\\n\\f\\r\\x20]"}};
    uint32_t code;
    t->at++;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (sets[i].letter == *t->at) {
            t->at++;
            put_atom(t, sets[i].means);
            return true;
        }
    if (*t->at == 'Q')
        return quoted(t);
    if (*t->at == 'p' || *t->at == 'P') {
        bool ok = property(t);
        put_atom(t, "");
        return ok;
    }
    if (!escaped_char(t, &code))
        return false;
    put_char(t, code);
    return true;
}

static bool step(struct translate *t)
{
    bool multiline = t->level[t->depth].multiline;
    switch (*t->at) {
    case '\\':
        return escape(t);
    case '[':
        return class(t);
    case '(':
        return group(t);
    case ')':
        return close_group(t);
    case '|':
        leat_strbuf_putc(&t->out, *t->at++);
        t->last = LAST_NOTHING;
        return true;
    case '*':
    case '+':
    case '?':
    case '{':
        return repeat(t);
    case '^':
        put_atom(t, multiline ? "(?:(?<![^\\n]))" : "(?:\\A)");
        t->at++;
        return true;
    case '$':
        put_atom(t, multiline ? "(?:(?![^\\n]))" : "(?:\\z)");
        t->at++;
        return true;
    case '.':
        put_atom(t, ".");
        t->at++;
        return true;
    default:
        put_char(t, next_char(t));
        return true;
    }
}

static bool is_utf8(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    while (*at) {
        unsigned len = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : *at < 0xf5 ? 4 : 0;
        if (len == 0 || (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
            (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
            return false;
        for (unsigned i = 1; i < len; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        at += len;
    }
    return true;
}

leat_rc leat_regex_go_open(const char *pattern, bool whole, struct leat_regex **ret_regex, struct leat_err *reterr)
{
    struct translate t = {.pattern = pattern, .at = pattern, .level = {{false, 1}}};
    struct leat_err inner = {0};
    leat_rc rc;
    if (!is_utf8(pattern))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "error parsing regexp: invalid UTF-8");
    leat_strbuf_puts(&t.out, whole ? "(*UTF)(*LF)\\A(?s:" : "(*UTF)(*LF)");
    while (*t.at && step(&t))
        ;
    if (!t.why && t.depth)
        (void)refuse(&t, "missing closing )");
    leat_strbuf_puts(&t.out, whole ? ")\\z" : "");
    if (t.why)
        rc = LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "error parsing regexp \"%.120s\", offset %zu: %s", pattern,
                        (size_t)(t.at - pattern), t.why);
    else if (t.out.failed)
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    else if ((rc = leat_regex_open(t.out.at, ret_regex, &inner)) == LEAT_ECONFIG)
        rc = LEAT_RAISE(reterr, rc, inner.sys, "error parsing regexp \"%.120s\": %.120s", pattern, inner.text);
    else if (rc != LEAT_OK && reterr)
        *reterr = inner;
    leat_strbuf_done(&t.out);
    return rc;
}

/* ---- templates ---- */

#define NO_GROUP UINT32_MAX

struct part {
    struct leat_slice text; /* when group is NO_GROUP */
    uint32_t group;
};
struct leat_template {
    uint32_t count;
    struct part at[]; /* the text's copy lies behind */
};

bool leat_template_is_plain(const char *text)
{
    return strchr(text, '$') == NULL;
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The group called so; NO_GROUP: none, which expands to nothing. */
static uint32_t group_of(const struct leat_regex *regex, const char *name, size_t len)
{
    uint64_t number = 0;
    bool numeric = len == 1 || name[0] != '0';
    for (size_t i = 0; i < len && numeric; i++) {
        numeric = isdigit((unsigned char)name[i]) && number < 100000000;
        number = number * 10 + (uint64_t)(name[i] - '0');
    }
    if (numeric)
        return number <= leat_regex_groups(regex) ? (uint32_t)number : NO_GROUP;
    for (uint32_t i = 1; i <= leat_regex_groups(regex); i++) {
        const char *called = leat_regex_name(regex, i);
        if (called && strlen(called) == len && memcmp(called, name, len) == 0)
            return i;
    }
    return NO_GROUP;
}

/* At a $: what it stands for. The answer is how many bytes of the template it took. */
static size_t read_part(const struct leat_regex *regex, const char *at, struct part *ret_part)
{
    bool braces = at[1] == '{';
    const char *name = at + 1 + braces;
    size_t len = 0;
    *ret_part = (struct part){leat_slice_of(at, 1), NO_GROUP};
    if (at[1] == '$')
        return 2;
    while (is_name(name[len]))
        len++;
    if (len == 0 || (braces && name[len] != '}'))
        return 1; /* malformed: a $ like any character */
    uint32_t group = group_of(regex, name, len);
    ret_part->group = group;
    if (group == NO_GROUP)
        ret_part->text = leat_slice_of(at, 0);
    return 1 + braces + len + braces;
}

leat_rc leat_template_open(const char *text, const struct leat_regex *regex, struct leat_template **ret_template,
                           struct leat_err *reterr)
{
    size_t len = strlen(text), parts = 1;
    for (const char *at = text; (at = strchr(at, '$')) != NULL; at++)
        parts += 2;
    struct leat_template *made = leat_zalloc(1, sizeof *made + parts * sizeof *made->at + len + 1);
    if (!made)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    char *at = memcpy(&made->at[parts], text, len + 1);
    while (*at) {
        size_t plain = strcspn(at, "$");
        if (plain)
            made->at[made->count++] = (struct part){leat_slice_of(at, (uint32_t)plain), NO_GROUP};
        at += plain;
        if (*at)
            at += read_part(regex, at, &made->at[made->count++]);
    }
    *ret_template = made;
    return LEAT_OK;
}

struct leat_template *leat_template_close(struct leat_template *made)
{
    leat_free(made);
    return NULL;
}

uint32_t leat_template_expand(const struct leat_template *made, const struct leat_regex *regex, struct leat_slice text,
                              char *to)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < made->count; i++) {
        const struct part *part = &made->at[i];
        struct leat_slice piece = part->group == NO_GROUP ? part->text : leat_regex_group(regex, text, part->group);
        if (to && piece.len)
            memcpy(to + len, piece.at, piece.len);
        len += piece.len;
    }
    return len;
}
