/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the Kubernetes API in pieces: the first byte chooses list or watch and the size of a piece. What is found does not
 * depend on the cuts, and every reader of objects runs over it. */
#include <stdlib.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "agent/k8s/decode.h"
#include "agent/k8s/facts.h"
#include "agent/k8s/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

struct seen {
    uint64_t hash;
    uint32_t found;
};

static void read_object(struct leat_slice json)
{
    static struct k8s_names names;
    static const struct leat_k8s_keep keep = {true, true};
    struct k8s_status status;
    struct leat_k8s_facts *facts;
    if (k8s_decode_object(json, &names))
        LEAT_CHECK(names.name.len > 0 && names.name.len <= K8S_NAME_MAX && names.uid.len <= K8S_NAME_MAX);
    (void)k8s_decode_version(json, &names);
    (void)k8s_decode_status(json, &status);
    for (int kind = LEAT_K8S_POD; kind <= LEAT_K8S_NAMESPACE; kind++)
        if (leat_k8s_facts_read((enum leat_k8s_kind)kind, json, &keep, &facts) == LEAT_OK) {
            struct leat_slice name, tag;
            LEAT_CHECK(leat_k8s_facts_eq(facts, facts) && leat_k8s_deployment_of(facts).len <= facts->owner_name.len);
            (void)leat_k8s_cronjob_of(facts->owner_name);
            for (uint32_t i = 0; i < facts->container_count; i++) {
                leat_k8s_image_split(facts->containers[i].image, &name, &tag);
                LEAT_CHECK(name.len <= facts->containers[i].image.len);
            }
            leat_k8s_facts_unref(facts);
        }
}

static leat_rc on_found(void *ctx, enum split_found what, struct leat_slice json)
{
    struct seen *seen = ctx;
    struct k8s_event event;
    static struct k8s_list_meta meta;
    seen->found++;
    for (uint32_t i = 0; i < json.len; i++)
        seen->hash = (seen->hash ^ json.at[i] ^ (uint64_t)what << 8) * 0x100000001b3ull;
    if (what == SPLIT_META)
        (void)k8s_decode_list_meta(json, &meta);
    else if (what == SPLIT_EVENT && k8s_decode_event(json, &event))
        read_object(event.object);
    else if (what != SPLIT_TOO_LONG)
        read_object(json);
    return LEAT_OK;
}

static leat_rc run(bool is_list, const uint8_t *at, size_t len, size_t step, struct seen *seen, bool *ret_whole)
{
    struct k8s_split split = {.is_list = is_list, .bytes_max = 4096, .found = on_found, .ctx = seen};
    leat_rc rc = LEAT_OK;
    for (size_t i = 0; rc == LEAT_OK && i < len; i += step) {
        size_t n = len - i < step ? len - i : step;
        uint8_t *piece = malloc(n);
        if (!piece)
            abort();
        memcpy(piece, at + i, n);
        rc = k8s_split_feed(&split, leat_slice_of(piece, (uint32_t)n));
        free(piece);
    }
    *ret_whole = k8s_split_whole(&split);
    k8s_split_done(&split);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    struct seen cut = {0}, flat = {0};
    bool cut_whole, flat_whole;
    if (len < 2)
        return 0;
    bool is_list = at[0] & 1;
    leat_rc a = run(is_list, at + 1, len - 1, (size_t)(at[0] >> 1) + 1, &cut, &cut_whole);
    leat_rc b = run(is_list, at + 1, len - 1, len, &flat, &flat_whole);
    LEAT_CHECK(a == b && cut.found == flat.found && cut.hash == flat.hash && (a != LEAT_OK || cut_whole == flat_whole));
    return 0;
}
