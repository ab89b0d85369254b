/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes as metadata: scalars as people write them, arrays as JSON, the leaves of maps one by one. */
#include "exporters/loki/loki.h"
#include "proto/otlp/otlp_text.h"

struct leat_slice loki__text(struct loki_state *loki, const struct otlp_value *value)
{
    struct leat_slice text = otlp_text_of(value, &loki->text);
    loki->push.failed |= loki->text.failed; /* sticks until the request is given up */
    return text;
}

/* ---- attributes as metadata ---- */

static void put_leaves(struct loki_state *loki, struct loki_push *push, const struct otlp_value *map)
{
    struct leat_slice rest = map->text;
    struct otlp_attribute attribute;
    size_t prefix_len = loki->name.len;
    while (otlp_attribute_next(&rest, 1, &attribute)) {
        leat_strbuf_putc(&loki->name, '_');
        leat_strbuf_put(&loki->name, attribute.key.at, attribute.key.len);
        if (attribute.value.kind == OTLP_MAP)
            put_leaves(loki, push, &attribute.value);
        else
            loki_push_metadata(push, leat_slice_of(loki->name.at, (uint32_t)loki->name.len),
                               loki__text(loki, &attribute.value));
        loki->push.failed |= loki->name.failed;
        if (loki->name.failed)
            return;
        loki->name.len = prefix_len;
    }
}

void loki__metadata(struct loki_state *loki, struct loki_push *push, struct leat_slice key,
                    const struct otlp_value *value)
{
    if (value->kind == OTLP_TEXT) {
        loki_push_metadata(push, key, value->text);
    } else if (value->kind == OTLP_INTEGER) {
        loki_push_metadata_number(push, key, value->integer);
    } else if (value->kind == OTLP_MAP) {
        leat_strbuf_clear(&loki->name);
        leat_strbuf_put(&loki->name, key.at, key.len);
        put_leaves(loki, push, value);
    } else {
        loki_push_metadata(push, key, loki__text(loki, value));
    }
}
