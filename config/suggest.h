/* SPDX-License-Identifier: Apache-2.0 */
/* suggest -- "did you mean": the known word nearest to what was written.
 *
 * Limits   words over 63 bytes are not compared. Nothing is suggested beyond a third of the word's length (at least 1).
 */
#pragma once
#include <stdint.h>

struct leat_suggest {
    const char *wrong;
    const char *best; /* NULL: nothing near enough */
    uint32_t distance;
};

struct leat_suggest leat_suggest_for(const char *wrong);
void leat_suggest_offer(struct leat_suggest *suggest, const char *known);
uint32_t leat_suggest_distance(const char *a, const char *b); /* insert, delete, replace, swap; UINT32_MAX: too long */
