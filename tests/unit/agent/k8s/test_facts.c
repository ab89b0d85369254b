/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/k8s/facts.h"
#include "agent/base/strbuf.h"
#include "tests/kit/kit.h"

static const struct leat_k8s_keep all = {true, true};

/* Scenario:   image names in every shape.
 * Guarantees: registry ports are no tags; a digest is no tag; nothing at all is "latest". */
LEAT_TEST(images_are_split)
{
    static const char *const rows[][3] = {{"nginx", "nginx", "latest"},
                                          {"nginx:1.2", "nginx", "1.2"},
                                          {"reg:5000/a/b", "reg:5000/a/b", "latest"},
                                          {"reg:5000/a/b:v", "reg:5000/a/b", "v"},
                                          {"a@sha256:00", "a", ""},
                                          {"a:t@sha256:00", "a", "t"},
                                          {"", "", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct leat_slice name, tag;
        leat_k8s_image_split(leat_slice_str(rows[i][0]), &name, &tag);
        EXPECT(leat_slice_is(name, rows[i][1]) && leat_slice_is(tag, rows[i][2]));
    }
}

static struct leat_slice deployment(const char *json, struct leat_k8s_facts **facts)
{
    EXPECT_OK(leat_k8s_facts_read(LEAT_K8S_POD, leat_slice_str(json), &(struct leat_k8s_keep){0}, facts));
    return leat_k8s_deployment_of(*facts);
}

#define OWNED(kind, name, labels) \
    "{\"metadata\":{\"name\":\"p\",\"labels\":{" labels "},\"ownerReferences\":[{\"kind\":\"X\",\"name\":\"y\"},{\"kind\":\"" kind \
    "\",\"name\":\"" name "\",\"controller\":true}]}}"

/* Scenario:   ReplicaSets with the label that tells a Deployment's hash, with another, and without; other owners; jobs.
 * Guarantees: a name where there is a Deployment, none where there is not, and the controlling owner is the one asked. */
LEAT_TEST(owners_are_told_apart)
{
    static const struct {
        const char *json, *name;
    } rows[] = {{OWNED("ReplicaSet", "web-a-7d9f", "\"pod-template-hash\":\"7d9f\""), "web-a"},
                {OWNED("ReplicaSet", "web-a-7d9f", "\"pod-template-hash\":\"other\""), ""},
                {OWNED("ReplicaSet", "web-5d8f9c6b7b", ""), "web"},
                {OWNED("ReplicaSet", "web-front", ""), ""},
                {OWNED("ReplicaSet", "-5d8f9c6b7b", ""), ""},
                {OWNED("StatefulSet", "web-5d8f9c6b7b", ""), ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct leat_k8s_facts *facts;
        EXPECT(leat_slice_is(deployment(rows[i].json, &facts), rows[i].name));
        leat_k8s_facts_unref(facts);
    }
    EXPECT(leat_slice_is(leat_k8s_cronjob_of(LEAT_SLICE("backup-28901234")), "backup"));
    EXPECT(leat_slice_is(leat_k8s_cronjob_of(LEAT_SLICE("backup-12")), ""));
    EXPECT(leat_slice_is(leat_k8s_cronjob_of(LEAT_SLICE("backup")), ""));
}

/* Scenario:   objects that are none, and more labels and longer values than are kept.
 * Guarantees: refused; left out and counted. */
LEAT_TEST(facts_have_limits)
{
    static const char *const bad[] = {"", "{}", "[]", "{\"metadata\":{}}", "{\"metadata\":{\"name\":1}}",
                                      "{\"metadata\":{\"name\":\"a\",\"labels\":{\"x\":1}}}", "{\"metadata\":{\"name\":\"a\"}} x",
                                      "{\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":{}}}",
                                      "{\"metadata\":{\"name\":\"a\"},\"status\":{\"containerStatuses\":[7]}}"};
    struct leat_k8s_facts *facts;
    struct leat_strbuf text = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_RC(leat_k8s_facts_read(LEAT_K8S_POD, leat_slice_str(bad[i]), &all, &facts), LEAT_EPARSE);
    leat_strbuf_puts(&text, "{\"metadata\":{\"name\":\"a\",\"annotations\":{\"long\":\"");
    for (int i = 0; i < 5000; i++)
        leat_strbuf_putc(&text, 'x');
    leat_strbuf_puts(&text, "\"},\"labels\":{\"first\\n\":\"1\"");
    for (int i = 0; i < 300; i++)
        leat_strbuf_printf(&text, ",\"k%d\":\"v\"", i);
    leat_strbuf_puts(&text, "}}}");
    EXPECT_OK(leat_k8s_facts_read(LEAT_K8S_POD, leat_slice_of(text.at, (uint32_t)text.len), &all, &facts));
    EXPECT_EQ(facts->label_count, LEAT_K8S_PAIRS_MAX);
    EXPECT_EQ(facts->annotation_count, 0);
    EXPECT_EQ(facts->cut, 46);
    EXPECT(leat_slice_is(leat_k8s_pair_get(facts->labels, facts->label_count, LEAT_SLICE("first\n")), "1"));
    leat_k8s_facts_unref(facts);
    leat_strbuf_done(&text);
}
