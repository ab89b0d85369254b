/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "extensions/health_check/health_check.h"

#define SECOND 1000000000ull

/* ".5", ".000001", "" */
static void put_fraction(struct leat_strbuf *out, uint64_t ns)
{
    unsigned digits = 9;
    if (!ns)
        return;
    for (; ns % 10 == 0; ns /= 10)
        digits--;
    leat_strbuf_printf(out, ".%0*llu", (int)digits, (unsigned long long)ns);
}

void health_check__time(struct leat_strbuf *out, uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / SECOND);
    struct tm tm;
    if (!unix_ns || !gmtime_r(&seconds, &tm)) {
        leat_strbuf_puts(out, "0001-01-01T00:00:00Z");
        return;
    }
    leat_strbuf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                       tm.tm_min, tm.tm_sec);
    put_fraction(out, unix_ns % SECOND);
    leat_strbuf_putc(out, 'Z');
}

void health_check__duration(struct leat_strbuf *out, uint64_t ns)
{
    uint64_t seconds = ns / SECOND;
    if (ns && ns < SECOND) { /* the largest unit that fits, as Go does */
        bool milli = ns >= 1000000, micro = ns >= 1000;
        uint64_t unit = milli ? 1000000 : micro ? 1000 : 1;
        leat_strbuf_printf(out, "%llu", (unsigned long long)(ns / unit));
        put_fraction(out, ns % unit * (SECOND / unit));
        leat_strbuf_puts(out, milli ? "ms" : micro ? "\xc2\xb5s" : "ns");
        return;
    }
    if (seconds >= 3600)
        leat_strbuf_printf(out, "%lluh", (unsigned long long)(seconds / 3600));
    if (seconds >= 60)
        leat_strbuf_printf(out, "%llum", (unsigned long long)(seconds / 60 % 60));
    leat_strbuf_printf(out, "%llu", (unsigned long long)(seconds % 60));
    put_fraction(out, ns % SECOND);
    leat_strbuf_putc(out, 's');
}

static void page_v2(const struct health_check *health, struct leat_strbuf *out)
{
    static const char *const names[] = {"StatusStarting", "StatusOK", "StatusStopping"};
    leat_strbuf_puts(out, "{\"start_time\":\"");
    health_check__time(out, health->since_unix_ns);
    leat_strbuf_printf(out, "\",\"healthy\":%s,\"status\":\"%s\",\"status_time\":\"",
                       health->health == LEAT_HEALTH_OK ? "true" : "false", names[health->health]);
    health_check__time(out, health->changed_unix_ns);
    leat_strbuf_puts(out, "\"}");
}

void health_check__page(const struct health_check *health, struct leat_strbuf *out)
{
    bool ok = health->health == LEAT_HEALTH_OK;
    const char *text = ok ? health->conf->response_body.healthy : health->conf->response_body.unhealthy;
    if (health_check__is_v2(health->conf)) {
        page_v2(health, out);
        return;
    }
    if (text) {
        leat_strbuf_puts(out, text);
        return;
    }
    leat_strbuf_printf(out, "{\"status\":\"%s\",\"upSince\":\"", ok ? "Server available" : "Server not available");
    health_check__time(out, ok ? health->since_unix_ns : 0);
    leat_strbuf_puts(out, "\",\"uptime\":\"");
    if (ok)
        health_check__duration(out, leat_loop_now_ns(health->host->loop) - health->since_mono_ns);
    leat_strbuf_puts(out, "\"}");
}
