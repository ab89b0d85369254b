/* SPDX-License-Identifier: Apache-2.0 */
/* What a destination refuses for good, or has no form for, goes to a file where somebody can look at it: a line of JSON
 * for each refusal, with the items as OTLP/JSON in "data".
 *
 * Each line is one append of a file opened for it: shards and exporters may share a path, and it may be moved away at
 * any time. A file that cannot be written changes nothing for the items: they are counted as lost. Where somebody's last
 * write was cut short, the next letter begins a line of its own. */
#include <errno.h>

#include "agent/base/alloc.h"
#include "agent/base/counter.h"
#include "agent/base/strbuf.h"
#include "agent/deliver/sender_inner.h"

#define FILE_MODE 0600u

static bool ends_in_half_a_line(struct leat_world *world, int fd, uint64_t size)
{
    char last = '\n';
    return size && world->disk->pread(world, fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* `line` begins with an end of line, for the case that it is needed. */
static bool file_append(const struct leat_sender *sender, const struct leat_strbuf *line)
{
    struct leat_world *world = leat_loop_world(sender->loop);
    struct leat_stat stat;
    int fd = world->disk->open(world, sender->conf->dead_letter.path,
                               LEAT_O_READ | LEAT_O_WRITE | LEAT_O_CREATE | LEAT_O_APPEND, FILE_MODE);
    if (fd < 0)
        return false;
    ssize_t written = -ENOSPC;
    size_t from = 1, len = line->len - 1;
    if (world->disk->fstat(world, fd, &stat) == 0 && stat.size + len < (uint64_t)sender->conf->dead_letter.bytes_max) {
        from = ends_in_half_a_line(world, fd, stat.size) ? 0 : 1;
        len = line->len - from;
        written = world->disk->write(world, fd, line->at + from, len);
    }
    (void)world->disk->close(world, fd);
    return written == (ssize_t)len;
}

static bool letter_write(const struct leat_sender *sender, const struct leat_batch *batch,
                         const struct leat_chain *picked, uint32_t count, enum leat_drop reason, const char *why,
                         struct leat_strbuf *line)
{
    struct leat_world *world = leat_loop_world(sender->loop);
    leat_strbuf_printf(line, "\n{\"timeUnixNano\":\"%llu\",\"exporter\":", (unsigned long long)world->unix_ns(world));
    leat_strbuf_json(line, sender->id, strlen(sender->id));
    leat_strbuf_printf(line,
                       ",\"signal\":\"%s\",\"items\":%u,\"reason\":\"%s\",\"error\":", leat_signal_name(batch->signal),
                       count, leat_drop_label(reason));
    leat_strbuf_json(line, why, strlen(why));
    leat_strbuf_puts(line, ",\"data\":");
    if (batch->form->text(batch->signal, picked, line, NULL) != LEAT_OK)
        return false;
    leat_strbuf_puts(line, "}\n");
    return !line->failed && file_append(sender, line);
}

void leat_sender__bury(struct leat_sender__shipment *shipment, const uint8_t *bits, uint32_t count,
                       enum leat_drop reason, const char *why)
{
    struct leat_sender *sender = shipment->load->sender;
    const struct leat_batch *batch = &shipment->batch;
    struct leat_chain picked = {0};
    struct leat_strbuf line = {0};
    if (!sender->conf->dead_letter.path || count == 0)
        return;
    bool written = bits && batch->form->text && batch->form->pick &&
                   batch->form->pick(batch->signal, &batch->payload, bits, &picked, NULL) == LEAT_OK &&
                   letter_write(sender, batch, &picked, count, reason, why, &line);
    leat_count(written ? LEAT_COUNT_DEAD_LETTERS : LEAT_COUNT_DEAD_LETTERS_LOST, count);
    if (!written)
        leat_sender__complain(sender, LEAT_LOG_ERROR, "cannot write dead letters", sender->conf->dead_letter.path);
    leat_chain_done(&picked);
    leat_strbuf_done(&line);
}

/* One letter for all that has no form there: of the reasons the first. */
void leat_sender__bury_rejects(struct leat_sender__shipment *shipment)
{
    const struct leat_requests *requests = &shipment->requests;
    if (!shipment->load->sender->conf->dead_letter.path || requests->reject_count == 0)
        return;
    uint8_t *bits = leat_zalloc(shipment->batch.item_count / 8 + 1, 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < requests->reject_count; i++) {
        const struct leat_reject *reject = &requests->rejects[i];
        for (uint32_t k = 0; bits && k < reject->count; k++)
            leat_bitmap_set(bits, reject->item + k);
        count += reject->count;
    }
    leat_sender__bury(shipment, bits, count, LEAT_DROP_ENCODE, requests->rejects[0].reason);
    leat_free(bits);
}

/* What is given up at the end, or for want of memory, is no letter: nobody refused it. */
void leat_sender__bury_request(struct leat_sender__shot *shot, enum leat_drop reason, const char *why)
{
    const struct leat_request *request = shot->request;
    if (!shot->shipment->load->sender->conf->dead_letter.path || request->count == 0 ||
        (reason != LEAT_DROP_REFUSED && reason != LEAT_DROP_TOO_LARGE))
        return;
    uint8_t *bits = leat_zalloc(shot->shipment->batch.item_count / 8 + 1, 1);
    uint32_t item = leat_sender__item(request, 0);
    for (uint32_t k = 0; bits && k < request->count; k++) {
        if (k)
            item = leat_sender__item_after(request, item);
        leat_bitmap_set(bits, item);
    }
    leat_sender__bury(shot->shipment, bits, request->count, reason, why);
    leat_free(bits);
}
