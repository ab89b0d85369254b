/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pprof/pprof_from_otlp.h"

#include "proto/pprof/pprof_from_otlp_inner.h"

#define DURATION_NS 10000000000ull /* of a profile that does not say, as Pyroscope assumes */

/* One request. */
struct request {
    const struct pprof_sink *sink;
    struct dictionary dictionary;
    struct build build;
    /* Of the current resource and scope. */
    struct pprof_pair labels[PPROF_LABELS_MAX];
    char rooms[PPROF_LABELS_MAX][PPROF__TEXT_ROOM];
    uint32_t label_count;
    struct leat_slice service;
    char service_room[256];
};

/* One profile of it. */
struct profile {
    struct leat_slice message;
    struct build_head head;
    struct leat_slice name;
    bool times_period;
    struct leat_slice services[PPROF_SERVICES_MAX]; /* of its samples; len 0: the resource's */
    uint32_t service_count;
};

/* ---- labels ---- */

static bool has_label(const struct request *request, struct leat_slice name)
{
    for (uint32_t i = 0; i < request->label_count; i++)
        if (leat_slice_eq(request->labels[i].name, name))
            return true;
    return leat_slice_is(name, "service.name");
}

/* A KeyValue whose key may be text or an index. */
static bool key_value(const struct dictionary *d, struct leat_slice message, struct leat_slice *ret_key,
                      struct otlp_value *ret_value)
{
    *ret_key = pprof__bytes(message, 1);
    if (ret_key->len == 0 && !pprof__dictionary_get(d, STRINGS, pprof__number(message, 3), ret_key))
        return false;
    return otlp_value_of(pprof__bytes(message, 2), ret_value);
}

static void take_labels(struct request *request, struct leat_slice message, uint32_t number)
{
    struct leat_slice attribute, key, text;
    struct otlp_value value;
    while (request->label_count < PPROF_LABELS_MAX && otlp_message_next(&message, number, &attribute)) {
        if (!key_value(&request->dictionary, attribute, &key, &value) || key.len == 0 || has_label(request, key) ||
            !pprof__text(&request->dictionary, &value, request->rooms[request->label_count], &text))
            continue;
        request->labels[request->label_count++] = (struct pprof_pair){key, text};
    }
}

static void take_service(struct request *request, struct leat_slice resource)
{
    struct leat_slice attribute, key, text, program = {0};
    struct otlp_value value;
    char room[PPROF__TEXT_ROOM];
    request->service = LEAT_SLICE("unknown_service");
    while (otlp_message_next(&resource, 1, &attribute)) {
        if (!key_value(&request->dictionary, attribute, &key, &value) ||
            !pprof__text(&request->dictionary, &value, room, &text))
            continue;
        bool copied = text.at == (const uint8_t *)room;
        if (leat_slice_is(key, "service.name")) {
            if (copied)
                memcpy(request->service_room, room, text.len);
            request->service = copied ? leat_slice_of(request->service_room, text.len) : text;
            return;
        }
        if (leat_slice_is(key, "process.executable.name") && !copied)
            program = text;
    }
    if (program.len == 0)
        return;
    uint32_t len = request->service.len, more = (uint32_t)sizeof request->service_room - len - 1;
    memcpy(request->service_room, request->service.at, len);
    request->service_room[len] = ':';
    if (program.len < more)
        more = program.len;
    memcpy(request->service_room + len + 1, program.at, more);
    request->service = leat_slice_of(request->service_room, len + 1 + more);
}

/* ---- what a profile is ---- */

static bool type_of(const struct dictionary *d, struct leat_slice message, struct leat_slice *ret_type,
                    struct leat_slice *ret_unit)
{
    return pprof__dictionary_get(d, STRINGS, pprof__number(message, 1), ret_type) &&
           pprof__dictionary_get(d, STRINGS, pprof__number(message, 2), ret_unit);
}

/* Without a period Pyroscope has no name either (and refuses the profile). */
static struct leat_slice name_by_type(struct leat_slice type)
{
    static const struct {
        const char *type, *name;
    } table[] = {{"alloc_objects", "memory"}, {"alloc_space", "memory"}, {"inuse_objects", "memory"},
                 {"inuse_space", "memory"},   {"goroutine", "goroutine"}, {"goroutines", "goroutine"},
                 {"contentions", "block"},    {"delay", "block"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (leat_slice_is(type, table[i].type))
            return leat_slice_str(table[i].name);
    return LEAT_SLICE("process_cpu");
}

static void name_profile(struct profile *profile)
{
    struct build_head *head = &profile->head;
    bool periodic = head->has_period_type && head->period;
    if (periodic && leat_slice_is(head->type, "samples") && leat_slice_is(head->unit, "count") &&
        leat_slice_is(head->period_type, "cpu") && leat_slice_is(head->period_unit, "nanoseconds")) {
        profile->times_period = true;
        profile->name = LEAT_SLICE("process_cpu");
        head->type = LEAT_SLICE("cpu");
        head->unit = LEAT_SLICE("nanoseconds");
    } else if (!periodic && leat_slice_is(head->type, "off_cpu") && leat_slice_is(head->unit, "nanoseconds")) {
        profile->name = LEAT_SLICE("off_cpu");
    } else {
        profile->name = periodic && head->period_type.len ? head->period_type : name_by_type(head->type);
    }
}

/* The sample's own service. False: an index leads out of the dictionary. */
static bool service_of(const struct dictionary *d, struct leat_slice sample, char room[PPROF__TEXT_ROOM],
                       struct leat_slice *ret_service)
{
    struct pprof_ids ids = {.message = pb_flat_of(sample.at, sample.len), .number = 2};
    struct leat_slice key;
    struct otlp_value value;
    uint64_t index;
    *ret_service = (struct leat_slice){0};
    while (pprof_id_next(&ids, &index)) {
        if (!pprof__attribute(d, index, &key, &value))
            return false;
        if (leat_slice_is(key, "service.name")) {
            if (!pprof__text(d, &value, room, ret_service) || ret_service->at == (const uint8_t *)room)
                *ret_service = (struct leat_slice){0};
            return true;
        }
    }
    return true;
}

static const char *find_services(const struct dictionary *d, struct profile *profile)
{
    struct leat_slice rest = profile->message, sample, service;
    char room[PPROF__TEXT_ROOM];
    while (otlp_message_next(&rest, 2, &sample)) {
        uint32_t i = 0;
        if (!service_of(d, sample, room, &service))
            return "an attribute leads out of the dictionary";
        while (i < profile->service_count && !leat_slice_eq(profile->services[i], service))
            i++;
        if (i == PPROF_SERVICES_MAX)
            return "too many services in one profile";
        if (i == profile->service_count)
            profile->services[profile->service_count++] = service;
    }
    return profile->service_count ? NULL : "no samples";
}

static const char *read_profile(const struct request *request, struct leat_slice message, struct profile *profile)
{
    const struct dictionary *d = &request->dictionary;
    struct build_head *head = &profile->head;
    struct pb_field type, period;
    *profile = (struct profile){.message = message};
    if (!otlp_get(message, 1, &type) || type.wire != PB_LEN)
        return "no sample type";
    head->has_period_type = otlp_get(message, 5, &period) && period.wire == PB_LEN;
    if (!type_of(d, leat_slice_of(type.at, type.len), &head->type, &head->unit) ||
        (head->has_period_type && !type_of(d, leat_slice_of(period.at, period.len), &head->period_type, &head->period_unit)))
        return "a type leads out of the dictionary";
    head->time_ns = pprof__number(message, 3);
    head->duration_ns = pprof__number(message, 4);
    head->period = (int64_t)pprof__number(message, 6);
    if (!head->time_ns)
        head->time_ns = request->sink->now_ns;
    if (!head->duration_ns)
        head->duration_ns = DURATION_NS;
    name_profile(profile);
    return find_services(d, profile);
}

/* ---- samples ---- */

static uint64_t timestamps(struct leat_slice sample)
{
    struct pb_flat rest = pb_flat_of(sample.at, sample.len);
    struct pb_field field;
    uint64_t count = 0;
    while (pb_next(&rest, &field) == 1)
        if (field.number == 5)
            count += field.wire == PB_LEN ? field.len / 8 : 1;
    return count;
}

static int64_t value_of(const struct profile *profile, struct leat_slice sample)
{
    struct pprof_ids values = {.message = pb_flat_of(sample.at, sample.len), .number = 4};
    uint64_t value, sum = 0;
    bool some = false;
    for (; pprof_id_next(&values, &value); some = true)
        sum += value;
    if (!some)
        sum = timestamps(sample);
    return (int64_t)(profile->times_period ? sum * (uint64_t)profile->head.period : sum);
}

static leat_rc make(struct request *request, struct profile *profile, struct leat_slice service, uint32_t item)
{
    struct build *build = &request->build;
    struct leat_slice rest = profile->message, sample, own, id = pprof__bytes(profile->message, 7);
    char room[PPROF__TEXT_ROOM];
    pprof__build_begin(build);
    while (!build->bad && otlp_message_next(&rest, 2, &sample))
        if (service_of(&request->dictionary, sample, room, &own) && leat_slice_eq(own, service))
            pprof__put_sample(build, sample, value_of(profile, sample));
    struct pprof_made made = {.item = item, .name = profile->name, .labels = request->labels,
                              .label_count = request->label_count, .id = id.len == 16 ? id.at : NULL};
    made.profile = pprof__build_end(build, &profile->head);
    made.service = service.len ? service : request->service;
    if (build->failed)
        return LEAT_ENOMEM;
    if (build->bad)
        return request->sink->reject(request->sink->ctx, item, build->bad);
    return request->sink->take(request->sink->ctx, &made);
}

static leat_rc take_profile(struct request *request, struct leat_slice message, uint32_t item)
{
    struct profile profile;
    const char *bad = read_profile(request, message, &profile);
    if (bad)
        return request->sink->reject(request->sink->ctx, item, bad);
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; rc == LEAT_OK && i < profile.service_count && !request->build.bad; i++)
        rc = make(request, &profile, profile.services[i], item);
    request->build.bad = NULL;
    return rc;
}

static leat_rc run(struct request *request, const struct leat_chain *payload, struct leat_err *reterr)
{
    struct otlp_walk walk;
    leat_rc rc = LEAT_OK;
    otlp_walk_open(&walk, LEAT_PROFILES, payload);
    while (rc == LEAT_OK && otlp_walk_next(&walk)) {
        if (walk.new_resource)
            take_service(request, walk.resource);
        if (walk.new_scope || walk.new_resource) {
            request->label_count = 0;
            take_labels(request, walk.resource, 1);
            take_labels(request, walk.scope.attributes, 3);
        }
        rc = take_profile(request, walk.item, walk.item_index);
    }
    leat_rc walked = otlp_walk_close(&walk, reterr);
    if (rc == LEAT_ENOMEM)
        return LEAT_RAISE(reterr, rc, 0, "pprof: no memory for a profile");
    return rc != LEAT_OK ? rc : walked;
}

leat_rc pprof_from_otlp(const struct leat_chain *payload, const struct pprof_sink *sink, struct leat_err *reterr)
{
    struct request request;
    request.sink = sink;
    request.label_count = 0;
    leat_rc rc = pprof__dictionary_open(payload, &request.dictionary, reterr);
    if (rc != LEAT_OK)
        return rc;
    if (pprof__build_open(&request.build, &request.dictionary))
        rc = run(&request, payload, reterr);
    else
        rc = LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "pprof: no memory for a profile");
    pprof__build_close(&request.build);
    pprof__dictionary_close(&request.dictionary);
    return rc;
}
