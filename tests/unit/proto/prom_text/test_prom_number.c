/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/prom_text/prom_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/prom/prom.h"
#include "tests/kit/kit.h"

static bool parse(const char *text, double *ret_value)
{
    size_t len = strlen(text);
    uint8_t *exact = leat_alloc(len + (len == 0));
    memcpy(exact, text, len);
    bool ok = prom_number_parse(exact, exact + len, ret_value);
    leat_free(exact);
    return ok;
}

static uint64_t bits(double value)
{
    uint64_t b;
    memcpy(&b, &value, sizeof b);
    return b;
}

static void same(const char *text)
{
    double value;
    EXPECT(parse(text, &value));
    if (bits(value) != bits(strtod(text, NULL)))
        print_error("%s\n", text);
    EXPECT(bits(value) == bits(strtod(text, NULL)));
}

/* Scenario:   whole numbers, fractions, exponents, 17 digits, subnormals, half-way cases, and numbers of every length.
 * Guarantees: the same bits as strtod, whichever of the three ways was taken. */
LEAT_TEST(numbers_are_exact)
{
    static const char *const texts[] = {
        "0", "-0", "1", "+1", "1.", ".5", "1e5", "1E-5", "1e+05", "123456789012345678", "9007199254740993",
        "0.1", "0.30000000000000004", "1.7976931348623157e308", "4.9e-324", "2.2250738585072011e-308", "1e-400",
        "18446744073709551615", "1747146391215396732", "1.8e19", "123456.789e3", "9223372036854775808",
        "0.000000000000000000000000001", "5e-1", "8.41e21", "9007199254740991.5", "12345678901234567890123456789"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        same(texts[i]);
    char text[64];
    uint64_t seed = 1;
    for (uint32_t i = 0; i < 300000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        double value;
        memcpy(&value, &seed, sizeof value);
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof text, i % 3 == 0 ? "%.17g" : i % 3 == 1 ? "%.12g" : "%.16g",
                 i % 2 ? (double)(int64_t)seed / 1e9 : value);
        same(text);
    }
}

LEAT_TEST(words_are_those_of_go)
{
    double value;
    EXPECT(parse("+Inf", &value) && value == HUGE_VAL);
    EXPECT(parse("-inf", &value) && value == -HUGE_VAL);
    EXPECT(parse("Infinity", &value) && value == HUGE_VAL);
    EXPECT(parse("NaN", &value) && bits(value) == LEAT_PROM_NAN_BITS);
    EXPECT(parse("nan", &value));
    static const char *const bad[] = {"", "-", "+", ".", "e5", "1e", "1e+", "1_0", "0x1p3", "0x1", "1.2.3", "+NaN", "infin",
                                      "1e309", "-1e400", "1 ", " 1", "1,5", "true"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse(bad[i], &value))
            print_error("taken: %s\n", bad[i]);
        EXPECT(!parse(bad[i], &value));
    }
}

LEAT_TEST(bounds_are_written_as_prometheus_writes_them)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{1, "1.0"}, {0, "0.0"}, {-1, "-1.0"}, {0.5, "0.5"}, {10, "10.0"}, {100000, "100000.0"}, {1e6, "1e+06"},
                 {1234567, "1.234567e+06"}, {0.0001, "0.0001"}, {0.00001, "1e-05"}, {2.5e-7, "2.5e-07"}, {HUGE_VAL, "+Inf"},
                 {-HUGE_VAL, "-Inf"}, {0.1, "0.1"}, {1e100, "1e+100"}, {0.99, "0.99"}, {1.0 / 3, "0.3333333333333333"},
                 /* powers of two: the shortest text is not always the nearest of its length */
                 {0x1p-44, "5.684341886080802e-14"}, {0x1p-24, "5.960464477539063e-08"}, {0x1p-1074, "5e-324"},
                 {0x1p-1022, "2.2250738585072014e-308"}, {0x1p122, "5.316911983139664e+36"}, {-0x1p-44, "-5.684341886080802e-14"}};
    char text[PROM_NUMBER_TEXT_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        EXPECT_EQ(prom_number_put(cases[i].value, text), strlen(cases[i].text));
        EXPECT_STR(text, cases[i].text);
    }
}
