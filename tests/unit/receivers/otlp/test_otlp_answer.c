/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/base/world.h"
#include "proto/otlp_reply/otlp_reply.h"
#include "receivers/otlp/otlp.h"
#include "tests/kit/kit.h"

/* Scenario: status bodies of both forms, read back by the exporters' reader.
 * Guarantees: the text survives, also with quotes in it. */
LEAT_TEST(status_bodies_are_read_back)
{
    static const char text[] = "a \"quoted\" word";
    for (int json = 0; json < 2; json++) {
        struct leat_chain body = {0};
        struct leat_slice flat;
        struct otlp_reply reply = {0};
        EXPECT_OK(otlp_status_body(14, text, json, &body));
        EXPECT_OK(leat_chain_flat(&body, &flat));
        EXPECT_OK(json ? otlp_reply_status_json(flat, &reply) : otlp_reply_status(flat, &reply));
        EXPECT_EQ(reply.text.len, strlen(text));
        EXPECT_BYTES(reply.text.at, text, strlen(text));
        leat_mem_unref(flat.mem);
        leat_chain_done(&body);
    }
}

/* Scenario: success and partial success of every signal, in both forms.
 * Guarantees: full success is an empty message; a partial one names the number under its signal's name. */
LEAT_TEST(success_bodies_are_read_back)
{
    static const char *const names[] = {[LEAT_LOGS] = "rejectedLogRecords",
                                        [LEAT_METRICS] = "rejectedDataPoints",
                                        [LEAT_TRACES] = "rejectedSpans",
                                        [LEAT_PROFILES] = "rejectedProfiles"};
    struct otlp_result none = {.rc = LEAT_OK}, some = {.rc = LEAT_OK, .rejected = 300, .text = "no"};
    struct leat_chain empty = {0};
    EXPECT_OK(otlp_success_body(LEAT_LOGS, &none, false, &empty));
    EXPECT_EQ(empty.bytes, 0);
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        for (int json = 0; json < 2; json++) {
            struct leat_chain body = {0};
            struct leat_slice flat;
            struct otlp_reply reply = {0};
            EXPECT_OK(otlp_success_body((enum leat_signal)signal, &some, json, &body));
            EXPECT_OK(leat_chain_flat(&body, &flat));
            EXPECT_OK(json ? otlp_reply_read_json(flat, &reply) : otlp_reply_read(flat, &reply));
            EXPECT_EQ(reply.rejected, 300);
            EXPECT_EQ(reply.text.len, 2);
            if (json)
                EXPECT(memmem(flat.at, flat.len, names[signal], strlen(names[signal])) != NULL);
            leat_mem_unref(flat.mem);
            leat_chain_done(&body);
        }
}

/* Scenario: a text that quotes bytes of the sender, and one that is too long.
 * Guarantees: what leaves is printable ASCII, cut to fit. */
LEAT_TEST(texts_are_plain)
{
    struct otlp_result result = otlp_result_of(LEAT_EPARSE, "bad \xff\xfe\n key \x7f");
    EXPECT_STR(result.text, "bad ??? key ?");
    char text[600];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    EXPECT_EQ(strlen(otlp_result_of(LEAT_EPARSE, text).text), sizeof result.text - 1);
}

/* Scenario: headers become metadata.
 * Guarantees: keys in lower case, values as they are, also when there is none. */
LEAT_TEST(metadata_keeps_values_and_lowers_keys)
{
    struct leat_header list[] = {{LEAT_SLICE("X-Scope-OrgID"), LEAT_SLICE("Team A")}, {LEAT_SLICE("empty"), {0}}};
    struct leat_meta *meta;
    EXPECT_OK(otlp_meta((struct leat_headers){list, 2}, &meta));
    EXPECT_STR(leat_meta_get(meta, "x-scope-orgid"), "Team A");
    EXPECT_STR(leat_meta_get(meta, "empty"), "");
    EXPECT(leat_meta_get(meta, "X-Scope-OrgID") == NULL);
    leat_meta_unref(meta);
    EXPECT_OK(otlp_meta((struct leat_headers){0}, &meta));
    EXPECT_EQ(meta->count, 0);
    leat_meta_unref(meta);
}

/* Scenario: each allocation of the bodies and the metadata fails once.
 * Guarantees: an error, and nothing left behind. */
LEAT_TEST_OOM(bodies_and_metadata_survive_failed_allocations)
{
    struct leat_header list[] = {{LEAT_SLICE("A"), LEAT_SLICE("1")}, {LEAT_SLICE("B"), LEAT_SLICE("2")}};
    struct otlp_result some = {.rc = LEAT_OK, .rejected = 3, .text = "no"};
    struct leat_chain body = {0};
    struct leat_meta *meta = NULL;
    leat_rc rc = otlp_meta((struct leat_headers){list, 2}, &meta);
    for (int json = 0; rc == LEAT_OK && json < 2; json++) {
        rc = otlp_status_body(3, "text", json, &body);
        if (rc == LEAT_OK)
            rc = otlp_success_body(LEAT_TRACES, &some, json, &body);
    }
    leat_meta_unref(meta);
    leat_chain_done(&body);
    return rc;
}
