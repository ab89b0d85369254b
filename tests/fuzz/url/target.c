/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses out of configurations: URLs, gRPC targets, proxies and NO_PROXY lists. The first byte chooses; what is
 * taken apart carries nothing that could end a line or a header, and its slices lie in the text. */
#include <stdlib.h>

#include "agent/base/check.h"
#include "agent/deliver/grpc_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

static void check_clean(struct leat_slice text)
{
    for (uint32_t i = 0; i < text.len; i++)
        LEAT_CHECK(text.at[i] > ' ' && text.at[i] != 127);
}

static void check_inside(struct leat_slice part, const char *text)
{
    const uint8_t *begin = (const uint8_t *)text;
    LEAT_CHECK(part.len == 0 || (part.at >= begin && part.at + part.len <= begin + strlen(text)));
}

static void read_url(const char *text)
{
    struct leat_url url;
    struct leat_err err = {0};
    leat_rc rc = leat_url_parse(text, &url, &err);
    LEAT_CHECK((rc == LEAT_OK) == (err.text[0] == 0));
    if (rc != LEAT_OK)
        return;
    LEAT_CHECK(url.port != 0 && url.address[0] && url.host[0] && url.name.len && url.target.len);
    check_clean(leat_slice_str(url.address));
    check_clean(leat_slice_str(url.host));
    check_clean(url.target);
    check_inside(url.name, text);
}

static void read_target(const char *text, bool insecure)
{
    struct leat_grpc_target target;
    struct leat_err err = {0};
    if (leat_grpc_target_parse(text, insecure, &target, &err) != LEAT_OK) {
        LEAT_CHECK(err.text[0]);
        return;
    }
    LEAT_CHECK(target.address[0] && target.authority[0]);
    check_clean(leat_slice_str(target.authority));
    if (!target.is_unix)
        check_inside(target.name, text);
}

static void read_proxy(const char *text)
{
    char to[LEAT_PROXY_MAX];
    struct leat_err err = {0};
    if (leat_proxy_pick(text, true, LEAT_SLICE("peer.example"), 443, to, &err) == LEAT_OK)
        LEAT_CHECK(memchr(to, 0, sizeof to));
    (void)leat_proxy_excluded(text, LEAT_SLICE("10.1.2.3"), 443);
    (void)leat_proxy_excluded(text, LEAT_SLICE("fd12::1"), 443);
    (void)leat_proxy_excluded(text, LEAT_SLICE("peer.example"), 443);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    char *text = len ? malloc(len) : NULL;
    if (!text)
        return 0;
    memcpy(text, at + 1, len - 1);
    text[len - 1] = 0;
    if (at[0] % 4 == 0)
        read_url(text);
    else if (at[0] % 4 == 3)
        read_proxy(text);
    else
        read_target(text, at[0] % 4 == 1);
    free(text);
    return 0;
}
