/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/deliver/url.h"
#include "exporters/pyroscope/pyroscope.h"

#define AT(member) LEAT_AT(struct pyroscope_conf, member)
#define PATH "/push.v1.PusherService/Push"

const struct leat_field pyroscope_fields[] = {
    {.key = "external_labels",
     .type = LEAT_MAP,
     .offset = AT(external_labels),
     .doc = "labels added to every profile that has none of the name"},
    {.key = "max_label_names",
     .type = LEAT_INT,
     .offset = AT(label_names_max),
     .deflt = "30",
     .min = 3,
     .max = PYROSCOPE_LABELS_MAX,
     .doc = "labels of a profile, __name__ and service_name included; the last ones over it are left out"},
    {.key = "max_label_name_length",
     .type = LEAT_INT,
     .offset = AT(label_name_bytes_max),
     .deflt = "1024",
     .min = 16,
     .max = 65536,
     .doc = "bytes of a label name; a label with a longer one is left out"},
    {.key = "max_label_value_length",
     .type = LEAT_INT,
     .offset = AT(label_value_bytes_max),
     .deflt = "2048",
     .min = 16,
     .max = 1048576,
     .doc = "bytes of a label value; a longer one is cut"},
    {0}};

const struct leat_counter_def pyroscope_counters[] = {
    [PYROSCOPE_LABELS_LEFT_OUT] = {"pyroscope_labels_left_out_total", "",
                                   "Labels over max_label_names or max_label_name_length, or whose name another has."},
    [PYROSCOPE_VALUES_CUT] = {"pyroscope_label_values_cut_total", "", "Label values cut at max_label_value_length."},
    {0}};

static bool name_is_plain(const char *name)
{
    if (isdigit((unsigned char)*name))
        return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '_')
            return false;
    return *name != 0;
}

leat_rc pyroscope_check(const struct leat_exporter_conf *conf, struct leat_err *reterr)
{
    const struct pyroscope_conf *own = conf->own;
    const struct leat_http_client_conf *http = conf->carrier;
    struct leat_url url;
    if (!http->endpoint || !*http->endpoint)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "endpoint is required: http://pyroscope:4040");
    if (leat_url_parse(http->endpoint, &url, reterr) != LEAT_OK)
        return reterr ? leat_err_wrap(reterr, "endpoint") : LEAT_ECONFIG;
    if (http->compression != LEAT_CODING_NONE && http->compression != LEAT_CODING_GZIP)
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "compression: Pyroscope takes gzip or none");
    for (uint32_t i = 0; i < own->external_labels.count; i++)
        if (!name_is_plain(own->external_labels.at[i].key))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "external_labels: \"%.64s\" is no label name ([a-zA-Z_][a-zA-Z0-9_]*)",
                              own->external_labels.at[i].key);
    return LEAT_OK;
}

/* The path of the API behind what was given, unless it is there. */
static char *push_url(const char *endpoint)
{
    size_t len = strlen(endpoint), room = len + sizeof PATH;
    while (len && endpoint[len - 1] == '/')
        len--;
    bool whole = len >= sizeof PATH - 1 && memcmp(endpoint + len - (sizeof PATH - 1), PATH, sizeof PATH - 1) == 0;
    char *text = leat_alloc(room);
    if (text)
        (void)snprintf(text, room, "%.*s%s", (int)len, endpoint, whole ? "" : PATH);
    return text;
}

leat_rc pyroscope_open(void *state, const struct leat_exporter_conf *conf, enum leat_signal signal,
                       struct leat_world *world, struct leat_err *reterr)
{
    (void)signal;
    struct pyroscope_state *pyroscope = state;
    const struct leat_http_client_conf *http = conf->carrier;
    pyroscope->conf = conf->own;
    pyroscope->world = world;
    pyroscope->counts = conf->counts;
    pyroscope->names = leat_zalloc(PYROSCOPE_LABELS_MAX, (size_t)pyroscope->conf->label_name_bytes_max);
    pyroscope->url = push_url(http->endpoint);
    return pyroscope->url && pyroscope->names ? LEAT_OK : LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "no memory for an address");
}

void pyroscope_close(void *state)
{
    struct pyroscope_state *pyroscope = state;
    leat_free(pyroscope->url);
    leat_free(pyroscope->names);
    pb_buf_done(&pyroscope->encoded);
    pyroscope->url = pyroscope->names = NULL;
}
