/* SPDX-License-Identifier: Apache-2.0 */
/* Edits against a reference that decodes everything with the generated codec, edits the tree and encodes it again. */
#include <stdlib.h>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h"
#include "opentelemetry/proto/collector/profiles/v1development/profiles_service.pb-c.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h"
#include "proto/otlp/otlp_validate.h"
#include "proto/otlp_edit/otlp_edit.h"
#include "tests/kit/kit.h"
#include "tests/unit/proto/otlp/otlp_random.h"

typedef Opentelemetry__Proto__Common__V1__KeyValue Pair;
typedef Opentelemetry__Proto__Common__V1__AnyValue Value;

static const ProtobufCMessageDescriptor *const requests[] = {
    &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor,
    &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor,
    &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
    &opentelemetry__proto__collector__profiles__v1development__export_profiles_service_request__descriptor};

/* ---- the reference: set x to "new", leave out the first k8s.pod.name, add `added` = 7 where it is not ---- */

static char *dup(const char *text)
{
    return strcpy(malloc(strlen(text) + 1), text);
}

static Value *value_new(void)
{
    Value *v = malloc(sizeof *v);
    opentelemetry__proto__common__v1__any_value__init(v);
    return v;
}

static Pair *pair_find(Pair **at, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(at[i]->key, key) == 0)
            return at[i];
    return NULL;
}

static Pair *pair_add(Pair ***at, size_t *n, const char *key)
{
    *at = realloc(*at, (*n + 1) * sizeof **at);
    Pair *p = malloc(sizeof *p);
    opentelemetry__proto__common__v1__key_value__init(p);
    p->key = dup(key);
    p->value = value_new();
    return (*at)[(*n)++] = p;
}

static void reference_edit(Pair ***at, size_t *n)
{
    Pair *x = pair_find(*at, *n, "x");
    if (!x)
        x = pair_add(at, n, "x");
    if (x->value)
        protobuf_c_message_free_unpacked(&x->value->base, NULL);
    x->key_strindex = 0; /* a pair that is set is written anew: a key in words and a value */
    x->value = value_new();
    x->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
    x->value->string_value = dup("new");
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*at)[i]->key, "k8s.pod.name") == 0) {
            protobuf_c_message_free_unpacked(&(*at)[i]->base, NULL);
            memmove(&(*at)[i], &(*at)[i + 1], (*n - i - 1) * sizeof **at);
            --*n;
            break;
        }
    if (pair_find(*at, *n, "added"))
        return;
    Pair *added = pair_add(at, n, "added");
    added->value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
    added->value->int_value = 7;
}

static void *member(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return (char *)m + f->offset;
}

/* Every message called `name` below m; found by the descriptors, so that all signals and kinds of points are one case.
 */
static void visit(ProtobufCMessage *m, const char *const *names, unsigned level)
{
    for (const char *const *name = names; *name; name++)
        if (strcmp(m->descriptor->short_name, *name) == 0) {
            const ProtobufCFieldDescriptor *f =
                protobuf_c_message_descriptor_get_field_by_name(m->descriptor, "attributes");
            reference_edit(member(m, f), (size_t *)(void *)((char *)m + f->quantifier_offset));
            return;
        }
    for (unsigned i = 0; i < m->descriptor->n_fields && level < 8; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = *(size_t *)(void *)((char *)m + f->quantifier_offset);
            ProtobufCMessage **at = *(ProtobufCMessage ***)member(m, f);
            for (size_t k = 0; k < n; k++)
                visit(at[k], names, level + 1);
            continue;
        }
        bool chosen = !(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
                      *(uint32_t *)(void *)((char *)m + f->quantifier_offset) == f->id;
        ProtobufCMessage *one = chosen ? *(ProtobufCMessage **)member(m, f) : NULL;
        if (one)
            visit(one, names, level + 1);
    }
}

static const char *const resources[] = {"Resource", NULL};
static const char *const records[] = {
    "LogRecord",        "Span", "NumberDataPoint", "HistogramDataPoint", "ExponentialHistogramDataPoint",
    "SummaryDataPoint", NULL};

/* A resource that is not there is an empty one. */
static void make_resources(enum leat_signal signal, ProtobufCMessage *m)
{
    (void)signal;
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(m->descriptor, 1);
    size_t n = *(size_t *)(void *)((char *)m + f->quantifier_offset);
    ProtobufCMessage **at = *(ProtobufCMessage ***)member(m, f);
    for (size_t i = 0; i < n; i++) {
        const ProtobufCFieldDescriptor *r = protobuf_c_message_descriptor_get_field(at[i]->descriptor, 1);
        ProtobufCMessage **to = member(at[i], r);
        if (*to)
            continue;
        Opentelemetry__Proto__Resource__V1__Resource *fresh = malloc(sizeof *fresh);
        opentelemetry__proto__resource__v1__resource__init(fresh);
        *to = &fresh->base;
    }
}

static uint8_t *packed(enum leat_signal signal, const void *at, size_t len, const char *const *edit, size_t *ret_len)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(requests[signal], NULL, len, at);
    EXPECT(m != NULL);
    if (edit == resources)
        make_resources(signal, m);
    if (edit)
        visit(m, edit, 0);
    uint8_t *bytes = malloc(protobuf_c_message_get_packed_size(m) + 1);
    *ret_len = protobuf_c_message_pack(m, bytes);
    protobuf_c_message_free_unpacked(m, NULL);
    return bytes;
}

/* ---- the same, ours ---- */

#define TEXT(t)                                \
    {                                          \
        .kind = LEAT_VALUE_STRING, .text = (t) \
    }

static struct otlp_edit_action_conf actions[] = {
    {.action = OTLP_EDIT_UPSERT, .key = "x", .value = TEXT("new")},
    {.action = OTLP_EDIT_DELETE, .key = "k8s.pod.name"},
    {.action = OTLP_EDIT_INSERT, .key = "added", .value = {.kind = LEAT_VALUE_INT, .i = 7}}};
static const struct leat_items program = {actions, 3};
static const struct otlp_edit_context no_context;

static leat_rc edited(struct otlp_edit *edit, bool of_records, enum leat_signal signal,
                      const struct leat_chain *payload, struct leat_chain *ret)
{
    return of_records ? otlp_edit_records(edit, NULL, NULL, signal, payload, &no_context, ret, NULL)
                      : otlp_edit_resources(edit, signal, payload, &no_context, ret, NULL);
}

static void expect_as_reference(struct otlp_edit *edit, bool of_records, enum leat_signal signal,
                                const struct pb_buf *b, size_t piece)
{
    struct leat_chain payload = kit_chain(b->at, b->len, piece), before = kit_chain(b->at, b->len, 0), out;
    struct leat_slice flat;
    size_t wanted_len, got_len;
    EXPECT_OK(edited(edit, of_records, signal, &payload, &out));
    EXPECT(leat_chain_eq(&payload, &before)); /* others share these bytes */
    struct otlp_counts counts;
    struct leat_err err = {0};
    EXPECT_OK_ERR(otlp_validate(signal, &out, &counts, &err), &err);
    EXPECT_OK(leat_chain_flat(&out, &flat));
    uint8_t *wanted = packed(signal, b->at, b->len, of_records ? records : resources, &wanted_len);
    uint8_t *got = packed(signal, flat.at, flat.len, NULL, &got_len);
    EXPECT_EQ(wanted_len, got_len);
    EXPECT_BYTES(wanted, got, got_len);
    free(wanted);
    free(got);
    leat_mem_unref(flat.mem);
    leat_chain_done(&out);
    leat_chain_done(&payload);
    leat_chain_done(&before);
}

/* Scenario:   random requests of every signal, whole and in pieces of 61 bytes; resources edited, then records.
 * Guarantees: the result says what the reference says, is valid, and the bytes that came are as they were. */
LEAT_TEST(edits_are_those_of_the_reference)
{
    struct otlp_edit *edit;
    EXPECT_OK(otlp_edit_check(&program, "actions", NULL));
    EXPECT_OK(otlp_edit_open(&program, &edit, NULL));
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        for (uint64_t seed = 1; seed <= 60; seed++) {
            struct otlp_random r = {.state = seed};
            struct pb_buf b = random_request(&r, (enum leat_signal)signal);
            expect_as_reference(edit, false, (enum leat_signal)signal, &b, seed % 2 ? 0 : 61);
            if (signal != LEAT_PROFILES)
                expect_as_reference(edit, true, (enum leat_signal)signal, &b, seed % 2 ? 0 : 61);
            pb_buf_done(&b);
        }
    EXPECT(otlp_edit_close(edit) == NULL);
}

/* Scenario:   one request of each signal, cut at each byte.
 * Guarantees: the result is the same bytes wherever the cut is. */
LEAT_TEST(cuts_change_nothing)
{
    struct otlp_edit *edit;
    EXPECT_OK(otlp_edit_open(&program, &edit, NULL));
    for (int signal = 0; signal < LEAT_SIGNAL_COUNT; signal++)
        for (int of_records = 0; of_records < 2; of_records++) {
            struct otlp_random r = {.state = 5};
            struct pb_buf b = random_request(&r, (enum leat_signal)signal);
            struct leat_chain whole = kit_chain(b.at, b.len, 0), wanted;
            EXPECT_OK(edited(edit, of_records, (enum leat_signal)signal, &whole, &wanted));
            for (size_t cut = 1; cut < b.len && cut < 3000; cut++) {
                struct leat_chain payload = kit_chain_cut(b.at, b.len, cut), out;
                EXPECT_OK(edited(edit, of_records, (enum leat_signal)signal, &payload, &out));
                EXPECT(leat_chain_eq(&out, &wanted));
                leat_chain_done(&out);
                leat_chain_done(&payload);
            }
            leat_chain_done(&wanted);
            leat_chain_done(&whole);
            pb_buf_done(&b);
        }
    (void)otlp_edit_close(edit);
}

static struct pb_buf big_request(void)
{
    struct pb_buf b = {0};
    size_t container = pb_buf_open(&b, PB_TAG(1, PB_LEN)), resource = pb_buf_open(&b, PB_TAG(1, PB_LEN));
    static const char text[500] = "a";
    size_t pair = pb_buf_open(&b, PB_TAG(1, PB_LEN));
    pb_buf_bytes(&b, PB_TAG(1, PB_LEN), "x", 1);
    pb_buf_close(&b, pair);
    pb_buf_close(&b, resource);
    size_t scope = pb_buf_open(&b, PB_TAG(2, PB_LEN));
    for (int i = 0; i < 1000; i++) {
        size_t record = pb_buf_open(&b, PB_TAG(2, PB_LEN)), body = pb_buf_open(&b, PB_TAG(5, PB_LEN));
        pb_buf_bytes(&b, PB_TAG(1, PB_LEN), text, sizeof text);
        pb_buf_close(&b, body);
        pb_buf_close(&b, record);
    }
    pb_buf_close(&b, scope);
    pb_buf_close(&b, container);
    return b;
}

/* Scenario:   half a megabyte of records under one resource.
 * Guarantees: editing the resource copies no more than the resource and adds two slices at most; editing the records
 *             writes each byte once and counts it. */
LEAT_TEST(what_is_copied_is_known)
{
    struct pb_buf b = big_request();
    struct leat_chain payload = kit_chain(b.at, b.len, 100000), out;
    struct otlp_edit *edit;
    EXPECT_OK(otlp_edit_open(&program, &edit, NULL));
    uint64_t before = leat_copied_bytes();
    EXPECT_OK(edited(edit, false, LEAT_LOGS, &payload, &out));
    EXPECT(leat_copied_bytes() - before < 100);
    EXPECT(out.count <= payload.count + 2);
    leat_chain_done(&out);
    before = leat_copied_bytes();
    EXPECT_OK(edited(edit, true, LEAT_LOGS, &payload, &out));
    uint64_t copied = leat_copied_bytes() - before;
    EXPECT(copied >= out.bytes && copied < out.bytes + 10 * 1024); /* and what crossed the five cuts */
    leat_chain_done(&out);
    leat_chain_done(&payload);
    (void)otlp_edit_close(edit);
    pb_buf_done(&b);
}

/* Scenario:   an update of an attribute that no resource has.
 * Guarantees: the payload goes on by reference, in as many slices as it came. */
LEAT_TEST(no_change_is_no_work)
{
    struct otlp_edit_action_conf update[] = {{.action = OTLP_EDIT_UPDATE, .key = "nowhere", .value = TEXT("v")}};
    struct pb_buf b = big_request();
    struct leat_chain payload = kit_chain(b.at, b.len, 100000), out;
    struct otlp_edit *edit;
    EXPECT_OK(otlp_edit_open(&(struct leat_items){update, 1}, &edit, NULL));
    EXPECT_OK(edited(edit, false, LEAT_LOGS, &payload, &out));
    EXPECT_EQ(out.count, payload.count);
    for (uint32_t i = 0; i < out.count; i++)
        EXPECT(out.vec[i].at == payload.vec[i].at);
    leat_chain_done(&out);
    leat_chain_done(&payload);
    (void)otlp_edit_close(edit);
    pb_buf_done(&b);
}

/* Scenario:   a payload cut short at each byte, as no door would let it in.
 * Guarantees: an answer, no read past the end; nothing is handed out on failure. */
LEAT_TEST(broken_payloads_are_refused)
{
    struct otlp_edit *edit;
    struct otlp_random r = {.state = 9};
    struct pb_buf b = random_request(&r, LEAT_METRICS);
    unsigned refused = 0;
    EXPECT_OK(otlp_edit_open(&program, &edit, NULL));
    for (size_t len = 0; len < b.len && len < 2000; len++)
        for (int of_records = 0; of_records < 2; of_records++) {
            struct leat_chain payload = kit_chain(b.at, len, 0), out;
            leat_rc rc = edited(edit, of_records, LEAT_METRICS, &payload, &out);
            EXPECT(rc == LEAT_OK || (rc == LEAT_EPARSE && out.count == 0));
            refused += rc != LEAT_OK;
            leat_chain_done(&out);
            leat_chain_done(&payload);
        }
    EXPECT(refused > 100);
    (void)otlp_edit_close(edit);
    pb_buf_done(&b);
}

/* Scenario:   each allocation fails in turn, from compiling to the edited payload.
 * Guarantees: an error or the whole result; nothing leaks, no block stays out. */
LEAT_TEST_OOM(edits_survive_failed_allocations)
{
    struct pb_buf b = big_request();
    struct otlp_edit *edit = NULL;
    struct leat_chain payload = {0}, one = {0}, two = {0};
    leat_rc rc = b.failed ? LEAT_ENOMEM : leat_chain_share(&payload, leat_slice_of(b.at, (uint32_t)b.len));
    if (rc == LEAT_OK)
        rc = otlp_edit_open(&program, &edit, NULL);
    if (rc == LEAT_OK)
        rc = edited(edit, false, LEAT_LOGS, &payload, &one);
    if (rc == LEAT_OK)
        rc = edited(edit, true, LEAT_LOGS, &one, &two);
    leat_chain_done(&one);
    leat_chain_done(&two);
    leat_chain_done(&payload);
    (void)otlp_edit_close(edit);
    pb_buf_done(&b);
    return rc;
}
