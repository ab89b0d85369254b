/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/cri/cri.h"

#define SECOND_NS 1000000000ll

static inline bool two(const char *at, unsigned *ret_value)
{
    unsigned a = (unsigned)(unsigned char)at[0] - '0', b = (unsigned)(unsigned char)at[1] - '0';
    *ret_value = a * 10 + b;
    return a < 10 && b < 10;
}

/* Days since 1970-01-01 in the Gregorian calendar, for years of four digits. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    /* Years begin in March, so that the leap day is the last of one. */
    unsigned y = year + 4800 - (month <= 2), m = month <= 2 ? month + 9 : month - 3;
    return (int64_t)(365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day) - 2472633;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* "2024-01-01T00:00:00" -> seconds */
static bool date_time(const char *at, int64_t *ret_seconds)
{
    unsigned century, years, month, day, hour, minute, second;
    if (!two(at, &century) || !two(at + 2, &years) || !two(at + 5, &month) || !two(at + 8, &day) ||
        !two(at + 11, &hour) || !two(at + 14, &minute) || !two(at + 17, &second))
        return false;
    bool marks = (at[4] == '-') && (at[7] == '-') && ((at[10] | 0x20) == 't') && (at[13] == ':') && (at[16] == ':');
    unsigned year = century * 100 + years;
    if (!marks || month - 1 > 11 || hour > 23 || minute > 59 || second > 60 || day == 0 ||
        day > days_in(year, month))
        return false;
    *ret_seconds = days_of(year, month, day) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second);
    return true;
}

static uint32_t fraction(const char *at, uint32_t len, int64_t *ret_ns)
{
    static const uint32_t scale[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    uint32_t n = 0, ns = 0;
    for (; n < len && (unsigned)(at[n] - '0') < 10; n++)
        if (n < 9)
            ns = ns * 10 + (uint32_t)(at[n] - '0');
    *ret_ns = (int64_t)ns * scale[n < 9 ? n : 9];
    return n;
}

/* "Z", "+02:00", "+0200": bytes used, 0: none of them. */
static uint32_t zone(const char *at, uint32_t len, int64_t *ret_seconds)
{
    *ret_seconds = 0;
    if (len && (at[0] | 0x20) == 'z')
        return 1;
    if (len < 5 || (at[0] != '+' && at[0] != '-'))
        return 0;
    uint32_t colon = at[3] == ':';
    unsigned hours, minutes;
    if (len < 5 + colon || !two(at + 1, &hours) || !two(at + 3 + colon, &minutes) || hours > 23 || minutes > 59)
        return 0;
    int64_t offset = (int64_t)(hours * 3600 + minutes * 60);
    *ret_seconds = at[0] == '-' ? -offset : offset;
    return 5 + colon;
}

uint32_t cri_time(const char *at, uint32_t len, int64_t *ret_unix_ns)
{
    int64_t seconds, ns = 0, offset;
    if (len < 20 || !date_time(at, &seconds))
        return 0;
    uint32_t used = 19;
    if (at[used] == '.') {
        uint32_t digits = fraction(at + used + 1, len - used - 1, &ns);
        if (digits == 0)
            return 0;
        used += 1 + digits;
    }
    uint32_t n = zone(at + used, len - used, &offset);
    if (n == 0 || __builtin_mul_overflow(seconds - offset, SECOND_NS, &seconds) ||
        __builtin_add_overflow(seconds, ns, ret_unix_ns))
        return 0;
    return used + n;
}

static struct leat_slice part(const char *at, const char *end)
{
    return leat_slice_of(at, (uint32_t)(end - at));
}

bool cri_parse(const char *at, uint32_t len, struct cri_line *ret_line)
{
    const char *end = at + len;
    uint32_t n = cri_time(at, len, &ret_line->unix_ns);
    if (n == 0 || len - n < 9 || at[n] != ' ') /* " stdout F" */
        return false;
    const char *stream = at + n + 1;
    if (memcmp(stream, "stdout ", 7) != 0 && memcmp(stream, "stderr ", 7) != 0)
        return false;
    const char *tags = stream + 7, *tags_end = tags;
    while (tags_end < end && *tags_end != ' ')
        tags_end++;
    bool tagged = (tags[0] == 'F' || tags[0] == 'P') && (tags + 1 == tags_end || tags[1] == ':');
    if (!tagged)
        return false;
    ret_line->time = leat_slice_of(at, n);
    ret_line->stream = leat_slice_of(stream, 6);
    ret_line->tags = part(tags, tags_end);
    ret_line->partial = tags[0] == 'P';
    ret_line->text = part(tags_end < end ? tags_end + 1 : end, end);
    return true;
}

enum cri_format cri_detect(const char *at, uint32_t len)
{
    struct cri_line line;
    if (len && at[0] == '{')
        return CRI_DOCKER;
    if (!cri_parse(at, len, &line))
        return CRI_UNKNOWN;
    return line.time.at[line.time.len - 1] == 'Z' ? CRI_CONTAINERD : CRI_CRIO;
}
