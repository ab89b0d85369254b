/* SPDX-License-Identifier: Apache-2.0 */
#include "config/suggest.h"

#include <stddef.h>
#include <string.h>

#define WORD_BYTES_MAX 63u

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

uint32_t leat_suggest_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > WORD_BYTES_MAX || b_len > WORD_BYTES_MAX)
        return UINT32_MAX;
    uint32_t rows[3][WORD_BYTES_MAX + 1];
    for (uint32_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a_len; i++) {
        uint32_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b_len; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = smaller(smaller(row[j - 1], up[j]) + 1, up[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
                row[j] = smaller(row[j], up2[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

struct leat_suggest leat_suggest_for(const char *wrong)
{
    uint32_t far = (uint32_t)(strlen(wrong) / 3);
    return (struct leat_suggest){wrong, NULL, (far ? far : 1) + 1};
}

void leat_suggest_offer(struct leat_suggest *suggest, const char *known)
{
    uint32_t distance = leat_suggest_distance(suggest->wrong, known);
    if (distance < suggest->distance && distance < strlen(known)) {
        suggest->best = known;
        suggest->distance = distance;
    }
}
