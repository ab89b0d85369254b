/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/strbuf.h"

static struct leat_log_conf conf = {.level = LEAT_LOG_INFO, .fd = 2};

static const char *const names[] = {"debug", "info", "warn", "error"};

void leat_log_configure(const struct leat_log_conf *wanted) { conf = *wanted; }
bool leat_log_wants(enum leat_level level) { return level >= conf.level; }

static void stamp(struct leat_strbuf *line)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    struct tm utc;
    (void)gmtime_r(&t.tv_sec, &utc);
    leat_strbuf_printf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                       utc.tm_hour, utc.tm_min, utc.tm_sec, t.tv_nsec / 1000000);
}

static void as_text(struct leat_strbuf *line, enum leat_level level, const char *who, const char *text)
{
    stamp(line);
    leat_strbuf_printf(line, "\t%s\t%s\t", names[level], who);
    for (; *text; text++) /* a peer's words may not reach a terminal raw */
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            leat_strbuf_printf(line, "\\x%02x", (unsigned char)*text);
        else
            leat_strbuf_putc(line, *text);
    leat_strbuf_putc(line, '\n');
}

static void as_json(struct leat_strbuf *line, enum leat_level level, const char *who, const char *text)
{
    leat_strbuf_printf(line, "{\"level\":\"%s\",\"ts\":\"", names[level]);
    stamp(line);
    leat_strbuf_puts(line, "\",\"component\":");
    leat_strbuf_json(line, who, strlen(who));
    leat_strbuf_puts(line, ",\"msg\":");
    leat_strbuf_json(line, text, strlen(text));
    leat_strbuf_puts(line, "}\n");
}

void leat_log(enum leat_level level, const char *who, const char *fmt, ...)
{
    if (!leat_log_wants(level))
        return;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct leat_strbuf line = {0};
    (conf.json ? as_json : as_text)(&line, level, who, text);
    if (!line.failed && write(conf.fd, line.at, line.len) < 0) { /* nobody left to tell */
    }
    leat_strbuf_done(&line);
}

bool leat_log_may(struct leat_log_limit *limit, uint64_t mono_ns, uint32_t *ret_missed)
{
    if (mono_ns < limit->next_ns) {
        limit->missed++;
        return false;
    }
    limit->next_ns = mono_ns + LEAT_LOG_PERIOD_NS;
    *ret_missed = limit->missed;
    limit->missed = 0;
    return true;
}

bool leat_log_may_among(struct leat_log_crowd *crowd, struct leat_log_limit *limit, uint64_t mono_ns, uint32_t *ret_missed,
                        uint32_t *ret_hushed)
{
    if (mono_ns >= crowd->next_ns) {
        crowd->next_ns = mono_ns + LEAT_LOG_PERIOD_NS;
        crowd->said = 0;
    }
    if (!leat_log_may(limit, mono_ns, ret_missed))
        return false;
    if (crowd->said == LEAT_LOG_CROWD_MAX) {
        limit->missed = *ret_missed + 1;
        crowd->hushed++;
        return false;
    }
    crowd->said++;
    *ret_hushed = crowd->hushed;
    crowd->hushed = 0;
    return true;
}
