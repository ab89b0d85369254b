/* SPDX-License-Identifier: Apache-2.0 */
#include "exporters/file/file.h"

static const char *const formats[] = {"json", "proto", NULL};

/* The keys of the file itself are the carrier's (agent/deliver/carrier_file_conf.c). */
const struct leat_field file_fields[] = {
    {.key = "format",
     .type = LEAT_ENUM,
     .offset = LEAT_AT(struct file_conf, format),
     .deflt = "json",
     .choices = formats,
     .doc = "json: one OTLP/JSON object a line; proto: messages behind their length (4 bytes, big-endian)"},
    {0}};

leat_rc file_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct leat_file_carrier_conf *file = conf->carrier;
    if (!file->path || !*file->path)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "path must be non-empty");
    if (file->append && file->compression)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "append and compression enabled at the same time is not supported");
    if (file->append && file->rotation.present)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "append and rotation enabled at the same time is not supported");
    return LEAT_OK;
}

leat_rc file_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal, struct leat_world *world,
                  struct leat_err *reterr)
{
    (void)signal;
    (void)world;
    (void)reterr;
    struct file_state *file = state;
    const struct file_conf *own = conf->own;
    const struct leat_file_carrier_conf *carrier = conf->carrier;
    file->format = (enum file_format)own->format;
    file->framed = carrier->compression != 0;
    return LEAT_OK;
}

void file_close(void *state)
{
    struct file_state *file = state;
    leat_strbuf_done(&file->text);
}
