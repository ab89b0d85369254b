/* SPDX-License-Identifier: Apache-2.0 */
/* Pyroscope refuses a profile for one bad label: names are made [a-zA-Z_][a-zA-Z0-9_]*, limits are kept here. */
#include "agent/pipe/ledger.h"
#include "exporters/pyroscope/pyroscope.h"

static void count(struct pyroscope_state *pyroscope, enum pyroscope_counter row)
{
    if (pyroscope->counts)
        leat_ledger__add(&pyroscope->counts[row], 1);
}

static bool plain(uint8_t c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

/* The name with everything else as "_"; as it is when there is nothing else. */
static struct leat_slice clean_name(struct pyroscope_state *pyroscope, struct leat_slice name)
{
    uint32_t good = 0;
    while (good < name.len && plain(name.at[good], good == 0))
        good++;
    if (good == name.len)
        return name;
    char *to = pyroscope->names + (size_t)pyroscope->label_count * (size_t)pyroscope->conf->label_name_bytes_max;
    for (uint32_t i = 0; i < name.len; i++)
        to[i] = plain(name.at[i], i == 0) ? (char)name.at[i] : '_';
    return leat_slice_of(to, name.len);
}

static bool has(const struct pyroscope_state *pyroscope, struct leat_slice name)
{
    for (uint32_t i = 0; i < pyroscope->label_count; i++)
        if (leat_slice_eq(pyroscope->labels[i].name, name))
            return true;
    return false;
}

/* Not in the middle of a character. */
static uint32_t cut_len(struct leat_slice text, uint32_t len)
{
    while (len && (text.at[len] & 0xc0) == 0x80)
        len--;
    return len;
}

void pyroscope__labels_begin(struct pyroscope_state *pyroscope)
{
    pyroscope->label_count = 0;
    pyroscope->encoded.len = 0;
}

void pyroscope__label(struct pyroscope_state *pyroscope, struct leat_slice name, struct leat_slice value)
{
    const struct pyroscope_conf *conf = pyroscope->conf;
    if (value.len == 0 || name.len == 0)
        return;
    if (name.len > conf->label_name_bytes_max || pyroscope->label_count == PYROSCOPE_LABELS_MAX) {
        count(pyroscope, PYROSCOPE_LABELS_LEFT_OUT);
        return;
    }
    name = clean_name(pyroscope, name);
    if (has(pyroscope, name)) { /* the first one stays */
        count(pyroscope, PYROSCOPE_LABELS_LEFT_OUT);
        return;
    }
    if (value.len > conf->label_value_bytes_max) {
        value.len = cut_len(value, (uint32_t)conf->label_value_bytes_max);
        count(pyroscope, PYROSCOPE_VALUES_CUT);
    }
    pyroscope->labels[pyroscope->label_count++] = (struct pyroscope_label){name, value};
}

static bool is_needed(struct leat_slice name)
{
    return leat_slice_is(name, "service_name") || (name.len > 2 && memcmp(name.at, "__", 2) == 0);
}

bool pyroscope__labels_end(struct pyroscope_state *pyroscope)
{
    const struct pyroscope_conf *conf = pyroscope->conf;
    if (!has(pyroscope, LEAT_SLICE("service_name")))
        pyroscope__label(pyroscope, LEAT_SLICE("service_name"), LEAT_SLICE("unknown_service"));
    for (uint32_t i = 0; i < conf->external_labels.count; i++) {
        struct leat_slice name = leat_slice_str(conf->external_labels.at[i].key);
        if (!has(pyroscope, name))
            pyroscope__label(pyroscope, name, leat_slice_str(conf->external_labels.at[i].value));
    }
    uint32_t room = (uint32_t)conf->label_names_max;
    for (uint32_t i = 0; i < pyroscope->label_count; i++)
        room -= room && is_needed(pyroscope->labels[i].name);
    for (uint32_t i = 0; i < pyroscope->label_count; i++) {
        const struct pyroscope_label *label = &pyroscope->labels[i];
        bool needed = is_needed(label->name);
        if (!needed && !room) {
            count(pyroscope, PYROSCOPE_LABELS_LEFT_OUT);
            continue;
        }
        room -= !needed;
        pprof_push_label(&pyroscope->encoded, label->name, label->value);
    }
    bool good = !pyroscope->encoded.failed;
    if (!good)
        pb_buf_done(&pyroscope->encoded); /* its failure stays otherwise */
    return good;
}
