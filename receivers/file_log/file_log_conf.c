/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "receivers/file_log/file_log.h"

#define C(member) LEAT_AT(struct file_log_conf, member)
#define OP(member) LEAT_AT(struct file_log_operator, member)
#define ADDED_MAX 64u /* attributes, resource and added fields together */
#define MS 1e6
#define S 1e9
#define KIB 1024.0
#define MIB (1024.0 * 1024.0)

static const char *const starts[] = {"end", "beginning", NULL};
static const char *const behaviors[] = {"split", "truncate", NULL};
static const char *const truncates[] = {"read_new", "read_whole_file", "ignore", NULL};
static const char *const formats[] = {"", "docker", "crio", "containerd", NULL};
static const char *const overwrites[] = {"oldest", "newest", NULL};
static const char *const on_errors[] = {"send", "send_quiet", "drop", "drop_quiet", NULL};

#define ONLY "only the operators container, recombine, add, move and remove are supported"

static const struct leat_field operator_fields[] = {
    {"type", LEAT_STRING, OP(type), NULL, "container, recombine, add, move or remove", .flags = LEAT_REQUIRED},
    {"id", LEAT_STRING, OP(id), NULL, "a name, for `output`"},
    {"output", LEAT_STRING, OP(output), NULL, "must name the operator that follows: the chain is a line"},
    {"on_error", LEAT_ENUM, OP(on_error), "send", "accepted: a line that cannot be parsed is always sent as it is",
     .choices = on_errors},
    {"if", LEAT_REFUSED, 0, NULL, "conditions on operators are not supported"},
    {"format", LEAT_ENUM, OP(format), "\"\"", "container: docker, crio, containerd; empty: each line tells",
     .choices = formats},
    {"add_metadata_from_filepath", LEAT_BOOL, OP(add_metadata), "true",
     "container: k8s.* resource attributes from the path"},
    {"max_log_size", LEAT_SIZE, OP(max_log_size), "1MiB",
     "container, recombine: a joined record is flushed at this size; 0: no limit", .max = 256 * MIB},
    {"is_first_entry", LEAT_STRING, OP(is_first_entry), NULL,
     "recombine: body matches \"regex\", or attributes.logtag == 'F'"},
    {"is_last_entry", LEAT_STRING, OP(is_last_entry), NULL, "recombine: as is_first_entry"},
    {"combine_field", LEAT_STRING, OP(combine_field), "body", "recombine: body is the one that can be combined"},
    {"combine_with", LEAT_STRING, OP(combine_with), "\"\\n\"", "recombine: what stands between the lines"},
    {"source_identifier", LEAT_STRING, OP(source_identifier), "attributes[\"log.file.path\"]",
     "recombine: lines of one file (and stream) belong together"},
    {"max_batch_size", LEAT_INT, OP(max_batch_size), "1000", "recombine: lines in one record; 0: no limit", .max = 1e9},
    {"max_unmatched_batch_size", LEAT_INT, OP(max_unmatched_batch_size), "100",
     "recombine: lines combined before a first entry was seen; 0: no limit", .max = 1e9},
    {"max_sources", LEAT_INT, OP(max_sources), "1000", "recombine: accepted; max_held_bytes is the bound", .max = 1e9},
    {"overwrite_with", LEAT_ENUM, OP(overwrite_with), "oldest", "recombine: whose time and tag the record takes",
     .choices = overwrites},
    {"force_flush_period", LEAT_DURATION, OP(force_flush_period), "5s",
     "recombine: how long a record waits for its end", .min = 1 * MS, .max = 86400 * S},
    {"field", LEAT_STRING, OP(field), NULL, "add, remove: attributes[\"key\"] or resource[\"key\"]"},
    {"value", LEAT_VALUE, OP(value), NULL, "add: the text"},
    {"from", LEAT_STRING, OP(from), NULL, "move: attributes[\"key\"] or resource[\"key\"]"},
    {"to", LEAT_STRING, OP(to), NULL, "move: attributes[\"key\"] or resource[\"key\"]"},
    {"parse_from", LEAT_REFUSED, 0, NULL, ONLY},
    {"parse_to", LEAT_REFUSED, 0, NULL, ONLY},
    {"regex", LEAT_REFUSED, 0, NULL, ONLY},
    {"timestamp", LEAT_REFUSED, 0, NULL, ONLY},
    {"severity", LEAT_REFUSED, 0, NULL, ONLY},
    {"layout", LEAT_REFUSED, 0, NULL, ONLY},
    {"layout_type", LEAT_REFUSED, 0, NULL, ONLY},
    {"expr", LEAT_REFUSED, 0, NULL, ONLY},
    {"routes", LEAT_REFUSED, 0, NULL, ONLY},
    {"default", LEAT_REFUSED, 0, NULL, ONLY},
    {"mapping", LEAT_REFUSED, 0, NULL, ONLY},
    {"fields", LEAT_REFUSED, 0, NULL, ONLY},
    {NULL, LEAT_BOOL, 0, NULL, NULL},
};

static const struct leat_field multiline_fields[] = {
    {"line_start_pattern", LEAT_STRING, C(multiline.line_start_pattern), NULL, "a line that matches begins a record"},
    {"line_end_pattern", LEAT_STRING, C(multiline.line_end_pattern), NULL, "a line that matches ends a record"},
    {"omit_pattern", LEAT_BOOL, C(multiline.omit_pattern), "false", "what matched is left out"},
    {NULL, LEAT_BOOL, 0, NULL, NULL},
};

#define NO_LINKS "paths are not resolved; include_file_path gives the path that matched"
#define NO_USERS "the user database is not read"

const struct leat_field file_log__fields[] = {
    {"include", LEAT_STRINGS, C(include), NULL, "globs of the files to read; ** matches folders",
     .flags = LEAT_REQUIRED},
    {"exclude", LEAT_STRINGS, C(exclude), NULL, "globs of files not to read"},
    {"exclude_older_than", LEAT_DURATION, C(exclude_older_than), "0s",
     "files not changed for so long are not begun; 0: all"},
    {"start_at", LEAT_ENUM, C(start_at), "end",
     "where a file found at the first scan is begun; later ones from their start", .choices = starts},
    {"poll_interval", LEAT_DURATION, C(poll_interval), "200ms", "time between two scans", .min = 1 * MS,
     .max = 3600 * S},
    {"max_concurrent_files", LEAT_INT, C(max_concurrent_files), "1024", "files open at once; the quietest gives way",
     .min = 1, .max = 1e6},
    {"max_batches", LEAT_INT, C(max_batches), "0", "accepted: every file has its turn in each round", .max = 1e9},
    {"fingerprint_size", LEAT_SIZE, C(fingerprint_size), "1000", "first bytes by which a file is told from another",
     .min = 16, .max = 64 * KIB},
    {"initial_buffer_size", LEAT_SIZE, C(initial_buffer_size), "16KiB", "accepted: one read buffer serves all files",
     .min = 1, .max = 256 * MIB},
    {"max_log_size", LEAT_SIZE, C(max_log_size), "1MiB", "longest line or multiline record", .min = 16,
     .max = 256 * MIB},
    {"max_log_size_behavior", LEAT_ENUM, C(max_log_size_behavior), "split", "what becomes of the rest of a longer line",
     .choices = behaviors},
    {"encoding", LEAT_STRING, C(encoding), "utf-8",
     "utf-8 (broken sequences become U+FFFD), utf-8-raw, ascii, nop (bytes)"},
    {"compression", LEAT_STRING, C(compression), "\"\"", "only uncompressed files are read"},
    {"force_flush_period", LEAT_DURATION, C(force_flush_period), "500ms",
     "an end of file without newline is a line after so long; 0: never", .max = 86400 * S},
    {"multiline", LEAT_SECTION, 0, NULL, "records of several lines", .fields = multiline_fields,
     .present = LEAT_PRESENT(struct file_log_conf, multiline.present)},
    {"preserve_leading_whitespaces", LEAT_BOOL, C(preserve_leading), "false", "keep blanks before a line"},
    {"preserve_trailing_whitespaces", LEAT_BOOL, C(preserve_trailing), "false", "keep blanks after a line"},
    {"include_file_name", LEAT_BOOL, C(include_file_name), "true", "attribute log.file.name"},
    {"include_file_path", LEAT_BOOL, C(include_file_path), "false", "attribute log.file.path"},
    {"include_file_name_resolved", LEAT_REFUSED, 0, NULL, NO_LINKS},
    {"include_file_path_resolved", LEAT_REFUSED, 0, NULL, NO_LINKS},
    {"include_file_owner_name", LEAT_REFUSED, 0, NULL, NO_USERS},
    {"include_file_owner_group_name", LEAT_REFUSED, 0, NULL, NO_USERS},
    {"include_file_permissions", LEAT_BOOL, C(include_file_permissions), "false", "attribute log.file.permissions"},
    {"include_file_record_number", LEAT_BOOL, C(include_file_record_number), "false",
     "attribute log.file.record_number, counted from 1 since the file was opened"},
    {"include_file_record_offset", LEAT_BOOL, C(include_file_record_offset), "false",
     "attribute log.file.record_offset"},
    {"attributes", LEAT_MAP, C(attributes), NULL, "attributes of every record"},
    {"resource", LEAT_MAP, C(resource), NULL, "resource attributes of every record"},
    {"storage", LEAT_STRING, C(storage), NULL, "the extension that keeps the positions", .flags = LEAT_EXTENSION},
    {"polls_to_archive", LEAT_INT, C(polls_to_archive), "0", "accepted: positions are kept while a file exists",
     .max = 1e9},
    {"on_truncate", LEAT_ENUM, C(on_truncate), "read_new", "a file that shrank to a part of itself",
     .choices = truncates},
    {"delete_after_read", LEAT_REFUSED, 0, NULL, "files are never deleted"},
    {"acquire_fs_lock", LEAT_IGNORED, 0, NULL, "reading needs no lock"},
    {"file_cache_advise", LEAT_IGNORED, 0, NULL, "the page cache is left to the kernel"},
    {"header", LEAT_REFUSED, 0, NULL, "headers of files are not parsed"},
    {"ordering_criteria", LEAT_REFUSED, 0, NULL, "files are not chosen by order; use include and exclude"},
    {"retry_on_failure", LEAT_IGNORED, 0, NULL, "what is refused is always tried again, without a limit"},
    {"id", LEAT_IGNORED, 0, NULL, "the component's id names it"},
    {"operators", LEAT_LIST, C(operators), NULL, "container, recombine, add, move, remove", .fields = operator_fields,
     .item_size = sizeof(struct file_log_operator)},
    {"follow_symlinks", LEAT_BOOL, C(follow_symlinks), "true",
     "whether a matched path may be a link; its target must be a regular file"},
    {"max_inflight_bytes", LEAT_SIZE, C(max_inflight_bytes), "8MiB",
     "unacknowledged bytes per shard; then reading waits", .min = 64 * KIB, .max = 4096 * MIB},
    {"max_batch_bytes", LEAT_SIZE, C(max_batch_bytes), "256KiB", "a batch is passed on at this size", .min = 1,
     .max = 64 * MIB},
    {"max_batch_records", LEAT_INT, C(max_batch_records), "4096", "a batch is passed on at so many records", .min = 1,
     .max = 1e6},
    {"max_held_bytes", LEAT_SIZE, C(max_held_bytes), "32MiB", "unfinished records of all files together, per shard",
     .min = 64 * KIB, .max = 4096 * MIB},
    {NULL, LEAT_BOOL, 0, NULL, NULL},
};

/* ---- expressions ---- */

/* Both quotes are known; *ret_len is of the text within. NULL: not a quoted text that fills [p, end). */
static const char *unquote(const char *p, const char *end, size_t *ret_len)
{
    if (end - p < 2 || (*p != '"' && *p != '\'') || end[-1] != *p || memchr(p + 1, *p, (size_t)(end - p - 2)))
        return NULL;
    *ret_len = (size_t)(end - p - 2);
    return p + 1;
}

bool file_log__field_parse(const char *text, struct file_log_field_ref *ret_ref)
{
    static const struct {
        const char *name;
        enum file_log_place place;
    } places[] = {{"attributes", FILE_LOG_ATTRIBUTE}, {"resource", FILE_LOG_RESOURCE}};
    if (strcmp(text, "body") == 0) {
        *ret_ref = (struct file_log_field_ref){.place = FILE_LOG_BODY};
        return true;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        size_t len = strlen(places[i].name);
        if (strncmp(text, places[i].name, len) != 0)
            continue;
        const char *rest = text + len, *end = text + strlen(text), *key = NULL;
        size_t key_len = 0;
        if (*rest == '.' && !strpbrk(rest + 1, ".[]\"'") && rest[1])
            key = rest + 1, key_len = strlen(key);
        else if (*rest == '[' && end[-1] == ']')
            key = unquote(rest + 1, end - 1, &key_len);
        *ret_ref = (struct file_log_field_ref){places[i].place, key, (uint32_t)key_len};
        return key && key_len > 0 && key_len < FILE_LOG_KEY_MAX;
    }
    return false;
}

/* The text of a quoted expr-lang string: \" \\ \n \t; any other escape stays as written, for the regex. */
static bool unescape(const char *at, size_t len, char *to, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = at[i];
        if (c == '\\' && i + 1 < len && strchr("\"'\\", at[i + 1]))
            c = at[++i];
        if (n + 1 >= room)
            return false;
        to[n++] = c;
    }
    to[n] = 0;
    return true;
}

static const char *after(const char *p, const char *word)
{
    while (*p == ' ')
        p++;
    size_t len = strlen(word);
    if (strncmp(p, word, len) != 0)
        return NULL;
    for (p += len; *p == ' ';)
        p++;
    return p;
}

/* A whole quoted string up to the end of the expression. */
static bool quoted(const char *p, char *ret_arg, size_t room)
{
    const char *end = p + strlen(p);
    while (end > p && end[-1] == ' ')
        end--;
    if (end - p < 2 || (*p != '"' && *p != '\'' && *p != '`') || end[-1] != *p)
        return false;
    for (const char *q = p + 1; q < end - 1; q++) {
        if (*q == *p)
            return false;
        q += *q == '\\' && *p != '`';
    }
    size_t len = (size_t)(end - p - 2);
    if (*p != '`')
        return unescape(p + 1, len, ret_arg, room);
    return snprintf(ret_arg, room, "%.*s", (int)len, p + 1) < (int)room;
}

leat_rc file_log__test_parse(const char *text, enum file_log_test *ret_test, char *ret_arg, size_t room,
                             struct leat_err *reterr)
{
    static const char *const tags[] = {"attributes.logtag", "attributes[\"logtag\"]", "attributes['logtag']"};
    const char *p = after(text, "body");
    p = p ? after(p, "matches") : NULL;
    if (p && quoted(p, ret_arg, room)) {
        *ret_test = FILE_LOG_TEST_MATCHES;
        return LEAT_OK;
    }
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        p = after(text, tags[i]);
        p = p ? after(p, "==") : NULL;
        if (p && quoted(p, ret_arg, room) && strlen(ret_arg) < FILE_LOG_TAG_MAX) {
            *ret_test = FILE_LOG_TEST_LOGTAG;
            return LEAT_OK;
        }
    }
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                      "\"%s\": only body matches \"regex\" and attributes.logtag == 'F' are supported", text);
}

/* ---- checks across keys ---- */

enum file_log_encoding file_log__encoding(const struct file_log_conf *conf)
{
    const char *name = conf->encoding ? conf->encoding : "utf-8";
    if (strcmp(name, "nop") == 0)
        return FILE_LOG_NOP;
    if (strcmp(name, "utf-8-raw") == 0 || strcmp(name, "utf8-raw") == 0)
        return FILE_LOG_RAW;
    return FILE_LOG_UTF8; /* ASCII is a part of it */
}

static leat_rc check_texts(const struct file_log_conf *conf, struct leat_err *reterr)
{
    static const char *const encodings[] = {"utf-8", "utf8", "utf-8-raw", "utf8-raw", "ascii", "us-ascii", "nop", NULL};
    size_t i = 0;
    while (encodings[i] && conf->encoding && strcasecmp(conf->encoding, encodings[i]) != 0)
        i++;
    if (!encodings[i])
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "encoding: \"%s\": only utf-8, utf-8-raw, ascii and nop are supported", conf->encoding);
    if (conf->compression && *conf->compression)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "compression: \"%s\": only uncompressed files are read",
                          conf->compression);
    return LEAT_OK;
}

static leat_rc check_globs(const struct leat_strings *list, const char *key, struct leat_err *reterr)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (file_log__glob_check(list->at[i], reterr) != LEAT_OK)
            return reterr ? leat_err_wrap(reterr, "%s[%u]", key, i) : LEAT_ECONFIG;
    return LEAT_OK;
}

static leat_rc check_regex(const char *pattern, const char *key, struct leat_err *reterr)
{
    struct leat_regex *regex;
    if (!pattern || !*pattern)
        return LEAT_OK;
    leat_rc rc = leat_regex_open(pattern, &regex, reterr);
    if (rc != LEAT_OK)
        return reterr ? leat_err_wrap(reterr, "%s", key) : rc;
    (void)leat_regex_close(regex);
    return LEAT_OK;
}

static leat_rc check_multiline(const struct file_log_conf *conf, struct leat_err *reterr)
{
    const char *start = conf->multiline.line_start_pattern, *end = conf->multiline.line_end_pattern;
    if (conf->multiline.present && (!start || !*start) == (!end || !*end))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "multiline: exactly one of line_start_pattern and line_end_pattern must be set");
    leat_rc rc = check_regex(start, "multiline::line_start_pattern", reterr);
    return rc == LEAT_OK ? check_regex(end, "multiline::line_end_pattern", reterr) : rc;
}

static leat_rc check_recombine(const struct file_log_operator *op, struct leat_err *reterr)
{
    char arg[FILE_LOG_PATTERN_MAX];
    enum file_log_test test;
    if (!op->is_first_entry == !op->is_last_entry)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "exactly one of is_first_entry and is_last_entry must be set");
    if (op->combine_field && strcmp(op->combine_field, "body") != 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "combine_field: \"%s\": only body can be combined",
                          op->combine_field);
    struct file_log_field_ref ref;
    if (op->source_identifier &&
        (!file_log__field_parse(op->source_identifier, &ref) || ref.place != FILE_LOG_ATTRIBUTE || ref.key_len < 9 ||
         strncmp(ref.key, "log.file.", 9) != 0))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "source_identifier: \"%s\": lines are combined per file: attributes[\"log.file.path\"]",
                          op->source_identifier);
    leat_rc rc = file_log__test_parse(op->is_first_entry ? op->is_first_entry : op->is_last_entry, &test, arg,
                                      sizeof arg, reterr);
    return rc == LEAT_OK && test == FILE_LOG_TEST_MATCHES ? check_regex(arg, "regex", reterr) : rc;
}

static bool names_field(const char *text, struct file_log_field_ref *ret_ref)
{
    return text && file_log__field_parse(text, ret_ref) && ret_ref->place != FILE_LOG_BODY;
}

static bool is_of_record(const struct file_log_field_ref *ref)
{
    static const char *const keys[] = {"log.iostream", "logtag", "log.file.record_number", "log.file.record_offset"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (ref->place == FILE_LOG_ATTRIBUTE && ref->key_len == strlen(keys[i]) &&
            memcmp(ref->key, keys[i], ref->key_len) == 0)
            return true;
    return false;
}

static leat_rc check_edit(const struct file_log_operator *op, struct leat_err *reterr)
{
    struct file_log_field_ref from, to;
    bool is_move = strcmp(op->type, "move") == 0;
    if (!names_field(is_move ? op->from : op->field, &from) || (is_move && !names_field(op->to, &to)))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "only attributes[\"key\"] and resource[\"key\"] can be %s",
                          is_move ? "moved" : "added or removed");
    if (is_move && is_of_record(&from) && to.place == FILE_LOG_RESOURCE)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0,
                          "%s differs from record to record and cannot be moved to the resource", op->from);
    if (strcmp(op->type, "add") != 0)
        return LEAT_OK;
    bool scalar = op->value.kind != LEAT_NULL && op->value.kind != LEAT_VALUE_LIST && op->value.kind != LEAT_VALUE_MAP;
    if (!scalar || !op->value.text)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "value: a text is needed");
    if (strstr(op->value.text, "EXPR("))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "value: EXPR(...) is not supported");
    return LEAT_OK;
}

static leat_rc check_operator(const struct file_log_operator *op, const struct file_log_operator *next,
                              bool *had_container, bool *had_recombine, struct leat_err *reterr)
{
    if (op->output && (!next || !next->id || strcmp(op->output, next->id) != 0) &&
        !(next == NULL && strcmp(op->output, "noop") == 0))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "output: \"%s\" is not the operator that follows", op->output);
    if (strcmp(op->type, "container") == 0) {
        if (*had_container || *had_recombine)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "container must come once, before recombine");
        *had_container = true;
        return LEAT_OK;
    }
    if (strcmp(op->type, "recombine") == 0) {
        if (*had_recombine)
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "a second recombine is not supported");
        *had_recombine = true;
        return check_recombine(op, reterr);
    }
    if (strcmp(op->type, "add") == 0 || strcmp(op->type, "move") == 0 || strcmp(op->type, "remove") == 0)
        return check_edit(op, reterr);
    return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "%s", ONLY);
}

static leat_rc check_operators(const struct file_log_conf *conf, struct leat_err *reterr)
{
    bool had_container = false, had_recombine = false;
    const struct file_log_operator *op = conf->operators.at;
    for (uint32_t i = 0; i < conf->operators.count; i++) {
        const struct file_log_operator *next = i + 1 < conf->operators.count ? &op[i + 1] : NULL;
        if (check_operator(&op[i], next, &had_container, &had_recombine, reterr) != LEAT_OK)
            return reterr ? leat_err_wrap(reterr, "operators[%u] (%s)", i, op[i].type) : LEAT_ECONFIG;
    }
    return LEAT_OK;
}

leat_rc file_log__check(const void *ctx, struct leat_err *reterr)
{
    const struct file_log_conf *conf = ctx;
    if (conf->include.count == 0)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "include: at least one glob is needed");
    if (conf->attributes.count + conf->resource.count + conf->operators.count > ADDED_MAX)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "attributes, resource and operators: more than %u together",
                          ADDED_MAX);
    leat_rc rc = check_globs(&conf->include, "include", reterr);
    rc = rc == LEAT_OK ? check_globs(&conf->exclude, "exclude", reterr) : rc;
    rc = rc == LEAT_OK ? check_texts(conf, reterr) : rc;
    rc = rc == LEAT_OK ? check_multiline(conf, reterr) : rc;
    return rc == LEAT_OK ? check_operators(conf, reterr) : rc;
}
