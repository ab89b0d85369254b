/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/loki/loki.h"

static struct loki_label *label_of(struct loki_state *loki, struct leat_slice key)
{
    for (uint32_t i = 0; i < loki->label_count; i++)
        if (leat_slice_eq(loki->labels[i].attribute, key))
            return &loki->labels[i];
    return NULL;
}

/* As Go quotes: Loki reads the labels with Go's rules. Cut at a whole character. */
static void put_quoted(struct leat_strbuf *out, struct leat_slice value)
{
    uint32_t len = value.len;
    if (len > LOKI_LABEL_VALUE_MAX)
        for (len = LOKI_LABEL_VALUE_MAX; len && (value.at[len] & 0xc0) == 0x80;)
            len--;
    leat_strbuf_putc(out, '"');
    uint32_t from = 0;
    for (uint32_t i = 0; i < len; i++) {
        uint8_t c = value.at[i];
        if (c >= ' ' && c != '"' && c != '\\' && c != 0x7f)
            continue;
        leat_strbuf_put(out, value.at + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            leat_strbuf_printf(out, "\\%c", c);
        else if (c == '\n')
            leat_strbuf_puts(out, "\\n");
        else
            leat_strbuf_printf(out, "\\x%02x", c);
    }
    leat_strbuf_put(out, value.at + from, len - from);
    leat_strbuf_putc(out, '"');
}

static void put_label(struct leat_strbuf *out, const char *name, struct leat_slice value)
{
    leat_strbuf_puts(out, out->len > 1 ? ", " : "");
    leat_strbuf_puts(out, name);
    leat_strbuf_putc(out, '=');
    put_quoted(out, value);
}

static void tenant_of(struct loki_state *loki, const struct otlp_attribute *attribute)
{
    const char *wanted = loki->conf->tenant_attribute;
    if (!wanted || !*wanted || !leat_slice_is(attribute->key, wanted))
        return;
    struct leat_slice text = loki__text(loki, &attribute->value);
    leat_strbuf_clear(&loki->next_tenant);
    leat_strbuf_put(&loki->next_tenant, text.at, text.len);
}

bool loki__resource(struct loki_state *loki, struct leat_slice resource)
{
    struct otlp_attribute attribute;
    struct leat_strbuf *out = &loki->label_text;
    loki_push_clear(&loki->resource_metadata);
    leat_strbuf_clear(out);
    leat_strbuf_putc(out, '{');
    for (uint32_t i = 0; i < loki->label_count; i++)
        loki->labels[i].value = (struct leat_slice){0};
    while (otlp_attribute_next(&resource, 1, &attribute)) {
        tenant_of(loki, &attribute);
        struct loki_label *label = label_of(loki, attribute.key);
        if (!label || attribute.value.kind != OTLP_TEXT || attribute.value.text.len == 0)
            loki__metadata(loki, &loki->resource_metadata, attribute.key, &attribute.value);
        else
            label->value = attribute.value.text;
    }
    for (uint32_t i = 0; i < loki->label_count; i++)
        if (loki->labels[i].value.len)
            put_label(out, loki->labels[i].name, loki->labels[i].value);
    if (out->len == 1) /* Loki refuses a stream without labels, and would call it so itself */
        put_label(out, "service_name", LEAT_SLICE("unknown_service"));
    leat_strbuf_putc(out, '}');
    return !out->failed && !loki->resource_metadata.failed && !loki->push.failed && !loki->next_tenant.failed;
}

bool loki__scope(struct loki_state *loki, const struct otlp_scope *scope)
{
    struct leat_slice rest = scope->attributes;
    struct otlp_attribute attribute;
    struct loki_push *push = &loki->scope_metadata;
    loki_push_clear(push);
    if (scope->name.len)
        loki_push_metadata(push, LEAT_SLICE("scope_name"), scope->name);
    if (scope->version.len)
        loki_push_metadata(push, LEAT_SLICE("scope_version"), scope->version);
    while (otlp_attribute_next(&rest, 3, &attribute))
        loki__metadata(loki, push, attribute.key, &attribute.value);
    return !push->failed && !loki->push.failed;
}
