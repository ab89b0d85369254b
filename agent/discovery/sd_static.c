/* SPDX-License-Identifier: Apache-2.0 */
/* static_configs; and the checks of every kind of source. */
#include <stdio.h>

#include "agent/base/alloc.h"
#include "agent/discovery/discovery_inner.h"
#include "agent/discovery/sd_file.h"

static void close_static(struct leat_sd_source *source)
{
    leat_sd__done(source);
}

static leat_rc put_conf(struct leat_sd_source *source, const struct leat_static_conf *conf, uint32_t index)
{
    char key[32];
    int len = snprintf(key, sizeof key, "static_configs:%u", index);
    struct leat_sd_group *group = leat_sd__group_new(leat_slice_of(key, (uint32_t)len));
    if (!group)
        return LEAT_ENOMEM;
    for (uint32_t i = 0; i < conf->labels.count; i++)
        leat_sd__label(group, &group->common, leat_slice_str(conf->labels.at[i].key),
                       leat_slice_str(conf->labels.at[i].value));
    for (uint32_t i = 0; i < conf->targets.count; i++)
        leat_sd__label_str(group, leat_sd__target(group), "__address__", leat_slice_str(conf->targets.at[i]));
    return leat_sd__groups_put(&source->groups, group);
}

leat_rc leat_sd__static_open(struct leat_sd_job *job, const struct leat_items *confs, struct leat_sd_source **ret_source,
                             struct leat_err *reterr)
{
    const struct leat_static_conf *at = confs->at;
    struct leat_sd_source *source = leat_zalloc(1, sizeof *source);
    if (!source)
        return LEAT_RAISE(reterr, LEAT_ENOMEM, 0, "out of memory");
    leat_sd__init(source, job, "static");
    source->close = close_static;
    leat_rc rc = LEAT_OK;
    for (uint32_t i = 0; i < confs->count && rc == LEAT_OK; i++)
        rc = put_conf(source, &at[i], i);
    if (rc != LEAT_OK) {
        leat_sd__done(source);
        return LEAT_RAISE(reterr, rc, 0, "out of memory");
    }
    source->refreshes = 1;
    *ret_source = source;
    leat_sd__changed(source);
    return LEAT_OK;
}

/* ---- checks ---- */

static leat_rc check_static(const struct leat_static_conf *conf, struct leat_err *reterr)
{
    for (uint32_t i = 0; i < conf->labels.count; i++)
        if (!leat_label_name_is_utf8(leat_slice_str(conf->labels.at[i].key)))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%.100s\" is not a valid label name", conf->labels.at[i].key);
    for (uint32_t i = 0; i < conf->targets.count; i++)
        if (strchr(conf->targets.at[i], '/'))
            return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "\"%.100s\" is not a valid hostname", conf->targets.at[i]);
    return LEAT_OK;
}

static leat_rc check_http(const struct leat_http_sd_conf *conf, struct leat_err *reterr)
{
    if (!conf->url || (strncmp(conf->url, "http://", 7) != 0 && strncmp(conf->url, "https://", 8) != 0))
        return LEAT_RAISE(reterr, LEAT_ECONFIG, 0, "url must be an http or https URL");
    return leat_fetch_check(&conf->fetch, reterr);
}

leat_rc leat_sd_check(const struct leat_sd_conf *conf, struct leat_err *reterr)
{
    const struct leat_static_conf *statics = conf->statics.at;
    const struct leat_file_sd_conf *files = conf->files.at;
    const struct leat_http_sd_conf *https = conf->https.at;
    const struct leat_k8s_sd_conf *kubernetes = conf->kubernetes.at;
    const char *kind = "static_configs";
    uint32_t i;
    leat_rc rc = LEAT_OK;
    for (i = 0; i < conf->statics.count && rc == LEAT_OK; i++)
        rc = check_static(&statics[i], reterr);
    if (rc == LEAT_OK)
        kind = "file_sd_configs";
    for (i = rc == LEAT_OK ? 0 : i; i < conf->files.count && rc == LEAT_OK; i++)
        rc = leat_sd__file_check(&files[i], reterr);
    if (rc == LEAT_OK)
        kind = "http_sd_configs";
    for (i = rc == LEAT_OK ? 0 : i; i < conf->https.count && rc == LEAT_OK; i++)
        rc = check_http(&https[i], reterr);
    if (rc == LEAT_OK)
        kind = "kubernetes_sd_configs";
    for (i = rc == LEAT_OK ? 0 : i; i < conf->kubernetes.count && rc == LEAT_OK; i++)
        rc = leat_sd__k8s_check(&kubernetes[i], reterr);
    if (rc != LEAT_OK && reterr)
        (void)leat_err_wrap(reterr, "%s[%u]", kind, i - 1);
    return rc;
}
