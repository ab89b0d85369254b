/* SPDX-License-Identifier: Apache-2.0 */
/* split -- cuts whole JSON objects out of a body that arrives in pieces; private to agent/k8s.
 *
 * Why      a list of thousands of pods and a watch that never ends are read object by object: no tree, no flat copy of all.
 * Threads  one user.
 * Owns     the part of an object whose rest has not come yet.
 * Limits   objects of bytes_max (longer ones are passed over and told as SPLIT_TOO_LONG), SPLIT_DEPTH_MAX levels.
 * Fails    LEAT_EPARSE: not what Kubernetes sends; LEAT_ENOMEM; or what `found` answered. Nothing may be fed after that.
 * Note     only strings and brackets are understood here: who reads an object checks that it is JSON. */
#pragma once
#include "agent/base/err.h"
#include "agent/base/strbuf.h"

#define SPLIT_DEPTH_MAX 200u
#define SPLIT_KEY_MAX 16u

enum split_found { SPLIT_EVENT, SPLIT_ITEM, SPLIT_META, SPLIT_TOO_LONG };

struct k8s_split {
    bool is_list;       /* one {"metadata": META, "items": [ITEM, ...]}; else EVENT EVENT ... */
    uint32_t bytes_max;
    leat_rc (*found)(void *ctx, enum split_found what, struct leat_slice json); /* borrowed; TOO_LONG: empty */
    void *ctx;
    /* the splitter's from here; {0} */
    uint32_t depth, floor; /* nesting now; the level the object being cut stands on */
    bool in_string, escaped, cutting, passing, in_items, over;
    bool wants_key, reading_key;
    enum split_found what;
    uint32_t key_len;
    char key[SPLIT_KEY_MAX];
    struct leat_strbuf kept;
};

leat_rc k8s_split_feed(struct k8s_split *split, struct leat_slice piece) LEAT_MUST_CHECK;
/* Nothing is half read: the end of a stream, or of the whole list. */
bool k8s_split_whole(const struct k8s_split *split);
void k8s_split_done(struct k8s_split *split); /* gives back what was kept; the settings stay */
