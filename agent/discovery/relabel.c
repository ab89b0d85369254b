/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/discovery/relabel.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <wctype.h>

#include "agent/base/alloc.h"
#include "agent/base/regex_go.h"
#include "agent/base/strbuf.h"
#include "agent/discovery/relabel_inner.h"
#include "agent/net/digest.h"
#include "proto/utf8/utf8.h"

struct rule {
    const struct leat_relabel_conf *conf;
    struct leat_regex *regex;
    struct leat_template *target, *replacement; /* NULL: the texts stand for themselves */
    bool any;     /* the pattern is (.*) */
    bool literal; /* the pattern is words and bars: compared, not searched */
};
struct leat_relabel {
    uint32_t count;
    enum leat_name_scheme names;
    locale_t letters; /* 0: ASCII letters only */
    struct leat_strbuf joined;
    struct leat_label *names_then; /* labelmap: the set when the rule began */
    uint32_t names_room;
    struct rule at[];
};

/* ---- making ---- */

static bool is_literal(const char *pattern)
{
    return strpbrk(pattern, "\\^$.[]()*+?{}") == NULL;
}

static leat_rc open_rule(struct rule *rule, const struct leat_relabel_conf *conf, enum leat_name_scheme names,
                         struct leat_err *reterr)
{
    rule->conf = conf;
    rule->any = strcmp(conf->regex, "(.*)") == 0;
    rule->literal = is_literal(conf->regex);
    leat_rc rc = leat_relabel__rule_check(conf, names, reterr);
    if (rc == LEAT_OK)
        rc = leat_regex_go_open(conf->regex, true, &rule->regex, reterr);
    if (rc == LEAT_OK && conf->target_label && !leat_template_is_plain(conf->target_label))
        rc = leat_template_open(conf->target_label, rule->regex, &rule->target, reterr);
    if (rc == LEAT_OK && !leat_template_is_plain(conf->replacement))
        rc = leat_template_open(conf->replacement, rule->regex, &rule->replacement, reterr);
    return rc;
}

leat_rc leat_relabel_open(const struct leat_items *rules, enum leat_name_scheme names, const char *key,
                          struct leat_relabel **ret_relabel, struct leat_err *reterr)
{
    const struct leat_relabel_conf *confs = rules ? rules->at : NULL;
    uint32_t count = rules ? rules->count : 0;
    *ret_relabel = NULL;
    if (count == 0)
        return LEAT_OK;
    struct leat_relabel *relabel = leat_zalloc(1, sizeof *relabel + count * sizeof *relabel->at);
    if (!relabel)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    relabel->names = names;
    leat_rc rc = LEAT_OK;
    while (rc == LEAT_OK && relabel->count < count) {
        const struct leat_relabel_conf *conf = &confs[relabel->count];
        rc = open_rule(&relabel->at[relabel->count++], conf, names, reterr);
        if ((conf->action == LEAT_RELABEL_LOWERCASE || conf->action == LEAT_RELABEL_UPPERCASE) && !relabel->letters)
            relabel->letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    }
    if (rc != LEAT_OK) {
        if (reterr)
            (void)leat_err_wrap(reterr, "%s[%u]", key, relabel->count - 1);
        relabel = leat_relabel_close(relabel);
    }
    *ret_relabel = relabel;
    return rc;
}

struct leat_relabel *leat_relabel_close(struct leat_relabel *relabel)
{
    if (!relabel)
        return NULL;
    for (uint32_t i = 0; i < relabel->count; i++) {
        leat_template_close(relabel->at[i].target);
        leat_template_close(relabel->at[i].replacement);
        leat_regex_close(relabel->at[i].regex);
    }
    if (relabel->letters)
        freelocale(relabel->letters);
    leat_strbuf_done(&relabel->joined);
    leat_free(relabel->names_then);
    leat_free(relabel);
    return NULL;
}

leat_rc leat_relabel_check(const struct leat_items *rules, enum leat_name_scheme names, const char *key,
                           struct leat_err *reterr)
{
    struct leat_relabel *relabel = NULL;
    leat_rc rc = leat_relabel_open(rules, names, key, &relabel, reterr);
    (void)leat_relabel_close(relabel);
    return rc;
}

uint64_t leat_relabel_limited(const struct leat_relabel *relabel)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; relabel && i < relabel->count; i++)
        sum += leat_regex_limited(relabel->at[i].regex);
    return sum;
}

/* ---- matching ---- */

static bool is_one_of(const char *words, struct leat_slice text)
{
    for (const char *at = words;; at++) {
        size_t len = strcspn(at, "|");
        if (len == text.len && memcmp(at, text.at, len) == 0)
            return true;
        at += len;
        if (*at == 0)
            return false;
    }
}

static bool matches(struct rule *rule, struct leat_slice text)
{
    if (rule->any)
        return true;
    return rule->literal ? is_one_of(rule->conf->regex, text) : leat_regex_find(rule->regex, text);
}

/* The values of the source labels with separators between; lives until the next call. */
static leat_rc join(struct leat_relabel *relabel, const struct leat_relabel_conf *conf,
                    const struct leat_label_edit *edit, struct leat_slice *ret_joined)
{
    *ret_joined = leat_slice_of("", 0);
    if (conf->source_labels.count == 1)
        *ret_joined = leat_label_edit_get(edit, leat_slice_str(conf->source_labels.at[0]));
    if (conf->source_labels.count < 2)
        return LEAT_OK;
    leat_strbuf_clear(&relabel->joined);
    for (uint32_t i = 0; i < conf->source_labels.count; i++) {
        struct leat_slice value = leat_label_edit_get(edit, leat_slice_str(conf->source_labels.at[i]));
        if (i)
            leat_strbuf_puts(&relabel->joined, conf->separator);
        leat_strbuf_put(&relabel->joined, value.at, value.len);
    }
    if (relabel->joined.failed) {
        leat_strbuf_done(&relabel->joined);
        return LEAT_ENOMEM;
    }
    *ret_joined = leat_slice_of(relabel->joined.at, (uint32_t)relabel->joined.len);
    return LEAT_OK;
}

/* `made` NULL: `plain` itself. After a find that was true. */
static bool expand(const struct rule *rule, const struct leat_template *made, const char *plain, struct leat_slice text,
                   struct leat_label_edit *edit, struct leat_slice *ret_text)
{
    if (!made) {
        *ret_text = leat_slice_str(plain);
        return true;
    }
    uint32_t len = leat_template_expand(made, rule->regex, text, NULL);
    char *to = leat_label_edit_room(edit, len);
    if (to)
        (void)leat_template_expand(made, rule->regex, text, to);
    *ret_text = leat_slice_of(to, len);
    return to != NULL;
}

/* ---- the actions ---- */

static void replace(const struct leat_relabel *relabel, struct rule *rule, struct leat_slice text,
                    struct leat_label_edit *edit)
{
    struct leat_slice target, value;
    if (rule->any && !rule->target && strcmp(rule->conf->replacement, "$1") == 0) { /* a plain copy */
        leat_label_edit_put(edit, leat_slice_str(rule->conf->target_label), text);
        return;
    }
    bool needs_groups = rule->target || rule->replacement;
    if (needs_groups ? !leat_regex_find(rule->regex, text) : !matches(rule, text))
        return;
    if (!expand(rule, rule->target, rule->conf->target_label, text, edit, &target))
        return;
    if (rule->target && !leat_relabel__name_ok(target, relabel->names))
        return;
    if (expand(rule, rule->replacement, rule->conf->replacement, text, edit, &value))
        leat_label_edit_put(edit, target, value);
}

static void hashmod(const struct rule *rule, struct leat_slice text, struct leat_label_edit *edit)
{
    uint8_t digest[16];
    leat_rc rc = leat_digest_md5(text, digest);
    if (rc != LEAT_OK) {
        edit->failed = edit->failed ? edit->failed : rc;
        return;
    }
    uint64_t hash = 0;
    for (uint32_t i = 8; i < 16; i++)
        hash = hash << 8 | digest[i];
    char number[24];
    int len = snprintf(number, sizeof number, "%" PRIu64, hash % (uint64_t)rule->conf->modulus);
    leat_label_edit_put_str(edit, rule->conf->target_label, leat_slice_of(number, (uint32_t)len));
}

static uint32_t turn(const struct leat_relabel *relabel, uint32_t code, bool upper)
{
    if (code < 0x80 || !relabel->letters) {
        bool letter = upper ? code >= 'a' && code <= 'z' : code >= 'A' && code <= 'Z';
        return letter ? code ^ 0x20 : code;
    }
    return (uint32_t)(upper ? towupper_l((wint_t)code, relabel->letters) : towlower_l((wint_t)code, relabel->letters));
}

/* A letter's twin may take more bytes than the letter, three for two at most. */
static void change_case(const struct leat_relabel *relabel, const struct rule *rule, struct leat_slice text,
                        struct leat_label_edit *edit)
{
    bool upper = rule->conf->action == LEAT_RELABEL_UPPERCASE;
    uint8_t *to = (uint8_t *)leat_label_edit_room(edit, text.len * 2);
    uint32_t len = 0;
    unsigned step;
    if (!to)
        return;
    for (const uint8_t *at = text.at, *end = at + text.len; at < end; at += step) {
        unsigned bad = 1;
        step = utf8_char(at, end, &bad);
        if (step == 0) {
            to[len++] = *at;
            step = 1;
            continue;
        }
        uint32_t code = step == 1 ? *at : *at & (0xffu >> (step + 1));
        for (unsigned i = 1; i < step; i++)
            code = code << 6 | (at[i] & 0x3fu);
        len += utf8_put(turn(relabel, code, upper), to + len);
    }
    leat_label_edit_put_str(edit, rule->conf->target_label, leat_slice_of(to, len));
}

static void map_names(struct leat_relabel *relabel, struct rule *rule, struct leat_label_edit *edit)
{
    uint32_t count = edit->count;
    if (count > relabel->names_room) {
        void *at = leat_realloc(relabel->names_then, edit->room * sizeof *relabel->names_then);
        if (!at) {
            edit->failed = edit->failed ? edit->failed : LEAT_ENOMEM;
            return;
        }
        relabel->names_then = at;
        relabel->names_room = edit->room;
    }
    if (count)
        memcpy(relabel->names_then, edit->at, count * sizeof *edit->at);
    for (uint32_t i = 0; i < count; i++) {
        struct leat_label label = relabel->names_then[i];
        struct leat_slice name;
        if (rule->replacement ? !leat_regex_find(rule->regex, label.name) : !matches(rule, label.name))
            continue;
        if (expand(rule, rule->replacement, rule->conf->replacement, label.name, edit, &name) && name.len)
            leat_label_edit_put(edit, name, label.value);
    }
}

static void filter_names(struct rule *rule, struct leat_label_edit *edit)
{
    bool kept = rule->conf->action == LEAT_RELABEL_LABELKEEP;
    uint32_t count = 0;
    for (uint32_t i = 0; i < edit->count; i++)
        if (matches(rule, edit->at[i].name) == kept)
            edit->at[count++] = edit->at[i];
    edit->count = count;
}

static bool equals_target(const struct rule *rule, struct leat_slice text, const struct leat_label_edit *edit)
{
    return leat_slice_eq(leat_label_edit_get(edit, leat_slice_str(rule->conf->target_label)), text);
}

/* False: the set is dropped. */
static bool apply(struct leat_relabel *relabel, struct rule *rule, struct leat_slice text, struct leat_label_edit *edit)
{
    switch (rule->conf->action) {
    case LEAT_RELABEL_REPLACE:
        replace(relabel, rule, text, edit);
        return true;
    case LEAT_RELABEL_KEEP:
        return matches(rule, text);
    case LEAT_RELABEL_DROP:
        return !matches(rule, text);
    case LEAT_RELABEL_KEEPEQUAL:
        return equals_target(rule, text, edit);
    case LEAT_RELABEL_DROPEQUAL:
        return !equals_target(rule, text, edit);
    case LEAT_RELABEL_HASHMOD:
        hashmod(rule, text, edit);
        return true;
    case LEAT_RELABEL_LABELMAP:
        map_names(relabel, rule, edit);
        return true;
    case LEAT_RELABEL_LABELDROP:
    case LEAT_RELABEL_LABELKEEP:
        filter_names(rule, edit);
        return true;
    default: /* LOWERCASE, UPPERCASE */
        change_case(relabel, rule, text, edit);
        return true;
    }
}

leat_rc leat_relabel_apply(struct leat_relabel *relabel, struct leat_label_edit *edit, bool *ret_keep)
{
    bool keep = true;
    for (uint32_t i = 0; relabel && i < relabel->count && keep; i++) {
        struct leat_slice text;
        leat_rc rc = join(relabel, relabel->at[i].conf, edit, &text);
        if (rc != LEAT_OK)
            edit->failed = edit->failed ? edit->failed : rc;
        if (edit->failed != LEAT_OK)
            break;
        keep = apply(relabel, &relabel->at[i], text, edit);
    }
    *ret_keep = keep;
    return edit->failed;
}
