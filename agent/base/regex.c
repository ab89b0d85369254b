/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "agent/base/regex.h"

#include <pcre2.h>

#include "agent/base/alloc.h"

#define MATCH_LIMIT 100000u /* steps of one search: a bad pattern meets a bad text and loses */
#define HEAP_LIMIT_KIB 1024u

struct leat_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    uint64_t limited;
};

struct leat_regex *leat_regex_close(struct leat_regex *regex)
{
    if (regex) {
        pcre2_match_context_free(regex->context);
        pcre2_match_data_free(regex->data);
        pcre2_code_free(regex->code);
        leat_free(regex);
    }
    return NULL;
}

leat_rc leat_regex_open(const char *pattern, struct leat_regex **ret_regex, struct leat_err *reterr)
{
    int code;
    PCRE2_SIZE at;
    struct leat_regex *regex = leat_zalloc(1, sizeof *regex);
    if (!regex)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
    if (!regex->code) {
        PCRE2_UCHAR text[128] = "";
        (void)pcre2_get_error_message(code, text, sizeof text);
        (void)leat_regex_close(regex);
        return LEAT_RAISE(reterr, LEAT_ECONFIG, code, "regular expression \"%s\", offset %zu: %s", pattern, at,
                          (char *)text);
    }
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without JIT it is slower and the same */
    regex->data = pcre2_match_data_create_from_pattern(regex->code, NULL);
    regex->context = pcre2_match_context_create(NULL);
    if (!regex->data || !regex->context) {
        (void)leat_regex_close(regex);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    }
    (void)pcre2_set_match_limit(regex->context, MATCH_LIMIT);
    (void)pcre2_set_heap_limit(regex->context, HEAP_LIMIT_KIB);
    *ret_regex = regex;
    return LEAT_OK;
}

bool leat_regex_find(struct leat_regex *regex, struct leat_slice text)
{
    const uint8_t *at = text.len ? text.at : (const uint8_t *)"";
    int rc = pcre2_match(regex->code, at, text.len, 0, 0, regex->data, regex->context);
    regex->limited += rc < 0 && rc != PCRE2_ERROR_NOMATCH;
    return rc >= 0;
}

struct leat_slice leat_regex_group(const struct leat_regex *regex, struct leat_slice text, uint32_t group)
{
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(regex->data);
    PCRE2_SIZE from = where[2 * group], to = where[2 * group + 1];
    if (from == PCRE2_UNSET || to < from)
        return (struct leat_slice){0};
    return leat_slice_of(text.at + from, (uint32_t)(to - from));
}

uint32_t leat_regex_groups(const struct leat_regex *regex)
{
    uint32_t count = 0;
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &count);
    return count;
}

const char *leat_regex_name(const struct leat_regex *regex, uint32_t group)
{
    uint32_t count = 0, size = 0;
    PCRE2_SPTR table = NULL;
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &count);
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &table);
    for (uint32_t i = 0; i < count; i++, table += size) /* an entry: number in two bytes, name */
        if (((uint32_t)table[0] << 8 | table[1]) == group)
            return (const char *)table + 2;
    return NULL;
}

uint64_t leat_regex_limited(const struct leat_regex *regex)
{
    return regex->limited;
}
