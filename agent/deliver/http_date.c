/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/deliver/http_date.h"

#include <ctype.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define WAIT_S_MAX 86400ull

static bool digits(const uint8_t *at, uint32_t len, int *ret_value)
{
    int value = 0;
    for (uint32_t i = 0; i < len; i++) {
        if (!isdigit(at[i]))
            return false;
        value = value * 10 + (at[i] - '0');
    }
    *ret_value = value;
    return true;
}

static bool month_of(const uint8_t *at, int *ret_month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (memcmp(at, names + (size_t)3 * (size_t)i, 3) == 0) {
            *ret_month = i;
            return true;
        }
    return false;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT": the one form that senders must make. */
static bool date_parse(struct leat_slice text, int64_t *ret_unix_s)
{
    struct tm tm = {0};
    const uint8_t *at = text.at;
    if (text.len != 29 || memcmp(at + 3, ", ", 2) != 0 || memcmp(at + 25, " GMT", 4) != 0 || at[19] != ':' ||
        at[22] != ':')
        return false;
    if (!digits(at + 5, 2, &tm.tm_mday) || !month_of(at + 8, &tm.tm_mon) || !digits(at + 12, 4, &tm.tm_year) ||
        !digits(at + 17, 2, &tm.tm_hour) || !digits(at + 20, 2, &tm.tm_min) || !digits(at + 23, 2, &tm.tm_sec))
        return false;
    tm.tm_year -= 1900;
    *ret_unix_s = timegm(&tm);
    return *ret_unix_s >= 0;
}

bool leat_deliver__retry_after(struct leat_slice text, uint64_t unix_ns, uint64_t *ret_wait_ns)
{
    uint64_t wait_s = 0;
    bool number = text.len > 0;
    for (uint32_t i = 0; i < text.len; i++) {
        if (!isdigit(text.at[i])) {
            number = false;
            break;
        }
        wait_s = wait_s > WAIT_S_MAX ? wait_s : wait_s * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (!number) {
        int64_t when_s;
        if (!date_parse(text, &when_s))
            return false;
        uint64_t now_s = unix_ns / NS_PER_S;
        wait_s = (uint64_t)when_s > now_s ? (uint64_t)when_s - now_s : 0;
    }
    *ret_wait_ns = (wait_s < WAIT_S_MAX ? wait_s : WAIT_S_MAX) * NS_PER_S;
    return true;
}
