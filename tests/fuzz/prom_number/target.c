/* SPDX-License-Identifier: Apache-2.0 */
/* What is taken for a number has strtod's value; what is written is read back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/check.h"
#include "proto/prom_text/prom_number.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    double value, again;
    int64_t number;
    (void)prom_int_parse(at, at + len, &number);
    if (!prom_number_parse(at, at + len, &value))
        return 0;
    char *text = strndup((const char *)at, len), put[PROM_NUMBER_TEXT_MAX];
    LEAT_CHECK(text);
    again = strtod(text, NULL);
    LEAT_CHECK(isnan(value) ? isnan(again) : memcmp(&value, &again, sizeof value) == 0);
    free(text);
    uint32_t n = prom_number_put(value, put);
    LEAT_CHECK(prom_number_parse((const uint8_t *)put, (const uint8_t *)put + n, &again));
    LEAT_CHECK(isnan(value) ? isnan(again) : value == again);
    return 0;
}
