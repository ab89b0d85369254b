/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of lists and watches. */
#include <stdio.h>

#include "agent/k8s/watch_inner.h"

#define PAGE_ITEMS 500u

static bool is_plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("-._~", c) != NULL;
}

static void put_value(struct leat_strbuf *out, const char *text)
{
    for (; *text; text++)
        if (is_plain((unsigned char)*text))
            leat_strbuf_putc(out, *text);
        else
            leat_strbuf_printf(out, "%%%02X", (unsigned char)*text);
}

static void put_pair(struct leat_strbuf *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    leat_strbuf_putc(out, memchr(out->at, '?', out->len) ? '&' : '?');
    leat_strbuf_puts(out, name);
    leat_strbuf_putc(out, '=');
    put_value(out, value);
}

static void put_number(struct leat_strbuf *out, const char *name, uint64_t value)
{
    leat_strbuf_printf(out, "&%s=%llu", name, (unsigned long long)value);
}

/* A list by a cache (resourceVersion=0) is cheap for the server; after a 410 only what is true now will do. */
static void put_list(struct leat_k8s_watch *watch)
{
    char items[16];
    (void)snprintf(items, sizeof items, "%u", watch->conf.page_items ? watch->conf.page_items : PAGE_ITEMS);
    put_pair(&watch->target, "limit", items);
    if (watch->page.len)
        put_pair(&watch->target, "continue", watch->page.at);
    else if (!watch->exact)
        put_number(&watch->target, "resourceVersion", 0);
}

leat_rc watch__target(struct leat_k8s_watch *watch, uint64_t timeout_s)
{
    struct leat_strbuf *out = &watch->target;
    leat_strbuf_clear(out);
    leat_strbuf_puts(out, watch->conf.path);
    if (!out->failed) {
        if (watch->doing == WATCH_LISTS) {
            put_list(watch);
        } else {
            put_pair(out, "watch", "1");
            leat_strbuf_puts(out, "&allowWatchBookmarks=true");
            put_pair(out, "resourceVersion", watch->version);
            put_number(out, "timeoutSeconds", timeout_s);
        }
        put_pair(out, "fieldSelector", watch->conf.field_selector);
        put_pair(out, "labelSelector", watch->conf.label_selector);
    }
    bool failed = out->failed;
    if (failed)
        leat_strbuf_done(out); /* and no longer sticky */
    return failed ? LEAT_ENOMEM : LEAT_OK;
}
