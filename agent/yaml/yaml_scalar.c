/* SPDX-License-Identifier: Apache-2.0 */
/* What a plain YAML scalar is, by the rules the Collector's YAML library follows. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/yaml/yaml.h"

#define NUMBER_BYTES_MAX 400u

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
static const char *const trues[] = {"true", "True", "TRUE", NULL};
static const char *const falses[] = {"false", "False", "FALSE", NULL};
static const char *const infinities[] = {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", NULL};
static const char *const minus_infinities[] = {"-.inf", "-.Inf", "-.INF", NULL};
static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};

static bool parse_int(const char *text, int64_t *ret_int)
{
    const char *digits = text + (*text == '-' || *text == '+');
    int base = 10;
    if (digits[0] == '0' && digits[1]) {
        char letter = digits[1];
        base = letter == 'x' || letter == 'X' ? 16 : letter == 'b' || letter == 'B' ? 2 : 8;
        digits += base == 8 && letter != 'o' && letter != 'O' ? 1 : 2;
    }
    if (!*digits || *digits == '-' || *digits == '+' || *digits == ' ')
        return false;
    errno = 0;
    char *end;
    unsigned long long value = strtoull(digits, &end, base);
    if (*end || errno)
        return false;
    bool minus = text[0] == '-';
    if (value > (unsigned long long)INT64_MAX + minus)
        return false;
    *ret_int = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static bool looks_like_float(const char *text)
{
    bool digit = false;
    for (const char *at = text; *at; at++) {
        if (*at >= '0' && *at <= '9')
            digit = true;
        else if (!strchr("+-.eE", *at))
            return false;
    }
    return digit && text[0] != 'e' && text[0] != 'E';
}

static bool parse_double(const char *text, double *ret_double)
{
    if (one_of(text, infinities))
        *ret_double = (double)INFINITY;
    else if (one_of(text, minus_infinities))
        *ret_double = -(double)INFINITY;
    else if (one_of(text, nans))
        *ret_double = (double)NAN;
    else if (looks_like_float(text)) {
        char *end;
        *ret_double = strtod(text, &end);
        return *end == 0;
    } else
        return false;
    return true;
}

enum leat_scalar leat_node_scalar(const struct leat_node *node, bool *ret_bool, int64_t *ret_int, double *ret_double)
{
    bool truth = false;
    int64_t number = 0;
    double real = 0;
    if (node->quoted || node->len > NUMBER_BYTES_MAX)
        return LEAT_SCALAR_STRING;
    if (one_of(node->text, nulls))
        return LEAT_SCALAR_NULL;
    if (one_of(node->text, falses) || (truth = one_of(node->text, trues))) {
        if (ret_bool)
            *ret_bool = truth;
        return LEAT_SCALAR_BOOL;
    }
    if (parse_int(node->text, &number)) {
        if (ret_int)
            *ret_int = number;
        if (ret_double)
            *ret_double = (double)number;
        return LEAT_SCALAR_INT;
    }
    if (parse_double(node->text, &real)) {
        if (ret_double)
            *ret_double = real;
        return LEAT_SCALAR_DOUBLE;
    }
    return LEAT_SCALAR_STRING;
}

bool leat_node_is_null(const struct leat_node *node)
{
    return node->kind == LEAT_NODE_SCALAR && leat_node_scalar(node, NULL, NULL, NULL) == LEAT_SCALAR_NULL;
}

const char *leat_node_kind_name(const struct leat_node *node)
{
    static const char *const names[] = {"null", "bool", "int", "float64", "string"};
    if (node->kind == LEAT_NODE_MAP)
        return "map";
    if (node->kind == LEAT_NODE_LIST)
        return "list";
    return names[leat_node_scalar(node, NULL, NULL, NULL)];
}
