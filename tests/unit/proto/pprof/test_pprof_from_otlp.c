/* SPDX-License-Identifier: Apache-2.0 */
/* protobuf-c is the oracle: what is made of a request of OTLP profiles is read back by it. */
#include <stdio.h>
#include <string.h>

#include "pprof/profile.pb-c.h"
#include "proto/pprof/pprof_from_otlp.h"
#include "proto/protobuf/pb_write.h"
#include "tests/kit/kit.h"

#define PERIOD 10000000
#define NOWHERE 99u
#define MADE_MAX 8

enum text { NONE, SAMPLES, COUNT, CPU, NS, WORK, FILE_, SERVICE, THREAD, PROGRAM, BUILD, OFF_CPU };
static const char *const strings[] = {
    [NONE] = "",         [SAMPLES] = "samples",         [COUNT] = "count",      [CPU] = "cpu",
    [NS] = "nanoseconds", [WORK] = "main.work",         [FILE_] = "work.go",    [SERVICE] = "service.name",
    [THREAD] = "thread", [PROGRAM] = "/bin/app",        [BUILD] = "process.executable.build_id.gnu", [OFF_CPU] = "off_cpu"};
enum attribute { A_NONE, A_SERVICE, A_THREAD, A_BUILD };

/* ---- a request ---- */

/* Indices that are not right; 0: all are. */
struct lie {
    uint64_t type, unit, period_type, stack, attribute, attribute_key, link, location, mapping, mapping_file, function, name, file;
};

static void put(struct pb_buf *buf, uint32_t number, uint64_t value) { pb_buf_varint(buf, PB_TAG(number, PB_VARINT), value); }
static void text(struct pb_buf *buf, uint32_t number, const char *of)
{
    pb_buf_bytes(buf, PB_TAG(number, PB_LEN), of, (uint32_t)strlen(of));
}
static void empty(struct pb_buf *buf, uint32_t number) { pb_buf_bytes(buf, PB_TAG(number, PB_LEN), NULL, 0); }
static uint64_t or(uint64_t lie, uint64_t truth) { return lie ? lie : truth; }

static void put_mapping_and_location(struct pb_buf *buf, const struct lie *lie)
{
    empty(buf, 1);
    size_t mapping = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    put(buf, 1, 4096);
    put(buf, 2, 8192);
    put(buf, 3, 16);
    put(buf, 4, or(lie->mapping_file, PROGRAM));
    put(buf, 5, A_BUILD);
    pb_buf_close(buf, mapping);
    empty(buf, 2);
    size_t location = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    put(buf, 1, or(lie->mapping, 1));
    put(buf, 2, 4100);
    size_t line = pb_buf_open(buf, PB_TAG(3, PB_LEN));
    put(buf, 1, or(lie->function, 1));
    put(buf, 2, 42);
    pb_buf_close(buf, line);
    pb_buf_close(buf, location);
}

static void put_function_and_link(struct pb_buf *buf, const struct lie *lie)
{
    empty(buf, 3);
    size_t function = pb_buf_open(buf, PB_TAG(3, PB_LEN));
    put(buf, 1, or(lie->name, WORK));
    put(buf, 3, or(lie->file, FILE_));
    put(buf, 4, 40);
    pb_buf_close(buf, function);
    empty(buf, 4);
    size_t link = pb_buf_open(buf, PB_TAG(4, PB_LEN));
    pb_buf_bytes(buf, PB_TAG(1, PB_LEN), "0123456789abcdef", 16);
    pb_buf_bytes(buf, PB_TAG(2, PB_LEN), "01234567", 8);
    pb_buf_close(buf, link);
}

static void put_attribute(struct pb_buf *buf, uint64_t key, const char *value, uint64_t number)
{
    size_t attribute = pb_buf_open(buf, PB_TAG(6, PB_LEN));
    put(buf, 1, key);
    size_t any = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    if (value)
        text(buf, 1, value);
    else
        put(buf, 3, number);
    pb_buf_close(buf, any);
    pb_buf_close(buf, attribute);
}

/* Stack 1 has location 1 `depth` times. */
static void put_dictionary(struct pb_buf *buf, const struct lie *lie, uint32_t depth)
{
    size_t dictionary = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    put_mapping_and_location(buf, lie);
    put_function_and_link(buf, lie);
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        text(buf, 5, strings[i]);
    empty(buf, 6);
    put_attribute(buf, SERVICE, "other", 0);
    put_attribute(buf, or(lie->attribute_key, THREAD), NULL, 7);
    put_attribute(buf, BUILD, "abc", 0);
    empty(buf, 7);
    size_t stack = pb_buf_open(buf, PB_TAG(7, PB_LEN)), packed = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    for (uint32_t i = 0; i < depth && pb_buf_room(buf, 10); i++)
        buf->len = (size_t)(pb_put_varint(buf->at + buf->len, or(lie->location, 1)) - buf->at);
    pb_buf_close(buf, packed);
    pb_buf_close(buf, stack);
    pb_buf_close(buf, dictionary);
}

static void put_type(struct pb_buf *buf, uint32_t number, uint64_t type, uint64_t unit)
{
    size_t opened = pb_buf_open(buf, PB_TAG(number, PB_LEN));
    put(buf, 1, type);
    put(buf, 2, unit);
    pb_buf_close(buf, opened);
}

/* One value each; 0 values: three timestamps. */
static void put_sample(struct pb_buf *buf, const struct lie *lie, uint64_t attribute, uint64_t a, uint64_t b)
{
    size_t sample = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    put(buf, 1, or(lie->stack, 1));
    put(buf, 2, or(lie->attribute, attribute));
    put(buf, 3, or(lie->link, 1));
    if (a)
        put(buf, 4, a);
    if (b)
        put(buf, 4, b);
    for (unsigned i = 0; !a && i < 3; i++)
        pb_buf_fixed64(buf, PB_TAG(5, PB_FIXED64), 1000 + i);
    pb_buf_close(buf, sample);
}

/* Totals: 3 + 3 timestamps, and 5 of the service "other". */
static void put_profile(struct pb_buf *buf, const struct lie *lie)
{
    size_t profile = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    put_type(buf, 1, or(lie->type, SAMPLES), or(lie->unit, COUNT));
    put_sample(buf, lie, A_THREAD, 1, 2);
    put_sample(buf, lie, A_SERVICE, 5, 0);
    put_sample(buf, lie, A_THREAD, 0, 0);
    pb_buf_fixed64(buf, PB_TAG(3, PB_FIXED64), 1700000000000000000u);
    put_type(buf, 5, or(lie->period_type, CPU), NS);
    put(buf, 6, PERIOD);
    pb_buf_bytes(buf, PB_TAG(7, PB_LEN), "ABCDEFGHIJKLMNOP", 16);
    pb_buf_close(buf, profile);
}

static void put_resource(struct pb_buf *buf)
{
    static const char *const pairs[][2] = {{"service.name", "shop"}, {"k8s.pod.name", "web-1"}};
    size_t resource = pb_buf_open(buf, PB_TAG(1, PB_LEN));
    for (unsigned i = 0; i < 2; i++) {
        size_t attribute = pb_buf_open(buf, PB_TAG(1, PB_LEN));
        text(buf, 1, pairs[i][0]);
        size_t any = pb_buf_open(buf, PB_TAG(2, PB_LEN));
        text(buf, 1, pairs[i][1]);
        pb_buf_close(buf, any);
        pb_buf_close(buf, attribute);
    }
    pb_buf_close(buf, resource);
}

/* The profiles by `put`, each given its lie, in one scope of one resource. */
struct request {
    struct pb_buf buf;
    size_t resource, scope;
};
static void request_open(struct request *request)
{
    *request = (struct request){0};
    request->resource = pb_buf_open(&request->buf, PB_TAG(1, PB_LEN));
    put_resource(&request->buf);
    request->scope = pb_buf_open(&request->buf, PB_TAG(2, PB_LEN));
}
static void request_end(struct request *request, const struct lie *lie, uint32_t depth)
{
    pb_buf_close(&request->buf, request->scope);
    pb_buf_close(&request->buf, request->resource);
    put_dictionary(&request->buf, lie, depth);
}

/* ---- what came of it ---- */

struct book {
    uint32_t made, rejected;
    uint32_t items[MADE_MAX];
    char names[MADE_MAX][16], services[MADE_MAX][16], labels[MADE_MAX][64];
    bool ids[MADE_MAX];
    Pprof__Profile *profiles[MADE_MAX];
    uint32_t reject_items[MADE_MAX];
    const char *reasons[MADE_MAX];
};

static void keep(char *to, size_t room, struct leat_slice from) { (void)snprintf(to, room, "%.*s", LEAT_SLICE_ARGS(from)); }

static leat_rc take(void *ctx, const struct pprof_made *made)
{
    struct book *book = ctx;
    struct pprof pprof;
    uint32_t n = book->made++;
    size_t len = 0;
    EXPECT(n < MADE_MAX);
    book->items[n] = made->item;
    keep(book->names[n], sizeof book->names[n], made->name);
    keep(book->services[n], sizeof book->services[n], made->service);
    for (uint32_t i = 0; i < made->label_count; i++)
        len += (size_t)snprintf(book->labels[n] + len, sizeof book->labels[n] - len, "%.*s=%.*s;",
                                LEAT_SLICE_ARGS(made->labels[i].name), LEAT_SLICE_ARGS(made->labels[i].value));
    book->ids[n] = made->id && memcmp(made->id, "ABCDEFGHIJKLMNOP", 16) == 0;
    EXPECT_OK(pprof_open(made->profile, &pprof, NULL));
    pprof_close(&pprof);
    book->profiles[n] = pprof__profile__unpack(NULL, made->profile.len, made->profile.at);
    EXPECT(book->profiles[n] != NULL);
    return LEAT_OK;
}

static leat_rc reject(void *ctx, uint32_t item, const char *reason)
{
    struct book *book = ctx;
    EXPECT(book->rejected < MADE_MAX && reason != NULL);
    book->reject_items[book->rejected] = item;
    book->reasons[book->rejected++] = reason;
    return LEAT_OK;
}

static void run(struct request *request, struct book *book)
{
    struct pprof_sink sink = {.take = take, .reject = reject, .ctx = book, .now_ns = 1};
    struct leat_err err = {0};
    EXPECT(!request->buf.failed);
    struct leat_chain payload = kit_chain(request->buf.at, request->buf.len, request->buf.len / 3 + 1);
    *book = (struct book){0};
    EXPECT_OK_ERR(pprof_from_otlp(&payload, &sink, &err), &err);
    leat_chain_done(&payload);
    pb_buf_done(&request->buf);
}

static void book_done(struct book *book)
{
    for (uint32_t i = 0; i < book->made; i++)
        pprof__profile__free_unpacked(book->profiles[i], NULL);
}

static int64_t total(const Pprof__Profile *p)
{
    int64_t sum = 0;
    for (size_t i = 0; i < p->n_sample; i++) {
        EXPECT_EQ(p->sample[i]->n_value, 1);
        sum += p->sample[i]->value[0];
    }
    return sum;
}

static const char *label(const Pprof__Profile *p, size_t sample, const char *key)
{
    for (size_t i = 0; i < p->sample[sample]->n_label; i++)
        if (strcmp(p->string_table[p->sample[sample]->label[i]->key], key) == 0)
            return p->string_table[p->sample[sample]->label[i]->str];
    return "(none)";
}

/* ---- tests ---- */

/* Scenario:   samples with two values, with timestamps alone, and one of another service; a period of cpu.
 * Guarantees: a profile for each service whose totals together are the request's, times the period; stacks, mapping, labels,
 *             links, times and the resource's attributes come along. */
LEAT_TEST(otlp_profiles_become_pprof_with_equal_totals)
{
    struct request request;
    struct book book;
    request_open(&request);
    put_profile(&request.buf, &(struct lie){0});
    request_end(&request, &(struct lie){0}, 2);
    run(&request, &book);
    EXPECT(book.made == 2 && book.rejected == 0);
    EXPECT_STR(book.services[0], "shop");
    EXPECT_STR(book.services[1], "other");
    EXPECT_EQ(total(book.profiles[0]), 6 * PERIOD);
    EXPECT_EQ(total(book.profiles[1]), 5 * PERIOD);
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_EQ(book.items[i], 0);
        EXPECT_STR(book.names[i], "process_cpu");
        EXPECT_STR(book.labels[i], "k8s.pod.name=web-1;");
        EXPECT(book.ids[i]);
    }
    const Pprof__Profile *p = book.profiles[0];
    EXPECT(p->n_sample == 2 && p->n_sample_type == 1 && p->n_mapping == 1 && p->n_location == 1 && p->n_function == 1);
    EXPECT_STR(p->string_table[p->sample_type[0]->type], "cpu");
    EXPECT_STR(p->string_table[p->sample_type[0]->unit], "nanoseconds");
    EXPECT_STR(p->string_table[p->period_type->type], "cpu");
    EXPECT_EQ(p->period, PERIOD);
    EXPECT_EQ(p->time_nanos, 1700000000000000000);
    EXPECT_EQ(p->sample[0]->n_location_id, 2);
    EXPECT_EQ(p->location[0]->address, 4100);
    EXPECT_EQ(p->location[0]->line[0]->line, 42);
    EXPECT_STR(p->string_table[p->function[0]->name], "main.work");
    EXPECT_STR(p->string_table[p->function[0]->filename], "work.go");
    EXPECT(p->mapping[0]->memory_start == 4096 && p->mapping[0]->memory_limit == 8192 && p->mapping[0]->file_offset == 16);
    EXPECT_STR(p->string_table[p->mapping[0]->filename], "/bin/app");
    EXPECT_STR(p->string_table[p->mapping[0]->build_id], "abc");
    EXPECT_STR(label(p, 0, "thread"), "7");
    EXPECT_STR(label(p, 0, "trace_id"), "30313233343536373839616263646566");
    EXPECT_STR(label(p, 0, "span_id"), "3031323334353637");
    EXPECT_STR(label(book.profiles[1], 0, "service.name"), "(none)");
    book_done(&book);
}

static void put_plain(struct pb_buf *buf, uint64_t type, uint64_t unit, uint32_t samples)
{
    size_t profile = pb_buf_open(buf, PB_TAG(2, PB_LEN));
    put_type(buf, 1, type, unit);
    for (uint32_t i = 0; i < samples; i++)
        put_sample(buf, &(struct lie){0}, A_THREAD, 4, 0);
    pb_buf_close(buf, profile);
}

/* Guarantees: without a period values stay as they are and the type tells the name; a profile without time has now's; without
 *             a sample, and without a type, it is refused and the one behind it goes on. */
LEAT_TEST(otlp_profiles_without_a_period_keep_their_values)
{
    struct request request;
    struct book book;
    request_open(&request);
    put_plain(&request.buf, OFF_CPU, NS, 2);
    put_plain(&request.buf, SAMPLES, COUNT, 0);
    empty(&request.buf, 2);
    put_plain(&request.buf, SAMPLES, COUNT, 1);
    request_end(&request, &(struct lie){0}, 1);
    run(&request, &book);
    EXPECT(book.made == 2 && book.rejected == 2);
    EXPECT_STR(book.names[0], "off_cpu");
    EXPECT_EQ(total(book.profiles[0]), 8);
    EXPECT_EQ(book.profiles[0]->time_nanos, 1);
    EXPECT(book.reject_items[0] == 1 && book.reject_items[1] == 2);
    EXPECT_STR(book.reasons[0], "no samples");
    EXPECT_STR(book.reasons[1], "no sample type");
    EXPECT(book.items[1] == 3 && total(book.profiles[1]) == 4);
    book_done(&book);
}

/* Guarantees: each index that leads out of the dictionary costs the profile that has it, once, and no other. */
LEAT_TEST(otlp_profiles_with_an_index_that_leads_nowhere_are_refused_each)
{
    static const struct lie own[] = {{.type = NOWHERE}, {.unit = NOWHERE}, {.period_type = NOWHERE}, {.stack = NOWHERE},
                                     {.attribute = NOWHERE}, {.link = NOWHERE}, {.stack = UINT64_MAX}, {.link = UINT64_MAX}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        struct request request;
        struct book book;
        request_open(&request);
        put_profile(&request.buf, &own[i]);
        put_profile(&request.buf, &(struct lie){0});
        request_end(&request, &(struct lie){0}, 1);
        run(&request, &book);
        EXPECT(book.rejected == 1 && book.reject_items[0] == 0);
        EXPECT(strstr(book.reasons[0], "out of the dictionary") != NULL);
        EXPECT(book.made == 2 && book.items[0] == 1 && book.items[1] == 1);
        EXPECT_EQ(total(book.profiles[0]) + total(book.profiles[1]), 11 * PERIOD);
        book_done(&book);
    }
}

/* Guarantees: the same for an entry of the dictionary that leads nowhere: a profile is refused by what it uses, however deep. */
LEAT_TEST(otlp_profiles_that_use_an_entry_that_leads_nowhere_are_refused)
{
    static const struct lie entries[] = {{.location = NOWHERE}, {.mapping = NOWHERE}, {.mapping_file = NOWHERE}, {.function = NOWHERE},
                                         {.name = NOWHERE}, {.file = NOWHERE}, {.attribute_key = NOWHERE}, {.location = UINT64_MAX}};
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct request request;
        struct book book;
        request_open(&request);
        put_profile(&request.buf, &(struct lie){0});
        request_end(&request, &entries[i], 1);
        run(&request, &book);
        EXPECT(book.made == 0 && book.rejected == 1);
        EXPECT(strstr(book.reasons[0], "out of the dictionary") != NULL);
        book_done(&book);
    }
}

/* Scenario:   a deep stack that many samples name: a request of 100 kB whose pprof would be 60 MB, as pprof has no stacks.
 * Guarantees: it is refused before it is written whole; the profile behind it goes on. */
LEAT_TEST(otlp_profiles_that_outgrow_a_pprof_are_refused)
{
    struct request request;
    struct book book;
    request_open(&request);
    put_plain(&request.buf, SAMPLES, COUNT, 1000);
    put_plain(&request.buf, SAMPLES, COUNT, 1);
    request_end(&request, &(struct lie){0}, 60000);
    run(&request, &book);
    EXPECT(book.rejected == 1 && book.reject_items[0] == 0);
    EXPECT(book.made == 1 && book.items[0] == 1);
    EXPECT_EQ(book.profiles[0]->sample[0]->n_location_id, 60000);
    book_done(&book);
}

static leat_rc take_nothing(void *ctx, const struct pprof_made *made)
{
    *(uint32_t *)ctx += made->profile.len != 0;
    return LEAT_OK;
}
static leat_rc reject_nothing(void *ctx, uint32_t item, const char *reason)
{
    (void)item;
    (void)reason;
    *(uint32_t *)ctx += 100;
    return LEAT_OK;
}

LEAT_TEST_OOM(otlp_profiles_survive_any_failed_allocation)
{
    static uint8_t bytes[2048];
    static uint32_t len;
    uint32_t made = 0;
    struct pprof_sink sink = {.take = take_nothing, .reject = reject_nothing, .ctx = &made, .now_ns = 1};
    struct leat_chain payload = {0};
    if (!len) { /* the plain run comes first */
        struct request request;
        request_open(&request);
        put_profile(&request.buf, &(struct lie){0});
        request_end(&request, &(struct lie){0}, 2);
        EXPECT(request.buf.len < sizeof bytes);
        memcpy(bytes, request.buf.at, request.buf.len);
        len = (uint32_t)request.buf.len;
        pb_buf_done(&request.buf);
    }
    leat_rc rc = leat_chain_copy(&payload, bytes, len / 2);
    if (rc == LEAT_OK)
        rc = leat_chain_copy(&payload, bytes + len / 2, len - len / 2);
    if (rc == LEAT_OK)
        rc = pprof_from_otlp(&payload, &sink, NULL);
    leat_chain_done(&payload);
    EXPECT(rc == LEAT_OK ? made == 2 : made < 100); /* never takes a lack of memory for a bad profile */
    return rc;
}
