/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "agent/base/alloc.h"
#include "receivers/file_log/file_log.h"

#define MATCH_LIMIT 100000u /* steps of one search: a bad pattern meets a bad line and loses */
#define HEAP_LIMIT_KIB 1024u

struct file_log_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

struct file_log_regex *file_log__regex_close(struct file_log_regex *regex)
{
    if (regex) {
        pcre2_match_context_free(regex->context);
        pcre2_match_data_free(regex->data);
        pcre2_code_free(regex->code);
        leat_free(regex);
    }
    return NULL;
}

leat_rc file_log__regex_open(const char *pattern, struct file_log_regex **ret_regex, struct leat_err *reterr)
{
    int code;
    PCRE2_SIZE at;
    struct file_log_regex *regex = leat_zalloc(1, sizeof *regex);
    if (!regex)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
    if (!regex->code) {
        PCRE2_UCHAR text[128] = "";
        (void)pcre2_get_error_message(code, text, sizeof text);
        (void)file_log__regex_close(regex);
        return LEAT_RAISE(reterr, LEAT_ECONFIG, code, "regular expression \"%s\", offset %zu: %s", pattern, at,
                          (char *)text);
    }
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); /* without JIT it is slower and the same */
    regex->data = pcre2_match_data_create(1, NULL);
    regex->context = pcre2_match_context_create(NULL);
    if (!regex->data || !regex->context) {
        (void)file_log__regex_close(regex);
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    }
    (void)pcre2_set_match_limit(regex->context, MATCH_LIMIT);
    (void)pcre2_set_heap_limit(regex->context, HEAP_LIMIT_KIB);
    *ret_regex = regex;
    return LEAT_OK;
}

bool file_log__regex_find(struct file_log_regex *regex, const uint8_t *at, size_t len, size_t *ret_from, size_t *ret_to,
                          bool *limited)
{
    int rc = pcre2_match(regex->code, at, len, 0, 0, regex->data, regex->context);
    if (rc < 0) {
        *limited = rc != PCRE2_ERROR_NOMATCH;
        return false;
    }
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(regex->data);
    *ret_from = where[0];
    *ret_to = where[1];
    return true;
}
