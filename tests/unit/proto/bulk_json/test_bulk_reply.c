/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/bulk_json/bulk_reply.h"
#include "tests/kit/kit.h"

static uint32_t rows_of(const char *text, int statuses[8], bool *ret_complete)
{
    struct bulk_reply reply;
    struct bulk_reply_row row;
    uint32_t n = 0;
    bulk_reply_begin(&reply, leat_slice_str(text));
    while (bulk_reply_next(&reply, &row))
        statuses[n++] = row.status;
    *ret_complete = reply.complete;
    return n;
}

/* Guarantees: statuses in order, whatever the action, with and without what filter_path leaves out. */
LEAT_TEST(rows_are_read_in_order)
{
    int s[8];
    bool complete;
    EXPECT_EQ(
        rows_of(
            "{\"took\":30,\"errors\":true,\"items\":[{\"index\":{\"_index\":\"a\",\"_shards\":{\"total\":2},\"status\":"
            "201}},"
            "{\"create\":{\"status\":429,\"error\":{\"type\":\"t\",\"reason\":\"r\"}}},{\"update\":{\"status\":200}}]}",
            s, &complete),
        3);
    EXPECT(complete && s[0] == 201 && s[1] == 429 && s[2] == 200);
    EXPECT_EQ(rows_of("{\"items\":[]}", s, &complete), 0);
    EXPECT(complete);
}

/* Guarantees: what is cut, odd or no reply at all gives the rows that are certain, and says that it is not complete. */
LEAT_TEST(broken_replies_give_what_is_certain)
{
    static const struct {
        const char *text;
        uint32_t rows;
    } table[] = {{"", 0},
                 {"{", 0},
                 {"<html>", 0},
                 {"[]", 0},
                 {"\"items\"", 0},
                 {"{\"items\":[{\"create\":{\"status\":201}},{\"create\":{\"sta", 1},
                 {"{\"items\":[{\"create\":{\"status\":201}}", 1},
                 {"{\"items\":[{\"create\":{\"status\":201}}]} x", 1},
                 {"{\"items\":[{\"create\":{\"status\":201}},7]}", 1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int s[8];
        bool complete;
        EXPECT_EQ(rows_of(table[i].text, s, &complete), table[i].rows);
        EXPECT(!complete);
    }
}

/* Guarantees: a row without a status that can be one is unknown, which is sent again. */
LEAT_TEST(rows_without_status_are_unknown)
{
    int s[8];
    bool complete;
    EXPECT_EQ(rows_of("{\"items\":[{},{\"create\":{}},{\"create\":{\"status\":\"201\"}},{\"create\":{\"status\":-12}},"
                      "{\"create\":{\"status\":2e2}},{\"create\":null}]}",
                      s, &complete),
              6);
    EXPECT(complete);
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(s[i], 0);
        EXPECT_EQ(bulk_reply_fate(&(struct bulk_reply_row){.status = s[i]}, true), BULK_AGAIN);
    }
}

/* Guarantees: each status has its fate; a conflict is good news only where ids are ours. */
LEAT_TEST(each_status_has_its_fate)
{
    static const struct {
        int status;
        enum bulk_fate fate;
    } table[] = {{200, BULK_STORED},  {201, BULK_STORED}, {400, BULK_REFUSED}, {401, BULK_BLOCKED}, {403, BULK_BLOCKED},
                 {404, BULK_REFUSED}, {409, BULK_STORED}, {413, BULK_REFUSED}, {429, BULK_AGAIN},   {500, BULK_AGAIN},
                 {502, BULK_AGAIN},   {503, BULK_AGAIN},  {504, BULK_AGAIN},   {302, BULK_AGAIN}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        EXPECT_EQ(bulk_reply_fate(&(struct bulk_reply_row){.status = table[i].status}, true), table[i].fate);
    EXPECT_EQ(bulk_reply_fate(&(struct bulk_reply_row){.status = 409}, false), BULK_REFUSED);
}

/* Guarantees: reasons are told apart by the server's error types. */
LEAT_TEST(reasons_are_told_apart)
{
    static const struct {
        int status;
        const char *type;
        enum bulk_reason reason;
    } table[] = {{400, "mapper_parsing_exception", BULK_REASON_MAPPING},
                 {400, "document_parsing_exception", BULK_REASON_MAPPING},
                 {400, "strict_dynamic_mapping_exception", BULK_REASON_MAPPING},
                 {400, "illegal_argument_exception", BULK_REASON_ARGUMENT},
                 {404, "index_not_found_exception", BULK_REASON_INDEX},
                 {400, "invalid_index_name_exception", BULK_REASON_INDEX},
                 {409, "version_conflict_engine_exception", BULK_REASON_CONFLICT},
                 {403, "cluster_block_exception", BULK_REASON_BLOCKED},
                 {400, "", BULK_REASON_OTHER}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        EXPECT_EQ(bulk_reply_reason(
                      &(struct bulk_reply_row){.status = table[i].status, .type = leat_slice_str(table[i].type)}),
                  table[i].reason);
}
