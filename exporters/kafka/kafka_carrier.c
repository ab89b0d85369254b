/* SPDX-License-Identifier: Apache-2.0 */
/* The sender's parcels as librdkafka's messages.
 *
 *   send -> waiting -> produced (values pinned) -> delivery reports -> reply with a code for each record
 *
 * librdkafka calls from threads of its own only to say that its queue is no longer empty; that crosses to the shard as one
 * message, and the queue is read there. A producer that must be replaced (a fatal error; or records have to travel one by
 * one) takes no more, is emptied, and is made anew once its last report is in. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/base/check.h"
#include "exporters/kafka/kafka.h"

#define AUTH_PATIENCE_NS 5000000000ull /* after a refusal: so long may a new try take before it counts as refused too */
#define REOPEN_NS 1000000000ull
#define FAILURES_MAX 7u /* a new producer every half minute, then */

enum { TO_SEND = INT32_MIN, SENT };

struct shot;
struct mark { /* one record; its address is the message's opaque */
    struct shot *shot;
    int32_t code; /* TO_SEND, SENT, or what was reported */
};

struct shot {
    struct leat_parcel *parcel;
    struct leat_list link; /* carrier->waiting, ->produced or ->finished */
    struct leat_slice value;     /* the body in one piece; owns a reference */
    uint32_t count, next, left; /* records, the next to produce, reports awaited */
    bool canceled;
    struct mark marks[];
};

struct carrier {
    struct leat_carrier base;
    struct kafka_state *kafka;
    struct leat_loop *loop;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    struct leat_message wake;
    uint32_t posted; /* atomic: the wake-up is on its way */
    bool closed;     /* freed when the wake-up has arrived */
    bool replacing, one_by_one;
    struct leat_list waiting, produced, finished;
    struct leat_parcel *starved; /* no memory for a shot; linked by `carried` */
    struct leat_task finish;
    struct leat_timer patience, reopen;
    uint32_t unreported;
    uint64_t unreported_bytes; /* of values */
    int32_t refusal;     /* a broker does not let us in; 0 since something passed */
    int32_t fatal;       /* why the producer is replaced; 0 when for no error */
    uint32_t failures;   /* producers that ended fatally since a record was stored */
    struct kafka_speech log, trouble;
};

static void produce_waiting(struct carrier *carrier);

/* ---- the end of a parcel ---- */

static void reply_codes(struct shot *shot, const int32_t *codes, int32_t worst)
{
    struct leat_parcel *parcel = shot->parcel;
    struct leat_reply reply = {.request = parcel->request, .status = worst};
    if (codes)
        reply.body = leat_slice_of(codes, shot->count * (uint32_t)sizeof *codes);
    parcel->carried = NULL;
    parcel->done(parcel, &reply, NULL);
}

static void reply_canceled(struct shot *shot)
{
    struct leat_err err;
    struct leat_parcel *parcel = shot->parcel;
    (void)LEAT_RAISE(&err, LEAT_ECANCELED, 0, "given up before it was reported");
    parcel->carried = NULL;
    parcel->done(parcel, NULL, &err);
}

/* The codes are put where the marks stand: from here on those are not needed. */
static void shot_end(struct shot *shot)
{
    int32_t *codes = (int32_t *)(void *)shot->marks, worst = 0;
    bool any = false;
    for (uint32_t i = 0; i < shot->count; i++) {
        int32_t code = shot->marks[i].code == TO_SEND ? RD_KAFKA_RESP_ERR__PURGE_QUEUE : shot->marks[i].code;
        memcpy(&codes[i], &code, sizeof code);
        any |= code == 0;
        worst = code ? code : worst;
    }
    leat_list_remove(&shot->link);
    leat_mem_unref(shot->value.mem);
    if (shot->canceled && !any)
        reply_canceled(shot);
    else
        reply_codes(shot, shot->count > 1 ? codes : NULL, worst);
    leat_free(shot);
}

static void tell_starved(struct carrier *carrier)
{
    struct leat_err err;
    (void)LEAT_RAISE(&err, LEAT_ENOMEM, 0, "no memory to send a request");
    while (carrier->starved) {
        struct leat_parcel *parcel = carrier->starved;
        carrier->starved = parcel->carried;
        parcel->carried = NULL;
        parcel->done(parcel, NULL, &err);
    }
}

static void on_finish(struct leat_task *task)
{
    struct carrier *carrier = task->ctx;
    tell_starved(carrier);
    for (struct leat_list *node; (node = carrier->finished.next) != &carrier->finished;)
        shot_end(LEAT_CONTAINER(node, struct shot, link));
}

static void shot_finish(struct carrier *carrier, struct shot *shot)
{
    leat_list_remove(&shot->link);
    leat_list_push(&carrier->finished, &shot->link);
    leat_loop_defer(carrier->loop, &carrier->finish);
}

/* ---- the producer ---- */

static void client_close(struct carrier *carrier)
{
    if (!carrier->client)
        return;
    rd_kafka_queue_cb_event_enable(carrier->queue, NULL, NULL);
    rd_kafka_queue_destroy(carrier->queue);
    rd_kafka_destroy(carrier->client);
    carrier->queue = NULL;
    carrier->client = NULL;
}

static void on_not_empty(rd_kafka_t *client, void *ctx) /* any thread */
{
    (void)client;
    struct carrier *carrier = ctx;
    if (__atomic_exchange_n(&carrier->posted, 1, __ATOMIC_ACQ_REL) == 0)
        leat_handoff_post(carrier->loop, &carrier->wake);
}

static leat_rc client_open(struct carrier *carrier, struct leat_err *reterr)
{
    char why[200];
    rd_kafka_conf_t *properties;
    leat_rc rc = kafka__properties(carrier->kafka, carrier->one_by_one, &properties, reterr);
    if (rc != LEAT_OK)
        return rc;
    carrier->client = rd_kafka_new(RD_KAFKA_PRODUCER, properties, why, sizeof why);
    if (!carrier->client) {
        rd_kafka_conf_destroy(properties);
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "librdkafka: %s", why);
    }
    (void)rd_kafka_set_log_queue(carrier->client, NULL); /* into the one queue that is read */
    carrier->queue = rd_kafka_queue_get_main(carrier->client);
    rd_kafka_queue_cb_event_enable(carrier->queue, on_not_empty, carrier);
    on_not_empty(carrier->client, carrier); /* what came before that was told to nobody */
    kafka__count(carrier->kafka, KAFKA_COUNT_PRODUCERS, 1);
    carrier->replacing = false;
    carrier->fatal = 0;
    return LEAT_OK;
}

/* Runs from a timer: never while an event or a message of the old producer is in hand. */
static void on_reopen(struct leat_timer *timer)
{
    struct carrier *carrier = timer->ctx;
    struct leat_err err;
    if (carrier->unreported)
        return;
    client_close(carrier);
    if (client_open(carrier, &err) == LEAT_OK) {
        produce_waiting(carrier);
        return;
    }
    kafka__say_error(&carrier->trouble, RD_KAFKA_RESP_ERR__FAIL, err.text);
    leat_timer_start(carrier->loop, &carrier->reopen, REOPEN_NS);
}

/* At once; later where producer after producer ends without a record stored: each asks the brokers as soon as it lives. */
static void maybe_replace(struct carrier *carrier)
{
    if (carrier->replacing && carrier->unreported == 0 && !leat_timer_runs(&carrier->reopen))
        leat_timer_start(carrier->loop, &carrier->reopen, carrier->failures > 1 ? REOPEN_NS << (carrier->failures - 2) : 1);
}

static void purge(struct carrier *carrier, int what)
{
    if (carrier->client)
        (void)rd_kafka_purge(carrier->client, what | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

static void on_fatal(struct carrier *carrier)
{
    char why[200], text[300];
    if (carrier->replacing && carrier->fatal)
        return;
    carrier->fatal = rd_kafka_fatal_error(carrier->client, why, sizeof why);
    carrier->replacing = true;
    carrier->failures += carrier->failures < FAILURES_MAX;
    (void)snprintf(text, sizeof text, "fatal for this producer, a new one takes over: %s", why);
    kafka__say_error(&carrier->trouble, (rd_kafka_resp_err_t)carrier->fatal, text);
    purge(carrier, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    maybe_replace(carrier);
}

/* ---- producing ---- */

static rd_kafka_headers_t *headers_of(const struct carrier *carrier, const struct leat_parcel *parcel)
{
    const struct kafka_conf *own = carrier->kafka->own;
    const struct leat_request *request = parcel->request;
    uint32_t count = own->record_headers.count + own->metadata_keys.count + request->header_count;
    if (count == 0)
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(count);
    for (uint32_t i = 0; i < own->record_headers.count; i++) {
        const struct leat_pair *pair = &own->record_headers.at[i];
        (void)rd_kafka_header_add(headers, pair->key, -1, pair->value, -1);
    }
    for (uint32_t i = 0; i < own->metadata_keys.count; i++) {
        const char *value = leat_meta_get(parcel->meta, own->metadata_keys.at[i]);
        if (value)
            (void)rd_kafka_header_add(headers, own->metadata_keys.at[i], -1, value, -1);
    }
    for (uint32_t i = 0; i < request->header_count; i++) {
        const struct leat_header *header = &request->headers[i];
        (void)rd_kafka_header_add(headers, (const char *)header->name.at, header->name.len, header->value.at, header->value.len);
    }
    return headers;
}

static struct leat_slice key_of(const struct carrier *carrier, const struct leat_parcel *parcel, uint32_t record)
{
    const char *name = carrier->kafka->own->signals[parcel->signal].message_key_from_metadata_key;
    const char *value = name && *name ? leat_meta_get(parcel->meta, name) : NULL;
    struct kafka_note *note = parcel->request->note ? (struct kafka_note *)(void *)parcel->request->note->at : NULL;
    if (value)
        return leat_slice_str(value);
    if (!note || !note->keyed)
        return (struct leat_slice){0};
    const struct kafka_key *key = &kafka__note_keys(note)[record];
    return leat_slice_of(key->len ? key->at : NULL, key->len);
}

static rd_kafka_resp_err_t produce(struct carrier *carrier, struct shot *shot, uint32_t record, struct leat_slice value)
{
    const struct leat_parcel *parcel = shot->parcel;
    struct leat_slice key = key_of(carrier, parcel, record);
    rd_kafka_headers_t *headers = headers_of(carrier, parcel);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        carrier->client, RD_KAFKA_V_TOPIC(parcel->request->url), RD_KAFKA_V_KEY(key.at, key.len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value.at, value.len), RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_HEADERS(headers),
        RD_KAFKA_V_OPAQUE(&shot->marks[record]), RD_KAFKA_V_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && headers)
        rd_kafka_headers_destroy(headers);
    return code;
}

static uint32_t value_len(const struct shot *shot, uint32_t record)
{
    const struct leat_mem *note = shot->parcel->request->note;
    return note ? ((const struct kafka_note *)(const void *)note->at)->lens[record] : shot->value.len;
}

/* False: the client takes no more now. */
static bool produce_shot(struct carrier *carrier, struct shot *shot)
{
    uint32_t offset = 0;
    for (uint32_t i = 0; i < shot->next; i++)
        offset += value_len(shot, i);
    for (; shot->next < shot->count; shot->next++) {
        struct mark *mark = &shot->marks[shot->next];
        uint32_t len = value_len(shot, shot->next);
        struct leat_slice value = leat_slice_of(len ? shot->value.at + offset : (const uint8_t *)"", len);
        offset += len;
        if (mark->code != TO_SEND)
            continue;
        mark->code = SENT;
        rd_kafka_resp_err_t code = produce(carrier, shot, shot->next, value);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            shot->left++;
            carrier->unreported++;
            carrier->unreported_bytes += len;
            continue;
        }
        mark->code = TO_SEND;
        if (code == RD_KAFKA_RESP_ERR__FATAL) {
            on_fatal(carrier);
            return false;
        }
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && carrier->unreported) {
            kafka__count(carrier->kafka, KAFKA_COUNT_QUEUE_FULL, 1);
            return false;
        }
        mark->code = code;
    }
    return true;
}

/* What the client has beyond the five requests it may have under way, it asks for room without a pause: more than half of
 * its CPU went there. It waits here instead. */
static bool has_room(const struct carrier *carrier)
{
    return carrier->unreported == 0 || carrier->unreported_bytes < (uint64_t)carrier->kafka->own->producer.max_buffered_bytes;
}

static void produce_waiting(struct carrier *carrier)
{
    while (carrier->client && !carrier->replacing && has_room(carrier) && !leat_list_empty(&carrier->waiting)) {
        struct shot *shot = LEAT_CONTAINER(carrier->waiting.next, struct shot, link);
        if (!produce_shot(carrier, shot))
            break;
        leat_list_remove(&shot->link);
        leat_list_push(&carrier->produced, &shot->link);
        if (shot->left == 0)
            shot_finish(carrier, shot);
    }
    if (carrier->refusal && carrier->unreported && !leat_timer_runs(&carrier->patience))
        leat_timer_start(carrier->loop, &carrier->patience, AUTH_PATIENCE_NS);
}

/* ---- reports ---- */

/* A broker takes less than we may send, and refused a batch of several records: which of them was too large is not known.
 * From here on each is a batch of its own. */
static void go_one_by_one(struct carrier *carrier)
{
    if (carrier->one_by_one)
        return;
    carrier->one_by_one = carrier->replacing = true;
    leat_log(LEAT_LOG_WARN, carrier->kafka->conf->id,
             "a broker or topic takes less than max_message_bytes (%lld): records travel one by one from here on; lower it, or "
             "raise the topic's max.message.bytes",
             (long long)carrier->kafka->own->producer.max_message_bytes);
}

static bool is_too_large(rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || err == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

/* What a report means that librdkafka gave because we took the message back. */
static int32_t code_of(const struct carrier *carrier, rd_kafka_resp_err_t err)
{
    if (err != RD_KAFKA_RESP_ERR__PURGE_QUEUE && err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT && err != RD_KAFKA_RESP_ERR__FATAL)
        return err;
    return carrier->fatal ? carrier->fatal : carrier->refusal ? carrier->refusal : err;
}

static void on_report(struct carrier *carrier, const rd_kafka_message_t *message)
{
    struct mark *mark = message->_private;
    struct shot *shot = mark->shot;
    bool alone = !carrier->replacing && (carrier->unreported == 1 || carrier->one_by_one); /* in its batch */
    LEAT_CHECK(mark->code == SENT && shot->left > 0);
    mark->code = code_of(carrier, message->err);
    shot->left--;
    carrier->unreported--;
    carrier->unreported_bytes -= message->len;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        carrier->refusal = 0, carrier->failures = 0;
    if (is_too_large(message->err) && !alone && !shot->canceled) {
        go_one_by_one(carrier);
        mark->code = TO_SEND;
        shot->next = 0;
    }
    if (shot->left || (shot->next < shot->count && shot->next))
        return;
    if (shot->next == 0 && !shot->canceled) { /* again, by the next producer */
        leat_list_remove(&shot->link);
        leat_list_push(&carrier->waiting, &shot->link);
    } else {
        shot_finish(carrier, shot);
    }
}

static void on_error(struct carrier *carrier, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (rd_kafka_event_error_is_fatal(event)) { /* its code is the cause, never _FATAL */
        on_fatal(carrier);
        return;
    }
    kafka__say_error(&carrier->trouble, code, rd_kafka_event_error_string(event));
    if (code != RD_KAFKA_RESP_ERR__AUTHENTICATION && code != RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED)
        return;
    carrier->refusal = code;
    purge(carrier, RD_KAFKA_PURGE_F_QUEUE); /* the sender holds them, and tries one from time to time */
}

static void on_patience(struct leat_timer *timer)
{
    struct carrier *carrier = timer->ctx;
    if (carrier->refusal)
        purge(carrier, RD_KAFKA_PURGE_F_QUEUE);
}

static void on_event(struct carrier *carrier, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        while ((message = rd_kafka_event_message_next(event)))
            on_report(carrier, message);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_error(carrier, event);
        break;
    case RD_KAFKA_EVENT_LOG:
        kafka__say_log(&carrier->log, event);
        break;
    case RD_KAFKA_EVENT_STATS:
        kafka__statistics(carrier->kafka, leat_slice_str(rd_kafka_event_stats(event)));
        break;
    default:
        break;
    }
}

static void on_wake(struct leat_message *message)
{
    struct carrier *carrier = LEAT_CONTAINER(message, struct carrier, wake);
    rd_kafka_event_t *event;
    __atomic_store_n(&carrier->posted, 0, __ATOMIC_RELEASE);
    if (carrier->closed) {
        leat_free(carrier);
        return;
    }
    while (carrier->queue && (event = rd_kafka_queue_poll(carrier->queue, 0))) {
        on_event(carrier, event);
        rd_kafka_event_destroy(event);
    }
    maybe_replace(carrier);
    produce_waiting(carrier);
}

/* ---- the carrier's calls ---- */

static struct shot *shot_new(struct leat_parcel *parcel)
{
    const struct leat_mem *note = parcel->request->note;
    uint32_t count = note ? ((const struct kafka_note *)(const void *)note->at)->count : 1;
    struct shot *shot = leat_alloc(sizeof *shot + count * sizeof *shot->marks);
    if (!shot)
        return NULL;
    *shot = (struct shot){.parcel = parcel, .count = count};
    leat_list_init(&shot->link);
    for (uint32_t i = 0; i < count; i++)
        shot->marks[i] = (struct mark){shot, TO_SEND};
    if (leat_chain_flat(&parcel->request->body, &shot->value) != LEAT_OK) {
        leat_free(shot);
        return NULL;
    }
    return shot;
}

static void carrier_send(struct leat_carrier *base, struct leat_parcel *parcel)
{
    struct carrier *carrier = (struct carrier *)base;
    struct shot *shot = shot_new(parcel);
    if (!shot) {
        parcel->carried = carrier->starved;
        carrier->starved = parcel;
        leat_loop_defer(carrier->loop, &carrier->finish);
        return;
    }
    if (parcel->request->body.count > 1)
        kafka__count(carrier->kafka, KAFKA_COUNT_GATHERED, 1);
    parcel->carried = shot;
    leat_list_push(&carrier->waiting, &shot->link);
    if (!has_room(carrier))
        kafka__count(carrier->kafka, KAFKA_COUNT_QUEUE_FULL, 1);
    produce_waiting(carrier);
}

static bool is_starved(const struct carrier *carrier, const struct leat_parcel *parcel)
{
    for (const struct leat_parcel *at = carrier->starved; at; at = at->carried)
        if (at == parcel)
            return true;
    return false;
}

/* librdkafka cannot take back one message: all go, as they do when the agent stops. */
static void carrier_cancel(struct leat_carrier *base, struct leat_parcel *parcel)
{
    struct carrier *carrier = (struct carrier *)base;
    if (is_starved(carrier, parcel))
        return; /* its end is on the way */
    struct shot *shot = parcel->carried;
    shot->canceled = true;
    if (shot->left == 0)
        shot_finish(carrier, shot);
    else {
        shot->next = shot->count; /* what was not produced stays so */
        purge(carrier, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }
}

static void carrier_close(struct leat_carrier *base)
{
    struct carrier *carrier = (struct carrier *)base;
    client_close(carrier);
    leat_timer_stop(carrier->loop, &carrier->patience);
    leat_timer_stop(carrier->loop, &carrier->reopen);
    leat_task_cancel(&carrier->finish);
    carrier->closed = true;
    if (!__atomic_load_n(&carrier->posted, __ATOMIC_ACQUIRE))
        leat_free(carrier);
}

static const struct leat_carrier_ops ops = {.send = carrier_send, .cancel = carrier_cancel, .close = carrier_close};

leat_rc kafka_carrier_open(void *state, struct leat_loop *loop, struct leat_carrier **ret_carrier,
                           struct leat_err *reterr)
{
    struct kafka_state *kafka = state;
    struct carrier *carrier = leat_zalloc(1, sizeof *carrier);
    if (!carrier)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for a producer");
    carrier->base.ops = &ops;
    carrier->kafka = kafka;
    carrier->loop = loop;
    carrier->wake.arrive = on_wake;
    carrier->log = carrier->trouble = (struct kafka_speech){.kafka = kafka, .loop = loop};
    carrier->patience = (struct leat_timer){.fire = on_patience, .ctx = carrier};
    carrier->reopen = (struct leat_timer){.fire = on_reopen, .ctx = carrier};
    leat_list_init(&carrier->waiting);
    leat_list_init(&carrier->produced);
    leat_list_init(&carrier->finished);
    leat_task_init(&carrier->finish, on_finish, carrier);
    const char *warning = kafka__library_warning(kafka->own, rd_kafka_version());
    if (warning)
        leat_log(LEAT_LOG_WARN, kafka->conf->id, "librdkafka %s: %s", rd_kafka_version_str(), warning);
    leat_rc rc = client_open(carrier, reterr);
    if (rc != LEAT_OK) {
        leat_free(carrier);
        return rc;
    }
    *ret_carrier = &carrier->base;
    return LEAT_OK;
}
