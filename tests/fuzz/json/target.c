/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "agent/base/check.h"
#include "proto/json/json_read.h"
#include "proto/json/json_write.h"
#include "proto/utf8/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct json_reader r;
    struct json_token t;
    char *text = malloc(len + 1);
    json_begin(&r, at, len, 100);
    while (json_next(&r, &t) > JSON_END)
        if (text && (t.type == JSON_STRING || t.type == JSON_KEY)) {
            uint32_t n = json_unescape(&t, text);
            LEAT_CHECK(n <= t.len && utf8_ok((const uint8_t *)text, n));
        }
    LEAT_CHECK(t.type == JSON_END ? r.at == r.end : r.why != NULL);
    struct leat_strbuf out = {0};
    json_put_string(&out, at, len); /* whatever it is, as a string it must read back */
    if (!out.failed) {
        json_begin(&r, out.at, out.len, 1);
        LEAT_CHECK(json_next(&r, &t) == JSON_STRING && json_next(&r, &t) == JSON_END);
    }
    leat_strbuf_done(&out);
    free(text);
    return 0;
}
