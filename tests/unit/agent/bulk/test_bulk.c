/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/base/strbuf.h"
#include "agent/bulk/bulk.h"
#include "proto/otlp/otlp_form.h"
#include "proto/otlp/otlp_json_read.h"
#include "tests/kit/kit.h"
#include "tests/kit/sim_world.h"

static const char *const endpoints[] = {"http://a:9200/", "http://b:9200/es"};

static struct leat_bulk_conf conf_of(enum bulk_mapping mapping)
{
    struct leat_bulk_conf conf = {.endpoints = endpoints,
                                  .endpoint_count = 2,
                                  .own_ids = true,
                                  .request_bytes_max = 1 << 20,
                                  .doc = {.mapping = mapping}};
    EXPECT(bulk_index_parse(&conf.index, "logs", "unknown"));
    return conf;
}

/* A batch of records with these bodies: "m" a map, anything else a text. NULL: out of memory. */
static struct leat_batch *batch_of(const char *const *bodies, uint32_t count)
{
    struct leat_strbuf text = {0};
    struct leat_chain json = {0};
    struct leat_batch *batch = leat_batch_new(LEAT_LOGS, &otlp_form);
    leat_strbuf_puts(&text, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[");
    for (uint32_t i = 0; i < count; i++)
        leat_strbuf_printf(&text,
                           *bodies[i] == 'm' && !bodies[i][1] ? "%s{\"body\":{\"kvlistValue\":{\"values\":[]}}%s}"
                                                              : "%s{\"body\":{\"stringValue\":\"%s\"}}",
                           i ? "," : "", *bodies[i] == 'm' && !bodies[i][1] ? "" : bodies[i]);
    leat_strbuf_puts(&text, "]}]}]}");
    leat_rc rc = !batch || text.failed ? LEAT_ENOMEM : leat_chain_copy(&json, text.at, (uint32_t)text.len);
    if (rc == LEAT_OK)
        rc = otlp_json_read(LEAT_LOGS, &json, &batch->payload, NULL);
    leat_chain_done(&json);
    leat_strbuf_done(&text);
    if (rc != LEAT_OK) {
        if (batch)
            leat_batch_free(batch);
        return NULL;
    }
    batch->item_count = count;
    return batch;
}

static char *body_of(const struct leat_request *request)
{
    static char room[65536];
    room[leat_chain_put(&request->body, room, sizeof room - 1)] = 0;
    return room;
}

/* Scenario:   three records, then the last two of them encoded again by themselves, as after a partial failure.
 * Guarantees: action line and document for each; ids differ among the three and are the same the second time. */
LEAT_TEST(ids_stay_with_their_items)
{
    static const char *const bodies[] = {"same", "same", "other"};
    static const uint32_t again[] = {1, 2};
    struct leat_world *world = sim_world_new(1);
    struct leat_bulk bulk = {0};
    struct leat_bulk_conf conf = conf_of(BULK_SS4O);
    struct leat_requests out = {.origin = {.token = 0x123456789abcdef0}}, second = out;
    EXPECT_OK(leat_bulk_open(&bulk, &conf, LEAT_LOGS, world, NULL, NULL));
    struct leat_batch *all = batch_of(bodies, 3), *some = batch_of(bodies + 1, 2);
    EXPECT_OK(leat_bulk_encode(&bulk, all, &out, NULL));
    EXPECT_EQ(out.count, 1);
    EXPECT(out.at[0].first == 0 && out.at[0].count == 3 && !out.at[0].bitmap);
    EXPECT_STR(out.at[0].urls[1],
               "http://b:9200/es/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason");
    char ids[3][17], *at = body_of(&out.at[0]);
    EXPECT_EQ(at[strlen(at) - 1], '\n');
    for (int i = 0; i < 3; i++) {
        static const char begin[] = "{\"create\":{\"_index\":\"logs\",\"_id\":\"";
        EXPECT(strncmp(at, begin, sizeof begin - 1) == 0);
        memcpy(ids[i], at + sizeof begin - 1, 17);
        at = strchr(strchr(at, '\n') + 1, '\n') + 1;
    }
    EXPECT_EQ(*at, 0);
    EXPECT(memcmp(ids[0], ids[1], 17) != 0 && memcmp(ids[1], ids[2], 17) != 0);
    second.origin.items = again;
    EXPECT_OK(leat_bulk_encode(&bulk, some, &second, NULL));
    at = body_of(&second.at[0]);
    EXPECT(memmem(at, 64, ids[1], 17) && memmem(strstr(at, "other") - 400, 400, ids[2], 17) &&
           !memmem(at, strlen(at), ids[0], 17));
    leat_requests_done(&out);
    leat_requests_done(&second);
    leat_batch_free(all);
    leat_batch_free(some);
    leat_bulk_close(&bulk);
    sim_world_free(world);
}

/* Scenario:   a body map among texts, requests that end after a few bytes.
 * Guarantees: what has no document is rejected by number; requests name exactly the others. */
LEAT_TEST(items_without_a_document_are_left_out)
{
    static const char *const bodies[] = {"x", "m", "x", "m", "m", "x"};
    struct leat_world *world = sim_world_new(1);
    struct leat_bulk bulk = {0};
    struct leat_bulk_conf conf = conf_of(BULK_BODYMAP);
    struct leat_requests out = {0};
    conf.own_ids = false;
    EXPECT_OK(leat_bulk_open(&bulk, &conf, LEAT_LOGS, world, NULL, NULL));
    struct leat_batch *batch = batch_of(bodies, 6);
    EXPECT_OK(leat_bulk_encode(&bulk, batch, &out, NULL));
    EXPECT_EQ(out.count, 1);
    EXPECT_EQ(out.at[0].count, 3);
    EXPECT_EQ(out.at[0].bitmap[0], 0x1a);
    EXPECT_STR(body_of(&out.at[0]), "{\"create\":{\"_index\":\"logs\"}}\n{}\n{\"create\":{\"_index\":\"logs\"}}\n{}\n"
                                    "{\"create\":{\"_index\":\"logs\"}}\n{}\n");
    EXPECT_EQ(out.reject_count, 3);
    EXPECT(out.rejects[0].item == 0 && out.rejects[1].item == 2 && out.rejects[2].item == 5);
    leat_requests_done(&out);
    bulk.conf.request_bytes_max = 1;
    EXPECT_OK(leat_bulk_encode(&bulk, batch, &out, NULL));
    EXPECT_EQ(out.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        static const uint32_t items[] = {1, 3, 4};
        EXPECT(out.at[i].count == 1 && !out.at[i].bitmap && out.at[i].first == items[i]);
    }
    leat_requests_done(&out);
    leat_batch_free(batch);
    leat_bulk_close(&bulk);
    sim_world_free(world);
}

/* Scenario:   batches that claim another number of items than there is, and one record that is no message.
 * Guarantees: each item has an end, none is made up; what cannot be read is malformed and not tried for ever. */
LEAT_TEST(batches_that_lie_about_their_items_end)
{
    static const char *const bodies[] = {"x", "y", "z"};
    static const uint8_t broken[] = {0x0a, 6, 0x12, 4, 0x12, 2, 0x2a, 0x7f}; /* a body longer than its record */
    struct leat_world *world = sim_world_new(1);
    struct leat_bulk bulk = {0};
    struct leat_bulk_conf conf = conf_of(BULK_SS4O);
    struct leat_requests out = {0};
    EXPECT_OK(leat_bulk_open(&bulk, &conf, LEAT_LOGS, world, NULL, NULL));
    struct leat_batch *batch = batch_of(bodies, 3);
    batch->item_count = 5;
    EXPECT_OK(leat_bulk_encode(&bulk, batch, &out, NULL));
    EXPECT(out.count == 1 && out.at[0].count == 3);
    EXPECT(out.reject_count == 1 && out.rejects[0].item == 3 && out.rejects[0].count == 2);
    leat_requests_done(&out);
    batch->item_count = 2;
    EXPECT_OK(leat_bulk_encode(&bulk, batch, &out, NULL));
    EXPECT(out.count == 1 && out.at[0].count == 2 && out.reject_count == 0);
    leat_requests_done(&out);
    leat_chain_done(&batch->payload);
    EXPECT_OK(leat_chain_copy(&batch->payload, broken, sizeof broken));
    EXPECT_RC(leat_bulk_encode(&bulk, batch, &out, NULL), LEAT_EPARSE);
    leat_requests_done(&out);
    leat_batch_free(batch);
    leat_bulk_close(&bulk);
    sim_world_free(world);
}

/* Scenario:   requests of several pages, then one document of a megabyte.
 * Guarantees: no document is lost or cut where pages meet; what is written is counted by the budget, and the state keeps
 *             little of it. */
LEAT_TEST(requests_of_many_pages_are_whole)
{
    enum { COUNT = 5000 };
    static const char *bodies[COUNT];
    static char long_body[1 << 20], words[400];
    struct leat_world *world = sim_world_new(1);
    struct leat_bulk bulk = {0};
    struct leat_bulk_conf conf = conf_of(BULK_SS4O);
    struct leat_requests out = {0};
    EXPECT_OK(leat_bulk_open(&bulk, &conf, LEAT_LOGS, world, NULL, NULL));
    memset(words, 'w', sizeof words - 1);
    memset(long_body, 'l', sizeof long_body - 1);
    for (uint32_t i = 0; i < COUNT; i++)
        bodies[i] = words;
    bodies[COUNT - 1] = long_body;
    struct leat_batch *batch = batch_of(bodies, COUNT);
    EXPECT_OK(leat_bulk_encode(&bulk, batch, &out, NULL));
    uint64_t lines = 0, next = 0;
    for (uint32_t i = 0; i < out.count; i++) {
        const struct leat_chain *body = &out.at[i].body;
        EXPECT(out.at[i].first == next && !out.at[i].bitmap);
        EXPECT(i + 1 == out.count || (body->bytes >= conf.request_bytes_max && body->bytes < conf.request_bytes_max + 2048));
        next += out.at[i].count;
        for (uint32_t k = 0; k < body->count; k++)
            for (uint32_t c = 0; c < body->vec[k].len; c++)
                lines += body->vec[k].at[c] == '\n';
    }
    EXPECT_EQ(next, COUNT);
    EXPECT_EQ(lines, 2 * COUNT);
    EXPECT(out.count > 2);
    EXPECT(bulk.text.room <= 512 << 10);
    leat_requests_done(&out);
    leat_batch_free(batch);
    leat_bulk_close(&bulk);
    sim_world_free(world);
}

LEAT_TEST_OOM(encoding_survives_any_failed_allocation)
{
    static const char *const bodies[] = {"m", "x", "m", "m"};
    struct leat_world *world = leat_world_real();
    struct leat_bulk bulk = {0};
    struct leat_bulk_conf conf = {.endpoints = endpoints,
                                  .endpoint_count = 2,
                                  .own_ids = true,
                                  .request_bytes_max = 60,
                                  .authorization = "ApiKey x",
                                  .put_template = true,
                                  .doc = {.mapping = BULK_BODYMAP}};
    struct leat_requests out = {0}, before = {0};
    if (!bulk_index_parse(&conf.index, "logs-%{a}", "unknown"))
        return LEAT_EINVAL;
    leat_rc rc = leat_bulk_open(&bulk, &conf, LEAT_LOGS, world, NULL, NULL);
    struct leat_batch *batch = rc == LEAT_OK ? batch_of(bodies, 4) : NULL;
    if (rc == LEAT_OK && !batch)
        rc = LEAT_ENOMEM;
    if (rc == LEAT_OK)
        rc = leat_bulk_prepare(&bulk, &before, NULL);
    if (rc == LEAT_OK)
        rc = leat_bulk_encode(&bulk, batch, &out, NULL);
    leat_requests_done(&out);
    leat_requests_done(&before);
    if (batch)
        leat_batch_free(batch);
    leat_bulk_close(&bulk);
    return rc;
}

/* ---- answers ---- */

static uint64_t counts[16];
static uint8_t again, refused;

static struct leat_verdict judge(uint32_t count, bool own_ids, int status, const char *body)
{
    struct leat_bulk bulk = {.counts = counts, .conf = {.own_ids = own_ids}};
    struct leat_request request = {.count = count};
    struct leat_reply reply = {.request = &request, .status = status, .body = leat_slice_str(body)};
    again = refused = 0;
    struct leat_verdict verdict = {.again = &again, .refused = &refused};
    EXPECT_OK(leat_bulk_judge(&bulk, &reply, &verdict, NULL));
    return verdict;
}

#define ROW(status) "{\"create\":{\"status\":" status "}}"
#define BAD(status, type) "{\"create\":{\"status\":" status ",\"error\":{\"type\":\"" type "\",\"reason\":\"why\"}}}"

/* Guarantees: the retry table, request by request. */
LEAT_TEST(each_status_of_a_request)
{
    static const struct {
        int status;
        enum leat_verdict_kind kind;
        bool slow_down, isolate;
    } table[] = {{301, LEAT_VERDICT_HOLD, false, false}, {400, LEAT_VERDICT_DROP, false, true},
                 {401, LEAT_VERDICT_HOLD, false, false}, {403, LEAT_VERDICT_HOLD, false, false},
                 {404, LEAT_VERDICT_HOLD, false, false}, {406, LEAT_VERDICT_DROP, false, true},
                 {408, LEAT_VERDICT_RETRY, true, false}, {413, LEAT_VERDICT_SPLIT, false, false},
                 {429, LEAT_VERDICT_RETRY, true, false}, {500, LEAT_VERDICT_RETRY, true, false},
                 {503, LEAT_VERDICT_RETRY, true, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct leat_verdict verdict = judge(2, true, table[i].status, "words");
        EXPECT_EQ(verdict.kind, table[i].kind);
        EXPECT_EQ(verdict.slow_down, table[i].slow_down);
        EXPECT_EQ(verdict.isolate, table[i].isolate);
        EXPECT(strstr(verdict.text, "words"));
    }
}

/* Guarantees: rows that say stored, or stored before under our id, are delivered. */
LEAT_TEST(stored_is_delivered)
{
    memset(counts, 0, sizeof counts);
    EXPECT_EQ(judge(2, true, 200, "{\"items\":[" ROW("201") "," ROW("200") "]}").kind, LEAT_VERDICT_DELIVERED);
    EXPECT_EQ(judge(2, true, 200, "{\"items\":[" ROW("201") "," ROW("409") "]}").kind, LEAT_VERDICT_DELIVERED);
    EXPECT_EQ(counts[BULK_REASON_COUNT], 1);
    EXPECT_EQ(judge(2, false, 200, "{\"items\":[" ROW("201") "," ROW("409") "]}").kind, LEAT_VERDICT_RETRY_ITEMS);
    EXPECT(again == 0 && refused == 2);
    EXPECT_EQ(counts[BULK_REASON_CONFLICT], 1);
}

/* Guarantees: busy rows go again alone, refused ones are dropped and counted by reason, the rest is delivered. */
LEAT_TEST(rows_are_judged_one_by_one)
{
    memset(counts, 0, sizeof counts);
    struct leat_verdict verdict =
        judge(5, true, 200,
              "{\"errors\":true,\"items\":[" ROW("201") "," BAD("429", "rejected_execution_exception") "," BAD(
                  "400", "mapper_parsing_exception") "," BAD("503",
                                                             "unavailable_shards_exception") "," BAD("404",
                                                                                                     "index_not_found_"
                                                                                                     "exception") "]}");
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_RETRY_ITEMS);
    EXPECT(again == 0x0a && refused == 0x14 && verdict.slow_down);
    EXPECT(strstr(verdict.text, "mapper_parsing_exception: why"));
    EXPECT(counts[BULK_REASON_MAPPING] == 1 && counts[BULK_REASON_INDEX] == 1 && counts[BULK_REASON_COUNT + 1] == 2);
    EXPECT_EQ(judge(2, true, 200, "{\"items\":[" ROW("429") "," ROW("429") "]}").kind, LEAT_VERDICT_RETRY);
}

/* Guarantees: an index that takes nothing for now keeps the queue; nothing is dropped or counted. */
LEAT_TEST(a_blocked_index_is_waited_for)
{
    memset(counts, 0, sizeof counts);
    EXPECT_EQ(judge(2, true, 200,
                    "{\"items\":[" BAD("403", "cluster_block_exception") "," BAD("403", "cluster_block_exception") "]}")
                  .kind,
              LEAT_VERDICT_HOLD);
    EXPECT_EQ(counts[BULK_REASON_BLOCKED], 0);
}

/* Guarantees: what the answer does not say is sent again, and what it says is settled. */
LEAT_TEST(unknown_rows_go_again)
{
    memset(counts, 0, sizeof counts);
    EXPECT_EQ(judge(3, true, 200, "").kind, LEAT_VERDICT_RETRY);
    EXPECT_EQ(judge(3, true, 200, "{\"errors\":false}").kind, LEAT_VERDICT_RETRY);
    EXPECT_EQ(judge(3, true, 200, "{\"items\":[" ROW("201") "," ROW("201")).kind, LEAT_VERDICT_RETRY_ITEMS);
    EXPECT(again == 0x04 && refused == 0);
    EXPECT_EQ(judge(3, true, 200, "{\"items\":[" BAD("400", "mapper_parsing_exception") "]}").kind,
              LEAT_VERDICT_RETRY_ITEMS);
    EXPECT(again == 0x06 && refused == 0x01);
    EXPECT_EQ(counts[BULK_REASON_COUNT + 2], 9);
    EXPECT_EQ(judge(1, true, 200, "{\"items\":[" ROW("201") "," ROW("201") "]}").kind, LEAT_VERDICT_RETRY);
}

/* Guarantees: one template, its pattern and priority from the index; one that is there already is good. */
LEAT_TEST(a_template_is_put_once)
{
    struct leat_bulk bulk = {0};
    struct leat_bulk_conf conf = conf_of(BULK_SS4O);
    struct leat_requests out = {0};
    EXPECT(bulk_index_parse(&conf.index, "otel-%{service.name}", "unknown"));
    conf.put_template = conf.data_stream = true;
    EXPECT_OK(leat_bulk_open(&bulk, &conf, LEAT_LOGS, leat_world_real(), NULL, NULL));
    EXPECT_OK(leat_bulk_prepare(&bulk, &out, NULL));
    EXPECT_EQ(out.count, 1);
    EXPECT_STR(out.at[0].url, "http://a:9200/_index_template/leat-otel?create=true");
    EXPECT(strstr(body_of(&out.at[0]), "{\"index_patterns\":[\"otel-*\"],\"priority\":205,\"data_stream\":{},"));
    struct leat_reply reply = {
        .request = &out.at[0], .status = 400, .body = LEAT_SLICE("index template [x] already exists")};
    struct leat_verdict verdict = {0};
    EXPECT_OK(leat_bulk_judge(&bulk, &reply, &verdict, NULL));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_DELIVERED);
    reply.body = LEAT_SLICE("no");
    EXPECT_OK(leat_bulk_judge(&bulk, &reply, &verdict, NULL));
    EXPECT_EQ(verdict.kind, LEAT_VERDICT_RETRY);
    leat_requests_done(&out);
    leat_bulk_close(&bulk);
}
