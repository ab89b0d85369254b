/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig -- a kubeconfig file's current (or named) context as client settings; private to agent/k8s.
 *
 * Owns     every text lives in the arena given.
 * Limits   LEAT_K8S_KUBECONFIG_BYTES_MAX.
 * Fails    LEAT_ECONFIG with the file and what is wrong; exec and auth-provider users are refused. */
#pragma once
#include "agent/base/arena.h"
#include "agent/base/world.h"
#include "agent/k8s/client.h"

/* The path that is used when none is configured. NULL: there is no home either. */
const char *k8s_kubeconfig_path(struct leat_arena *arena);
/* Fills in server, tls, token_file, token, authorization and proxy_url; *ret_namespace is "" when none is named. */
leat_rc k8s_kubeconfig_read(struct leat_world *world, const char *path, const char *context, struct leat_arena *arena,
                            struct leat_k8s_client_conf *ret_conf, const char **ret_namespace,
                            struct leat_err *reterr) LEAT_MUST_CHECK;
